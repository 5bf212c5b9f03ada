"""Which structure holds a set of keys: the learned pieces or the static tree, whichever answers sooner on these keys, as measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

import tacit
from tacit_programs.index.compiled import NativePieces, NativeTree, library
from tacit_programs.index.pieces import Bisection, Pieces, Shape

#: Fewer keys are not worth a choice.
FEW = 4096
#: The smallest structure is taken that needs so much longer than the fastest at most.
ALLOWANCE = 1.1
#: A run of inserted keys is merged into the next one that is not so many times as long.
RATIO = 4
#: A run of fewer keys is merged into at once, whatever comes.
SHORT = 1024
_QUERIES = 100_000
_ROUNDS = 3


class Structure(Protocol):
    """How many keys are below a query (right: not above it), for uint64 codes."""

    @property
    def name(self) -> str:
        """Say what it is."""

    @property
    def bytes(self) -> int:
        """Count what it takes beside the keys."""

    def lookup(self, queries: np.ndarray, right: bool, places: np.ndarray) -> None:
        """Write int64 places for contiguous queries."""

    def find(self, query: int, right: bool) -> int:
        """Give the place of one query."""


@dataclass(frozen=True)
class Choice:
    """A structure by its name, and what is needed to build it again: how many keys to a piece, and what was learned."""

    name: str
    keys_per_piece: int = 8
    shape: Shape | None = None

    def build(self, codes: np.ndarray) -> Structure:
        """Build it over sorted codes; without a compiler in NumPy."""
        native = library() is not None
        if self.name == "pieces":
            return (NativePieces if native else Pieces)(codes, self.keys_per_piece, shape=self.shape)
        return NativeTree(codes) if native else Bisection(codes)


#: Name in a report -> choice. The tree of a machine without a compiler is NumPy's bisection.
CHOICES: Mapping[str, Choice] = {
    "pieces of 8": Choice("pieces", 8),
    "pieces of 32": Choice("pieces", 32),
    "tree": Choice("tree"),
}


def choice_named(name: str) -> Choice:
    """Give a row of `CHOICES`. Raises: TacitError for another name."""
    if name not in CHOICES:
        raise tacit.TacitError(f"expected a structure, got `{name!s:.40}` - at `structure`", fix=f"one of {', '.join(CHOICES)}")
    return CHOICES[name]


def choose(codes: np.ndarray) -> tuple[Choice, Structure, dict[str, dict[str, float]]]:
    """Build every structure over sorted codes and keep the best; give what was measured of each.

    Measured: nanoseconds of this thread's processor time per lookup, the best of a few rounds in turns, half of the queries keys and half
    of them between keys; and bytes per key.
    """
    if len(codes) < FEW:
        choice = CHOICES["tree"]
        return choice, choice.build(codes), {}
    built = {name: choice.build(codes) for name, choice in CHOICES.items()}
    queries = sample_queries(codes, _QUERIES, seed=0)
    times = {name: np.inf for name in built}
    for _ in range(_ROUNDS):
        for name, structure in built.items():
            times[name] = min(times[name], _seconds(structure.lookup, queries))
    measured = {
        name: {"nanoseconds": 1e9 * times[name] / len(queries), "bytes per key": structure.bytes / len(codes)}
        for name, structure in built.items()
    }
    good = [name for name in built if times[name] <= ALLOWANCE * min(times.values())]
    best = min(good, key=lambda name: built[name].bytes)
    return CHOICES[best], built[best], measured


def sample_queries(codes: np.ndarray, count: int, *, seed: int) -> np.ndarray:
    """Draw codes to ask for: half of them keys, half uniformly between a key and the next one."""
    random = np.random.default_rng(seed)
    at = random.integers(0, max(len(codes) - 1, 1), count)
    present = codes[at]
    gaps = codes[np.minimum(at + 1, len(codes) - 1)] - present
    absent = present + (gaps.astype(np.float64) * random.random(count) * 0.999).astype(np.uint64)
    return np.where(random.random(count) < 0.5, present, absent)


def _seconds(lookup: Callable[[np.ndarray, bool, np.ndarray], None], queries: np.ndarray) -> float:
    places = np.zeros(len(queries), np.int64)
    begun = time.thread_time()
    lookup(queries, False, places)
    return time.thread_time() - begun
