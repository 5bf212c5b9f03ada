"""Near duplicates among sounds and series: the same signal shifted, scaled, trimmed, encoded again, or with a little noise.

Candidates are neighbours by magnitudes of frequencies, which a shift doesn't change; a pair is then laid over one another at the best
shift. Two recordings of one thing don't follow each other sample by sample, two copies of one recording do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tacit.instruments.linting.nearest import Alike, best_of_each, close_pairs, nothing_alike, radii, reduced

DIMENSIONS = 40
CANDIDATES = 5
MOST_PAIRS = 30_000  # that are laid over one another, the closest
MOST_DIFFERENCE = 0.25  # sqrt(1 - correlation^2): 0.97 correlated
MOST_OF_USUAL = 0.35  # the difference as a share of what is usual among an example's own candidates
MOST_SHIFT = 0.08  # of a series, as a share of its length
_FRAMES, _BANDS, _RHYTHMS = 128, 16, 16
_CHUNK = 512


def near_sounds(sounds: np.ndarray, chance: np.random.Generator) -> Alike:
    """Find near duplicates in int16[sound, sample]; silence is like nothing."""
    lively = np.flatnonzero(sounds.max(axis=1).astype(np.int32) - sounds.min(axis=1) > 64)
    return _near(sounds[:, None, :], lively, _rhythm, chance, most_shift=1.0)


def near_series(series: np.ndarray, chance: np.random.Generator) -> Alike:
    """Find near duplicates in float32[series, channel, time]; a constant series is like nothing."""
    deviation = np.maximum(series.std(axis=(0, 2)), 1e-9)[:, None]
    scaled = series / deviation
    lively = np.flatnonzero(np.ptp(scaled, axis=2).max(axis=1) > 1e-3)
    return _near(scaled, lively, _spectrum, chance, most_shift=MOST_SHIFT)


def _near(
    signals: np.ndarray, lively: np.ndarray, describe: Callable[[np.ndarray], np.ndarray], chance: np.random.Generator, *, most_shift: float
) -> Alike:
    if len(lively) < 8 or signals.shape[2] < 8:
        return nothing_alike()
    parts = [describe(signals[rows]) for rows in _chunks(lively)]
    points = reduced(np.concatenate(parts), DIMENSIONS, chance)
    pairs = best_of_each(close_pairs(points, radii(points, chance)), len(points), CANDIDATES)
    closest = np.argsort(pairs.share, kind="stable")[:MOST_PAIRS]
    first, second = lively[pairs.first[closest]], lively[pairs.second[closest]]
    difference = np.concatenate(
        [_laid_over(signals, first[at], second[at], most_shift) for at in _chunks(np.arange(len(first)))] or [np.zeros(0)]
    )
    usual = _usual(first, second, difference, len(signals))
    share = difference / np.maximum(np.minimum(usual[first], usual[second]), 1e-6)
    kept = np.flatnonzero((difference <= MOST_DIFFERENCE) & (share <= MOST_OF_USUAL))
    return Alike(first[kept], second[kept], share[kept], difference[kept])


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return np.array_split(rows, range(_CHUNK, len(rows), _CHUNK)) if len(rows) else []


def _unit(points: np.ndarray) -> np.ndarray:
    flat = points.reshape(len(points), -1)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6), np.float32)


def _spectrum(series: np.ndarray) -> np.ndarray:
    """Give float32[series, feature]: square roots of the magnitudes of each channel under a window, of unit length."""
    steps = series.shape[2]
    centred = (series - series.mean(axis=2, keepdims=True)) * np.hanning(steps + 2)[1:-1].astype(np.float32)
    return _unit(np.sqrt(np.abs(np.fft.rfft(centred, axis=2))[:, :, :128]))


def _rhythm(sounds: np.ndarray) -> np.ndarray:
    """Give float32[sound, feature]: how each band of frequencies changes over time, whenever it does so."""
    signal = sounds[:, 0].astype(np.float32)
    length = signal.shape[1]
    hop = max(1, length // _FRAMES)
    width = max(16, 2 * hop)
    padded = np.pad(signal, ((0, 0), (0, width)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)[:, :length:hop] * np.hanning(width).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=2)) ** 2
    edges = np.unique(np.geomspace(1, power.shape[2], _BANDS + 1).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=2)
    loud = np.sqrt(np.sqrt(bands))
    loud = loud / np.maximum(loud.mean(axis=(1, 2), keepdims=True), 1e-6)
    return _unit(np.abs(np.fft.rfft(loud - loud.min(axis=1, keepdims=True), axis=1))[:, :_RHYTHMS])


def _laid_over(signals: np.ndarray, first: np.ndarray, second: np.ndarray, most_shift: float) -> np.ndarray:
    """Give float[pair]: sqrt(1 - correlation^2) at the shift at which two signals agree best; 1 where they are opposite."""
    one, other = (signals[rows].astype(np.float32) for rows in (first, second))
    one, other = (part - part.mean(axis=2, keepdims=True) for part in (one, other))
    steps = one.shape[2]
    size = 1 << (2 * steps - 1).bit_length()
    waves = np.fft.rfft(one, size, axis=2) * np.fft.rfft(other, size, axis=2).conj()
    products = np.fft.irfft(waves.sum(axis=1), size, axis=1)
    reach = max(1, int(steps * most_shift)) - 1
    places = np.r_[0 : reach + 1, size - reach : size]
    # What lies under one another at each shift: the energy of the overlapping parts only.
    before, after = _energies(one), _energies(other)
    lag = np.where(places <= reach, places, places - size)
    mine = before[:, np.minimum(steps, steps + lag)] - before[:, np.maximum(lag, 0)]
    theirs = after[:, np.minimum(steps, steps - lag)] - after[:, np.maximum(-lag, 0)]
    whole = np.sqrt(before[:, -1:] * after[:, -1:])
    # An overlap that holds little of the energy proves nothing: below nine tenths the whole energy counts.
    overlap = np.maximum(np.sqrt(np.maximum(mine * theirs, 0.0)), 0.9 * whole)
    correlation = (products[:, places] / np.maximum(overlap, 1e-9)).max(axis=1)
    return np.where(correlation > 0, np.sqrt(np.clip(1 - correlation**2, 0.0, 1.0)), 1.0)


def _energies(signals: np.ndarray) -> np.ndarray:
    """Give float64[signal, time + 1]: the energy before each step."""
    energy = (signals.astype(np.float64) ** 2).sum(axis=1)
    return np.concatenate([np.zeros((len(signals), 1)), np.cumsum(energy, axis=1)], axis=1)


def _usual(first: np.ndarray, second: np.ndarray, difference: np.ndarray, count: int) -> np.ndarray:
    """Give float[example]: the median difference among its candidates, 1 where it has fewer than 3."""
    rows, both = np.concatenate([first, second]), np.concatenate([difference, difference])
    order = np.lexsort((both, rows))
    starts = np.searchsorted(rows[order], np.arange(count + 1))
    sizes = np.diff(starts)
    middle = np.minimum(starts[:-1] + sizes // 2, max(0, len(order) - 1))
    return np.where(sizes >= 3, both[order][middle], 1.0) if len(order) else np.ones(count)
