// Sound from WAV files and microphones to Int16 [sample] at one rate, as `tacit.signature.audio` reads it.

import { InputError, roundHalfEven } from "./numbers.mjs";
import { margin, resample } from "./resample.mjs";

const MOST_SECONDS = 3600;
const HOPS_A_SECOND = 100;
const UNKNOWN_LENGTHS = [0, 0xffffffff];

/** Tell whether bytes begin as a WAV file does. */
export function isWav(bytes) {
  return bytes.length >= 12 && letters(bytes, 0) === "RIFF" && letters(bytes, 8) === "WAVE";
}

/** Read a WAV file of PCM: `{rate, samples}`, channels mixed to their mean, full scale being 1. Throws: InputError. */
export function readWav(bytes) {
  if (!isWav(bytes)) throw new InputError("expected a WAV file, got a file that is not one");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let form = null;
  for (let at = 12; at + 8 <= bytes.length;) {
    const name = letters(bytes, at);
    const length = view.getUint32(at + 4, true);
    if (name === "fmt ") form = formOf(view, at + 8, Math.min(length, bytes.length - at - 8));
    if (name === "data") {
      if (form === null) throw damaged("its description does not stand before its sound");
      return samplesOf(view, form, at + 8, length);
    }
    at += 8 + length + (length % 2);
  }
  throw damaged(form ? "it has no sound in it" : "it has no description of its sound");
}

function letters(bytes, at) {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function damaged(cause) {
  return new InputError(`expected a WAV file, got a damaged one: ${cause}`);
}

function formOf(view, at, length) {
  if (length < 16) throw damaged("its description is too short");
  const field = (place) => view.getUint16(at + place, true);
  const code = field(0) === 0xfffe && length >= 26 ? field(24) : field(0);
  const form = { floats: code === 3, channels: field(2), rate: view.getUint32(at + 4, true), bits: field(14) };
  if (!(code === 1 ? [8, 16, 24, 32] : code === 3 ? [32, 64] : []).includes(form.bits)) {
    throw new InputError(`expected a WAV file of PCM (8, 16, 24 or 32 bits, or float), got format ${code} of ${form.bits} bits`);
  }
  const whole =
    form.channels >= 1 && form.channels <= 64 && form.rate >= 1 && form.rate <= 1e6 && field(12) === (form.channels * form.bits) / 8;
  if (!whole) throw damaged(`its description says ${form.channels} channels, ${form.rate} samples a second, ${field(12)} bytes a frame`);
  return form;
}

function samplesOf(view, { floats, channels, rate, bits }, start, length) {
  const there = view.byteLength - start;
  const unknown = UNKNOWN_LENGTHS.includes(length);
  if (length > there && !unknown) throw damaged(`it says that its sound has ${length} bytes, but only ${there} are there`);
  const width = bits / 8;
  const frames = Math.floor((unknown ? there : length) / (channels * width));
  if (frames === 0) throw new InputError("expected a WAV file with sound in it, got one without a sample");
  const read = reader(view, bits, floats);
  const samples = new Float64Array(frames);
  for (let frame = 0, at = start; frame < frames; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, at += width) sum += read(at);
    samples[frame] = sum / channels;
  }
  if (floats && !samples.every(Number.isFinite)) throw damaged("it holds samples that are NaN or infinite");
  return { rate, samples };
}

/** Little-endian samples with full scale 1; 8 bits are unsigned, by the format. */
function reader(view, bits, floats) {
  if (floats) return bits === 32 ? (at) => view.getFloat32(at, true) : (at) => view.getFloat64(at, true);
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => view.getInt16(at, true) / 2 ** 15;
  if (bits === 24) return (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 65536) / 2 ** 23;
  return (at) => view.getInt32(at, true) / 2 ** 31;
}

/** Cut the window out of a sound, resample it and place it: `{sound: Int16Array, first, frames}`, the window in source frames. */
export function readSound({ rate, samples }, type) {
  const frames = samples.length;
  if (frames > MOST_SECONDS * rate)
    throw new InputError(`expected a sound of at most ${MOST_SECONDS} seconds, got ${Math.round(frames / rate)}`);
  const wanted = Math.ceil((type.samples * rate) / type.rate);
  let [first, place, count] = [0, 0, type.samples];
  if (frames > wanted) {
    const hop = Math.max(1, Math.floor(rate / HOPS_A_SECOND));
    first = Math.min(loudest(energies(samples, hop), Math.max(1, roundHalfEven(wanted / hop))) * hop, frames - wanted);
  } else {
    count = Math.min(type.samples, Math.max(1, roundHalfEven((frames * type.rate) / rate)));
    place = Math.floor((type.samples - count) / 2);
  }
  const side = margin(rate, type.rate);
  const begin = Math.max(0, first - side);
  const part = samples.subarray(begin, Math.min(frames, first + wanted + side));
  const sound = new Int16Array(type.samples);
  const values = resample(part, rate, type.rate, count, first - begin);
  for (let at = 0; at < count; at += 1) sound[place + at] = Math.min(32767, Math.max(-32768, roundHalfEven(values[at] * 32768)));
  return { sound, first, frames: Math.min(frames, wanted) };
}

/** The energy of each hop around its own mean, so that a constant offset counts as silence. */
function energies(samples, hop) {
  const found = new Float64Array(Math.ceil(samples.length / hop));
  for (let at = 0; at < found.length; at += 1) {
    const part = samples.subarray(at * hop, (at + 1) * hop);
    let mean = 0;
    for (const sample of part) mean += sample;
    mean /= part.length;
    for (const sample of part) found[at] += (sample - mean) ** 2;
  }
  return found;
}

/** The first hop of the run of `hops` with the most energy (the earliest of equals). */
function loudest(found, hops) {
  const total = new Float64Array(found.length + 1);
  found.forEach((energy, at) => (total[at + 1] = total[at] + energy));
  const runs =
    hops < total.length ? Array.from({ length: total.length - hops }, (_, at) => total[at + hops] - total[at]) : [total[total.length - 1]];
  const limit = runs.reduce((most, run) => Math.max(most, run), -Infinity) * (1 - 1e-9);
  return runs.findIndex((run) => run >= limit);
}
