// Changing the sampling rate by a windowed sinc, with the formula of `tacit.signature.resample`.
//
// Source: J. O. Smith, "Digital Audio Resampling" (CCRMA), the band-limited interpolation formula; Kaiser's window.

const CROSSINGS = 16;
const BETA = 8.6;
const ROLL_OFF = 0.95;

/** How many source samples on each side of a window influence its resampled values. */
export function margin(source, target) {
  return source === target ? 0 : Math.ceil(CROSSINGS * Math.max(1, source / target)) + 1;
}

/** Give Float64Array[count] at the rate `target`, the first standing at source sample `lead`; beyond the ends is silence. */
export function resample(samples, source, target, count, lead) {
  const out = new Float64Array(count);
  if (source === target) {
    out.set(samples.subarray(lead, lead + count));
    return out;
  }
  const common = greatestCommonDivisor(source, target);
  const up = target / common;
  const down = source / common;
  const half = margin(source, target);
  const filters = new Map();
  for (let place = 0; place < count; place += 1) {
    const step = place * down;
    const phase = step % up;
    if (!filters.has(phase)) filters.set(phase, filter(phase, up, down, half));
    const weights = filters.get(phase);
    const first = (step - phase) / up + lead - half;
    let sum = 0;
    for (let tap = Math.max(0, -first); tap < weights.length && first + tap < samples.length; tap += 1)
      sum += samples[first + tap] * weights[tap];
    out[place] = sum;
  }
  return out;
}

/** The weights of the source samples around a point that lies phase / up after one of them. */
function filter(phase, up, down, half) {
  const cutoff = ROLL_OFF * Math.min(1, up / down);
  const reach = CROSSINGS * Math.max(1, down / up);
  const weights = new Float64Array(2 * half + 1);
  let total = 0;
  for (let tap = 0; tap < weights.length; tap += 1) {
    const distance = tap - half - phase / up;
    if (Math.abs(distance) > reach) continue;
    const angle = Math.PI * cutoff * distance;
    const window = bessel(BETA * Math.sqrt(Math.max(0, 1 - (distance / reach) ** 2))) / bessel(BETA);
    weights[tap] = cutoff * (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
    total += weights[tap];
  }
  return weights.map((weight) => weight / total);
}

/** The modified Bessel function of order 0, by its power series (all terms are positive, so nothing cancels). */
function bessel(x) {
  let term = 1;
  let sum = 1;
  for (let at = 1; term > sum * 1e-18; at += 1) {
    term *= (x / (2 * at)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(first, second) {
  return second === 0 ? first : greatestCommonDivisor(second, first % second);
}
