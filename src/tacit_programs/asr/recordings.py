"""Recordings of spoken digits: the Free Spoken Digit Dataset, and a small part of it that is embedded.

Source: Z. Jackson and others, "Free Spoken Digit Dataset", github.com/Jakobovski/free-spoken-digit-dataset, licence CC BY-SA 4.0: six
speakers said each digit fifty times, 8,000 samples a second. Takes 0 to 4 of each are the official test split.
"""

from __future__ import annotations

import io
import wave
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tacit

DIGITS = tuple("0123456789")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
RATE = 8000
OFFICIAL = 5  # takes below are for testing
ARCHIVE = "free-spoken-digit-dataset.zip"
EMBEDDED = Path(__file__).parent / "recordings.npz"

FSDD = tacit.DataSource(
    name="fsdd",
    title="Free Spoken Digit Dataset",
    licence="CC BY-SA 4.0",
    page="https://github.com/Jakobovski/free-spoken-digit-dataset",
    packs=(ARCHIVE,),
)


@dataclass(frozen=True, eq=False)
class Recording:
    """One word: int16[sample] at `RATE`, which digit, who said it, and the how-manieth time."""

    sound: np.ndarray
    digit: str
    speaker: str
    take: int

    @property
    def official_test(self) -> bool:
        """Tell whether it belongs to the official test split."""
        return self.take < OFFICIAL


def embedded() -> list[Recording]:
    """Read the embedded part: of every speaker and digit take 0, which is for testing, and three others.

    >>> len(embedded())
    240
    """
    with np.load(EMBEDDED, allow_pickle=False) as arrays:
        sounds = np.split(expand(arrays["codes"]), np.cumsum(arrays["lengths"])[:-1])
        columns = (arrays["digits"].tolist(), arrays["speakers"].tolist(), arrays["takes"].tolist())
    return [Recording(sound, DIGITS[digit], SPEAKERS[speaker], take) for sound, digit, speaker, take in zip(sounds, *columns, strict=True)]


def whole(*, reporter: tacit.Reporter | None = None) -> list[Recording]:
    """Read all 3,000 recordings from the archive, in the order of their names. Raises: InputError when the set can't be had."""
    found = []
    with zipfile.ZipFile(FSDD.folder(reporter=reporter) / ARCHIVE) as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".wav")):
            digit, speaker, take = Path(name).stem.split("_")
            with wave.open(io.BytesIO(archive.read(name))) as file:
                found.append(Recording(np.frombuffer(file.readframes(file.getnframes()), "<i2"), digit, speaker, int(take)))
    return found


def save(recordings: Sequence[Recording], path: Path) -> None:
    """Write recordings as the embedded ones are: eight bits a sample, on a logarithmic scale."""
    np.savez_compressed(
        path,
        codes=compress(np.concatenate([recording.sound for recording in recordings])),
        lengths=np.array([len(recording.sound) for recording in recordings], np.int32),
        digits=np.array([DIGITS.index(recording.digit) for recording in recordings], np.uint8),
        speakers=np.array([SPEAKERS.index(recording.speaker) for recording in recordings], np.uint8),
        takes=np.array([recording.take for recording in recordings], np.uint8),
    )


def compress(sound: np.ndarray) -> np.ndarray:
    """Turn int16[sample] into uint8[sample] by the µ-law (ITU-T G.711, the continuous curve with µ = 255).

    >>> expand(compress(np.array([-32768, -100, 0, 100, 32767], np.int16))).tolist()
    [-32767, -98, 0, 98, 32767]
    """
    level = np.clip(np.asarray(sound, np.float64) / 32767.0, -1.0, 1.0)
    return np.asarray(np.rint(127.0 * np.sign(level) * np.log1p(255.0 * np.abs(level)) / np.log(256.0)) + 128, np.uint8)


def expand(codes: np.ndarray) -> np.ndarray:
    """Turn uint8[sample] back into int16[sample]."""
    curve = (np.asarray(codes, np.float64) - 128.0) / 127.0
    level = np.sign(curve) * np.expm1(np.abs(curve) * np.log(256.0)) / 255.0
    return np.asarray(np.rint(32767.0 * level), np.int16)


def wav_bytes(sound: np.ndarray, *, rate: int = RATE) -> bytes:
    """Give int16[sample] as the bytes of a WAV file."""
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(sound, "<i2").tobytes())
    return target.getvalue()
