// A program compiled from examples by Tacit, as a WebAssembly module without imports. Its README.md shows how to call it.

/** What it is: name, digest, signature, and per entry point its inputs and outputs in order, with shapes and limits of indices. */
export const program = null; // @program@

// (func (result v128) i32.const 0, i8x16.splat): valid only where there are vectors of 128 bits
const PROBE = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11]);

/** Tell whether this engine has vectors of 128 bits; without them the plain module is taken. */
export function hasVectors() {
  return WebAssembly.validate(PROBE);
}

/**
 * Load the program. source: nothing (the .wasm file beside this one), a URL, bytes, or a WebAssembly.Module.
 * Gives an entry point for `main`; `entries` holds it and all others by name.
 */
export async function load(source) {
  const vectors = hasVectors();
  let code = source ?? new URL(`${program.name}${vectors ? "" : "_plain"}.wasm`, import.meta.url);
  if (typeof code === "string" || code instanceof URL) code = await fetched(new URL(code, import.meta.url));
  const compiled = code instanceof WebAssembly.Module ? code : await WebAssembly.compile(code);
  const { exports } = await WebAssembly.instantiate(compiled);
  const entries = Object.fromEntries(Object.entries(program.entries).map(([name, entry]) => [name, new Entry(exports, entry)]));
  return Object.assign(entries.main, { entries, vectors });
}

async function fetched(url) {
  if (url.protocol === "file:" && typeof process !== "undefined") {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`expected a WebAssembly module, got ${answer.status} ${answer.statusText} - at ${url}`);
  return answer.arrayBuffer();
}

/** An entry point: fixed arrays in, fixed arrays out, always in the same time and memory. */
class Entry {
  constructor(exports, { prefix, inputs, outputs }) {
    const own = (part) => exports[prefix + part];
    const { buffer } = exports.memory; // it never grows, so these views stay valid
    const view = (part, { dtype, shape }) => new (dtype === "int32" ? Int32Array : Float32Array)(buffer, own(part)(), elements(shape));
    this.inputs = inputs;
    this.outputs = outputs;
    /** The arrays in the memory of the module, for use without copies: fill the inputs, call `execute`, read the outputs. */
    this.inputArrays = inputs.map((input, at) => view(`input_${at}`, input));
    this.outputArrays = outputs.map((output, at) => view(`output_${at}`, output));
    this.execute = own("run");
  }

  /** Run on one flat array per input (any array of numbers); give a new Float32Array per output. Throws: RangeError. */
  run(...arrays) {
    if (arrays.length !== this.inputs.length) throw new RangeError(`expected ${this.inputs.length} arrays, got ${arrays.length}`);
    arrays.forEach((array, at) => check(array, this.inputs[at]));
    arrays.forEach((array, at) => this.inputArrays[at].set(array));
    this.execute();
    return this.outputArrays.map((array) => array.slice());
  }
}

function elements(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

/** Refuse what would be read beyond a table: indices are whole numbers from 0 up to, but not including, their limit. */
function check(array, { name, dtype, shape, limit }) {
  const wanted = elements(shape);
  if (array?.length !== wanted) throw new RangeError(`expected ${wanted} numbers for \`${name}\`, got ${array?.length}`);
  if (dtype !== "int32") return;
  for (let at = 0; at < wanted; at += 1) {
    const most = Array.isArray(limit) ? limit[at] : limit;
    if (!Number.isInteger(array[at]) || array[at] < 0 || array[at] >= most) {
      throw new RangeError(`expected whole numbers of 0 to ${most - 1} for \`${name}\`, got ${array[at]} - at ${at}`);
    }
  }
}
