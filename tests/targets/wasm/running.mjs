// Runs a built ES module for tests: node running.mjs MODULE.mjs [MODULE.wasm] < JSON list of lists of arrays; prints what came.

import { readFileSync } from "node:fs";

const [address, code] = process.argv.slice(2);
const { load, program } = await import(address);
const net = await load(code);
const answers = JSON.parse(readFileSync(0, "utf-8")).map((arrays) => {
  try {
    return net.run(...arrays).map((array) => [...new Uint32Array(array.buffer)]);
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
});
console.log(JSON.stringify({ answers, vectors: net.vectors, entries: Object.keys(net.entries), name: program.name }));
