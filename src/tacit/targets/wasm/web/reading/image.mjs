// A picture of any size to the fixed one of the signature, with the arithmetic of Pillow, so that both read the same bytes.
//
// Source of the arithmetic: Pillow's documentation of `Image.resize` with `reducing_gap`: whole-pixel means first where a picture
// shrinks more than threefold, then Lanczos (a windowed sinc of three lobes) along rows and along columns, in fixed point of 22 bits.

import { InputError, roundHalfEven } from "./numbers.mjs";

export const MOST_PIXELS = 89478485;

const GAP = 3;
const LOBES = 3;
const BITS = 22;

/** A picture: `data` holds Uint8 [row, column, channel]. */
export function picture(data, width, height, channels) {
  return { data, width, height, channels };
}

/** Turn RGBA bytes without transparency (what a canvas gives) into a picture of 1 or 3 channels. */
export function fromRgba(rgba, width, height, channels) {
  if (width * height === 0) throw new InputError("expected a picture, got one without pixels");
  const data = new Uint8Array(width * height * channels);
  for (let at = 0, from = 0; at < data.length; at += channels, from += 4) {
    const [red, green, blue] = [rgba[from], rgba[from + 1], rgba[from + 2]];
    if (channels === 1) {
      data[at] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16; // luma of ITU-R 601 in 16 bits
    } else {
      data[at] = red;
      data[at + 1] = green;
      data[at + 2] = blue;
    }
  }
  return picture(data, width, height, channels);
}

/** Read a picture as an image type `{height, width, channels, fit}` does: Uint8Array [row, column, channel]. */
export function readPicture(source, type) {
  if (source.width === type.width && source.height === type.height) return source.data;
  if (type.fit === "pad") return padded(source, type).data;
  let box = [0, 0, source.width, source.height];
  if (type.fit === "crop") {
    const scale = Math.min(source.width / type.width, source.height / type.height);
    const across = (source.width - type.width * scale) / 2;
    const down = (source.height - type.height * scale) / 2;
    box = [
      Math.max(0, across),
      Math.max(0, down),
      Math.min(source.width, source.width - across),
      Math.min(source.height, source.height - down),
    ];
  }
  return resized(source, type.width, type.height, box).data;
}

function padded(source, type) {
  const scale = Math.min(type.width / source.width, type.height / source.height);
  const width = Math.min(type.width, Math.max(1, roundHalfEven(source.width * scale)));
  const height = Math.min(type.height, Math.max(1, roundHalfEven(source.height * scale)));
  const inner = resized(source, width, height, [0, 0, source.width, source.height]);
  const colour = borderColour(source);
  const data = new Uint8Array(type.width * type.height * source.channels);
  for (let at = 0; at < data.length; at += 1) data[at] = colour[at % source.channels];
  const left = Math.floor((type.width - width) / 2);
  const top = Math.floor((type.height - height) / 2);
  for (let row = 0; row < height; row += 1) {
    const line = inner.data.subarray(row * width * source.channels, (row + 1) * width * source.channels);
    data.set(line, ((top + row) * type.width + left) * source.channels);
  }
  return picture(data, type.width, type.height, source.channels);
}

/** The median of the outermost rows and columns (corners count twice), per channel. */
export function borderColour({ data, width, height, channels }) {
  const level = (row, column, channel) => data[(row * width + column) * channels + channel];
  const colour = [];
  for (let channel = 0; channel < channels; channel += 1) {
    const border = [];
    for (let column = 0; column < width; column += 1) border.push(level(0, column, channel), level(height - 1, column, channel));
    for (let row = 0; row < height; row += 1) border.push(level(row, 0, channel), level(row, width - 1, channel));
    border.sort((first, second) => first - second);
    const middle = border.length / 2;
    colour.push(Math.floor((border[Math.ceil(middle) - 1] + border[Math.floor(middle)]) / 2));
  }
  return colour;
}

/** Resample the part `box` = [left, top, right, bottom] of a picture to a size. */
export function resized(source, width, height, box) {
  const whole = box[0] === 0 && box[1] === 0 && box[2] === source.width && box[3] === source.height;
  if (whole && source.width === width && source.height === height) return source;
  const across = Math.max(1, Math.trunc((box[2] - box[0]) / width / GAP));
  const down = Math.max(1, Math.trunc((box[3] - box[1]) / height / GAP));
  let [left, top, right, bottom] = box;
  let reached = source;
  if (across > 1 || down > 1) {
    const safe = safeBox(source, width, height, box);
    reached = reduced(source, across, down, safe);
    [left, top, right, bottom] = [(left - safe[0]) / across, (top - safe[1]) / down, (right - safe[0]) / across, (bottom - safe[1]) / down];
  }
  const edges = [left, top, right, bottom].map(Math.fround);
  const alongRows = (given) =>
    width !== given.width || edges[0] !== 0 || edges[2] !== width
      ? filteredRows(given, taps(given.width, edges[0], edges[2], width))
      : given;
  const alongColumns = (given) =>
    height !== given.height || edges[1] !== 0 || edges[3] !== height
      ? filteredColumns(given, taps(given.height, edges[1], edges[3], height))
      : given;
  // The order decides how the levels between the two passes are rounded. Pillow 13 begins with what shrinks most; 12 and before with rows.
  const fewer = reached.height - height;
  const columnsFirst = fewer > 0 && fewer > 2 * (reached.width - width);
  return columnsFirst ? alongRows(alongColumns(reached)) : alongColumns(alongRows(reached));
}

/** The whole pixels that the filter may touch around a box. */
function safeBox(source, width, height, box) {
  const sideways = (LOBES - 0.5) * ((box[2] - box[0]) / width);
  const upward = (LOBES - 0.5) * ((box[3] - box[1]) / height);
  return [
    Math.max(0, Math.trunc(box[0] - sideways)),
    Math.max(0, Math.trunc(box[1] - upward)),
    Math.min(source.width, Math.ceil(box[2] + sideways)),
    Math.min(source.height, Math.ceil(box[3] + upward)),
  ];
}

/** Means of blocks of `across` x `down` pixels; blocks at the right and lower edge may be smaller. */
function reduced(source, across, down, box) {
  const { data, channels } = source;
  const width = Math.ceil((box[2] - box[0]) / across);
  const height = Math.ceil((box[3] - box[1]) / down);
  const out = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row += 1) {
    const [top, bottom] = [box[1] + row * down, Math.min(box[3], box[1] + (row + 1) * down)];
    for (let column = 0; column < width; column += 1) {
      const [left, right] = [box[0] + column * across, Math.min(box[2], box[0] + (column + 1) * across)];
      const count = (bottom - top) * (right - left);
      const factor = Math.trunc(Math.fround(2 ** 32 / Math.fround(256 * count))); // division by the count, as 24 bits of a fraction
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = Math.trunc(count / 2);
        for (let y = top; y < bottom; y += 1) {
          for (let at = (y * source.width + left) * channels + channel, x = left; x < right; x += 1, at += channels) sum += data[at];
        }
        out[(row * width + column) * channels + channel] = Math.floor((sum * factor) / 2 ** 24);
      }
    }
  }
  return picture(out, width, height, channels);
}

function lanczos(x) {
  if (!(x >= -LOBES && x < LOBES)) return 0;
  return sinc(x) * sinc(x / LOBES);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** For each of `size` outputs: the first input that it sees, and the weights from there on, as whole numbers of 22 bits. */
function taps(inputs, start, end, size) {
  const scale = Math.fround(end - start) / size;
  const stretch = Math.max(1, scale);
  const support = LOBES * stretch;
  const found = [];
  for (let place = 0; place < size; place += 1) {
    const centre = start + (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(inputs, Math.trunc(centre + support + 0.5)) - first;
    const weights = new Float64Array(count);
    let total = 0;
    for (let at = 0; at < count; at += 1) {
      weights[at] = lanczos((at + first - centre + 0.5) * (1 / stretch));
      total += weights[at];
    }
    for (let at = 0; at < count; at += 1) {
      const share = (total !== 0 ? weights[at] / total : weights[at]) * 2 ** BITS;
      weights[at] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    found.push({ first, weights });
  }
  return found;
}

function level(sum) {
  return Math.min(255, Math.max(0, Math.floor(sum / 2 ** BITS)));
}

function filteredRows({ data, width, height, channels }, columns) {
  const out = new Uint8Array(columns.length * height * channels);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < columns.length; column += 1) {
      const { first, weights } = columns[column];
      for (let channel = 0; channel < channels; channel += 1) {
        let sum = 2 ** (BITS - 1);
        for (let tap = 0, at = (row * width + first) * channels + channel; tap < weights.length; tap += 1, at += channels)
          sum += data[at] * weights[tap];
        out[(row * columns.length + column) * channels + channel] = level(sum);
      }
    }
  }
  return picture(out, columns.length, height, channels);
}

function filteredColumns({ data, width, channels }, rows) {
  const line = width * channels;
  const out = new Uint8Array(line * rows.length);
  for (let row = 0; row < rows.length; row += 1) {
    const { first, weights } = rows[row];
    for (let place = 0; place < line; place += 1) {
      let sum = 2 ** (BITS - 1);
      for (let tap = 0, at = first * line + place; tap < weights.length; tap += 1, at += line) sum += data[at] * weights[tap];
      out[row * line + place] = level(sum);
    }
  }
  return picture(out, width, rows.length, channels);
}
