"""Keys that are numbers or moments: sorted runs of their codes, each with a structure of its own.

The position of a query among all keys is the sum of its positions in the runs, so that inserted keys count at once. A run of inserted keys
is merged into the one before it as soon as that is less than `RATIO` times as long, or short: runs stay few, and a key is merged a few
times in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit_programs.index.compiled import merge
from tacit_programs.index.keys import Kind, codes_of, query_code, query_codes
from tacit_programs.index.structure import FEW, RATIO, SHORT, Choice, Structure

#: Queries that are encoded and answered together: their codes and places stay in the second cache.
_TOGETHER = 1 << 15
#: Holds runs of inserted keys: it is built ten times as fast as anything is learned.
TREE = Choice("tree")


@dataclass(frozen=True, eq=False)
class Run:
    """codes: uint64[key], sorted, never written to."""

    codes: np.ndarray
    structure: Structure

    def __len__(self) -> int:
        return len(self.codes)


def run_of(codes: np.ndarray, choice: Choice) -> Run:
    """Build a run; a short one needs no learning."""
    return Run(codes, (choice if len(codes) >= FEW else TREE).build(codes))


@dataclass(frozen=True)
class NumberStore:
    """Sorted runs, the longest first. It never changes: inserting gives another store."""

    kind: Kind
    choice: Choice
    runs: tuple[Run, ...]

    def __len__(self) -> int:
        return sum(map(len, self.runs))

    @property
    def bytes(self) -> int:
        """Count what the structures take beside the keys."""
        return sum(run.structure.bytes for run in self.runs)

    @property
    def key_bytes(self) -> int:
        """Count what the keys take."""
        return sum(run.codes.nbytes for run in self.runs)

    def lookup(self, values: np.ndarray, right: bool) -> np.ndarray:
        """Give int64[query]: how many keys are below (right: not above) each."""
        places = np.empty(len(values), np.int64)
        if len(self.runs) == 1 and values.dtype == np.uint64 and self.kind.name == "uint64":
            self.runs[0].structure.lookup(np.ascontiguousarray(values), right, places)
            return places
        more = np.empty(min(len(values), _TOGETHER), np.int64)
        for begin in range(0, len(values), _TOGETHER):
            part, out = values[begin : begin + _TOGETHER], places[begin : begin + _TOGETHER]
            codes, beyond = query_codes(part, self.kind)
            codes = np.ascontiguousarray(codes)
            self.runs[0].structure.lookup(codes, right, out)
            for run in self.runs[1:]:
                run.structure.lookup(codes, right, more)
                out += more[: len(out)]
            if beyond is not None:
                out[beyond < 0] = 0
                out[beyond > 0] = len(self)
        return places

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Give bool[query]: whether each is a key."""
        found = np.zeros(len(values), bool)
        places = np.empty(min(len(values), _TOGETHER), np.int64)
        for begin in range(0, len(values), _TOGETHER):
            codes, beyond = query_codes(values[begin : begin + _TOGETHER], self.kind)
            codes, out = np.ascontiguousarray(codes), found[begin : begin + _TOGETHER]
            for run in self.runs:
                if len(run):
                    run.structure.lookup(codes, False, places)
                    out |= run.codes[np.minimum(places[: len(codes)], len(run) - 1)] == codes
            if beyond is not None:
                out[beyond != 0] = False
        return found

    def find(self, value: Any, right: bool) -> int | None:
        """Give the place of one query that is a plain int of the range of the keys; None for all others."""
        code = query_code(value, self.kind)
        if code is None:
            return None
        if len(self.runs) == 1:
            return self.runs[0].structure.find(code, right)
        return sum(run.structure.find(code, right) for run in self.runs)

    def inserted(self, values: np.ndarray) -> NumberStore:
        """Give a store that holds these keys, too. Cost: merging is some nanoseconds per key of the runs that are merged."""
        codes = np.sort(codes_of(values, self.kind, where="keys"))
        runs = list(self.runs)
        while runs and len(runs[-1]) < max(RATIO * len(codes), SHORT):
            codes = merge(runs.pop().codes, codes)
        return NumberStore(self.kind, self.choice, (*runs, run_of(codes, TREE if runs else self.choice)))

    def merged(self) -> NumberStore:
        """Give a store of one run."""
        codes = self.runs[-1].codes
        for run in reversed(self.runs[:-1]):
            codes = merge(run.codes, codes)
        return self if len(self.runs) == 1 else NumberStore(self.kind, self.choice, (run_of(codes, self.choice),))

    def keys(self) -> np.ndarray:
        """Give the sorted keys, which can't be written to."""
        keys = self.kind.decode(self.merged().runs[0].codes).view()
        keys.flags.writeable = False
        return keys
