"""The template: one register-blocked kernel text for every instruction, whatever its arithmetic.

A kernel is nested loops around a *tile*. A tile holds every accumulator in a variable of its own, so that the compiler keeps all
in registers; its inner loop is straight-line text of loads and multiply-adds. What a number is (float32, 8 bits) and what the
epilogue does with an accumulator is the business of an `Arithmetic`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.targets.c.nests import INDEX, Nest
from tacit.targets.c.schedule import Schedule, Segment
from tacit.targets.c.weights import block_start


def weight_elements(graph: Graph | IntegerGraph) -> int:
    """Count the weights of a program."""
    return sum(buffer.size for buffer in graph.of_kind("weight"))


@dataclass(frozen=True)
class Place:
    """Where the elements of one operand stand: a C pointer expression, and for packed weights how they are laid out.

    pointer: to the first element. strides: place of an outer axis -> elements (packed weights: of the axes they depend on).
    packed: the number of elements per step of one lane (0: not packed; addressed by the strides of the nest). ints: pointer to the
    integers of an index. type: C type of an element.
    """

    pointer: str
    type: str
    strides: Mapping[int, int] = field(default_factory=dict)
    packed: int = 0
    ints: str = ""


@dataclass(frozen=True)
class Tile:
    """One block of accumulators: its segment of the vector axis and the sizes along the tiled axes."""

    column: Segment
    number: int  # of the segment
    rows: tuple[tuple[int, int], ...]  # place of an outer axis, elements

    @property
    def points(self) -> list[tuple[int, ...]]:
        """Give the places of the rows of the tile."""
        return list(itertools.product(*(range(size) for _, size in self.rows)))


FAR = 3 << 19  # bytes of weights of a whole program, from which on they are asked for ahead
_LINE = 64  # bytes that come from memory together


class Arithmetic(Protocol):
    """What a kernel computes with. far: its weights do not stay near the core. weight_bytes: of one packed weight."""

    far: bool
    weight_bytes: int

    nest: Nest
    schedule: Schedule
    places: Mapping[str, Place]
    depth: int  # steps of the inner loops in all (for packed weights)

    def around(self) -> list[int]:
        """Give the outer axes whose loops stand around everything, the prologue included."""

    def prologue(self) -> Iterator[str]:
        """Do what has to be done before the loops over columns and rows."""

    def begin(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Declare the accumulators with their first values."""

    def step(self, kernel: Kernel, tile: Tile, fixed: Mapping[int, int], packed_step: int, *, first: bool) -> Iterator[str]:
        """Do one step of the inner loops. fixed: inner axis -> its value where it is written out. first: nothing was summed before."""

    def end(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Finish the accumulators and store them."""


class Kernel:
    """Writes the loops of one nest; `Arithmetic` asks it for addresses."""

    def __init__(self, arithmetic: Arithmetic, extents: list[int]) -> None:
        self.arithmetic, self.nest, self.schedule = arithmetic, arithmetic.nest, arithmetic.schedule
        self.inner = extents  # of the inner loops, in steps
        self.lines_ahead = 0

    # --- addresses ------------------------------------------------------------------------------------------------

    def base(self, name: str, tile: Tile, segments: Mapping[int, Segment]) -> str:
        """Give the pointer to the first element of the tile, in terms of the variables of the outer loops."""
        place = self.arithmetic.places[name]
        schedule = self.schedule
        terms = [place.pointer]
        constant = 0
        for axis in range(len(self.nest.outer)):
            if axis == schedule.vector:
                if place.packed and not self._spread(name):
                    stride = 0
                elif place.packed:
                    constant += block_start(schedule.columns, tile.number, self._depth(name)) * place.packed
                    stride = tile.column.vectors * tile.column.lanes * self._depth(name) * place.packed
                else:
                    stride = self.nest.outer[axis].stride(name)
                    constant += tile.column.start * stride
                    stride *= tile.column.width
                variable, count = "v", tile.column.count
            else:
                stride = self._stride(name, axis)
                segment = segments.get(axis)
                if segment is not None:
                    constant += segment.start * stride
                    stride *= segment.width
                variable, count = f"i{axis}", self.nest.outer[axis].extent if segment is None else segment.count
            if stride and count > 1:
                terms.append(f"{variable} * {stride}")
        if constant:
            terms.append(str(constant))
        return " + ".join(terms).replace("+ -", "- ")

    def _depth(self, name: str) -> int:
        return self.arithmetic.depth if name in ("a", "b") else 1

    def _stride(self, name: str, axis: int) -> int:
        place = self.arithmetic.places[name]
        return place.strides.get(axis, 0) if place.packed else self.nest.outer[axis].stride(name)

    def offset(self, name: str, tile: Tile, point: tuple[int, ...], vector: int, *, raw: bool = False) -> int:
        """Give the elements from the pointer of the tile to one of its vectors. raw: of an operand that has no place of its own."""
        if raw:
            return sum(at * self.nest.outer[axis].stride(name) for (axis, _), at in zip(tile.rows, point, strict=True))
        total = sum(at * self._stride(name, axis) for (axis, _), at in zip(tile.rows, point, strict=True))
        if self.arithmetic.places[name].packed:
            return total + vector * tile.column.lanes * self.arithmetic.places[name].packed if self._spread(name) else total
        along = self.nest.outer[self.schedule.vector].stride(name) if self.schedule.vector is not None else 0
        return total + vector * tile.column.lanes * along

    def _spread(self, name: str) -> bool:
        return self.schedule.modes.get(name) == "packed"

    def inner_offset(self, name: str, fixed: Mapping[int, int]) -> int:
        """Give the elements that the written-out inner axes add."""
        return sum(at * self.nest.inner[axis].stride(name) for axis, at in fixed.items())

    def distinct(self, name: str, tile: Tile, point: tuple[int, ...]) -> tuple[int, ...]:
        """Give what tells the elements of one row of the tile from those of others: equal tuples read the same elements."""
        return tuple(
            at if self._stride(name, axis) or self.nest.outer[axis].stride(name + INDEX) else 0
            for (axis, _), at in zip(tile.rows, point, strict=True)
        )

    # --- text -----------------------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """Write the body of the function."""
        schedule = self.schedule
        around = self.arithmetic.around()
        if around:
            yield from self.opened([(f"i{axis}", self.nest.outer[axis].extent) for axis in around])
        yield from self.arithmetic.prologue()
        tiled = list(schedule.tiles)
        for number, column in enumerate(schedule.columns):
            for segments in itertools.product(*schedule.tiles.values()):
                chosen = dict(zip(tiled, segments, strict=True))
                tile = Tile(column, number, tuple((axis, segment.width) for axis, segment in chosen.items()))
                yield from self._outer(tile, chosen, around)
        if around:
            yield "}"

    def opened(self, loops: list[tuple[str, int]]) -> Iterator[str]:
        """Open loops, and a block within the last of them."""
        for variable, count in loops:
            if count > 1:
                yield f"for (int {variable} = 0; {variable} < {count}; {variable}++)"
        yield "{"

    def _outer(self, tile: Tile, segments: Mapping[int, Segment], around: list[int]) -> Iterator[str]:
        nest, schedule = self.nest, self.schedule
        order = [axis for axis in range(len(nest.outer)) if axis != schedule.vector and axis not in around]
        early = [axis for axis in order if axis not in segments and "b" in nest.operands and nest.outer[axis].moves("b")]
        loops = [(f"i{axis}", nest.outer[axis].extent) for axis in early]
        loops.append(("v", tile.column.count))
        loops += [
            (f"i{axis}", segments[axis].count if axis in segments else nest.outer[axis].extent) for axis in order if axis not in early
        ]
        yield from self.opened(loops)
        for line in self._tile(tile, segments):
            yield "  " + line
        yield "}"

    def _tile(self, tile: Tile, segments: Mapping[int, Segment]) -> Iterator[str]:
        places = self.arithmetic.places
        for name, place in places.items():
            constant = "" if name == "out" else "const "
            if place.ints:
                yield f"const int32_t *{name}_ints = {self._ints(name, tile, segments)};"
            row = f" + {self._row(name, -1)}" if place.ints and name not in ("a", "b") else ""
            yield f"{constant}{place.type} *{name}_ = {self.base(name, tile, segments)}{row};"
        ahead = self._ahead(tile, segments)
        if ahead:
            yield f"const char *ahead = {ahead};"
        yield from self.arithmetic.begin(self, tile)
        yield from self._inner(tile)
        yield from self.arithmetic.end(self, tile)

    def _ahead(self, tile: Tile, segments: Mapping[int, Segment]) -> str:
        """Give the place from which a tile asks for its share of the weights of the next block of columns, or nothing.

        While the rows of the image go by, the weights that all of them need next come nearer, line by line.
        """
        self.lines_ahead = 0
        if not self.arithmetic.far or not self._spread("b") or self.schedule.unrolled or not self.inner:
            return ""
        rows = [axis for axis in range(len(self.nest.outer)) if axis != self.schedule.vector and not self.nest.outer[axis].moves("b")]
        counts = {axis: segments[axis].count if axis in segments else self.nest.outer[axis].extent for axis in rows}
        if math.prod(counts.values()) < 2:
            return ""  # each weight is used once, in the order in which it lies
        place = self.arithmetic.places["b"]
        block = tile.column.vectors * tile.column.lanes * self.arithmetic.depth * place.packed * self.arithmetic.weight_bytes
        steps = self.arithmetic.depth // self.schedule.steps
        self.lines_ahead = -(-block // (_LINE * steps * math.prod(counts.values())))
        terms, reach = [f"(const char *)b_ + {block}"], self.lines_ahead * _LINE * steps
        for axis in reversed(rows):
            if counts[axis] > 1:
                terms.append(f"i{axis} * {reach}")
            reach *= counts[axis]
        return " + ".join(terms)

    def _ints(self, name: str, tile: Tile, segments: Mapping[int, Segment]) -> str:
        terms = [self.arithmetic.places[name].ints]
        for axis in range(len(self.nest.outer)):
            stride = self.nest.outer[axis].stride(name + INDEX)
            if stride and axis != self.schedule.vector and axis not in segments:
                terms.append(f"i{axis} * {stride}")
        return " + ".join(terms).replace("+ -", "- ")

    def _inner(self, tile: Tile) -> Iterator[str]:
        """Write the loops over the inner axes; pointers with an underscore point at the first step of the innermost text."""
        schedule, extents = self.schedule, self.inner
        if schedule.unrolled or not extents:
            for name, place in self.arithmetic.places.items():
                if place.ints and name in ("a", "b"):
                    yield f"const {place.type} *{name}k = {name}_ + {self._row(name, -1)};"
            for packed_step, at in enumerate(itertools.product(*(range(extent) for extent in extents))):
                yield from self.arithmetic.step(self, tile, dict(enumerate(at)), packed_step, first=packed_step == 0)
            return
        last = len(extents) - 1
        indent = ""
        for axis, extent in enumerate(extents):
            step = schedule.steps if axis == last else 1
            advance = f"k{axis} += {step}" if step > 1 else f"k{axis}++"
            yield f"{indent}for (int k{axis} = 0; k{axis} < {extent}; {advance})" + (" {" if axis == last else "")
            indent += "  "
        for line in self._innermost(tile, last):
            yield indent + line
        yield "  " * last + "}"

    def _innermost(self, tile: Tile, last: int) -> Iterator[str]:
        steps = self.schedule.steps
        advance = []
        for name, place in self.arithmetic.places.items():
            if name not in ("a", "b"):
                continue
            if place.packed:
                width = tile.column.vectors * tile.column.lanes if self._spread(name) else 1
                yield f"const {place.type} *{name}k = {name}_;"
                advance.append(f"{name}_ += {steps * width * place.packed};")
            else:
                terms = [f"{name}_"]
                for axis in range(last + 1):
                    stride = self.nest.inner[axis].stride(name)
                    if stride:
                        terms.append(f"k{axis} * {stride}")
                if place.ints:
                    terms.append(self._row(name, last))
                yield f"const {place.type} *{name}k = {' + '.join(terms).replace('+ -', '- ')};"
        for line in range(self.lines_ahead):
            yield f"PREFETCH(ahead + {line * _LINE});"
        for step in range(steps):
            yield from self.arithmetic.step(self, tile, {last: step}, step, first=False)
        yield from advance
        if self.lines_ahead:
            yield f"ahead += {self.lines_ahead * _LINE};"

    def _row(self, name: str, last: int) -> str:
        """Write how far an index moves an operand."""
        index = self.nest.operands[name].index
        strides = {axis: self.nest.inner[axis].stride(name + INDEX) for axis in range(last + 1)}
        terms = [f"k{axis} * {stride}" for axis, stride in strides.items() if stride]
        return f"{index[2] if index else 0} * {name}_ints[{' + '.join(terms) or '0'}]"

    def pointer(self, name: str) -> str:
        """Give the pointer that inner offsets are added to."""
        written_out = self.schedule.unrolled or not self.inner
        return f"{name}_" if written_out and not self.arithmetic.places[name].ints else f"{name}k"
