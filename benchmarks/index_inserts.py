"""Mix lookups and inserts: Tacit's index with its runs of new keys live, beside B-trees and ALEX, taking turns in one process.

Some keys of a set are held out at random and inserted in random order. A step is `STEP` operations: first its inserts, then its lookups,
half of them for keys that were there from the beginning and half inside gaps. Tacit gets the inserts of a step as one array and the lookups
as another, through its Python class, with all that this costs; the others get the same arrays through one call each (updatable.cpp in
index_native). Times are of the thread's processor clock, all merges and rebuilding included. At the end Tacit's answers are compared with
np.searchsorted.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import index_keys
import numpy as np

from tacit_programs import index

PEERS = ("stx", "abseil", "alex", "dynamic-pgm")
STEP = 10_000
#: Case -> key set, size, share of inserts, steps.
CASES: Mapping[str, tuple[str, str, float, int]] = {
    "uniform-10M-10%": ("uniform", "10M", 0.1, 100),
    "uniform-10M-50%": ("uniform", "10M", 0.5, 100),
    "places-10M-10%": ("places", "10M", 0.1, 100),
    "lognormal-1M-50%": ("lognormal", "1M", 0.5, 20),
}
QUARTER = 4


def queries_of(keys: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Draw uint64[query]: half of them keys, half anywhere in the gap after a random key."""
    at = random.integers(0, len(keys) - 1, count)
    gaps = keys[at + 1] - keys[at]
    inside = keys[at] + (random.random(count) * gaps.astype(np.float64)).astype(np.uint64)
    return np.where(random.random(count) < 0.5, keys[at], np.minimum(inside, keys[at + 1]))


class Peer:
    """A structure of others, behind the calls of updatable.cpp."""

    def __init__(self, library: ctypes.CDLL, name: str, keys: np.ndarray) -> None:
        self._library, self._count = library, len(keys)
        self._structure = ctypes.c_void_p(library.updatable_open(name.encode(), _address(keys), ctypes.c_size_t(len(keys))))

    def insert(self, keys: np.ndarray) -> None:
        self._library.updatable_insert(self._structure, _address(keys), ctypes.c_size_t(len(keys)), ctypes.c_uint32(self._count))
        self._count += len(keys)

    def lookup(self, queries: np.ndarray) -> np.ndarray:
        numbers = np.empty(len(queries), np.int64)
        self._library.updatable_lookup(self._structure, _address(queries), ctypes.c_size_t(len(queries)), _address(numbers))
        return numbers

    def close(self) -> None:
        self._library.updatable_close(self._structure)


def measured(case: str, library_path: Path, cache: Path) -> dict[str, Any]:
    """Give nanoseconds per operation of everybody, by what was done and by quarter of the run, and the ratios to Tacit's."""
    name, size, share, steps = CASES[case]
    library = ctypes.CDLL(str(library_path))
    library.updatable_open.restype = ctypes.c_void_p
    keys = np.fromfile(index_keys.keys_path(name, size, cache), np.uint64)
    random = np.random.default_rng([20, steps])
    out = np.zeros(len(keys), bool)
    out[random.choice(len(keys), int(share * STEP) * steps, replace=False)] = True
    new, old = random.permutation(keys[out]), keys[~out]
    entered: dict[str, Any] = {"tacit": index.compile(old), **{peer: Peer(library, peer, old) for peer in PEERS}}
    inserting: dict[str, list[float]] = {one: [] for one in entered}
    looking: dict[str, list[float]] = {one: [] for one in entered}
    numbers = {}
    inserts = int(share * STEP)
    for step in range(steps):
        queries, fresh = queries_of(old, STEP - inserts, random), new[step * inserts : (step + 1) * inserts]
        for one in list(entered)[:: 1 if step % 2 == 0 else -1]:
            begun = time.thread_time()
            entered[one].insert(fresh)
            between = time.thread_time()
            numbers[one] = entered[one].lookup(queries)
            looking[one].append(time.thread_time() - between)
            inserting[one].append(between - begun)
    wrong = int((entered["tacit"].lookup(queries) != np.searchsorted(keys, queries)).sum())
    disagree = {one: int((numbers[one] != numbers["stx"]).sum()) for one in PEERS}
    held = entered.pop("tacit")
    for peer in entered.values():
        peer.close()
    operations = steps * STEP
    total = {one: 1e9 * (sum(inserting[one]) + sum(looking[one])) / operations for one in inserting}
    return {
        "case": case,
        "keys at first": len(old),
        "inserted": len(new),
        "step": STEP,
        "nanoseconds per operation": {one: round(value, 1) for one, value in total.items()},
        "nanoseconds per insert": {one: round(1e9 * sum(times) / len(new), 1) for one, times in inserting.items()},
        "nanoseconds per lookup, by quarter": {one: _quarters(times, STEP - inserts) for one, times in looking.items()},
        "longest step, milliseconds": {
            one: round(1e3 * max(map(sum, zip(inserting[one], looking[one], strict=True))), 2) for one in inserting
        },
        "ratios": {one: round(total[one] / total["tacit"], 3) for one in PEERS},
        "runs at the end": held.stats()["runs"],
        "wrong": wrong,
        "peers that disagree with STX": {one: count for one, count in disagree.items() if count},
    }


def _quarters(times: list[float], lookups: int) -> list[float]:
    length = len(times) // QUARTER
    return [round(1e9 * sum(times[begin : begin + length]) / (length * lookups), 1) for begin in range(0, length * QUARTER, length)]


def _address(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)
