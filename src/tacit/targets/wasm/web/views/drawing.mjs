// A sheet to draw on, with a pointer or with the keyboard.

import { borderColour, picture } from "../reading/image.mjs";
import { element } from "./dom.mjs";
import { frameOf, inkBox, usualFrame } from "./framing.mjs";

const LONGEST_SIDE = 336; // of the sheet, in its own pixels
const PEN_SHARE = 0.075; // of the shorter side
const STEP_SHARE = 0.03;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A panel with a sheet; calls `read(rgba, width, height)` as it changes and `nothing()` when it is blank. */
export function drawing(type, examples, read, nothing) {
  const scale = LONGEST_SIDE / Math.max(type.width, type.height);
  const width = Math.max(1, Math.round(type.width * scale));
  const height = Math.max(1, Math.round(type.height * scale));
  const label = "Sheet to draw on. Arrow keys move the pen, Shift with an arrow key draws, Delete clears.";
  const sheet = element("canvas", { class: "sheet", width, height, tabindex: 0, role: "img", "aria-label": label });
  const context = sheet.getContext("2d", { willReadFrequently: true });
  const state = { dark: darkPaper(examples, type), blank: true, pen: [width / 2, height / 2], changes: 0 };
  const ink = element("input", { type: "color", value: "#000000", "aria-label": "Colour of the pen" });
  const frame = usualFrame(examples, type);
  const fit = element("input", { type: "checkbox", checked: true, onchange: () => changed() });
  const size = element("input", { type: "range", min: 2, max: 20, value: 100 * PEN_SHARE, step: 0.5, "aria-label": "Width of the pen" });

  const changed = () => {
    state.changes += 1;
    const now = state.changes;
    requestAnimationFrame(() => {
      if (state.changes !== now) return; // a later change is read instead
      if (state.blank) nothing();
      else read(framed().getImageData(0, 0, width, height).data, width, height);
    });
  };
  /** The sheet itself, or a copy on which the drawing lies where the examples have theirs, in their size. */
  const framed = () => {
    if (frame === null || !fit.checked) return context;
    const paper = Array(3).fill(state.dark ? 0 : 255);
    const box = inkBox(context.getImageData(0, 0, width, height).data, width, height, 4, paper);
    if (box === null) return context;
    const own = frameOf(box, width, height);
    const copy = element("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
    copy.fillStyle = state.dark ? "#000" : "#fff";
    copy.fillRect(0, 0, width, height);
    const zoom = frame.size / own.size;
    copy.imageSmoothingQuality = "high";
    copy.setTransform(zoom, 0, 0, zoom, (frame.x - zoom * own.x) * width, (frame.y - zoom * own.y) * height);
    copy.drawImage(sheet, 0, 0);
    return copy;
  };
  const clear = () => {
    context.fillStyle = state.dark ? "#000" : "#fff";
    context.fillRect(0, 0, width, height);
    state.blank = true;
    changed();
  };
  const line = (from, to) => {
    context.strokeStyle = type.channels === 3 ? ink.value : state.dark ? "#fff" : "#000";
    context.lineWidth = (Math.min(width, height) * size.value) / 100;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
    state.pen = to;
    state.blank = false;
    changed();
  };
  const place = (event) => {
    const box = sheet.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  sheet.addEventListener("pointerdown", (event) => {
    sheet.setPointerCapture(event.pointerId);
    line(place(event), place(event));
  });
  sheet.addEventListener("pointermove", (event) => {
    if (!sheet.hasPointerCapture(event.pointerId)) return;
    for (const part of event.getCoalescedEvents?.() ?? [event]) line(state.pen, place(part));
  });
  sheet.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (event.key === "Delete" || event.key === "Backspace") clear();
    if (!arrow) return;
    event.preventDefault();
    const step = STEP_SHARE * Math.max(width, height);
    const to = [clamp(state.pen[0] + arrow[0] * step, width), clamp(state.pen[1] + arrow[1] * step, height)];
    if (event.shiftKey) line(state.pen, to);
    else state.pen = to;
    mark();
  });
  sheet.addEventListener("focus", () => mark());
  sheet.addEventListener("blur", () => (pen.hidden = true));
  sheet.addEventListener("pointerdown", () => (pen.hidden = true));
  const pen = element("span", { class: "pen", hidden: true });
  const mark = () => {
    pen.hidden = !sheet.matches(":focus-visible");
    pen.style.left = `${(100 * state.pen[0]) / width}%`;
    pen.style.top = `${(100 * state.pen[1]) / height}%`;
  };
  const turn = element("button", { type: "button", onclick: () => ((state.dark = !state.dark), clear()) }, "Swap paper");
  const tools = element(
    "div",
    { class: "tools" },
    element("button", { type: "button", onclick: clear }, "Clear"),
    turn,
    type.channels === 3 ? ink : null,
    element("label", { class: "slider" }, element("span", {}, "Pen"), size),
  );
  /** Lay a small picture on the sheet; `fill` paints it on a canvas of the size that the program reads. */
  const put = (fill) => {
    const small = element("canvas", { width: type.width, height: type.height });
    fill(small);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
    [state.blank, state.changes] = [false, state.changes + 1];
  };
  const choice =
    frame === null ? null : element("label", { class: "check" }, fit, element("span", {}, "Fit my drawing to the frame of the examples"));
  clear();
  return {
    element: element("div", { class: "panel" }, element("div", { class: "board" }, sheet, pen), tools, choice ?? ""),
    start: changed,
    stop() {},
    put,
  };
}

function clamp(value, most) {
  return Math.min(most, Math.max(0, value));
}

/** Tell whether the examples have dark paper: whether their borders are darker than their middle grey. */
function darkPaper(examples, { width, height, channels }) {
  const levels = examples.flatMap((pixels) => borderColour(picture(pixels, width, height, channels)));
  return levels.length > 0 && levels.reduce((sum, level) => sum + level, 0) / levels.length < 128;
}
