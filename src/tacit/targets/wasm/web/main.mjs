// The page: load the program that stands in it, read what a person gives, answer.

import { load, program, hasVectors } from "./module.mjs";
import { answerView } from "./views/answer.mjs";
import { element } from "./views/dom.mjs";
import { factsView, selfCheck, timeOfRun } from "./views/facts.mjs";
import { inputView } from "./views/input.mjs";

const ARRAYS = { uint8: Uint8Array, int16: Int16Array, int32: Int32Array, float32: Float32Array };

/** Turn base64 into bytes. */
function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Put a module together: the code differs, the weights in its middle are those of both modules. */
function moduleOf(pieces, vectors) {
  const parts = (vectors ? pieces.vectors : pieces.plain).map((piece) => bytesOf(piece === null ? pieces.weights : piece));
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Turn recorded inputs into arrays. */
function probesOf(page) {
  return page.probes.map(({ inputs, scores }) => ({
    scores,
    arrays: inputs.map(({ dtype, data }) => new ARRAYS[dtype](bytesOf(data).buffer)),
  }));
}

async function main() {
  const data = document.getElementById("page");
  const page = JSON.parse(data.textContent);
  const net = await load(moduleOf(page.pieces, hasVectors()));
  data.remove(); // megabytes of text that are not needed again
  const probes = probesOf(page);
  const answer = answerView(program.signature.output);
  const facts = factsView(page, program, net.vectors);
  const given = (arrays) => answer.show(arrays === null ? null : net.run(...arrays)[0]);
  const input = inputView(
    program.signature.input,
    probes.map(({ arrays }) => arrays),
    net.inputs,
    given,
  );
  document.getElementById("input").append(input.element);
  document.getElementById("answer").append(answer.element);
  document.getElementById("facts").append(facts.element);
  input.start();
  facts.checked(selfCheck(net, probes));
  facts.timed(await timeOfRun(net));
  document.documentElement.dataset.ready = "";
}

// A file that is dropped beside its field would replace the page.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());

main().catch((error) => {
  document.getElementById("input").append(element("p", { class: "problem", role: "alert" }, `This page could not start: ${error.message}`));
  throw error;
});
