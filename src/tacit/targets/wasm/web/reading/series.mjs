// Channels over time from a CSV or .npy file to Float32 [channel, time], as `tacit.signature.series` reads them.

import { InputError, numberOf, strip } from "./numbers.mjs";

/** Read the text of a CSV: one row per step, one column per channel; a first row of names is skipped. Gives rows of numbers. */
export function readCsv(text) {
  let rows = cells(text.replace(/^\ufeff/u, "")).filter(({ row }) => row.some((cell) => strip(cell) !== ""));
  if (rows.length > 0 && !rows[0].row.every(isNumber)) rows = rows.slice(1);
  if (rows.length === 0) throw new InputError("expected a CSV of numbers, got no row of them");
  return rows.map(({ row, line }) => {
    if (row.length !== rows[0].row.length) throw new InputError(`line ${line}: expected ${rows[0].row.length} columns, got ${row.length}`);
    try {
      return row.map(numberOf);
    } catch (error) {
      throw new InputError(`line ${line}: ${error.message}`);
    }
  });
}

function isNumber(cell) {
  try {
    numberOf(cell);
    return true;
  } catch {
    return false;
  }
}

/** Split a CSV into rows of cells; a quoted cell may hold commas, line breaks and doubled quotes. */
function cells(text) {
  const rows = [];
  let [row, cell, quoted, line, touched] = [[], "", false, 1, false];
  const finish = () => {
    if (touched) rows.push({ row: [...row, cell], line });
    [row, cell, touched] = [[], "", false];
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (character === '"' && cell === "") [quoted, touched] = [true, true];
    else if (character === ",") {
      row.push(cell);
      [cell, touched] = ["", true];
    } else if (character === "\n" || character === "\r") {
      finish();
      if (character === "\r" && text[at + 1] === "\n") at += 1;
      line += 1;
    } else {
      cell += character;
      touched = true;
    }
  }
  finish();
  return rows;
}

const READERS = {
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  b1: (view, at) => view.getUint8(at),
};

/** Read a .npy file of one or two axes: rows of numbers (one row for one axis). */
export function readNpy(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY")
    throw new InputError("expected a .npy file, got another one");
  const wide = bytes[6] > 1;
  const start = wide ? 12 + view.getUint32(8, true) : 10 + view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(wide ? 12 : 10, start));
  const [, order, kind] = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(header) ?? [];
  const read = READERS[kind];
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "")
    .split(",")
    .map((size) => size.trim())
    .filter(Boolean)
    .map(Number);
  if (!read || shape.length < 1 || shape.length > 2)
    throw new InputError("expected a .npy file of numbers with one or two axes, got another one");
  const [rows, columns] = shape.length === 2 ? shape : [1, shape[0]];
  const size = Number(kind.slice(1));
  if (bytes.length - start < rows * columns * size) throw new InputError("expected a whole .npy file, got one that ends early");
  const byColumns = /'fortran_order':\s*True/.test(header);
  const place = (row, column) => start + size * (byColumns ? column * rows + row : row * columns + column);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => read(view, place(row, column), order !== ">")),
  );
}

/** Turn rows of steps (a CSV) into rows of channels. */
export function turned(rows) {
  return rows[0].map((_, column) => rows.map((row) => row[column]));
}

/** Fit channels, rows of numbers over time, to a type `{channels, steps, fit}`: Float32Array [channel, time]. */
export function readSeries(rows, type) {
  const wanted = `${type.channels} channel${type.channels > 1 ? "s" : ""} over ${type.steps} steps`;
  const steps = rows[0]?.length ?? 0;
  if (rows.length !== type.channels || steps === 0) throw new InputError(`expected ${wanted}, got ${rows.length} over ${steps}`);
  if (steps !== type.steps && type.fit === "exact") throw new InputError(`expected ${wanted}, got ${steps} steps`);
  const values = new Float32Array(type.channels * type.steps);
  rows.forEach((row, channel) => {
    for (let step = 0; step < type.steps; step += 1) {
      values[channel * type.steps + step] = row[Math.max(0, step + steps - type.steps)]; // the last ones; the first is repeated in front
    }
  });
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new InputError(
      `expected finite numbers, got another one in channel ${Math.floor(bad / type.steps) + 1}, step ${(bad % type.steps) + 1}`,
    );
  return values;
}
