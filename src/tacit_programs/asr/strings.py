"""Strings of digits without known boundaries, made of recordings of single ones.

A string is of one speaker and has three to seven digits, each a recording drawn from those of that speaker and digit. Between two words
is a pause of up to 350 ms (in seven of ten cases), none at all, or an overlap of up to 40 ms. Each word is up to 4 dB louder or softer;
noise lies over all, 12 to 40 dB below the mean power of the words, its colour drawn, too; the loudest sample is 1 to 20 dB below full
scale. One of fifty strings is noise alone and has no digit. All is drawn from one seed, so a set can be made again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tacit_programs.asr.recordings import DIGITS, RATE, Recording

LEAST, MOST = 3, 7
LONGEST = int(4.6 * RATE)  # a longer string is drawn again
EMPTY = 0.02


@dataclass(frozen=True, eq=False)
class Spoken:
    """int16[sample], the digits in order, and who said them."""

    sound: np.ndarray
    digits: tuple[str, ...]
    speaker: str


def make_strings(recordings: Sequence[Recording], count: int, *, seed: int) -> list[Spoken]:
    """Make `count` strings of the recordings. Every speaker must have said every digit."""
    generator = np.random.default_rng(seed)
    by: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for recording in recordings:
        by[recording.speaker, recording.digit].append(recording.sound)
    speakers = sorted({recording.speaker for recording in recordings})
    made: list[Spoken] = []
    while len(made) < count:
        speaker = speakers[int(generator.integers(len(speakers)))]
        empty = generator.random() < EMPTY
        digits = () if empty else tuple(DIGITS[place] for place in generator.integers(10, size=int(generator.integers(LEAST, MOST + 1))))
        takes = [by[speaker, digit][int(generator.integers(len(by[speaker, digit])))] for digit in digits]
        sound = _joined(takes, generator)
        if len(sound) <= LONGEST:
            made.append(Spoken(_noisy(sound, generator), digits, speaker))
    return made


def _joined(takes: Sequence[np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Lay words one behind the other, with pauses, seams and overlaps: float64[sample]."""
    lead, tail = (int(generator.uniform(0.1, 0.4) * RATE) for _ in range(2))
    if not takes:
        return np.zeros(lead + tail + int(generator.uniform(0.3, 3.0) * RATE))
    at, places = lead, []
    for place, take in enumerate(takes):
        if place:
            kind = generator.random()
            pause = generator.uniform(0.0, 0.35) if kind < 0.7 else 0.0 if kind < 0.85 else -generator.uniform(0.0, 0.04)
            at = max(0, at + int(pause * RATE))
        places.append(at)
        at += len(take)
    sound = np.zeros(at + tail)
    for take, start in zip(takes, places, strict=True):
        sound[start : start + len(take)] += np.asarray(take, np.float64) * 10 ** (generator.uniform(-4.0, 4.0) / 20)
    return sound


def _noisy(sound: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Add noise of a random colour and level, and set the peak: int16[sample]."""
    spoken = sound[sound != 0]
    power = float(np.mean(spoken**2)) if len(spoken) else 1e6
    white = generator.standard_normal(len(sound) + 1)
    colour = generator.uniform(0.0, 0.95)
    noise = white[1:] + colour * white[:-1]  # from white towards dark
    wanted = power * 10 ** (-generator.uniform(12.0, 40.0) / 10)
    mixed = sound + noise * np.sqrt(wanted / np.mean(noise**2))
    peak = 32767 * 10 ** (-generator.uniform(1.0, 20.0) / 20)
    return np.asarray(np.rint(mixed * (peak / np.abs(mixed).max())), np.int16)
