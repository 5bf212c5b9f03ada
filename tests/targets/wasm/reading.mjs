// Runs the page's own reading of inputs for tests: one JSON request per line in, one JSON answer per line out.

import { createInterface } from "node:readline";

const web = new URL(process.argv[2]);
const from = (file) => import(new URL(`reading/${file}.mjs`, web));
const [image, sound, text, series, row, answer, numbers] = await Promise.all(
  ["image", "sound", "text", "series", "row", "answer", "numbers"].map(from),
);
const bytes = (base64) => new Uint8Array(Buffer.from(base64, "base64"));

const READERS = {
  image: ({ data, width, height, type }) => [...image.readPicture(image.fromRgba(bytes(data), width, height, type.channels), type)],
  wav: ({ data, type }) => [...sound.readSound(sound.readWav(bytes(data)), type).sound],
  text: ({ text: value, type }) => [...text.readText(value, type)],
  tokens: ({ text: value, most }) => text.tokens(value, most).map((token) => [token, text.piecesOf(token, 64)]),
  csv: ({ text: value, type }) => [...series.readSeries(series.turned(series.readCsv(value)), type)],
  npy: ({ data, type }) => [...series.readSeries(series.readNpy(bytes(data)), type)],
  row: ({ cells, type }) => {
    const { arrays, problems } = row.readRow(new Map(Object.entries(cells)), type);
    return { arrays: arrays.map((array) => [...array]), problems: [...problems.keys()] };
  },
  number: ({ text: value }) => numbers.numberOf(value),
  answer: ({ scores, type }) => answer.decode(Float32Array.from(scores), type),
  probabilities: ({ scores, type }) => answer.probabilities(Float32Array.from(scores), type),
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: READERS[request.kind](request) }));
  } catch (error) {
    console.log(JSON.stringify({ error: error instanceof numbers.InputError ? error.message : error.stack }));
  }
}
