"""What a simple recogniser of the usual kind reaches on the spoken digits: MFCC on 20 moments, then an RBF machine.

    python benchmarks/peer_audio.py [--cache DIR]

Both ways of splitting that Tacit is measured on: the official one (takes 0-4 of every speaker are the test), and each speaker
left out in turn. C and gamma are chosen on takes 5-9 of the training set, or on one training speaker after the other.
"""

from __future__ import annotations

import argparse
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
from scipy.fft import dct
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

RATE, WINDOW, HOP, MELS, KEPT, MOMENTS = 8000, 200, 80, 40, 20, 20
GRID = [(c, gamma) for c in (1.0, 10.0, 100.0) for gamma in (0.25, 0.5, 1.0, 2.0)]  # gamma in units of 1 / features


def mel_filters(bins: int) -> np.ndarray:
    """Give the triangular filters float64[frequency, mel] from 60 Hz to half the rate, evenly spaced in mel."""
    edges = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    frequency = np.linspace(0, RATE / 2, bins)[:, None]
    rising = (frequency - hertz[:-2]) / (hertz[1:-1] - hertz[:-2])
    falling = (hertz[2:] - frequency) / (hertz[2:] - hertz[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def mfcc(sound: np.ndarray) -> np.ndarray:
    """Give float64[feature]: coefficients of the trimmed recording at 20 moments, less their mean, and their changes."""
    sound = np.append(sound[:1], sound[1:] - 0.97 * sound[:-1])
    sound = np.pad(sound, (0, max(0, WINDOW + HOP - len(sound))))
    frames = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP] * np.hamming(WINDOW)
    power = np.abs(np.fft.rfft(frames, 256)) ** 2
    loud = 10 * np.log10(power.sum(1) + 1e-9)
    heard = np.flatnonzero(loud > loud.max() - 35)  # leave out the silence around the word
    log_mel = np.log(power[heard[0] : heard[-1] + 1] @ mel_filters(power.shape[1]) + 1e-6)
    cepstrum = dct(log_mel, axis=1, norm="ortho")[:, :KEPT]
    cepstrum -= cepstrum.mean(0)
    moments = np.linspace(0, len(cepstrum) - 1, MOMENTS)
    low = np.floor(moments).astype(int)
    share = (moments - low)[:, None]
    steady = (1 - share) * cepstrum[low] + share * cepstrum[np.minimum(low + 1, len(cepstrum) - 1)]
    return np.concatenate([steady.ravel(), np.gradient(steady, axis=0).ravel(), [len(cepstrum) / 50]])


def read(path: Path) -> np.ndarray:
    """Give float64[sample] of a 16-bit mono WAV file, -1..1."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768.0


def machine(c: float, gamma: float, features: int) -> Pipeline:
    """Give standardised features, then an RBF machine."""
    return make_pipeline(StandardScaler(), SVC(C=c, gamma=gamma / features))


def measure(x: np.ndarray, y: np.ndarray, test: np.ndarray, held_out: Sequence[np.ndarray]) -> tuple[float, str]:
    """Choose on each part of `held_out` (masks within the training rows), fit on all training rows, give the test accuracy."""
    totals = []
    for c, gamma in GRID:
        parts = [(~test & ~part, ~test & part) for part in held_out]
        totals.append(np.mean([machine(c, gamma, x.shape[1]).fit(x[fit], y[fit]).score(x[part], y[part]) for fit, part in parts]))
    c, gamma = GRID[int(np.argmax(totals))]
    accuracy = machine(c, gamma, x.shape[1]).fit(x[~test], y[~test]).score(x[test], y[test])
    return float(accuracy), f"C={c:g}, gamma={gamma:g}/features, validation {max(totals):.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure MFCC + SVM on the spoken digits.")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    folder = datasets.make("fsdd-recordings", parser.parse_args().cache) / "recordings"
    rows = datasets.fsdd_rows()
    x = np.stack([mfcc(read(folder / name)) for name, *_ in rows])
    y, speakers, takes = (np.array([row[place] for row in rows]) for place in (1, 2, 3))
    figures: dict[str, Any] = {}
    figures["official split: accuracy"], figures["official split: chosen"] = measure(x, y, takes < 5, [(takes >= 5) & (takes < 10)])
    print(figures, flush=True)
    left_out, chosen = {}, {}
    for speaker in datasets.SPEAKERS:
        others = [speakers == other for other in datasets.SPEAKERS if other != speaker]
        left_out[speaker], chosen[speaker] = measure(x, y, speakers == speaker, others)
        print(speaker, left_out[speaker], chosen[speaker], flush=True)
    figures["one speaker left out: accuracy"], figures["one speaker left out: chosen"] = left_out, chosen
    harness.record("peers-fsdd", figures, command=harness.command_line())


if __name__ == "__main__":
    main()
