"""The way of Software 1.0: bisection, the same on sorted queries, and a B+-tree.

The B+-tree is ``btree.c``, whose nodes hold as many keys as were fastest of 6 to 62 at ten million keys. Random queries make bisection miss
the caches at every step; sorting them first, and putting the answers back, is what a person who knows NumPy does.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

import tacit

#: By which predecessor and program are compared: the processor's time per query of a batch in random order.
METRIC = "nanoseconds per lookup"
_FULL = 30  # keys of a node that are used, all of them, as nothing is inserted
_ROUNDS = 5

Lookup = Callable[[np.ndarray], np.ndarray]


def bisection(keys: np.ndarray) -> Lookup:
    """Give ``np.searchsorted``."""
    return lambda queries: np.searchsorted(keys, queries)


def sorted_bisection(keys: np.ndarray) -> Lookup:
    """Give ``np.searchsorted`` on queries that are sorted first; the answers are put back."""

    def lookup(queries: np.ndarray) -> np.ndarray:
        order = np.argsort(queries)
        places = np.empty(len(queries), np.int64)
        places[order] = np.searchsorted(keys, queries[order])
        return places

    return lookup


class BTree:
    """A B+-tree over sorted uint64 keys whose values are their positions."""

    def __init__(self, keys: np.ndarray, *, full: int = _FULL) -> None:
        """Fill it, `full` keys to a node. Raises: TacitError without a C compiler."""
        self._library, self._count = _library(), len(keys)
        self._tree = self._library.btree_new()
        self._library.btree_load(self._tree, keys.ctypes.data, len(keys), full)

    def __del__(self) -> None:
        if getattr(self, "_tree", None):
            self._library.btree_free(self._tree)

    @property
    def bytes(self) -> int:
        """Count the bytes of its nodes, which hold the keys."""
        return int(self._library.btree_bytes(self._tree))

    def __call__(self, queries: np.ndarray) -> np.ndarray:
        """Give int64[query]: the position of the first key that is not below each uint64 query."""
        places = np.empty(len(queries), np.int64)
        self._library.btree_lookup(self._tree, queries.ctypes.data, len(queries), self._count, places.ctypes.data)
        return places


@cache
def _library() -> ctypes.CDLL:
    found = tacit.native_library("btree", [Path(__file__).with_name("btree.c")])
    pointer, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    found.btree_new.restype, found.btree_bytes.restype = pointer, u64
    arguments = {
        "btree_new": (),
        "btree_bytes": (pointer,),
        "btree_free": (pointer,),
        "btree_load": (pointer, pointer, u64, u32),
        "btree_lookup": (pointer, pointer, u64, ctypes.c_int64, pointer),
        "btree_insert": (pointer, pointer, pointer, u64),
    }
    for name, types in arguments.items():
        getattr(found, name).argtypes = types
    for name in ("btree_free", "btree_load", "btree_lookup", "btree_insert"):
        getattr(found, name).restype = None
    return found


def nanoseconds(lookup: Lookup, queries: np.ndarray) -> float:
    """Give the processor's nanoseconds per query of a batch: the median of a few rounds, after one that fills the caches."""
    lookup(queries)
    times = []
    for _ in range(_ROUNDS):
        begun = time.process_time()
        lookup(queries)
        times.append(time.process_time() - begun)
    return float(np.median(times)) / max(len(queries), 1) * 1e9


def standing(contestant: str, kind: str, lookup: Lookup, queries: np.ndarray, expected: np.ndarray, **costs: float | int) -> tacit.Standing:
    """Give the row of a contestant, which has to give the expected answers. Raises: TacitError where one is wrong."""
    wrong = np.flatnonzero(lookup(queries) != expected)
    if len(wrong):
        raise tacit.TacitError(f"expected {expected[wrong[0]]} for the query {queries[wrong[0]]}, got another place - by {contestant}")
    one = queries[:1]
    made_in, size = costs.get("made_in", 0.0), costs.get("bytes", 0)
    return tacit.Standing(
        contestant=contestant,
        kind=kind,
        metric=METRIC,
        score=nanoseconds(lookup, queries),
        higher_is_better=False,
        made_in=float(made_in),
        microseconds=tacit.time_per_answer(lambda: lookup(one), seconds=0.1),
        bytes=int(size),
        note="bytes beside the sorted keys",
    )


def predecessors(keys: np.ndarray, queries: np.ndarray, expected: np.ndarray) -> Iterator[tacit.Standing]:
    """Give a row for each predecessor; the B+-tree only where a compiler is."""
    yield standing("np.searchsorted", "predecessor", bisection(keys), queries, expected)
    yield standing("np.searchsorted, queries sorted first", "predecessor", sorted_bisection(keys), queries, expected)
    begun = time.process_time()
    try:
        tree = BTree(keys)
    except tacit.TacitError:
        return
    made_in = time.process_time() - begun
    yield standing("B+-tree", "predecessor", tree, queries, expected, made_in=made_in, bytes=max(tree.bytes - keys.nbytes, 0))
