// Showing what the program says, by the type of its output.

import { decode, divided, probabilities, winner } from "../reading/answer.mjs";
import { element } from "./dom.mjs";

const MOST_IN_ORDER = 12; // classes that keep their places; of more the best are shown first
const MOST_BARS = 10;
const QUIET_MILLISECONDS = 600; // before a screen reader is told of a new answer

/** A view of an output type; `show(scores)` with Float32Array scores, `show(null)` while there is nothing to answer. */
export function answerView(type) {
  const spoken = element("p", { class: "unseen", role: "status" });
  const view = partView(type);
  let timer = 0;
  const show = (scores) => {
    view.show(scores);
    clearTimeout(timer);
    timer = setTimeout(() => (spoken.textContent = scores === null ? "" : `Answer: ${view.text(scores)}`), QUIET_MILLISECONDS);
  };
  return { element: element("div", { class: "answers" }, spoken, view.element), show };
}

function partView(type) {
  if (type.type === "joint") return jointView(type);
  if (type.type === "number") return numberView(type);
  return namesView(type);
}

function jointView(type) {
  const parts = type.parts.map((part, at) => ({ name: type.names[at], view: partView(part) }));
  const sections = parts.map(({ name, view }) => element("section", {}, element("h3", {}, name), view.element));
  const shares = (scores) => divided(scores, type).map(({ scores: own }) => own);
  return {
    element: element("div", { class: "joint" }, sections),
    show: (scores) => parts.forEach(({ view }, at) => view.show(scores === null ? null : shares(scores)[at])),
    text: (scores) => parts.map(({ name, view }, at) => `${name}: ${view.text(shares(scores)[at])}`).join("; "),
  };
}

function numberView(type) {
  const value = element("output", { class: "winner" }, "–");
  const text = (scores) => `${readable(decode(scores, type))}${type.unit ? ` ${type.unit}` : ""}`;
  const show = (scores) => {
    value.textContent = scores === null ? "–" : text(scores);
    value.classList.toggle("none", scores === null);
  };
  show(null);
  return { element: element("div", { class: "answer" }, value), show, text };
}

/** Write a number with six digits, as the command line does. */
export function readable(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 6 });
}

/** Write a probability; one that is not quite certain is not called 100 %. */
export function percent(share) {
  if (share > 0.9995 && share < 1) return "> 99.9 %";
  return share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`;
}

function namesView(type) {
  const several = type.type === "labels";
  const head = element("output", { class: "winner" }, "–");
  const sure = element("span", { class: "sure" });
  const bars = type.names.map((name) => bar(name));
  const list = element(
    "ol",
    { class: "bars", "aria-label": several ? "Probability of each label" : "Probability of each class" },
    bars.slice(0, MOST_IN_ORDER).map(({ row }) => row),
  );
  const rest = element("p", { class: "hint" });
  const text = (scores) => {
    const answer = decode(scores, type);
    if (several) return answer.length > 0 ? answer.join(", ") : "none of the labels";
    return `${answer}, ${percent(probabilities(scores, type)[winner(scores)])}`;
  };
  const show = (scores) => {
    const shares = scores === null ? type.names.map(() => 0) : probabilities(scores, type);
    const answer = scores === null ? [] : [decode(scores, type)].flat();
    head.textContent = scores === null ? "–" : answer.length > 0 ? answer.join(", ") : "none";
    head.classList.toggle("none", scores === null);
    head.classList.toggle("long", head.textContent.length > 14);
    sure.textContent = scores === null || several ? "" : percent(shares[winner(scores)]);
    bars.forEach(({ set }, at) => set(scores === null ? null : shares[at], answer.includes(type.names[at])));
    if (type.names.length > MOST_IN_ORDER) {
      const order = shares.map((_, at) => at).sort((first, second) => shares[second] - shares[first]);
      list.replaceChildren(...order.slice(0, MOST_BARS).map((at) => bars[at].row));
      rest.textContent = `The best ${MOST_BARS} of ${type.names.length}.`;
    }
  };
  const hint = element(
    "p",
    { class: "hint" },
    several ? "Labels of at least 50 % are given." : "Probabilities by soft-max over the scores.",
  );
  show(null);
  return { element: element("div", { class: "answer" }, element("div", { class: "head" }, head, sure), list, rest, hint), show, text };
}

/** One row of the list of bars. */
function bar(name) {
  const fill = element("span", { class: "fill" });
  const share = element("span", { class: "share" });
  const row = element(
    "li",
    {},
    element("span", { class: "name", title: name }, name),
    element("span", { class: "track", "aria-hidden": "true" }, fill),
    share,
  );
  const set = (value, best) => {
    fill.style.width = `${100 * (value ?? 0)}%`;
    share.textContent = value === null ? "" : percent(value);
    row.classList.toggle("best", best);
  };
  return { row, set };
}
