// The view of an input, by its type; a product of types is one view under another.

import { arraysView } from "./arrays.mjs";
import { element } from "./dom.mjs";
import { pictureView } from "./picture.mjs";
import { rowView } from "./row.mjs";
import { seriesView } from "./series.mjs";
import { soundView } from "./sound.mjs";
import { textView } from "./text.mjs";

const VIEWS = { image: pictureView, audio: soundView, series: seriesView, text: textView, row: rowView };
const COUNTS = { image: () => 1, audio: () => 1, series: () => 1, text: () => 1, row: rowArrays };

/**
 * Make the view of an input type. examples: lists of arrays that came with the program; inputs: what the entry point takes.
 * Calls `given(arrays)` when there is something to run on, else `given(null)`.
 */
export function inputView(type, examples, inputs, given) {
  if (type.type === "product" && type.parts.every((part) => part.type in VIEWS)) return productView(type, examples, given);
  return type.type in VIEWS ? VIEWS[type.type](type, examples, given) : arraysView(inputs, given);
}

function rowArrays(type) {
  return (type.numbers.length > 0 ? 2 : 0) + (type.categories.length > 0 ? 1 : 0);
}

function productView(type, examples, given) {
  const found = type.parts.map(() => null);
  let at = 0;
  const views = type.parts.map((part, place) => {
    const start = at;
    at += COUNTS[part.type](part);
    const end = at;
    const own = examples.map((arrays) => arrays.slice(start, end));
    return VIEWS[part.type](part, own, (arrays) => {
      found[place] = arrays;
      given(found.includes(null) ? null : found.flat());
    });
  });
  const parts = views.map((view, place) => element("section", { class: "part" }, element("h3", {}, type.names[place]), view.element));
  return { element: element("div", { class: "product" }, parts), start: () => views.forEach((view) => view.start()), open() {} };
}
