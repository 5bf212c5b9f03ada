// Reading a sound: recorded, or from a file.

import { InputError } from "../reading/numbers.mjs";
import { isWav, readSound, readWav } from "../reading/sound.mjs";
import { colour, element, exampleButtons, fileDrop, prepared, problemLine, whyNoDevice } from "./dom.mjs";
import { recording } from "./recording.mjs";

const EXTRA_SECONDS = 1; // a recording is longer than the window by this, and the loudest window is taken

/** A view of an audio type; calls `given([Int16Array])`, or `given(null)` when there is nothing to read. */
export function soundView(type, examples, given) {
  const seconds = type.samples / type.rate;
  const problem = problemLine();
  const wave = element("canvas", { class: "wave", role: "img", "aria-label": "The sound; the part that the program reads is marked" });
  const status = element("p", { class: "hint", role: "status" }, `The program reads ${spelt(seconds)} at ${type.rate} samples a second.`);
  const state = { taker: null, chunks: [], shown: null, read: null };
  const draw = () => drawWave(wave, state.shown);

  const read = (sound) => {
    try {
      const { sound: values, first, frames } = readSound(sound, type);
      problem.show("");
      [state.shown, state.read] = [{ samples: sound.samples, first, frames }, values];
      play.disabled = false;
      given([values]);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      refuse(error.message);
    }
    draw();
  };
  const refuse = (message) => {
    problem.show(message);
    [state.shown, state.read] = [null, null];
    play.disabled = true;
    given(null);
    draw();
  };
  const open = async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    try {
      read(isWav(bytes) ? readWav(bytes) : await decodedSound(bytes, file.name));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      refuse(error.message);
    }
  };
  const finish = () => {
    if (!state.taker) return;
    const { rate } = state.taker;
    state.taker.stop();
    state.taker = null;
    record.textContent = "Record";
    record.classList.remove("on");
    const samples = joined(state.chunks);
    if (samples.length > 0) read({ rate, samples });
    else refuse("The microphone gave nothing. Try once more.");
  };
  const begin = async () => {
    problem.show("");
    state.chunks = [];
    try {
      state.taker = await recording((chunk) => {
        state.chunks.push(chunk);
        const length = state.chunks.reduce((sum, part) => sum + part.length, 0);
        state.shown = {
          samples: joined(state.chunks),
          first: 0,
          frames: 0,
          whole: (seconds + EXTRA_SECONDS) * (state.taker?.rate ?? 48000),
        };
        draw();
        if (state.taker && length >= state.shown.whole) finish();
      });
      record.textContent = "Stop";
      record.classList.add("on");
    } catch (error) {
      refuse(whyNoDevice(error, "microphone"));
    }
  };
  const record = element("button", { type: "button", class: "main record", onclick: () => (state.taker ? finish() : begin()) }, "Record");
  const play = element("button", { type: "button", disabled: true, onclick: () => playSound(state.read, type.rate) }, "Play what is read");
  const view = element("div", { class: "view sound" });
  const file = fileDrop("Open a sound", "audio/*,.wav", view, open);
  const buttons = exampleButtons(examples, ([values]) =>
    read({ rate: type.rate, samples: Float64Array.from(values, (value) => value / 32768) }),
  );
  view.append(wave, status, element("div", { class: "tools" }, record, play), file, problem.line, buttons ?? "");
  new ResizeObserver(draw).observe(wave);
  return { element: view, start: () => given(null), open };
}

function spelt(seconds) {
  return `${Number(seconds.toPrecision(3))} second${seconds === 1 ? "" : "s"}`;
}

function joined(chunks) {
  const samples = new Float64Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    samples.set(chunk, at);
    at += chunk.length;
  }
  return samples;
}

/** Let the browser decode what is not a WAV file; channels are mixed to their mean. */
async function decodedSound(bytes, name) {
  const context = new OfflineAudioContext(1, 1, 48000);
  let buffer;
  try {
    buffer = await context.decodeAudioData(bytes.slice().buffer);
  } catch {
    throw new InputError(`expected a sound, got “${name}”, which this browser can't read; save it as a WAV file`);
  }
  const samples = new Float64Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    buffer.getChannelData(channel).forEach((sample, at) => (samples[at] += sample / buffer.numberOfChannels));
  }
  return { rate: buffer.sampleRate, samples };
}

function playSound(values, rate) {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, values.length, rate);
  buffer.copyToChannel(
    Float32Array.from(values, (value) => value / 32768),
    0,
  );
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.onended = () => context.close();
  source.start();
}

/** Draw peaks over time; the window that the program reads stands on a tinted ground. */
function drawWave(canvas, shown) {
  const { context, width, height } = prepared(canvas);
  context.clearRect(0, 0, width, height);
  context.fillStyle = colour("--line");
  context.fillRect(0, height / 2 - 0.5, width, 1);
  if (!shown || shown.samples.length === 0) return;
  const whole = Math.max(shown.samples.length, shown.whole ?? 0);
  context.fillStyle = colour("--accent-soft");
  context.fillRect((shown.first / whole) * width, 0, (shown.frames / whole) * width, height);
  context.fillStyle = colour("--accent");
  const most = Math.max(
    0.02,
    shown.samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0),
  );
  for (let x = 0; x < width; x += 2) {
    const [start, end] = [Math.floor((x / width) * whole), Math.ceil(((x + 2) / width) * whole)];
    let peak = 0;
    for (let at = start; at < Math.min(end, shown.samples.length); at += 1) peak = Math.max(peak, Math.abs(shown.samples[at]));
    if (start < shown.samples.length)
      context.fillRect(x, height / 2 - (peak / most) * height * 0.45, 1.4, Math.max(1, (peak / most) * height * 0.9));
  }
}
