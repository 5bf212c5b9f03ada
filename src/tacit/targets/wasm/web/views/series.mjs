// Reading channels over time: from a CSV or .npy file, or pasted.

import { InputError } from "../reading/numbers.mjs";
import { readCsv, readNpy, readSeries, turned } from "../reading/series.mjs";
import { colour, element, exampleButtons, fileDrop, identifier, prepared, problemLine } from "./dom.mjs";

const MOST_PASTED = 200000; // characters shown of an opened file

/** A view of a series type; calls `given([Float32Array])`, or `given(null)` when there is nothing to read. */
export function seriesView(type, examples, given) {
  const problem = problemLine();
  const plot = element("canvas", { class: "wave", role: "img", "aria-label": "The channels over time, as the program reads them" });
  const text = element("textarea", {
    rows: 4,
    spellcheck: "false",
    id: identifier("series"),
    placeholder: placeholder(type),
    oninput: () => readText(),
  });
  const state = { values: null };
  const draw = () => drawSeries(plot, state.values, type);
  const read = (rows) => {
    let values = null;
    try {
      const series = rows();
      values = series === null ? null : readSeries(series, type);
      problem.show("");
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problem.show(error.message);
    }
    state.values = values;
    given(values === null ? null : [values]);
    draw();
  };
  const readText = () => read(() => (text.value.trim() === "" ? null : pasted(readCsv(text.value), type)));
  const open = async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (/\.npy$/iu.test(file.name)) {
      text.value = "";
      read(() => readNpy(bytes));
      return;
    }
    const content = new TextDecoder().decode(bytes);
    text.value = content.length <= MOST_PASTED ? content : "";
    read(() => turned(readCsv(content)));
  };
  const view = element("div", { class: "view series" });
  const show = ([values]) => {
    text.value = "";
    read(() =>
      Array.from({ length: type.channels }, (_, channel) => Array.from(values.subarray(channel * type.steps, (channel + 1) * type.steps))),
    );
  };
  const columns = `${type.channels} column${type.channels === 1 ? "" : "s"}`;
  const note = `One row per step, ${columns}; ${type.fit === "exact" ? "" : "the last "}${type.steps} steps.`;
  view.append(
    plot,
    fileDrop("Open a CSV or .npy file", ".csv,.txt,.npy,text/csv", view, open),
    element(
      "div",
      { class: "field" },
      element("label", { for: text.id }, "Or paste rows of numbers"),
      text,
      element("p", { class: "hint" }, note),
    ),
    problem.line,
    exampleButtons(examples, show) ?? "",
  );
  new ResizeObserver(draw).observe(plot);
  return { element: view, start: () => given(null), open };
}

/** A CSV has a row per step; a pasted row of many numbers is taken as the steps of a single channel. */
function pasted(rows, type) {
  return type.channels === 1 && rows.length === 1 && rows[0].length > 1 ? rows : turned(rows);
}

function placeholder(type) {
  const shown = Math.min(type.channels, 4);
  const row = (step) =>
    Array.from({ length: shown }, (_, channel) => (Math.sin(step + channel) / 2).toFixed(2)).join(", ") +
    (type.channels > shown ? ", …" : "");
  return [0, 1].map(row).join("\n");
}

/** Draw every channel as a line, all on one scale. */
function drawSeries(canvas, values, { channels: count, steps }) {
  const { context, width, height } = prepared(canvas);
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour("--line");
  context.fillRect(0, height / 2 - 0.5, width, 1);
  if (!values) return;
  const least = values.reduce((least, value) => Math.min(least, value), Infinity);
  const most = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const spread = most - least || 1;
  context.lineWidth = 1.5;
  for (let channel = 0; channel < count; channel += 1) {
    context.strokeStyle = `hsl(${(channel * 360) / count + 215} 65% 55%)`;
    context.beginPath();
    for (let step = 0; step < steps; step += 1) {
      const x = steps > 1 ? (step / (steps - 1)) * width : width / 2;
      context.lineTo(x, height * 0.95 - ((values[channel * steps + step] - least) / spread) * height * 0.9);
    }
    context.stroke();
  }
}
