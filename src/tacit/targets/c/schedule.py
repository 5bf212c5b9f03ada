"""Choose how a nest is walked: which axis lies in vectors, how large a tile is held in registers, what is unrolled.

A tile is `rows` of up to two outer axes times `vectors` of the vector axis, all in named accumulators. The estimate counts what
each step of the inner loop costs on a core with two multiply-add ports and two load ports; the least estimate wins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tacit.targets.c.isa import Isa
from tacit.targets.c.nests import INDEX, Nest

#: How an operand lies along the vector axis: the same for all lanes, contiguous, packed beforehand (a weight), or strided.
Mode = Literal["splat", "vector", "packed", "gather"]

_LATENCY = 4  # cycles from one multiply-add to the next on the same accumulator
_L1 = 32 * 1024  # bytes of packed weights that stay near the core
_MOST_TEXT = 220  # multiply-adds in the straight line of an inner loop


@dataclass(frozen=True)
class Segment:
    """A part of an axis that one text serves: `count` blocks of `width` elements from `start` on.

    On the vector axis a block is `vectors` vectors of `lanes`; `partial` of them is less than whole when the last is not full.
    """

    start: int
    width: int
    count: int
    vectors: int = 1
    lanes: int = 1
    partial: int = 0  # elements in the last vector of the block; 0: all


@dataclass(frozen=True)
class Schedule:
    """How to walk a nest. vector: place of the vector axis among the outer axes, None for scalar code.

    modes: operand -> how it lies along the vector axis. columns: segments of the vector axis. tiles: place of an outer axis -> its
    segments, for the axes of which several elements are held at once. unroll: inner axes written out in full, from the last; steps:
    elements of the innermost loop that are written out at once.
    """

    vector: int | None
    modes: dict[str, Mode]
    columns: tuple[Segment, ...]
    tiles: dict[int, tuple[Segment, ...]]
    unrolled: bool
    steps: int
    cycles: float


def choose(nest: Nest, isa: Isa, literals: frozenset[str], *, tiled: frozenset[int] = frozenset()) -> Schedule | None:
    """Give the schedule with the least estimate, or None when none fits.

    literals: operands that are written as numbers into the text. tiled: outer axes that have to lie in the tile as a whole.
    """
    fitting = (
        candidate
        for candidate in candidates(nest, isa, literals)
        if all(place in candidate.tiles and len(candidate.tiles[place]) == 1 and candidate.tiles[place][0].count == 1 for place in tiled)
    )
    return min(fitting, key=lambda candidate: candidate.cycles, default=None)


def best(nest: Nest, isa: Isa, literals: frozenset[str]) -> Schedule:
    """Give the schedule with the least estimate; there always is one, of scalar code."""
    found = choose(nest, isa, literals)
    if found is None:
        raise ValueError("expected a schedule for every nest")
    return found


def candidates(nest: Nest, isa: Isa, literals: frozenset[str]) -> Iterator[Schedule]:
    """Give every schedule that is worth an estimate."""
    for vector, lanes in _vector_axes(nest, isa):
        modes = _modes(nest, vector)
        extent = nest.outer[vector].extent if vector is not None else 1
        whole = all(mode in ("packed", "splat") for name, mode in modes.items() if name != "out")
        most = min(12, -(-extent // lanes))
        for vectors, tiles in itertools.product(range(1, most + 1), _tiles(nest, vector)):
            if not _fits(nest, isa, modes, vectors, tiles):
                continue
            columns = segments_of(extent, lanes, vectors, whole=whole)
            yield _estimated(nest, vector, modes, columns, tiles, isa, literals)


def _vector_axes(nest: Nest, isa: Isa) -> Iterator[tuple[int | None, int]]:
    for place, axis in enumerate(nest.outer):
        indexed = any(axis.stride(name + INDEX) for name in nest.operands)
        lanes = isa.lanes
        while lanes > 1:
            if not indexed and (axis.extent >= lanes or lanes == isa.lanes):
                yield place, lanes
            if axis.extent % lanes == 0:
                break
            lanes //= 2
    yield None, 1


def _modes(nest: Nest, vector: int | None) -> dict[str, Mode]:
    modes: dict[str, Mode] = {}
    for name, operand in nest.operands.items():
        stride = nest.outer[vector].stride(name) if vector is not None else 0
        if stride == 0:
            modes[name] = "splat"
        elif operand.constant and operand.index is None:
            modes[name] = "packed"
        else:
            modes[name] = "vector" if stride == 1 else "gather"
    return modes


def _tiles(nest: Nest, vector: int | None) -> Iterator[dict[int, int]]:
    """Give the sizes of tiles to try: of no axis, of one, of two."""
    free = [
        place for place, axis in enumerate(nest.outer) if place != vector and not any(axis.stride(name + INDEX) for name in nest.operands)
    ]
    sizes = {place: _sizes(nest.outer[place].extent) for place in free}
    yield {}
    for place in free:
        for size in sizes[place]:
            yield {place: size}
    for first, second in itertools.combinations(free, 2):
        for one, two in itertools.product(sizes[first], sizes[second]):
            if one * two <= 28:
                yield {first: one, second: two}


def _sizes(extent: int) -> list[int]:
    exact = [size for size in range(2, min(extent, 28) + 1) if extent % size == 0]
    return exact or [size for size in range(2, min(extent, 16) + 1)]


def _fits(nest: Nest, isa: Isa, modes: dict[str, Mode], vectors: int, tiles: dict[int, int]) -> bool:
    held = vectors * math.prod(tiles.values())
    loaded = vectors if any(modes.get(name) in ("vector", "packed", "gather") for name in ("a", "b")) else 1
    return held + min(loaded, 4) + (1 if vectors > 1 else 0) <= isa.registers


def segments_of(extent: int, lanes: int, vectors: int, *, whole: bool) -> tuple[Segment, ...]:
    """Cut the vector axis. `whole`: the last vector may be computed in full and stored in part; else shorter vectors end the axis.

    >>> [(s.start, s.vectors, s.lanes, s.count, s.partial) for s in segments_of(70, 16, 2, whole=True)]
    [(0, 2, 16, 2, 0), (64, 1, 16, 1, 6)]
    """
    found = []
    width = lanes * vectors
    start = 0
    if extent >= width:
        found.append(Segment(0, width, extent // width, vectors, lanes))
        start = extent // width * width
    rest = extent - start
    if whole and rest:
        found.append(Segment(start, rest, 1, -(-rest // lanes), lanes, rest % lanes))
        return tuple(found)
    while rest:
        while lanes > rest:
            lanes //= 2
        count = rest // lanes
        found.append(Segment(start, lanes * count, 1, count, lanes) if count <= vectors else Segment(start, lanes, count, 1, lanes))
        start += lanes * count
        rest -= lanes * count
    return tuple(found)


def row_segments(extent: int, size: int) -> tuple[Segment, ...]:
    """Cut an axis into tiles of `size`, and a smaller one for what is left."""
    found = [Segment(0, size, extent // size)]
    if extent % size:
        found.append(Segment(extent - extent % size, extent % size, 1))
    return tuple(found)


def _estimated(
    nest: Nest,
    vector: int | None,
    modes: dict[str, Mode],
    columns: tuple[Segment, ...],
    tiles: dict[int, int],
    isa: Isa,
    literals: frozenset[str],
) -> Schedule:
    cut = {place: row_segments(nest.outer[place].extent, size) for place, size in tiles.items()}
    loops = math.prod(axis.extent for place, axis in enumerate(nest.outer) if place != vector and place not in tiles)
    cycles = 0.0
    for segments in itertools.product(columns, *cut.values()):
        column, rows = segments[0], dict(zip(cut, segments[1:], strict=True))
        step, tail = _tile_cycles(nest, modes, column, rows, literals)
        count = loops * math.prod(segment.count for segment in segments)
        cycles += count * (nest.depth * step + tail)
    held = max(column.vectors for column in columns) * math.prod(tiles.values())
    unrolled, steps = _unrolling(nest, held)
    texts = len(columns) * math.prod(len(segments) for segments in cut.values())
    return Schedule(vector, modes, columns, cut, unrolled, steps, cycles * (1 + 0.02 * (texts - 1)))


def _tile_cycles(
    nest: Nest, modes: dict[str, Mode], column: Segment, rows: dict[int, Segment], literals: frozenset[str]
) -> tuple[float, float]:
    """Estimate the cycles of one step of the inner loop over a tile, and of all that is around it."""
    held = column.vectors * math.prod(segment.width for segment in rows.values())

    def loads(name: str) -> float:
        if name not in nest.operands or name in literals:
            return 0.0
        mode = modes[name]
        count = 1 if mode == "splat" else column.vectors
        for place, segment in rows.items():
            if nest.outer[place].moves(name):
                count *= segment.width
        each = {"splat": 1.0, "vector": 1.0, "packed": 1.0, "gather": 1.5 * column.lanes}[mode]
        if mode == "packed" and nest.depth * column.vectors * column.lanes * 4 > _L1:
            each = 1.6
        return count * each

    read = loads("a") + loads("b")
    step = max(held / 2, read / 2, _LATENCY if nest.depth > 4 else 1.0) + 0.08 * read
    store = column.lanes * 1.5 if modes["out"] == "gather" else 1.0
    return step, 6.0 + held * (1.0 + store) + 3.0 * len(nest.inner)


def _unrolling(nest: Nest, held: int) -> tuple[bool, int]:
    indexed = any(axis.stride(name + INDEX) for axis in nest.inner for name in nest.operands)
    if indexed or not nest.inner:
        return not nest.inner, 1
    if nest.depth * held <= _MOST_TEXT:
        return True, 1
    extent = nest.inner[-1].extent
    fitting = [steps for steps in range(1, 9) if extent % steps == 0 and steps * held <= 128]
    return False, max(fitting, default=1)
