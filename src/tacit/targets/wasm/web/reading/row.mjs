// A row of a table: what stands in the fields of a form to the arrays of `tacit.signature.row`.

import { InputError, isMissing, numberOf, strip } from "./numbers.mjs";

/**
 * Read a Map from the name of a column to the text of its field. Gives `{arrays, problems}`: `numbers` Float32Array and `present`
 * Uint8Array where there are number columns, `categories` Int32Array where there are category columns; problems: column -> message.
 */
export function readRow(cells, type) {
  const problems = new Map();
  const numbers = new Float32Array(type.numbers.length);
  const present = new Uint8Array(type.numbers.length);
  type.numbers.forEach((name, place) => {
    const cell = cells.get(name) ?? "";
    numbers[place] = type.fill[place] ?? 0;
    if (isMissing(cell)) return;
    try {
      numbers[place] = numberOf(cell);
      present[place] = 1;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      problems.set(name, error.message);
    }
  });
  const categories = new Int32Array(type.categories.length);
  type.categories.forEach(([name, values], place) => {
    const cell = cells.get(name) ?? "";
    categories[place] = 1 + values.indexOf(values.includes(cell) ? cell : strip(cell)); // 0: unknown or missing
  });
  return { arrays: [...(type.numbers.length ? [numbers, present] : []), ...(type.categories.length ? [categories] : [])], problems };
}
