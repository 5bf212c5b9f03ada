"""Keys that are strings: their first eight bytes as a number, and a search among those that begin alike.

Strings of characters are kept as UTF-8, whose bytes have the order of the characters. What all keys begin with (``https://`` ...) is left
out of the eight bytes.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tacit
from tacit_programs.index.compiled import library
from tacit_programs.index.keys import Kind, disorder
from tacit_programs.index.structure import RATIO, SHORT, Choice, Structure

_WIDTH = 8


@dataclass(frozen=True, eq=False)
class Texts:
    """Strings of bytes, one after another. data: uint8[byte]. ends: int64[string + 1], where each begins, and the end."""

    data: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, place: int) -> bytes:
        return self.data[self.ends[place] : self.ends[place + 1]].tobytes()

    @property
    def nbytes(self) -> int:
        """Count the bytes of both arrays."""
        return self.data.nbytes + self.ends.nbytes

    def first_bytes(self, skip: int) -> np.ndarray:
        """Give uint64[string]: eight bytes from `skip` on, the first the highest, zeros after the end."""
        columns = self.ends[:-1, None] + np.arange(skip, skip + _WIDTH)
        inside = columns < self.ends[1:, None]
        padded = np.append(self.data, np.uint8(0))
        found = np.where(inside, padded[np.where(inside, columns, len(self.data))], np.uint8(0))
        return np.ascontiguousarray(found).view(">u8").reshape(-1).astype(np.uint64)

    def take(self, order: np.ndarray) -> Texts:
        """Give the strings in another order."""
        lengths = np.diff(self.ends)[order]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.ends[order] - ends[:-1], lengths) + np.arange(ends[-1])
        return Texts(self.data[places], ends)

    def tolist(self) -> list[bytes]:
        """Give the strings one by one."""
        whole, ends = self.data.tobytes(), self.ends.tolist()
        return [whole[begin:end] for begin, end in itertools.pairwise(ends)]


def texts_of(strings: Sequence[bytes]) -> Texts:
    """Pack strings of bytes."""
    ends = np.zeros(len(strings) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, strings), np.int64, len(strings)), out=ends[1:])
    return Texts(np.frombuffer(b"".join(strings), np.uint8), ends)


def to_bytes(values: Sequence[Any], kind: Kind, *, where: str) -> list[bytes]:
    """Give keys or queries as bytes. Raises: TacitError for another type, and for characters that UTF-8 has not."""
    wanted = str if kind.name == "str" else bytes
    for at, value in enumerate(values):
        if not isinstance(value, wanted):
            raise tacit.TacitError(f"expected {kind.name}, got {type(value).__name__} - at `{where}[{at}]`", fix=f"ask with {kind.name}")
    if kind.name == "bytes":
        return list(values)
    try:
        return [value.encode() for value in values]
    except UnicodeEncodeError as error:
        raise tacit.TacitError(f"expected text, got half of a character - at `{where}`", cause=str(error), fix="drop it") from None


class TextRun:
    """Sorted strings and a structure over their first bytes."""

    def __init__(self, texts: Texts, choice: Choice) -> None:
        """Build over sorted strings."""
        self.texts = texts
        self.head = _common(texts[0], texts[len(texts) - 1]) if len(texts) else b""
        self.codes = texts.first_bytes(len(self.head))
        self.structure: Structure = choice.build(self.codes)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def overhead(self) -> int:
        """Count the bytes that the run takes beside the strings themselves."""
        return self.structure.bytes + self.codes.nbytes

    def lookup(self, queries: list[bytes], right: bool) -> np.ndarray:
        """Give int64[query]: how many strings are below (right: not above) each."""
        texts, skip = texts_of(queries), len(self.head)
        codes = texts.first_bytes(skip)
        places, last = np.zeros(len(queries), np.int64), np.zeros(len(queries), np.int64)
        self.structure.lookup(codes, False, places)
        self.structure.lookup(codes, True, last)
        if skip:
            heads = [query[:skip] for query in queries]
            places[:] = [0 if h < self.head else len(self) if h > self.head else p for h, p in zip(heads, places.tolist(), strict=True)]
            last[:] = [p if h != self.head else e for h, p, e in zip(heads, places.tolist(), last.tolist(), strict=True)]
        found = library()
        if found is None:
            side = bisect.bisect_right if right else bisect.bisect_left
            for at in np.flatnonzero(places < last).tolist():
                places[at] = side(self.texts, queries[at], int(places[at]), int(last[at]))
            return places
        keys = (self.texts.data.ctypes.data, self.texts.ends.ctypes.data)
        asked = (texts.data.ctypes.data, texts.ends.ctypes.data)
        found.tacit_texts_bisect(*keys, *asked, len(queries), right, last.ctypes.data, places.ctypes.data)
        return places

    def merged(self, texts: Texts, choice: Choice) -> TextRun:
        """Give a run of these strings and other sorted ones."""
        places = self.lookup(texts.tolist(), True)
        order = np.insert(np.arange(len(self)), places, np.arange(len(self), len(self) + len(texts)))
        ends = np.concatenate([self.texts.ends, texts.ends[1:] + self.texts.ends[-1]])
        both = Texts(np.concatenate([self.texts.data, texts.data]), ends)
        return TextRun(both.take(order), choice)


@dataclass(frozen=True)
class TextStore:
    """Sorted runs of strings, the largest first. It never changes: inserting gives another store."""

    kind: Kind
    choice: Choice
    runs: tuple[TextRun, ...]

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    @property
    def bytes(self) -> int:
        """Count what the runs take beside the strings themselves."""
        return sum(run.overhead for run in self.runs)

    @property
    def key_bytes(self) -> int:
        """Count what the strings take."""
        return sum(run.texts.nbytes for run in self.runs)

    def lookup(self, values: np.ndarray, right: bool) -> np.ndarray:
        """Give int64[query]: how many keys are below (right: not above) each."""
        queries = to_bytes(values.tolist(), self.kind, where="queries")
        return sum((run.lookup(queries, right) for run in self.runs), np.zeros(len(queries), np.int64))

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Give bool[query]: whether each is a key."""
        return np.asarray(self.lookup(values, True) > self.lookup(values, False))

    def find(self, value: Any, right: bool) -> int | None:
        """Give no answer: one string goes the way of many."""
        return None

    def inserted(self, values: np.ndarray) -> TextStore:
        """Give a store that holds these keys, too."""
        texts = texts_of(sorted(to_bytes(values.tolist(), self.kind, where="keys")))
        runs = list(self.runs)
        while runs and len(runs[-1]) < max(RATIO * len(texts), SHORT):
            texts = runs.pop().merged(texts, self.choice).texts
        return TextStore(self.kind, self.choice, (*runs, TextRun(texts, self.choice)))

    def merged(self) -> TextStore:
        """Give a store of one run."""
        runs = list(self.runs)
        while len(runs) > 1:
            last = runs.pop()
            runs[-1] = runs[-1].merged(last.texts, self.choice)
        return TextStore(self.kind, self.choice, tuple(runs))

    def keys(self) -> np.ndarray:
        """Give the sorted keys as objects."""
        found = [key for run in self.merged().runs for key in run.texts.tolist()]
        keys = np.empty(len(found), object)
        keys[:] = [key.decode() for key in found] if self.kind.name == "str" else found
        return keys


def refuse_disorder(strings: Sequence[bytes], kind: Kind) -> None:
    """Refuse strings that are not sorted. Raises: TacitError that names the first place."""
    for at in range(1, len(strings)):
        if strings[at] < strings[at - 1]:
            before, after = ((s.decode() if kind.name == "str" else s) for s in strings[at - 1 : at + 1])
            raise disorder(repr(before), repr(after), at)


def _common(first: bytes, last: bytes) -> bytes:
    """Give what both begin with; for sorted strings that is what all begin with."""
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:length]
