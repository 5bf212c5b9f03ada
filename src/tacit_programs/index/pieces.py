"""The learned function in NumPy: the definition that the C is held against, and what runs where no compiler is.

A key becomes a number between 0 and `cells` (exactly subtracted and clamped, then a line or a logarithm); a ReLU layer of one input, which
is a function of straight lines between knots at 0, 1, ... `cells`, turns it into a piece and a place within the piece. Because the
function never falls, the keys of earlier pieces are below the query and those of later pieces above it: the start positions of the piece
and of the next one bracket the answer, for a query that is a key and for one that is none.

Source: T. Kraska and others, The Case for Learned Index Structures, 2018 (arXiv 1712.01208), for the idea.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: A layer of so many units at most runs as one in C; more units run as the table of their knots, with the same bits.
LAYER = 8
_CELLS = (1, 8, 64, 256, 1024, 4096)
_SAMPLE = 65_536
_FINE = 256.0
_ONE = np.int64(0x3FF0000000000000)


@dataclass(frozen=True, eq=False)
class Shape:
    """What was learned, without the start positions.

    low, high: keys are clamped to these. logarithm: of the distance from `low`, in straight lines between powers of two.
    knots: float64[cells + 1], in pieces, never falling, multiples of 1/256, so that sums of slopes are exact.
    """

    low: int
    high: int
    logarithm: bool
    origin: float
    scale: float
    knots: np.ndarray
    pieces: int
    layer: bool

    @property
    def cells(self) -> int:
        """Give the number of straight lines: the units of the layer."""
        return len(self.knots) - 1

    def inputs(self, keys: np.ndarray) -> np.ndarray:
        """Give float64[key] from 0 to `cells`: the input of the layer."""
        values = warped(np.clip(keys, np.uint64(self.low), np.uint64(self.high)) - np.uint64(self.low), self.logarithm)
        return np.clip((values - self.origin) * self.scale, 0.0, float(self.cells))

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """Run the layer as the table of its knots: float64[key], in pieces."""
        cell = np.minimum(inputs.astype(np.int64), self.cells - 1)
        return np.asarray(self.knots[cell] + (self.knots[cell + 1] - self.knots[cell]) * (inputs - cell))

    def outputs_of_layer(self, inputs: np.ndarray) -> np.ndarray:
        """Run the layer as it is: unit j adds its slope times relu(v - j) - relu(v - j - 1); the bits are those of `outputs`."""
        total = np.zeros(len(inputs))
        for unit, slope in enumerate(np.diff(self.knots)):
            total += slope * np.clip(inputs - unit, 0.0, 1.0)
        return total

    def place(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the piece of each key, int64[key], and where in it, float64[key]."""
        outputs = self.outputs(self.inputs(keys))
        piece = np.minimum(outputs.astype(np.int64), self.pieces - 1)
        return piece, outputs - piece


def warped(distance: np.ndarray, logarithm: bool) -> np.ndarray:
    """Give a distance, uint64, as float64: as it is, or by the bits of its double."""
    values = distance.astype(np.float64)
    return np.maximum(values.view(np.int64), _ONE).astype(np.float64) if logarithm else values


def plan(keys: np.ndarray, keys_per_piece: int) -> Shape:
    """Choose clamps, warp and cells for sorted uint64 keys: those that spread a sample of the keys most evenly over pieces."""
    pieces = len(keys) // keys_per_piece + 1
    if len(keys) < 16:
        low, high = (int(keys[0]), int(keys[-1])) if len(keys) else (0, 0)
        return _shape(keys, low, high, low, False, 1, pieces)
    sample = keys[:: max(1, len(keys) // _SAMPLE)]
    best, found = np.inf, (int(keys[0]), int(keys[-1]), int(keys[0]), False, 1)
    for trim in (0, len(keys) // 1000 + 1):
        low, high = int(keys[trim]), int(keys[len(keys) - 1 - trim])
        above = min(high, int(keys[min(int(np.searchsorted(keys, np.uint64(low), "right")), len(keys) - 1)]))
        for logarithm in (False, True):
            for step, cells in enumerate(_CELLS):
                if cells > 16 and cells * 16 > len(keys):
                    continue
                shape = _shape(sample, low, high, above, logarithm, cells, len(sample) // keys_per_piece + 1)
                counts = np.bincount(shape.place(sample)[0])
                cost = float(np.log2(np.maximum(counts, 1)) @ counts) / len(sample) + 0.01 * (step + logarithm + bool(trim))
                if cost < best:
                    best, found = cost, (low, high, above, logarithm, cells)
    return _shape(keys, *found, pieces)


def _shape(keys: np.ndarray, low: int, high: int, above: int, logarithm: bool, cells: int, pieces: int) -> Shape:
    ends = warped(np.array([above - low, high - low], np.uint64), logarithm)
    origin = float(ends[0]) if logarithm else 0.0
    width = float(ends[1]) - origin
    scale = cells / width if width > 0 else 0.0
    return fitted(Shape(low, high, logarithm, origin, scale, np.zeros(cells + 1), pieces, cells <= LAYER), keys)


def fitted(shape: Shape, keys: np.ndarray) -> Shape:
    """Give the shape with each knot at the share of keys that lie below it."""
    inner = np.searchsorted(shape.inputs(keys), np.arange(1, shape.cells), "left") if len(keys) else np.zeros(shape.cells - 1)
    knots = np.concatenate([[0.0], np.floor(inner / max(len(keys), 1) * shape.pieces * _FINE) / _FINE, [float(shape.pieces)]])
    return Shape(shape.low, shape.high, shape.logarithm, shape.origin, shape.scale, knots, shape.pieces, shape.layer)


class Pieces:
    """Lookups by the learned function, in NumPy."""

    name = "pieces"

    def __init__(self, keys: np.ndarray, keys_per_piece: int = 8, *, shape: Shape | None = None, starts: np.ndarray | None = None) -> None:
        """Learn from sorted uint64 keys, or take a shape (and start positions) that were learned before."""
        self.keys, self.shape = keys, shape or plan(keys, keys_per_piece)
        if starts is None:
            counts = np.bincount(self.shape.place(keys)[0], minlength=self.shape.pieces)
            starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32)
        self.starts = starts

    @property
    def bytes(self) -> int:
        """Count what the structure takes beside the keys."""
        return self.shape.knots.nbytes + self.starts.nbytes

    def lookup(self, queries: np.ndarray, right: bool, places: np.ndarray) -> None:
        """Write how many keys are below (right: not above) each uint64 query into int64 `places`."""
        piece, part = self.shape.place(queries)
        first, last = self.starts[piece].astype(np.int64), self.starts[piece + 1].astype(np.int64)
        middle = first + ((last - first) * part).astype(np.int64)
        open_ = np.flatnonzero(first < last)
        compare = np.less_equal if right else np.less
        while len(open_):
            here = np.minimum(middle[open_], last[open_] - 1)
            less = compare(self.keys[here], queries[open_])
            first[open_] = np.where(less, here + 1, first[open_])
            last[open_] = np.where(less, last[open_], here)
            open_ = open_[first[open_] < last[open_]]
            middle[open_] = (first[open_] + last[open_]) // 2
        places[:] = first

    def find(self, query: int, right: bool) -> int:
        """Do the same for one query."""
        return int(np.searchsorted(self.keys, np.uint64(query), "right" if right else "left"))


class Bisection:
    """NumPy's own search: nothing beside the keys."""

    name = "bisection"
    bytes = 0

    def __init__(self, keys: np.ndarray) -> None:
        """Take sorted uint64 keys."""
        self.keys = keys

    def lookup(self, queries: np.ndarray, right: bool, places: np.ndarray) -> None:
        """Write how many keys are below (right: not above) each uint64 query into int64 `places`."""
        places[:] = np.searchsorted(self.keys, queries, "right" if right else "left")

    def find(self, query: int, right: bool) -> int:
        """Do the same for one query."""
        return int(np.searchsorted(self.keys, np.uint64(query), "right" if right else "left"))
