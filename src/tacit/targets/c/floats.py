"""Kernels of float32: multiply-adds on vectors, then bias, the old value of an accumulation, and ReLU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy

import numpy as np

from tacit.ir.graph import Graph, Matmul, Relu
from tacit.targets.c.isa import Isa
from tacit.targets.c.nests import Nest, literal_of, nest_of
from tacit.targets.c.schedule import Schedule, best, candidates, choose
from tacit.targets.c.template import FAR, Kernel, Place, Tile, weight_elements
from tacit.targets.c.weights import Blob, in_blocks, packed_size, values_of

_TABLE = 64  # numbers of a constant factor that may stand in the text


class FloatKernel:
    """The arithmetic of one float32 instruction."""

    weight_bytes = 4

    def __init__(self, instruction: Matmul | Relu, graph: Graph, isa: Isa, *, literals: bool = True) -> None:
        """Choose a schedule. literals: write constants that are one number into the text."""
        self.nest = nest_of(instruction, graph)
        self.accumulate = isinstance(instruction, Matmul) and instruction.accumulate
        self.relu = isinstance(instruction, Relu) or instruction.relu
        found = {name: literal_of(self.nest, graph, name) for name in ("a", "b", "bias") if literals}
        self.literals = {name: value for name, value in found.items() if value is not None}
        if "a" in self.literals and ("b" in self.literals or "b" not in self.nest.operands):
            del self.literals["a"]  # of constant factors one is read
        self.graph = graph
        self.table = _table_of(self.nest, graph) if literals and not self.literals else None
        written = choose(self.nest, isa, frozenset("b"), tiled=self.table) if self.table is not None else None
        if written is None or not written.unrolled or written.modes["b"] != "splat":
            self.table, written = None, None
        self.schedule: Schedule = written or best(self.nest, isa, frozenset(self.literals))
        self.depth = self.nest.depth
        self.places: Mapping[str, Place] = {}
        self.far = isa.lanes >= 8 and 4 * weight_elements(graph) >= FAR

    def lines(self, blob: Blob, pointers: Mapping[str, str]) -> Iterator[str]:
        """Store the weights and write the body of the function."""
        read = [name for name in self.nest.operands if name not in self.literals and (name != "b" or self.table is None)]
        self.places = {name: self._place(name, self.graph, blob, pointers) for name in read}
        yield from Kernel(self, [axis.extent for axis in self.nest.inner]).lines()

    @property
    def lanes(self) -> set[int]:
        """Give the widths of the vectors that the text uses."""
        return {column.lanes for column in self.schedule.columns}

    @property
    def cycles(self) -> float:
        """Give the estimate."""
        return self.schedule.cycles

    def _place(self, name: str, graph: Graph, blob: Blob, pointers: Mapping[str, str]) -> Place:
        operand = self.nest.operands[name]
        if operand.constant and self.schedule.modes[name] == "packed":
            outer = [place for place, axis in enumerate(self.nest.outer) if axis.moves(name) and place != self.schedule.vector]
            return self._packed(name, graph.weights[operand.buffer].reshape(-1), outer, blob)
        if operand.constant:
            base = f"(const real *)(weights + {blob.add(graph.weights[operand.buffer].astype(np.float32))})"
        else:
            base = pointers[operand.buffer]
        pointer = f"{base} + {operand.offset}" if operand.offset else base
        ints = ""
        if operand.index is not None:
            buffer, offset, _ = operand.index
            ints = f"{pointers[buffer]} + {offset}"
        return Place(pointer, "real", ints=ints)

    def _packed(self, name: str, flat: np.ndarray, outer: list[int], blob: Blob) -> Place:
        vector = self.schedule.vector
        values = values_of(self.nest, name, flat.astype(np.float32), [*outer, *([vector] if vector is not None else [])])
        shape = values.shape[: len(outer) + 1]
        depth = 1
        if name in ("a", "b"):
            depth = self.nest.depth
            values = values.reshape(*shape, depth)
        else:
            values = values.reshape(*shape, -1)[..., :1]
        packed = in_blocks(values, self.schedule.columns)
        size = packed_size(self.schedule.columns, depth)
        strides, reach = {}, size
        for place in reversed(outer):
            strides[place] = reach
            reach *= self.nest.outer[place].extent
        return Place(f"(const real *)(weights + {blob.add(packed)})", "real", strides, packed=1)

    def with_schedule(self, schedule: Schedule) -> FloatKernel:
        """Give the same instruction in another schedule."""
        other = copy(self)
        other.schedule = schedule
        return other

    def schedules(self, isa: Isa) -> list[Schedule]:
        """Give every schedule that may take the place of the estimated one."""
        return [] if self.table is not None else list(candidates(self.nest, isa, frozenset(self.literals)))

    def around(self) -> list[int]:
        """Nothing has to be laid out first."""
        return []

    def prologue(self) -> Iterator[str]:
        """Nothing has to be laid out first."""
        yield from ()

    # --- text -----------------------------------------------------------------------------------------------------

    def begin(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Start from the bias where nothing is multiplied afterwards, else from zero."""
        lanes = tile.column.lanes
        if not self._bias_first():
            first = f" = {_zero(lanes)}" if kernel.inner and not self.schedule.unrolled else ""
            for name in self._accumulators(tile):
                yield f"{_type(lanes)} {name}{first};"
            return
        loaded: dict[tuple[tuple[int, ...], int], str] = {}
        for point in tile.points:
            for vector in range(tile.column.vectors):
                key = (kernel.distinct("bias", tile, point) if "bias" in self.places else (), vector)
                value = loaded.get(key) or self._load(kernel, "bias", tile, point, vector, "bias_", {})
                loaded.setdefault(key, _name(point, vector))
                yield f"{_type(lanes)} {_name(point, vector)} = {value};"

    def _bias_first(self) -> bool:
        return "bias" in self.nest.operands and not self._scale()

    def _scale(self) -> str:
        """Give the number that all products share and that is multiplied once, at the end."""
        number = self.literals.get("b", self.literals.get("a"))
        return "" if number is None or number == 1.0 else _literal(number)

    def _accumulators(self, tile: Tile) -> Iterator[str]:
        for point in tile.points:
            for vector in range(tile.column.vectors):
                yield _name(point, vector)

    def step(self, kernel: Kernel, tile: Tile, fixed: Mapping[int, int], packed_step: int, *, first: bool) -> Iterator[str]:
        """Load what the tile shares once, then one multiply-add per accumulator."""
        lanes = tile.column.lanes
        fresh = first and not self._bias_first()
        if self.table is not None:
            yield from self._table_step(kernel, tile, fixed, fresh=fresh)
            return
        factors = [name for name in ("b", "a") if name in self.places]
        yield "{"
        known: dict[tuple[str, tuple[int, ...], int], str] = {}
        for point in tile.points:
            for vector in range(tile.column.vectors):
                read = []
                for name in factors:
                    spread = self.schedule.modes[name] != "splat"
                    key = (name, kernel.distinct(name, tile, point), vector if spread else -1)
                    if key not in known:
                        known[key] = f"{name}{'_'.join(map(str, [*key[1], vector if spread else 's']))}"
                        kind = _type(lanes) if spread else "real"
                        value = self._load(kernel, name, tile, point, vector, kernel.pointer(name), fixed, packed_step)
                        yield f"  {kind} {known[key]} = {value};"
                    read.append((known[key], spread))
                target = _name(point, vector)
                yield f"  {_multiply_add(target, read, lanes, fresh=fresh)}"
        yield "}"

    def _table_step(self, kernel: Kernel, tile: Tile, fixed: Mapping[int, int], *, fresh: bool) -> Iterator[str]:
        """Do one step with numbers that stand in the text: zeros fall away, ones are additions."""
        lanes = tile.column.lanes
        yield "{"
        known: dict[tuple[tuple[int, ...], int], str] = {}
        for point in tile.points:
            number = self._table_number(kernel, tile, point, fixed)
            for vector in range(tile.column.vectors):
                target = _name(point, vector)
                if number == 0.0:
                    if fresh:
                        yield f"  {target} = {_zero(lanes)};"
                    continue
                key = (kernel.distinct("a", tile, point), vector)
                if key not in known:
                    known[key] = f"a{'_'.join(map(str, [*key[0], vector]))}"
                    loaded = self._load(kernel, "a", tile, point, vector, kernel.pointer("a"), fixed)
                    if self.schedule.modes["a"] == "splat":
                        loaded = _splat(loaded, lanes)
                    yield f"  {_type(lanes)} {known[key]} = {loaded};"
                value = known[key]
                if fresh:
                    yield f"  {target} = {value if number == 1.0 else f'SCALE{lanes}({value}, {_literal(number)})'};"
                elif abs(number) == 1.0:
                    yield f"  {target} = {'ADD' if number > 0 else 'SUB'}{lanes}({target}, {value});"
                elif lanes == 1:
                    yield f"  {target} += {value} * {_literal(number)};"
                else:
                    yield f"  {target} = MACS{lanes}({target}, {_literal(number)}, {value});"
        yield "}"

    def _table_number(self, kernel: Kernel, tile: Tile, point: tuple[int, ...], fixed: Mapping[int, int]) -> float:
        """Give the number of the constant factor at a row of the tile and a step; loops outside the tile don't move it."""
        at = self.nest.operands["b"].offset + kernel.offset("b", tile, point, 0, raw=True) + kernel.inner_offset("b", fixed)
        return float(self.graph.weights[self.nest.operands["b"].buffer].reshape(-1)[at])

    def _load(
        self,
        kernel: Kernel,
        name: str,
        tile: Tile,
        point: tuple[int, ...],
        vector: int,
        pointer: str,
        fixed: Mapping[int, int],
        step: int = 0,
    ) -> str:
        lanes = tile.column.lanes
        if name in self.literals:
            return _splat(_literal(self.literals[name]), lanes)
        place, mode = self.places[name], self.schedule.modes[name]
        at = kernel.offset(name, tile, point, vector)
        if place.packed:
            at += step * tile.column.vectors * lanes
        elif name in ("a", "b"):
            at += kernel.inner_offset(name, fixed)
        if mode == "splat":
            return f"{pointer}[{at}]" if name in ("a", "b") else _splat(f"{pointer}[{at}]", lanes)
        if mode == "gather" and lanes > 1:
            stride = self.nest.outer[self.schedule.vector].stride(name)  # type: ignore[index]
            return f"GATHER{lanes}({pointer} + {at}, {stride})".replace("+ -", "- ")
        return f"LOAD{lanes}({pointer} + {at})".replace("+ -", "- ") if lanes > 1 else f"{pointer}[{at}]"

    def end(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Scale, add bias and old value, rectify, store."""
        lanes = tile.column.lanes
        scale = self._scale()
        for point in tile.points:
            for vector in range(tile.column.vectors):
                partial = tile.column.partial if vector == tile.column.vectors - 1 else 0
                name = _name(point, vector)
                if scale:
                    yield f"{name} = SCALE{lanes}({name}, {scale});"
                    if "bias" in self.nest.operands:
                        yield f"{name} = ADD{lanes}({name}, {self._load(kernel, 'bias', tile, point, vector, 'bias_', {})});"
                at = kernel.offset("out", tile, point, vector)
                if self.accumulate:
                    yield f"{name} = ADD{lanes}({name}, {self._old(at, lanes, partial)});"
                if self.relu:
                    yield f"{name} = RELU{lanes}({name});"
                yield self._store(at, name, lanes, partial)

    def _old(self, at: int, lanes: int, partial: int) -> str:
        if self.schedule.modes["out"] == "gather" and lanes > 1:
            return f"GATHER{lanes}(out_ + {at}, {self._out_stride()})".replace("+ -", "- ")
        if lanes == 1:
            return f"out_[{at}]"
        return f"LOAD{lanes}_PART(out_ + {at}, {partial})" if partial else f"LOAD{lanes}(out_ + {at})"

    def _out_stride(self) -> int:
        return self.nest.outer[self.schedule.vector].stride("out")  # type: ignore[index]

    def _store(self, at: int, name: str, lanes: int, partial: int) -> str:
        if lanes == 1:
            return f"out_[{at}] = {name};"
        if self.schedule.modes["out"] == "gather":
            return f"SCATTER{lanes}(out_ + {at}, {self._out_stride()}, {name}, {partial or lanes});".replace("+ -", "- ")
        return f"STORE{lanes}_PART(out_ + {at}, {name}, {partial});" if partial else f"STORE{lanes}(out_ + {at}, {name});"


def _table_of(nest: Nest, graph: Graph) -> frozenset[int] | None:
    """Say of a small constant factor along which outer axes it moves: its numbers can stand in the text where all are in the tile."""
    operand = nest.operands.get("b")
    if operand is None or not operand.constant or operand.index is not None or nest.operands["a"].constant:
        return None
    axes = [(place, axis) for place, axis in enumerate(nest.outer) if axis.moves("b")]
    count = nest.depth
    for _, axis in axes:
        count *= axis.extent
    return frozenset(place for place, _ in axes) if count <= _TABLE else None


def _name(point: tuple[int, ...], vector: int) -> str:
    return "c" + "_".join(map(str, [*point, vector]))


def _type(lanes: int) -> str:
    return "real" if lanes == 1 else f"v{lanes}"


def _zero(lanes: int) -> str:
    return "0.0f" if lanes == 1 else f"ZERO{lanes}"


def _splat(text: str, lanes: int) -> str:
    return text if lanes == 1 else f"SPLAT{lanes}({text})"


def _literal(value: float) -> str:
    """Write a float32 exactly."""
    return f"{float(np.float32(value)).hex()}f"


def _multiply_add(target: str, factors: list[tuple[str, bool]], lanes: int, *, fresh: bool) -> str:
    """Write ``target += product of the factors``; with `fresh`, ``target = product``."""
    if len(factors) == 1:
        text, spread = factors[0]
        value = text if spread or lanes == 1 else f"SPLAT{lanes}({text})"
        return f"{target} = {value};" if fresh else f"{target} = ADD{lanes}({target}, {value});"
    (one, one_spread), (two, two_spread) = factors
    if lanes == 1:
        return f"{target} = {one} * {two};" if fresh else f"{target} += {one} * {two};"
    if not one_spread and not two_spread:
        one, one_spread = f"SPLAT{lanes}({one})", True
    if not one_spread:
        one, two, one_spread, two_spread = two, one, two_spread, one_spread
    product = f"MULV{lanes}({two}, {one})" if two_spread else f"MULS{lanes}({two}, {one})"
    mac = f"MACV{lanes}({target}, {two}, {one})" if two_spread else f"MACS{lanes}({target}, {two}, {one})"
    return f"{target} = {product};" if fresh else f"{target} = {mac};"
