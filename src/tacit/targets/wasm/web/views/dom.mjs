// Making elements, and words that several views share.

/** Make an element: properties that begin with "on" are listeners, others are set as attributes (false and null: left out). */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

let identifiers = 0;

/** Give an id that no other element has. */
export function identifier(prefix) {
  identifiers += 1;
  return `${prefix}-${identifiers}`;
}

/** A field with its label above it. */
export function labelled(text, field, note = null) {
  field.id ||= identifier("field");
  return element("div", { class: "field" }, element("label", { for: field.id }, text), field, note);
}

/** A line for what went wrong; `show("")` hides it. A screen reader says it when it comes. */
export function problemLine() {
  const line = element("p", { class: "problem", role: "alert", hidden: true });
  const show = (message) => {
    line.textContent = message;
    line.hidden = message === "";
  };
  return { line, show };
}

/** A group of radio buttons that looks like one bar. choices: [value, text], `first` is checked; calls `chosen(value)`. */
export function choiceBar(legend, choices, first, chosen) {
  const name = identifier("choice");
  const radios = choices.map(([value, text]) => {
    const radio = element("input", { type: "radio", name, value, checked: value === first, onchange: () => chosen(value) });
    return element("label", {}, radio, element("span", {}, text));
  });
  const bar = element("fieldset", { class: "choices" }, element("legend", { class: "unseen" }, legend), radios);
  const choose = (value) => {
    for (const radio of bar.querySelectorAll("input")) radio.checked = radio.value === value;
    chosen(value);
  };
  return { bar, choose };
}

/** An area that takes one file by a click, the keyboard, or a drop onto `target`; calls `given(file)`. */
export function fileDrop(text, accept, target, given) {
  const field = element("input", { type: "file", accept, class: "unseen", onchange: () => take(field.files) });
  const area = element("label", { class: "drop" }, field, element("span", {}, element("strong", {}, text), " or drop it here"));
  const take = (files) => {
    if (files.length > 0) given(files[0]);
    field.value = ""; // so that the same file can be given again
  };
  const over = (event, inside) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    target.classList.toggle("over", inside);
  };
  target.addEventListener("dragover", (event) => over(event, true));
  target.addEventListener("dragleave", (event) => over(event, false));
  target.addEventListener("drop", (event) => {
    over(event, false);
    if (event.dataTransfer.files.length > 0) take([event.dataTransfer.files[0]]);
  });
  return area;
}

/** A row of buttons, one per example that came with the program. */
export function exampleButtons(examples, chosen, face = (_, at) => String(at + 1)) {
  if (examples.length === 0) return null;
  const buttons = examples.map((example, at) =>
    element(
      "button",
      { type: "button", class: "example", onclick: () => chosen(example), "aria-label": `Example ${at + 1}` },
      face(example, at),
    ),
  );
  return element("div", { class: "examples" }, element("span", { class: "hint" }, "Examples"), buttons);
}

/** The colour that the style sheet gives a name, for drawing on a canvas. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Size a canvas to its place on the screen and give its context, scaled to CSS pixels. */
export function prepared(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const density = globalThis.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * density));
  canvas.height = Math.max(1, Math.round(height * density));
  const context = canvas.getContext("2d");
  context.scale(density, density);
  return { context, width, height };
}

/** What a person can do about a microphone or camera that did not open. */
export function whyNoDevice(error, device) {
  if (!navigator.mediaDevices)
    return `This browser gives no ${device} to a page opened from a file. Serve the folder (python -m http.server) and open it from there.`;
  if (error.name === "NotAllowedError") return `The ${device} was not allowed. Allow it in the address bar and try again.`;
  if (error.name === "NotFoundError") return `There is no ${device} on this device.`;
  return `The ${device} did not open: ${error.message}`;
}
