"""Hear a sound that goes on: any binary whose input is `Audio` runs on windows of the stream, with a fixed delay and in constant memory.

Where windows lie depends on the stream alone, and each is computed by itself, so the answers are the same however the stream was cut into
blocks. An output of symbols is read off overlapping windows, of each the middle; other outputs give one answer to each burst of sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tacit.binary.driven import Driven
from tacit.ground.errors import InputError
from tacit.signature.audio import Audio, mono
from tacit.signature.checks import what_came
from tacit.signature.resample import Resampling
from tacit.signature.symbols import Symbols
from tacit.signature.wav import open_wav

#: A window whose loudest sample is below this (60 decibels under full scale) is silence and is not asked about.
QUIET = 33
#: A burst is louder than the quiet fifth of what is around it by this factor of the power (6 decibels).
ABOVE = 4.0
_HOPS = 100  # a second, in which bursts are looked for
_TOGETHER = 256  # hops are looked at together, at most
_BLOCK_SECONDS = 1.0  # that are read of a file at a time


@dataclass(frozen=True)
class Heard:
    """An answer and the second of the stream at which it stands: where a symbol begins, the middle of a burst."""

    second: float
    answer: Any


class _Way(Protocol):
    """How answers are found in a stream at the rate of the binary."""

    delay: int  # samples after which nothing changes any more

    def push(self, samples: np.ndarray) -> Iterator[Heard]:
        """Take int16[sample] and give what was heard."""

    def finish(self) -> Iterator[Heard]:
        """Give the rest, as if silence followed."""


class Listener:
    """Hear one stream. `push` takes its blocks in order, `finish` gives what is left when it ends.

    rate: of the blocks, in samples a second (default: that of the binary). hop: seconds from one window to the next for an output of
    symbols (default: half a window). delay: the seconds after which the answer about a moment is given, at most.
    Raises: InputError for a binary that hears no sounds.
    """

    def __init__(self, binary: Driven, *, rate: int | None = None, hop: float | None = None) -> None:
        kind = binary.signature.input
        if not isinstance(kind, Audio):
            raise InputError(f"expected a program that hears sounds, got one of {kind.describe()}", fix="a binary with the input Audio")
        given = kind.rate if rate is None else rate
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 1 <= given <= 1_000_000:
            raise InputError(f"expected a rate of 1 to 1,000,000 samples a second, got {what_came(rate)}")
        if hop is not None and not 0 < hop <= kind.samples / kind.rate:
            raise InputError(f"expected a hop of more than 0 and at most {kind.samples / kind.rate:g} seconds, got {hop:g}")
        self._resampling = None if given == kind.rate else Resampling(int(given), kind.rate)
        symbols = isinstance(binary.signature.output, Symbols)
        self._way: _Way = _Path(binary, kind, hop) if symbols else _Bursts(binary, kind)
        self.delay = self._way.delay / kind.rate + (0.0 if self._resampling is None else self._resampling.delay)

    def push(self, block: Any) -> list[Heard]:
        """Take the next block, [sample] or [sample, channel] as `Audio` reads it; it may be empty. Raises: InputError."""
        if np.size(block) == 0:
            return []
        sound = mono(block)
        return self._hear(sound if self._resampling is None else self._resampling.push(sound))

    def finish(self) -> list[Heard]:
        """Give what was said up to the end, as if silence followed."""
        rest = np.zeros(0) if self._resampling is None else self._resampling.finish()
        return [*self._hear(rest), *self._way.finish()]

    def _hear(self, sound: np.ndarray) -> list[Heard]:
        return list(self._way.push(np.clip(np.rint(sound * 32768.0), -32768, 32767).astype(np.int16)))


def listen(binary: Driven, source: Any, *, rate: int | None = None, hop: float | None = None) -> Iterator[Heard]:
    """Hear a WAV file of any length, by its path, or blocks of sound as they come; give answers with their second, as they are known.

    rate, hop: see `Listener`; a file knows its own rate. Raises: InputError.
    """
    if isinstance(source, str | os.PathLike):
        yield from _of_file(binary, Path(source), hop)
        return
    if isinstance(source, bytes | np.ndarray) or not isinstance(source, Iterable):
        raise InputError(f"expected a path or blocks of sound, got {what_came(source)}", fix="one block: [array]")
    listener = Listener(binary, rate=rate, hop=hop)
    for block in source:
        yield from listener.push(block)
    yield from listener.finish()


def _of_file(binary: Driven, path: Path, hop: float | None) -> Iterator[Heard]:
    try:
        file = path.open("rb")
    except OSError as error:
        cause = f"the system says: {error.strerror}"
        raise InputError(f"expected a WAV file, got a path that can't be read - at `{path}`", cause=cause) from None
    with file:
        wav = open_wav(file, f"`{path}`")
        listener = Listener(binary, rate=wav.rate, hop=hop)
        step = max(1, int(wav.rate * _BLOCK_SECONDS))
        for first in range(0, wav.frames, step):
            yield from listener.push(wav.read(first, min(step, wav.frames - first)))
        yield from listener.finish()


class _Ring:
    """The last `size` samples of a stream, by their place in it; before its start is silence."""

    def __init__(self, size: int) -> None:
        self.size, self.end = size, 0
        self._samples = np.zeros(size, np.int16)

    def push(self, samples: np.ndarray) -> None:
        """Take the next samples, at most `size`."""
        places = (self.end + np.arange(len(samples))) % self.size
        self._samples[places] = samples
        self.end += len(samples)

    def take(self, first: int, count: int) -> np.ndarray:
        """Give int16[count] from a place on; what has not come yet counts as what was there before."""
        return np.asarray(self._samples[(first + np.arange(count)) % self.size])


class _Path:
    """Read the best path of symbols off the middle of overlapping windows."""

    def __init__(self, binary: Driven, kind: Audio, hop: float | None) -> None:
        output = binary.signature.output
        if not isinstance(output, Symbols):
            raise InputError(f"expected an output of symbols, got {output!r}")
        self._binary, self._output, self._window = binary, output, kind.samples
        self._rate = kind.rate
        wanted = output.steps // 2 if hop is None else round(hop * kind.rate * output.steps / kind.samples)
        self._hop = max(1, wanted)  # steps
        self._before = (output.steps - self._hop) // 2
        self.delay = kind.samples - self._at(self._before)
        self._ring = _Ring(2 * kind.samples)
        self._done = 0  # windows
        self._last = len(output.names)

    def _at(self, step: int) -> int:
        """Give the sample at which a step of the stream begins."""
        return step * self._window // self._output.steps

    def push(self, samples: np.ndarray) -> Iterator[Heard]:
        """Take int16[sample] and give the symbols that begin in the windows which are complete by now."""
        for start in range(0, len(samples), self._window):
            self._ring.push(samples[start : start + self._window])
            while (first := self._at(self._done * self._hop) - self._at(self._before)) + self._window <= self._ring.end:
                yield from self._read(self._ring.take(first, self._window))
                self._done += 1

    def finish(self) -> Iterator[Heard]:
        """Give the symbols up to the end."""
        yield from self.push(np.zeros(self.delay, np.int16))

    def _read(self, window: np.ndarray) -> Iterator[Heard]:
        nothing, start = len(self._output.names), self._done * self._hop
        path = np.full(self._hop, nothing)
        if np.abs(window.astype(np.int32)).max() >= QUIET:
            scores = self._output.by_step(self._binary.run([window[np.newaxis]])[0].reshape(-1))
            path = scores[self._before : self._before + self._hop].argmax(axis=1)
        for place, name in enumerate(path.tolist()):
            if name not in (nothing, self._last):
                yield Heard(self._at(start + place) / self._rate, self._output.spell([name]))
            self._last = name


class _Bursts:
    """Answer each burst of sound: where the energy of a window is greater than in any other within half a window.

    Energies are whole numbers and their sums exact, so that no comparison depends on where the stream was cut.
    """

    def __init__(self, binary: Driven, kind: Audio) -> None:
        self._binary, self._window, self._rate = binary, kind.samples, kind.rate
        self._step = max(1, kind.rate // _HOPS)
        self._reach = max(2, -(-kind.samples // self._step))  # hops of a window
        self._half = max(1, self._reach // 2)
        self._ahead = self._reach + self._half + 1  # hops from the beginning of a window on that decide about it
        self.delay = (self._ahead + 1) * self._step
        self._ring = _Ring((3 * self._reach + _TOGETHER) * self._step + kind.samples)
        self._energies = np.zeros(self._reach, np.int64)  # of hops from `_first` on
        self._first = -self._reach
        self._next = 0  # the window that is decided next, by its first hop
        self._rest = np.zeros(0, np.int16)
        self._end: int | None = None  # hops of the stream, once it has ended

    def push(self, samples: np.ndarray) -> Iterator[Heard]:
        """Take int16[sample] and answer the bursts that are known to be some by now."""
        whole = np.concatenate([self._rest, samples])
        count = len(whole) // self._step
        self._rest = whole[count * self._step :]
        for start in range(0, count, _TOGETHER):
            hops = whole[start * self._step : min(count, start + _TOGETHER) * self._step].reshape(-1, self._step)
            self._ring.push(hops.reshape(-1))
            wide = hops.astype(np.int64)
            self._energies = np.append(self._energies, self._step * (wide**2).sum(axis=1) - wide.sum(axis=1) ** 2)
            yield from self._look()

    def finish(self) -> Iterator[Heard]:
        """Answer the bursts up to the end."""
        self._end = self._first + len(self._energies) + (len(self._rest) > 0)
        yield from self.push(np.zeros(self.delay, np.int16))

    def _look(self) -> Iterator[Heard]:
        """Decide about the windows that have half a window of known ones on both sides, and forget what decides no other."""
        total = np.concatenate([[0], np.cumsum(self._energies)])
        windows = total[self._reach :] - total[: -self._reach]  # of the windows from `_first` on
        decided = self._first + len(self._energies) - self._ahead + 1 - self._next
        if decided <= 0:
            return
        begin = self._next - self._first
        own = windows[begin : begin + decided]
        beside = np.lib.stride_tricks.sliding_window_view(windows, self._half).max(axis=1)
        earlier, later = beside[begin - self._half : begin - self._half + decided], beside[begin + 1 : begin + 1 + decided]
        for place in np.flatnonzero((own > earlier) & (own >= later) & (own > 0)):
            yield from self._answer(self._next + int(place), int(own[place]))
        self._next += decided
        spare = self._next - self._reach - self._first
        self._energies, self._first = self._energies[spare:], self._first + spare

    def _answer(self, window: int, energy: int) -> Iterator[Heard]:
        """Give the answer to a window, by its first hop, if it stands out from what is around it."""
        last = window + self._reach + self._half
        known = self._energies[
            max(0, window - self._reach) - self._first : min(last, last if self._end is None else self._end) - self._first
        ]
        if energy < ABOVE * self._reach * float(np.quantile(known, 0.2)):
            return
        inside = self._energies[window - self._first :][: self._reach]
        centre = float((inside * (np.arange(self._reach) + 0.5)).sum() / inside.sum())
        sample = round((window + centre) * self._step)
        heard = self._ring.take(sample - self._window // 2, self._window)
        if np.abs(heard.astype(np.int32)).max() >= QUIET:
            (scores, *_) = self._binary.run([heard[np.newaxis]])
            yield Heard(max(0, sample) / self._rate, self._binary.signature.output.decode(scores.reshape(-1)))
