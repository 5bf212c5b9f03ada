"""What recognisers of Software 1.0 look at: mel-frequency cepstra, their slopes and the slopes of those, without the mean of the sound.

Sources: Davis and Mermelstein 1980, "Comparison of parametric representations for monosyllabic word recognition"; Furui 1986 for the
slopes; Young et al., "The HTK Book", chapter 5, for the usual numbers.
"""

from __future__ import annotations

import numpy as np

RATE = 8000
FRAME, HOP, BINS = 200, 80, 256  # 25 ms every 10 ms
BANDS, KEPT, LIFTER = 26, 13, 22


def cepstra(sound: np.ndarray, *, rate: int = RATE) -> np.ndarray:
    """Give float32[frame, 39] of int16[sample]; a sound shorter than a frame gives one frame.

    >>> cepstra(np.zeros(8000, np.int16)).shape
    (98, 39)
    """
    samples = np.asarray(sound, np.float64)
    samples = np.concatenate([samples[:1], samples[1:] - 0.97 * samples[:-1]])
    samples = np.pad(samples, (0, max(0, FRAME - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hamming(FRAME), BINS)) ** 2
    levels = np.log(power @ _filters(rate).T + 1.0)  # 1: far below the noise of 16 bits, so that silence is a number
    order, band = np.arange(KEPT)[:, None], np.arange(BANDS)[None]
    turned = levels @ (np.sqrt(2.0 / BANDS) * np.cos(np.pi * order * (band + 0.5) / BANDS)).T
    turned *= 1.0 + LIFTER / 2 * np.sin(np.pi * np.arange(KEPT) / LIFTER)
    turned -= turned.mean(axis=0)
    slopes = _slopes(turned)
    return np.concatenate([turned, slopes, _slopes(slopes)], axis=1).astype(np.float32)


def _filters(rate: int) -> np.ndarray:
    """Give float64[band, bin]: triangles of equal width on the mel scale from 60 Hz on."""
    low, high = (2595 * np.log10(1 + np.array([60.0, rate / 2]) / 700)).tolist()
    mel = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(BINS // 2 + 1) * rate / BINS
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.maximum(0.0, np.minimum(rise, fall)))


def _slopes(values: np.ndarray, reach: int = 2) -> np.ndarray:
    """Give the slope of each column over time, by regression over two frames on each side."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    count = len(values)
    total = sum(by * (padded[reach + by : reach + by + count] - padded[reach - by : reach - by + count]) for by in range(1, reach + 1))
    return np.asarray(total / (2 * sum(by * by for by in range(1, reach + 1))))
