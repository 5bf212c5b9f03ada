"""`Audio`: sound from WAV files and arrays, as int16[sample] at one rate."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.checks import check_whole, what_came
from tacit.signature.plots import waveform
from tacit.signature.resample import margin, resample
from tacit.signature.wav import Wav, open_wav

#: Longer sound is refused: a program of a fixed window says little about it.
MOST_SECONDS = 3600

_HOPS_A_SECOND = 100  # the most energetic window is looked for in steps of 10 ms
_BLOCK_HOPS = 1000
_LOUDEST = 8.0  # float arrays may exceed full scale a little (they are clipped); beyond this they are not on that scale
_BLOCKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True, repr=False)
class Audio(InputType):
    """A sound of fixed length: int16[sample] at `rate` samples a second, one channel.

    Several channels are mixed to their mean, another rate is resampled (windowed sinc), a shorter sound stands in the middle
    of silence, and of a longer one the window with the most energy is taken (the earliest of equals, in steps of 10 ms).
    Beyond full scale is clipped.

    >>> Audio(8000, 4).read(np.array([0.5, -0.5]))[0].tolist()
    [0, 16384, -16384, 0]
    """

    kind: ClassVar[str] = "audio"
    skeleton: ClassVar[str] = "audionet"
    augmentations: ClassVar[tuple[str, ...]] = ("shift", "gain")

    rate: int
    samples: int

    def __post_init__(self) -> None:
        check_whole(self.rate, name="rate", kind="Audio", least=100, most=384_000)
        check_whole(self.samples, name="samples", kind="Audio", most=2**24)

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"a sound of {self.samples / self.rate:g} seconds at {self.rate} samples a second"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `sound`."""
        return (ArraySpec("sound", (self.samples,), "int16", ("sample",), normalise=()),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read the path, bytes or open file of a WAV, an array at this rate, or a pair (rate, array).

        Arrays: [sample] or [sample, channel], whole numbers at the full scale of their dtype, floats with full scale 1.
        Raises: InputError for what is not sound, is damaged, or is longer than `MOST_SECONDS`.
        """
        if isinstance(value, str | os.PathLike):
            path = Path(value)
            try:
                with path.open("rb") as file:
                    return self._from_wav(file, f"`{path}`")
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise InputError(
                    f"expected a WAV file, got a path that can't be read - at `{path}`", cause=f"the system says: {reason}"
                ) from None
        if isinstance(value, bytes | bytearray | memoryview):
            return self._from_wav(io.BytesIO(value), f"{len(value)} bytes")
        if hasattr(value, "read"):
            return self._from_wav(io.BytesIO(value.read()), f"`{getattr(value, 'name', 'a file')}`")
        rate = self.rate
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], int | np.integer):
            rate, value = int(value[0]), value[1]
        if isinstance(value, np.ndarray | list) or hasattr(value, "__array__"):
            return self._from_array(value, rate)
        raise InputError(f"expected a sound, got {what_came(value)}", fix="the path of a WAV file, its bytes, an array, or (rate, array)")

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Draw the loudness over time and give the peak."""
        sound = np.abs(np.asarray(arrays[0], np.float32)) / 32768.0
        peaks = [float(part.max()) for part in np.array_split(sound, min(32, self.samples))]
        line = "".join(_BLOCKS[min(8, int(np.ceil(peak * 8)))] for peak in peaks)
        return f"sound {self.samples / self.rate:g} s, peak {float(sound.max()):.2f}, loudness [{line}]"

    def picture(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Draw the loudness over time."""
        return waveform(arrays[0], full=32768.0)

    def _from_wav(self, file: BinaryIO, where: str) -> tuple[np.ndarray, ...]:
        wav = open_wav(file, where)
        _check_length(wav.frames, wav.rate, where)
        return (self._window(wav.read, wav.frames, wav.rate, energies=lambda hop: _energies_of_wav(wav, hop)),)

    def _from_array(self, value: Any, rate: int) -> tuple[np.ndarray, ...]:
        sound = mono(value)
        if not 1 <= rate <= 1_000_000:
            raise InputError(f"expected a rate of 1 to 1,000,000 samples a second, got {rate}")
        _check_length(len(sound), rate, what_came(value))
        return (
            self._window(lambda first, count: sound[first : first + count], len(sound), rate, energies=lambda hop: _energies(sound, hop)),
        )

    def _window(self, read: Any, frames: int, rate: int, *, energies: Any) -> np.ndarray:
        """Cut the window out of the source, resample it and place it: int16[sample]."""
        wanted = -(-self.samples * rate // self.rate)  # source frames that the window covers, rounded up
        first, place, count = 0, 0, self.samples
        if frames > wanted:
            hop = max(1, rate // _HOPS_A_SECOND)
            first = min(_loudest(energies(hop), max(1, round(wanted / hop))) * hop, frames - wanted)
        else:
            count = min(self.samples, max(1, round(frames * self.rate / rate)))
            place = (self.samples - count) // 2
        side = margin(rate, self.rate)
        begin = max(0, first - side)
        part = read(begin, min(frames, first + wanted + side) - begin)
        sound = np.zeros(self.samples)
        sound[place : place + count] = resample(part, rate, self.rate, count=count, lead=first - begin)
        return np.clip(np.rint(sound * 32768.0), -32768, 32767).astype(np.int16)


def framing(rate: int) -> tuple[int, int]:
    """Give the samples of a frame, a power of two near 32 ms, and from one frame to the next, some 10 ms.

    >>> framing(8000), framing(16000)
    ((256, 80), (512, 160))
    """
    window = 1 << round(math.log2(rate * 0.032))
    return window, window * 5 // 16


def _check_length(frames: int, rate: int, where: str) -> None:
    if frames > MOST_SECONDS * rate:
        raise InputError(
            f"expected a sound of at most {MOST_SECONDS:,} seconds, got {frames / rate:,.0f} - at {where}", fix="cut it into parts first"
        )


def _loudest(energies: np.ndarray, hops: int) -> int:
    """Give the first hop of the run of `hops` with the most energy (the earliest of equals)."""
    total = np.concatenate([[0.0], np.cumsum(energies)])
    runs = total[hops:] - total[:-hops] if hops < len(total) else total[-1:]
    return int(np.argmax(runs >= runs.max() * (1 - 1e-9)))


def _energies(sound: np.ndarray, hop: int) -> np.ndarray:
    """Give float64[hop]: the energy of each hop around its own mean, so that a constant offset counts as silence."""
    whole = sound[: len(sound) // hop * hop].reshape(-1, hop)
    energies = ((whole - whole.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    rest = sound[len(whole) * hop :]
    return np.append(energies, ((rest - rest.mean()) ** 2).sum()) if len(rest) else np.asarray(energies)


def _energies_of_wav(wav: Wav, hop: int) -> np.ndarray:
    block = hop * _BLOCK_HOPS
    return np.concatenate([_energies(wav.read(at, min(block, wav.frames - at)), hop) for at in range(0, wav.frames, block)])


def mono(value: Any) -> np.ndarray:
    """Turn [sample] or [sample, channel] into float64[sample] with full scale 1. Raises: InputError."""
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise InputError(f"expected an array [sample] or [sample, channel], got {what_came(value)} whose rows differ") from None
    if array.dtype.kind not in "uif" or array.dtype.itemsize > 8 or array.ndim not in (1, 2):
        raise InputError(f"expected an array of numbers [sample] or [sample, channel], got {what_came(array)}")
    if array.size == 0:
        raise InputError(f"expected a sound, got one without a sample - at {what_came(array)}")
    if array.ndim == 2 and array.shape[1] > 64:
        raise InputError(f"expected an array [sample, channel] of at most 64 channels, got {what_came(array)}", fix="turn it: `array.T`")
    sound = _full_scale(array)
    return sound if sound.ndim == 1 else np.asarray(sound.mean(axis=1))


def _full_scale(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        sound = array.astype(np.float64)
        if not np.isfinite(sound).all():
            raise InputError(f"expected finite samples, got NaN or infinity - at {what_came(array)}")
        if np.abs(sound).max() > _LOUDEST:
            raise InputError(
                f"expected samples of -1 to 1, got a peak of {np.abs(sound).max():g} - at {what_came(array)}",
                fix="divide by 32768 when they are 16-bit values, or give int16",
            )
        return sound
    if array.dtype in (np.dtype(np.int64), np.dtype(np.uint64), np.dtype(np.uint32)) and np.abs(array.astype(np.float64)).max() <= 32768:
        return array.astype(np.float64) / 32768.0  # plain Python numbers: taken as 16-bit values
    if array.dtype.kind == "u":
        middle = 2.0 ** (8 * array.dtype.itemsize - 1)
        return (array.astype(np.float64) - middle) / middle
    return array.astype(np.float64) / 2.0 ** (8 * array.dtype.itemsize - 1)
