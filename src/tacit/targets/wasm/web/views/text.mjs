// Reading a text as it is typed.

import { readText, tokens } from "../reading/text.mjs";
import { element, identifier, problemLine } from "./dom.mjs";

const MOST_SHOWN = 80;
const MOST_FILE_BYTES = 4000000;

/** A view of a text type; calls `given([Int32Array])`, or `given(null)` when there is no text. */
export function textView(type, examples, given) {
  const area = element("textarea", { rows: 6, id: identifier("text"), placeholder: "Write or paste a text", oninput: () => read() });
  const count = element("p", { class: "hint" });
  const chips = element("p", { class: "tokens", "aria-hidden": "true" });
  const problem = problemLine();
  const read = () => {
    problem.show("");
    const found = tokens(area.value, type.length + 1);
    const used = found.slice(0, type.length);
    chips.replaceChildren(...used.slice(0, MOST_SHOWN).map((token) => element("span", {}, token)), used.length > MOST_SHOWN ? "…" : "");
    const rest = found.length > type.length ? "; the rest is not" : "";
    count.textContent = `${used.length} of at most ${type.length} words and signs are read${rest}.`;
    given(used.length === 0 ? null : [readText(area.value, type)]);
  };
  const open = async (file) => {
    const bytes = new Uint8Array(await file.slice(0, MOST_FILE_BYTES).arrayBuffer());
    try {
      area.value = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      read();
    } catch {
      problem.show(`expected a text in UTF-8, got “${file.name}”, which is not`);
      given(null);
    }
  };
  const view = element("div", { class: "view text" });
  view.addEventListener("dragover", (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());
  view.addEventListener("drop", (event) => {
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    open(event.dataTransfer.files[0]);
  });
  const clear = element("button", { type: "button", onclick: () => ((area.value = ""), read(), area.focus()) }, "Clear");
  view.append(
    element("div", { class: "field" }, element("label", { for: area.id }, "Text"), area),
    count,
    chips,
    element("div", { class: "tools" }, clear),
    problem.line,
  );
  return { element: view, start: read, open };
}
