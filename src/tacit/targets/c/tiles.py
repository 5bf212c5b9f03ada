"""Kernels for machines that multiply whole tiles of bytes (AMX): 16 rows of 64 bytes times 64 bytes of 16 columns in 16 cycles.

A tile of activations is loaded straight from the overlapping windows of a convolution: its rows are pixels, one stride apart, its
columns the bytes that lie together along the innermost axis. Sums are spilled to a small array on the stack, from which they are
requantised as everywhere. The numbers are exact, so the bits are those of every other instruction set.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.integer import IntegerGraph, IntegerMatmul, IntegerRelu
from tacit.ir.integer_ranges import buffer_ranges, sums
from tacit.targets.c.integers import IntegerKernel
from tacit.targets.c.isa import Isa
from tacit.targets.c.nests import INDEX, Axis
from tacit.targets.c.schedule import Schedule, Segment, row_segments, segments_of
from tacit.targets.c.template import Kernel, Tile
from tacit.targets.c.weights import Blob

_ROWS = 16
_LATENCY = 52  # cycles until a product may be added to again
_REGISTERS = 8
_SHAPES = ((2, 2), (4, 1), (3, 1), (1, 3), (2, 1), (1, 2), (1, 1))  # tiles of rows, tiles of columns
_ADVANTAGE = 1.0


def integer_kernel(instruction: IntegerMatmul | IntegerRelu, graph: IntegerGraph, isa: Isa) -> IntegerKernel:
    """Give the kernel of an instruction: tiles where the machine has them and they are expected to be faster."""
    plain = IntegerKernel(instruction, graph, isa, _is_short(instruction, graph))
    if isa.tiles and plain.group == 4:
        walks = [walk for walk in _walks(plain) if walk.cycles * _ADVANTAGE < plain.cycles]
        if walks:
            return TileKernel(instruction, graph, isa, plain.short, min(walks, key=lambda walk: walk.cycles))
    return plain


def _is_short(instruction: IntegerMatmul | IntegerRelu, graph: IntegerGraph) -> bool:
    """Say whether sums fit in 16 bits after the first shift, proven from the weights, and 16-bit multiplication does the rest."""
    rule = instruction.requantise
    values = graph.weights[rule.multiplier.buffer]
    if rule.after != 15 or values.min() < 0 or values.max() >= 1 << 15:
        return False
    total = sums(instruction, graph, buffer_ranges(graph)).total.shifted(rule.before)
    return bool(total.low.min() >= -(1 << 15) and total.high.max() < 1 << 15)


@dataclass(frozen=True)
class Walk:
    """How tiles go over a nest. rows, beside: places of the outer axes of the rows of a tile, and of further tiles (or the same).

    across: tiles of rows held at once. chunk: groups of four bytes in a tile. chunks: tiles along the innermost axis.
    """

    vector: int
    rows: int
    beside: int | None
    size: int
    across: int
    vectors: int
    chunk: int
    chunks: int
    cycles: float


def _walks(kernel: IntegerKernel) -> Iterator[Walk]:
    nest = kernel.nest
    vector = kernel.schedule.vector
    if vector is None or nest.outer[vector].stride("out") != 1:
        return
    still = ("b", "bias", "multiplier")
    free = [
        place
        for place, axis in enumerate(nest.outer)
        if place != vector and axis.stride("a") > 0 and not any(axis.moves(name) for name in still) and not axis.stride("a" + INDEX)
    ]
    steps = nest.inner[-1].extent
    chunks = -(-steps // _ROWS)
    chunk = -(-steps // chunks)
    depth = math.prod(axis.extent for axis in nest.inner[:-1]) * chunks
    columns = -(-nest.outer[vector].extent // _ROWS)
    for rows in free:
        extent = nest.outer[rows].extent
        size = min((candidate for candidate in range(2, _ROWS + 1)), key=lambda candidate: _waste(extent, candidate))
        if size > extent:
            continue
        for beside, (across, vectors) in itertools.product([None, *free], _SHAPES):
            count = extent // size if beside in (None, rows) else nest.outer[beside].extent
            if beside == rows or count % across or vectors > columns or (beside is None) == (across == 1 and beside is not None):
                continue
            step = max(across * vectors * max(size, 8), _LATENCY, (across * size + vectors * chunk) / 2 + 8)
            end = across * vectors * (20 + size * (2.0 if kernel.short else 6.0))
            others = math.prod(axis.extent for place, axis in enumerate(nest.outer) if place not in (vector, rows))
            blocks = -(-columns // vectors) * -(-extent // size) * others / across
            yield Walk(vector, rows, beside, size, across, vectors, chunk, chunks, 100.0 + blocks * (depth * step + end + 20))


def _waste(extent: int, size: int) -> tuple[int, int]:
    """Order sizes of tiles: fewest tiles first, then none that is smaller than the others."""
    return -(-extent // size), extent % size


class TileKernel(IntegerKernel):
    """One integer instruction in tiles."""

    def __init__(self, instruction: IntegerMatmul | IntegerRelu, graph: IntegerGraph, isa: Isa, short: bool, walk: Walk) -> None:
        super().__init__(instruction, graph, isa, short)
        self.walk = walk
        last = self.nest.inner[-1]
        inner = (*self.nest.inner[:-1], Axis(walk.chunk * walk.chunks, last.strides))
        self.nest = replace(self.nest, inner=inner)
        self.depth = self.nest.depth
        columns = segments_of(self.nest.outer[walk.vector].extent, _ROWS, walk.vectors, whole=True)
        modes = {name: mode for name, mode in self.schedule.modes.items()}
        self.schedule = Schedule(walk.vector, modes, columns, {}, False, 1, walk.cycles)

    def schedules(self, isa: Isa) -> list[Schedule]:
        """Tiles have one schedule."""
        del isa
        return []

    def lines(self, blob: Blob, pointers: Mapping[str, str]) -> Iterator[str]:
        """Store the weights and write the body of the function."""
        self.places = dict(self._places(self.graph, blob, pointers))
        kernel = Kernel(self, [axis.extent for axis in self.nest.inner])
        most = max(column.vectors for column in self.schedule.columns) * self.walk.across
        yield f"int32_t sums[{most * 256}] __attribute__((aligned(64)));"
        if self.around():
            yield from kernel.opened([(f"i{axis}", self.nest.outer[axis].extent) for axis in self.around()])
        yield from self.prologue()
        for number, column in enumerate(self.schedule.columns):
            for rows in row_segments(self.nest.outer[self.walk.rows].extent, self.walk.size):
                yield from self._part(kernel, Tile(column, number, ()), rows, blob)
        if self.around():
            yield "}"
        yield "_tile_release();"

    def _part(self, kernel: Kernel, tile: Tile, rows: Segment, blob: Blob) -> Iterator[str]:
        """Write the loops over one segment of the columns and one of the rows."""
        walk, nest = self.walk, self.nest
        across = walk.across if walk.beside is not None or rows.count % walk.across == 0 else 1
        yield f"_tile_loadconfig(weights + {blob.add(self._config(rows.width, across, tile.column.vectors))});"
        tiles_of_rows = across if walk.beside is None else 1
        segments = {walk.rows: Segment(rows.start, rows.width * tiles_of_rows, rows.count // tiles_of_rows)}
        loops = [("v", tile.column.count)]
        for place, axis in enumerate(nest.outer):
            if place == walk.vector or place in self.around():
                continue
            count = axis.extent
            if place == walk.rows:
                count = segments[place].count
            elif place == walk.beside:
                count = axis.extent // across
                segments[place] = Segment(0, across, count)
            loop = (f"i{place}", count)
            loops.insert(0 if place != walk.rows and place != walk.beside and axis.moves("b") else len(loops), loop)
        opened = [(variable, count) for variable, count in loops if count > 1]
        for variable, count in opened:
            yield f"for (int {variable} = 0; {variable} < {count}; {variable}++)"
        yield "{"
        for name, stored in self.places.items():
            constant = "" if name == "out" else "const "
            yield f"  {constant}{stored.type} *{name}_ = {kernel.base(name, tile, segments)};"
        yield from (f"  {line}" for line in self._tile(kernel, tile, rows, across))
        yield "}"

    def _config(self, rows: int, across: int, vectors: int) -> np.ndarray:
        """Make the 64 bytes that say how large each tile is."""
        config = np.zeros(64, np.uint8)
        config[0] = 1
        a, b, bytes_of = self._registers(across, vectors)
        for register in range(_REGISTERS):
            if register < across * vectors or register in a:
                width, height = 64 if register not in a else 4 * self.walk.chunk, rows
            else:
                width, height = 64, self.walk.chunk
            config[16 + 2 * register] = width
            config[48 + register] = height
        del b, bytes_of
        return config

    def _registers(self, across: int, vectors: int) -> tuple[list[int], list[int], int]:
        """Give the registers of the tiles of activations and of weights; the first ones hold the sums."""
        held = across * vectors
        free = _REGISTERS - held
        weights = min(vectors, free - 1)
        activations = min(across, free - weights)
        return list(range(held, held + activations)), list(range(held + activations, held + activations + weights)), held

    def _tile(self, kernel: Kernel, tile: Tile, rows: Segment, across: int) -> Iterator[str]:
        walk, nest, vectors = self.walk, self.nest, tile.column.vectors
        a_registers, b_registers, _ = self._registers(across, vectors)
        for i, j in itertools.product(range(across), range(vectors)):
            yield from self._first(kernel, i * vectors + j, j)
        last = len(nest.inner) - 1
        terms = ["a_"]
        for axis, inner in enumerate(nest.inner):
            extent, stride = (walk.chunks, inner.stride("a") * walk.chunk) if axis == last else (inner.extent, inner.stride("a"))
            if extent > 1:
                yield f"for (int k{axis} = 0; k{axis} < {extent}; k{axis}++)"
                terms.append(f"k{axis} * {stride}")
        row_stride = nest.outer[walk.rows].stride("a")
        step = nest.outer[walk.beside].stride("a") if walk.beside is not None else row_stride * rows.width
        yield "{"
        yield f"  const uint8_t *ak = {' + '.join(terms)};"
        for j in range(vectors):
            if j < len(b_registers):
                yield f"  _tile_loadd({b_registers[j]}, b_ + {64 * j}, {64 * vectors});"
        for i in range(across):
            register = a_registers[i % len(a_registers)]
            yield f"  _tile_loadd({register}, ak + {i * step}, {row_stride});"
            for j in range(vectors):
                if j >= len(b_registers):
                    yield f"  _tile_loadd({b_registers[-1]}, b_ + {64 * j}, {64 * vectors});"
                yield f"  _tile_dpbusd({i * vectors + j}, {register}, {b_registers[min(j, len(b_registers) - 1)]});"
        yield f"  b_ += {64 * vectors * walk.chunk};"
        yield "}"
        for held in range(across * vectors):
            yield f"_tile_stored({held}, sums + {256 * held}, 64);"
        yield '__asm__ volatile("" : : "r"(sums) : "memory");'
        yield from self._end(kernel, tile, rows, across)

    def _first(self, kernel: Kernel, register: int, vector: int) -> Iterator[str]:
        if "bias" not in self.places:
            yield f"_tile_zero({register});"
        elif self.schedule.modes["bias"] == "packed":
            yield f"_tile_loadd({register}, bias_ + {16 * vector}, 0);"
        else:
            yield "INT_STORE16(sums, INT_SPLAT16(bias_[0]));"
            yield '__asm__ volatile("" : : "r"(sums) : "memory");'
            yield f"_tile_loadd({register}, sums, 0);"

    def _end(self, kernel: Kernel, tile: Tile, rows: Segment, across: int) -> Iterator[str]:
        """Requantise the sums, row by row or by four rows."""
        walk, vectors = self.walk, tile.column.vectors
        row_stride = self.nest.outer[walk.rows].stride("out")
        step = self.nest.outer[walk.beside].stride("out") if walk.beside is not None else row_stride * rows.width
        for j in range(vectors):
            partial = tile.column.partial if j == vectors - 1 else 0
            fours = rows.width // 4 if self.short and not partial and self.requantiser.old_is_plain else 0
            multiplier = self._constant_load(kernel, "multiplier", tile, (), j)
            yield "{"
            if fours:
                yield f"  const __m512i shorts = SHORT16((__m512i){multiplier});"
            for i in range(across):
                sums_at = 256 * (i * vectors + j)
                if fours:
                    yield f"  for (int r = 0; r < {fours}; r++) {{"
                    yield f"    uint8_t *to = out_ + {i * step + 16 * j} + r * {4 * row_stride};"
                    names = [f"_mm512_load_si512((const void *)(sums + {sums_at + 16 * row} + r * 64))" for row in range(4)]
                    yield f"    {self.requantiser.four([f'to + {row * row_stride}' for row in range(4)], names, 'shorts')}"
                    yield "  }"
                if fours * 4 < rows.width:
                    yield f"  for (int r = {fours * 4}; r < {rows.width}; r++) {{"
                    yield f"    n16 c = INT_LOAD16(sums + {sums_at} + r * 16);"
                    at = f"{i * step + 16 * j} + r * {row_stride}"
                    yield from (f"    {line}" for line in self.requantiser.one("c", at, multiplier, 16, partial))
                    yield "  }"
            yield "}"
