"""Changing the sampling rate by a windowed sinc, in NumPy.

Source: J. O. Smith, "Digital Audio Resampling" (CCRMA), the band-limited interpolation formula; Kaiser's window.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np

_CROSSINGS = 16  # zero crossings of the sinc on each side: the transition band is 1/16 of the lower Nyquist rate wide
_BETA = 8.6  # Kaiser window: side lobes about 86 dB down
_ROLL_OFF = 0.95  # the pass band ends a little below the lower Nyquist rate
_MOST_PHASES = 4096  # kept filters; more phases than this are computed as they are needed
_BLOCK = 8192
_CHUNK = 1024  # samples that a stream is resampled by, at least


def margin(source: int, target: int) -> int:
    """Give how many source samples on each side of a window influence its resampled values."""
    return 0 if source == target else int(np.ceil(_CROSSINGS * max(1.0, source / target))) + 1


def resample(samples: np.ndarray, source: int, target: int, *, count: int, lead: int = 0) -> np.ndarray:
    """Give float64[count] at the rate `target`, the first standing at source sample `lead`; beyond the ends is silence.

    Costs about ``count * 32 * max(1, source / target)`` multiplications.
    """
    if source == target:
        part = samples[lead : lead + count]
        return np.concatenate([part, np.zeros(count - len(part))])
    common = gcd(source, target)
    up, down = target // common, source // common
    half = margin(source, target)
    padded = np.concatenate([np.zeros(half), samples, np.zeros(half)])
    out = np.zeros(count)
    offsets = np.arange(-half, half + 1)
    for begin in range(0, count, _BLOCK):
        steps = np.arange(begin, min(count, begin + _BLOCK), dtype=np.int64) * down
        base, phase = steps // up + lead, steps % up
        places = (base + half)[:, None] + offsets
        inside = places < len(padded)
        taken = np.where(inside, padded[np.minimum(places, len(padded) - 1)], 0.0)
        filters = _bank(up, down)[phase] if up <= _MOST_PHASES else _filters(phase, up, down)
        out[begin : begin + len(steps)] = np.einsum("nk,nk->n", taken, filters)
    return out


class Resampling:
    """Change the rate of a stream, given in blocks of any size; memory does not grow with it.

    The result is computed in chunks of one size that stand at fixed places of the stream, so it is the same however that was cut.
    """

    def __init__(self, source: int, target: int) -> None:
        common = gcd(source, target)
        times = -(-_CHUNK // (target // common))
        self.source, self.target = source, target
        self._taken, self._made = times * source // common, times * target // common  # source and target samples of one chunk
        self._side = margin(source, target)
        self._held = np.zeros(self._side)  # from `_side` samples before the chunk that comes next
        self._count = 0  # source samples so far
        self._given = 0  # target samples so far
        self.delay = (self._taken + self._side) / source  # seconds

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take float64[sample] and give what is settled by now, float64[sample]."""
        self._count += len(samples)
        self._held = np.concatenate([self._held, samples])
        parts = []
        while len(self._held) >= self._taken + 2 * self._side:
            part = self._held[: self._taken + 2 * self._side]
            parts.append(resample(part, self.source, self.target, count=self._made, lead=self._side))
            self._held = self._held[self._taken :]
        made = np.concatenate(parts) if parts else np.zeros(0)
        self._given += len(made)
        return made

    def finish(self) -> np.ndarray:
        """Give the rest, as if silence followed."""
        whole = round(self._count * self.target / self.source)
        missing = whole - self._given
        count = self._count
        rest = self.push(np.zeros(self._taken + 2 * self._side))[:missing] if missing > 0 else np.zeros(0)
        self._count = count
        return rest


@lru_cache(maxsize=16)
def _bank(up: int, down: int) -> np.ndarray:
    return _filters(np.arange(up), up, down)


def _filters(phase: np.ndarray, up: int, down: int) -> np.ndarray:
    """Give float64[phase, tap]: the weights of the source samples around a point that lies phase / up after one of them."""
    cutoff = _ROLL_OFF * min(1.0, up / down)
    reach = _CROSSINGS * max(1.0, down / up)
    half = int(np.ceil(reach)) + 1
    distance = np.arange(-half, half + 1)[None, :] - phase[:, None] / up
    window = np.i0(_BETA * np.sqrt(np.clip(1.0 - (distance / reach) ** 2, 0.0, None))) / np.i0(_BETA)
    weights = np.where(np.abs(distance) <= reach, cutoff * np.sinc(cutoff * distance) * window, 0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
