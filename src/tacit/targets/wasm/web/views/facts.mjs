// What was measured: on this device just now, and when the program was compiled.

import { readable } from "./answer.mjs";
import { element } from "./dom.mjs";

const ENOUGH_MILLISECONDS = 8; // one reading of the clock is over at least this
const READINGS = 9;
const SHOWN_METRICS = 4;
const TOLERANCE = 1e-4; // relative to the greatest score, as in `tacit test`

/** Measure one run, in microseconds: the median of several readings of many runs each. */
export async function timeOfRun(net) {
  let runs = 1;
  const reading = () => {
    const start = performance.now();
    for (let run = 0; run < runs; run += 1) net.execute();
    return performance.now() - start;
  };
  while (reading() < ENOUGH_MILLISECONDS && runs < 1e6) runs *= 2;
  const found = [];
  for (let at = 0; at < READINGS; at += 1) {
    found.push((1000 * reading()) / runs);
    await new Promise((resume) => setTimeout(resume, 0)); // the page stays alive in between
  }
  return found.sort((first, second) => first - second)[(READINGS - 1) / 2];
}

/** Run the inputs that came with the program: how far their scores are from the recorded ones, relative to the greatest. */
export function selfCheck(net, probes) {
  let [worst, same] = [0, 0];
  for (const { arrays, scores } of probes) {
    const [own] = net.run(...arrays);
    const most = Math.max(1e-6, ...scores.map(Math.abs));
    worst = Math.max(worst, ...scores.map((score, at) => Math.abs(score - own[at]) / most));
    const best = (list) => list.indexOf(Math.max(...list));
    same += best(Array.from(own)) === best(scores) ? 1 : 0;
  }
  return { worst, same, count: probes.length, several: net.outputArrays[0].length > 1, tolerance: TOLERANCE };
}

/** Write a time with three digits: 12.3 µs, 4.56 ms. */
export function spellTime(microseconds) {
  const [value, unit] = microseconds < 1000 ? [microseconds, "µs"] : [microseconds / 1000, "ms"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** Write a number of bytes with three digits. */
export function spellBytes(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kB"] : [bytes / 1e6, "MB"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** The tiles and tables below the answer; `timed(microseconds)` and `checked(result)` fill in what comes later. */
export function factsView(page, program, vectors) {
  const time = element("dd", {}, "…");
  const check = element("p", { class: "hint" });
  const head = headline(page.scores);
  const inFloats = program.int8 ? ", in 32-bit floats" : ""; // what was measured before the program became integers
  const tiles = element(
    "dl",
    { class: "tiles" },
    head ? tile(`${spellMetric(head.metric)} on ${head.split}${inFloats}`, element("dd", {}, spellValue(head.metric, head.value))) : null,
    tile("one run on this device", time),
    tile("size of the program", element("dd", {}, spellBytes(vectors ? page.bytes.vectors : page.bytes.plain))),
    tile("arithmetic", element("dd", {}, program.int8 ? "8-bit integers" : "32-bit floats")),
  );
  const rows = [
    ["Reads", page.reads],
    ["Answers", page.answers],
    ["Multiply-accumulates", page.macs === null ? null : page.macs.toLocaleString("en")],
    ["Weights", spellBytes(page.bytes.weights)],
    ["Working memory", `${spellBytes(page.bytes.arena)}, fixed`],
    ["Vectors of 128 bits", vectors ? "used" : "not in this browser: the plain module is used"],
    ["Digest", element("code", {}, program.digest)],
    ["Labels", page.labels],
  ];
  const table = element(
    "table",
    {},
    element(
      "tbody",
      {},
      rows
        .filter(([, value]) => value)
        .map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value))),
    ),
  );
  const sections = [
    tiles,
    check,
    scoresTable(page.scores, inFloats),
    goalsTable(page.goals, inFloats),
    classesTable(page.scores, inFloats),
    folded("The program", table),
  ];
  return {
    element: element("div", { class: "facts" }, sections),
    timed: (microseconds) => (time.textContent = spellTime(microseconds)),
    checked: (result) => (check.textContent = spellCheck(result, program.int8)),
  };
}

function spellCheck({ worst, same, count, several, tolerance }, int8) {
  if (count === 0) return "";
  if (int8) {
    const answers = several ? `; ${same} of the answers are the same` : "";
    const share = `${(100 * worst).toPrecision(2)} %`;
    return `Self-check: on ${count} recorded inputs 8-bit scores differ from the 32-bit ones by up to ${share}${answers}.`;
  }
  const verdict = worst <= tolerance ? "the recorded scores" : "scores that differ from the recorded ones";
  return `Self-check: ${count} recorded inputs give ${verdict} (greatest difference ${worst.toExponential(0)} of the greatest score).`;
}

function tile(name, value) {
  return element("div", {}, element("dt", {}, name), value);
}

function folded(title, content) {
  return element("details", {}, element("summary", {}, title), element("div", { class: "scroll" }, content));
}

function spellMetric(name) {
  return name.replaceAll("_", " ");
}

const SHARES = /accuracy|f1|precision|recall|auc/u;

function spellValue(metric, value) {
  if (value === null || value === undefined) return "–";
  return SHARES.test(metric) ? `${(100 * value).toFixed(1)} %` : readable(value);
}

/** The first metric of the test split, or of the last split there is. */
function headline(scores) {
  const split = scores.find(({ name }) => name === "test") ?? scores[scores.length - 1];
  const [metric, value] = split?.metrics[0] ?? [];
  return metric === undefined ? null : { split: split.name, metric, value };
}

function grid(head, rows) {
  const header = element(
    "thead",
    {},
    element(
      "tr",
      {},
      head.map((cell) => element("th", { scope: "col" }, cell)),
    ),
  );
  const line = ([name, ...cells]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      cells.map((cell) => element("td", {}, cell)),
    );
  return element("table", {}, header, element("tbody", {}, rows.map(line)));
}

function scoresTable(scores, inFloats) {
  if (scores.length === 0) return null;
  const metrics = [...new Set(scores.flatMap((split) => split.metrics.map(([metric]) => metric)))].slice(0, SHOWN_METRICS);
  const rows = scores.map(({ name, count, metrics: own }) => {
    const values = new Map(own);
    return [name, count.toLocaleString("en"), ...metrics.map((metric) => spellValue(metric, values.get(metric)))];
  });
  return folded(`Scores when it was compiled${inFloats}`, grid(["split", "examples", ...metrics.map(spellMetric)], rows));
}

function goalsTable(goals, inFloats) {
  const stated = goals.filter((goal) => goal.threshold !== null);
  if (stated.length === 0) return null;
  const rows = stated.map(({ metric, label, split, threshold, value, met }) => [
    `${spellMetric(metric)}${label ? ` of ${label}` : ""} on ${split}`,
    spellValue(metric, threshold),
    spellValue(metric, value),
    met ? "met" : "not met",
  ]);
  return folded(`Goals${inFloats}`, grid(["goal", "threshold", "measured", ""], rows));
}

function classesTable(scores, inFloats) {
  const split = scores.find(({ name }) => name === "test") ?? scores[scores.length - 1];
  if (!split || split.classes.length === 0) return null;
  const rows = split.classes.map(([name, precision, recall, count]) => [
    name,
    spellValue("precision", precision),
    spellValue("recall", recall),
    count.toLocaleString("en"),
  ]);
  return folded(`Each class on ${split.name}${inFloats}`, grid(["class", "precision", "recall", "examples"], rows));
}
