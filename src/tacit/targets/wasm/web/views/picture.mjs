// Reading a picture: drawn, opened, dropped, pasted, or from the camera.

import { MOST_PIXELS, fromRgba, readPicture } from "../reading/image.mjs";
import { InputError } from "../reading/numbers.mjs";
import { choiceBar, element, exampleButtons, fileDrop, problemLine } from "./dom.mjs";
import { drawing } from "./drawing.mjs";
import { usualFrame } from "./framing.mjs";
import { camera } from "./camera.mjs";

const MOST_ON_CANVAS = 4096 * 4096; // phones refuse larger ones

/** A view of an image type; calls `given([Uint8Array])`, or `given(null)` when there is nothing to read. */
export function pictureView(type, examples, given) {
  const seen = element("canvas", {
    class: "seen",
    width: type.width,
    height: type.height,
    role: "img",
    "aria-label": "The picture as the program reads it",
  });
  const problem = problemLine();
  const show = (pixels) => {
    problem.show("");
    paint(seen, pixels, type);
    given([pixels]);
  };
  const read = (rgba, width, height) => show(readPicture(fromRgba(rgba, width, height, type.channels), type));
  const nothing = () => {
    seen.getContext("2d").clearRect(0, 0, seen.width, seen.height);
    given(null);
  };
  const opened = element("canvas", { class: "opened", hidden: true, role: "img", "aria-label": "The picture that you opened" });
  const open = async (file) => {
    try {
      const { data, width, height } = await decoded(file);
      fitPreview(opened, data, width, height);
      read(data.data, width, height);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      opened.hidden = true;
      problem.show(error.message);
      nothing();
    }
  };
  const examplePixels = examples.map(([pixels]) => pixels);
  const panels = {
    draw: drawing(type, examplePixels, read, nothing),
    open: { element: element("div", { class: "panel" }), start: nothing, stop() {} },
    camera: camera(read, problem.show),
  };
  const view = element("div", { class: "view picture" });
  panels.open.element.append(
    fileDrop("Open a picture", "image/*", view, (file) => (choose("open"), open(file))),
    opened,
  );
  const choices = [
    ["draw", "Draw"],
    ["open", "Picture"],
    ["camera", "Camera"],
  ];
  const first = drawn(type, examplePixels) ? "draw" : "open";
  let current = first;
  const { bar, choose } = choiceBar("Where the picture comes from", choices, first, (value) => {
    panels[current].stop();
    current = value;
    problem.show("");
    for (const [name, panel] of Object.entries(panels)) panel.element.hidden = name !== value;
    opened.hidden = true;
    panels[value].start();
  });
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((item) => item.type.startsWith("image/"));
    if (file) {
      choose("open");
      open(file);
    }
  });
  const showExample = ([pixels]) => {
    choose(first);
    if (first === "draw") panels.draw.put((canvas) => paint(canvas, pixels, type));
    else {
      [opened.width, opened.height, opened.hidden] = [type.width, type.height, false];
      paint(opened, pixels, type);
    }
    show(pixels);
  };
  const face = (example) => {
    const canvas = element("canvas", { width: type.width, height: type.height });
    paint(canvas, example[0], type);
    return canvas;
  };
  const buttons = exampleButtons(examples, showExample, face);
  const spelt = `${type.height} × ${type.width} ${type.channels === 1 ? "grey" : "colour"}`;
  const caption = element("figcaption", {}, element("strong", {}, "What the program reads"), ` ${spelt}`);
  view.append(bar, ...Object.values(panels).map((panel) => panel.element), problem.line);
  view.append(element("div", { class: "beneath" }, element("figure", { class: "reads" }, seen, caption), buttons ?? ""));
  for (const [name, panel] of Object.entries(panels)) panel.element.hidden = name !== current;
  return { element: view, start: () => panels[current].start(), open };
}

/** Decode a file: RGBA laid on white, upright, its colours untouched. Throws: InputError. */
async function decoded(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new InputError(`expected a picture, got “${file.name}”, which this browser can't read; save it as PNG or JPEG`);
  }
  let { width, height } = bitmap;
  if (width * height > MOST_PIXELS)
    throw new InputError(`expected a picture of at most ${MOST_PIXELS.toLocaleString("en")} pixels, got ${width} × ${height}`);
  const shrink = Math.ceil(Math.sqrt((width * height) / MOST_ON_CANVAS));
  [width, height] = [Math.max(1, Math.floor(width / shrink)), Math.max(1, Math.floor(height / shrink))];
  const canvas = element("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return { data: context.getImageData(0, 0, width, height), width, height };
}

function fitPreview(canvas, data, width, height) {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(data, 0, 0);
  canvas.hidden = false;
}

/** Paint pixels [row, column, channel] onto a canvas of that size. */
export function paint(canvas, pixels, { width, height, channels }) {
  const data = new ImageData(width, height);
  for (let at = 0; at < width * height; at += 1) {
    for (let channel = 0; channel < 3; channel += 1) data.data[at * 4 + channel] = pixels[at * channels + (channels === 3 ? channel : 0)];
    data.data[at * 4 + 3] = 255;
  }
  canvas.getContext("2d").putImageData(data, 0, 0);
}

/** Tell whether a person would draw such pictures: grey ones, and not photographs. */
function drawn(type, examples) {
  return type.channels === 1 && (examples.length === 0 || usualFrame(examples, type) !== null);
}
