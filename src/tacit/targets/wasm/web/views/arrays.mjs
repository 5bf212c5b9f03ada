// Reading an input of a type that this page knows nothing of: its numbers as JSON.

import { element, identifier, problemLine } from "./dom.mjs";

/** A view of any type; calls `given(arrays)`, or `given(null)` when the text is not one list of numbers per array. */
export function arraysView(inputs, given) {
  const problem = problemLine();
  const area = element("textarea", { rows: 6, spellcheck: "false", id: identifier("arrays"), oninput: () => read() });
  const spelt = inputs.map(({ name, dtype, shape }) => `${name}: ${dtype}[${shape.join(", ")}]`).join("; ");
  const read = () => {
    problem.show("");
    if (area.value.trim() === "") return given(null);
    try {
      const lists = JSON.parse(area.value).map((list) => [list].flat(Infinity));
      const whole =
        lists.length === inputs.length &&
        lists.every((list, at) => list.length === inputs[at].shape.reduce((product, size) => product * size, 1));
      if (!whole || !lists.flat().every(Number.isFinite)) throw new SyntaxError("another number of values");
      return given(lists);
    } catch (error) {
      problem.show(`expected a list of arrays (${spelt}), got something else: ${error.message}`);
      return given(null);
    }
  };
  const field = element("div", { class: "field" }, element("label", { for: area.id }, `Arrays as JSON (${spelt})`), area);
  return { element: element("div", { class: "view" }, field, problem.line), start: read, open() {} };
}
