// Reading a row of a table from a form with one field per column.

import { readRow } from "../reading/row.mjs";
import { element, exampleButtons, identifier, labelled } from "./dom.mjs";

const MOST_CHOICES = 200; // more values of a column are typed, with suggestions

/** A view of a row type; calls `given(arrays)`, or `given(null)` while a field can't be read. */
export function rowView(type, examples, given) {
  const fields = new Map();
  const notes = new Map();
  const read = () => {
    const { arrays, problems } = readRow(new Map([...fields].map(([name, field]) => [name, field.value])), type);
    for (const [name, note] of notes) {
      const message = problems.get(name) ?? "";
      note.textContent = message;
      note.hidden = message === "";
      fields.get(name).setAttribute("aria-invalid", String(message !== ""));
    }
    given(problems.size > 0 ? null : arrays);
  };
  const numbers = type.numbers.map((name, at) => {
    const note = element("p", { class: "problem", role: "alert", hidden: true, id: identifier("note") });
    const usual = type.fill.length ? `unknown: ${Number(type.fill[at].toPrecision(4))}` : "unknown";
    const field = element("input", {
      inputmode: "decimal",
      autocomplete: "off",
      placeholder: usual,
      "aria-describedby": note.id,
      oninput: read,
    });
    fields.set(name, field);
    notes.set(name, note);
    return labelled(name, field, note);
  });
  const categories = type.categories.map(([name, values]) => {
    if (values.length > MOST_CHOICES) {
      const list = element(
        "datalist",
        { id: identifier("values") },
        values.map((value) => element("option", { value })),
      );
      const field = element("input", { list: list.id, autocomplete: "off", placeholder: "unknown", oninput: read });
      fields.set(name, field);
      return labelled(name, field, list);
    }
    const options = [element("option", { value: "" }, "unknown"), ...values.map((value) => element("option", { value }, value))];
    const field = element("select", { onchange: read }, options);
    fields.set(name, field);
    return labelled(name, field);
  });
  const fill = (texts) => {
    for (const [name, field] of fields) field.value = texts.get(name) ?? "";
    read();
  };
  const buttons = exampleButtons(examples, (arrays) => fill(cellsOf(arrays, type)));
  const clear = element("button", { type: "button", onclick: () => fill(new Map()) }, "Clear");
  const grid = element("div", { class: "grid" }, numbers, categories);
  const view = element(
    "form",
    { class: "view row", onsubmit: (event) => event.preventDefault() },
    grid,
    buttons ?? "",
    element("div", { class: "tools" }, clear),
  );
  return { element: view, start: read, open() {}, fill };
}

/** The texts of the fields that give these arrays. */
function cellsOf(arrays, type) {
  const cells = new Map();
  const [numbers, present] = arrays;
  type.numbers.forEach((name, at) => present[at] && cells.set(name, shortest(numbers[at])));
  const ids = arrays[arrays.length - 1];
  type.categories.forEach(([name, values], at) => ids[at] > 0 && cells.set(name, values[ids[at] - 1]));
  return cells;
}

/** The shortest text that reads back as the same float32. */
function shortest(value) {
  for (let digits = 1; digits < 9; digits += 1) {
    const text = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(text)) === value) return text;
  }
  return String(Number(value.toPrecision(9)));
}
