// Numbers as Python reads and rounds them.

/** Round to the nearest whole number, halves to the even one, as `round` and `numpy.rint` do. */
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** An input that can't be read; the message says what was expected and what came. */
export class InputError extends Error {}

const GREATEST = 3.4028234663852886e38; // of float32
const MISSING = new Set(["", "?", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "-"]);
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const THOUSANDS = /^[+-]?\d{1,3}(,\d{3})+(\.\d*)?$/;
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"; // Python's str.isspace
const EDGES = new RegExp(`^${SPACE}+|${SPACE}+$`, "gu");

/** Drop white space at both ends, by Python's idea of it. */
export function strip(text) {
  return text.replace(EDGES, "");
}

/** Tell whether the text of a cell stands for no value. */
export function isMissing(text) {
  return MISSING.has(strip(text).toLowerCase());
}

/** Turn the text of a cell into a number, such as " 42 ", "1,234.5" or "1e-3". Throws: InputError. */
export function numberOf(text) {
  const plain = strip(text).replace(/\p{Nd}/gu, asciiDigit);
  let value = NaN;
  if (NUMBER.test(plain)) value = Number(plain);
  else if (THOUSANDS.test(plain)) value = Number(plain.replaceAll(",", ""));
  if (Number.isNaN(value)) throw new InputError(`expected a number, got “${shortened(text)}”`);
  if (!(Math.abs(value) <= GREATEST)) throw new InputError(`expected a number within ±3.4e+38, got “${shortened(text)}”`);
  return value;
}

/** Cut a text for a message. */
export function shortened(text, most = 40) {
  const characters = Array.from(text);
  return characters.length > most ? `${characters.slice(0, most).join("")}…` : text;
}

/** Digits of any script stand in runs of ten, so the distance to the start of the run is the value. */
function asciiDigit(character) {
  const code = character.codePointAt(0);
  if (code < 128) return character;
  let first = code;
  while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return String((code - first) % 10);
}
