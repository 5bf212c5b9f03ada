// Where pictures of an example set have their ink, so that a drawing can be laid at the same place in the same size.

import { borderColour, picture } from "../reading/image.mjs";

const INK_SHARE = 0.2; // of the range of levels: nearer to the paper is paper
const MOST_INK = 0.75; // of the area: fuller examples are no drawings

/** The mean frame of the ink of examples, `{size, x, y}` as shares of the picture; null when they are no drawings. */
export function usualFrame(examples, { width, height, channels }) {
  const frames = [];
  for (const pixels of examples) {
    const paper = borderColour(picture(pixels, width, height, channels));
    const box = inkBox(pixels, width, height, channels, paper);
    if (box === null || box.share > MOST_INK) return null;
    frames.push(frameOf(box, width, height));
  }
  if (frames.length === 0) return null;
  const mean = (key) => frames.reduce((sum, frame) => sum + frame[key], 0) / frames.length;
  return { size: mean("size"), x: mean("x"), y: mean("y") };
}

/** The smallest box around the ink of a picture, and the share of its area that is ink; null on blank paper. */
export function inkBox(data, width, height, channels, paper) {
  let [left, top, right, bottom, count] = [width, height, 0, 0, 0];
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const at = (row * width + column) * channels;
      if (!paper.some((level, channel) => Math.abs(data[at + channel] - level) > 255 * INK_SHARE)) continue;
      [left, top, right, bottom] = [Math.min(left, column), Math.min(top, row), Math.max(right, column + 1), Math.max(bottom, row + 1)];
      count += 1;
    }
  }
  return count === 0 ? null : { left, top, right, bottom, share: count / (width * height) };
}

/** The size of a box (its longer side) and its middle, as shares of the picture. */
export function frameOf({ left, top, right, bottom }, width, height) {
  return { size: Math.max((right - left) / width, (bottom - top) / height), x: (left + right) / 2 / width, y: (top + bottom) / 2 / height };
}
