"""Kernels of 8-bit integers: sums of products of bytes, then requantisation in 32 bits, as `tacit.ir.integer` defines it.

Two forms. *Groups*: where one factor is a packed weight and the other lies contiguous along the innermost axis, an instruction of
the machine multiplies and sums `Isa.group` neighbours per lane. *Wide*: anything else, with numbers widened to 32 bits.
The zero of an activation that meets weights goes into the bias, ``sum (a - z) w = sum a w - z sum w``, and so does the rounding
before the first shift.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerMatmul, IntegerRelu, Requantise
from tacit.targets.c.folding import bias_axes, first_of, folded_bias, with_bias
from tacit.targets.c.isa import Isa
from tacit.targets.c.nests import Axis, Nest, literal_of, nest_of
from tacit.targets.c.requantising import Requantiser
from tacit.targets.c.schedule import Schedule, best, candidates
from tacit.targets.c.staging import CORRECTIONS, MOST, PANEL, panel_text
from tacit.targets.c.template import FAR, Kernel, Place, Tile, weight_elements
from tacit.targets.c.weights import Blob, in_blocks, packed_size, values_of

_WIDE = 2.5  # cycles of a widened product for one of a group: widening, a slower multiplication


def stored_as(buffer: IntegerBuffer, isa: Isa) -> str:
    """Give the C type in which a buffer is held."""
    return {"uint8": isa.activation, "int8": "int8_t", "int16": "int16_t", "int32": "int32_t"}[buffer.dtype]


BYTES = {"uint8_t": 1, "int8_t": 1, "int16_t": 2, "int32_t": 4}


class IntegerKernel:
    """The arithmetic of one integer instruction."""

    weight_bytes = 1

    def __init__(self, instruction: IntegerMatmul | IntegerRelu, graph: IntegerGraph, isa: Isa, short: bool = False) -> None:
        self.graph, self.isa = graph, isa
        self.rule: Requantise = instruction.requantise
        self.accumulate = isinstance(instruction, IntegerMatmul) and instruction.accumulate
        self.out = graph.buffer(instruction.out.buffer)
        plain = nest_of(instruction, graph)
        self.literals = {name: int(value) for name in ("a", "b", "multiplier") if (value := literal_of(plain, graph, name)) is not None}
        if "a" in self.literals and ("b" in self.literals or "b" not in plain.operands):
            del self.literals["a"]
        self.zeros = {name: self._zero(plain, name) for name in ("a", "b")}
        self.folded = self._folds(plain)
        by_weights = bool(self.zeros["a"]) and not self.subtracts
        self.bias_axes = bias_axes(plain, by_weights=by_weights) if self.folded else []
        operands = {name: operand for name, operand in plain.operands.items() if name != "bias"}
        if self.folded:
            operands["bias"] = plain.operands["out"]  # stands for the folded one; its strides are its own
        self.plain, self.met = plain, False
        self.others: list[Schedule] = []
        nest = replace(plain, operands=operands)
        self.group, self.nest, self.schedule = self._chosen(with_bias(nest, self.bias_axes if self.folded else None))
        self.depth = self.nest.depth
        self.fused = self.group > 1
        self.short = short and self.out.dtype == "uint8" and stored_as(self.out, isa) == "uint8_t" and isa.lanes == 16
        self.places: Mapping[str, Place] = {}
        self.far = self.fused and isa.lanes >= 8 and weight_elements(graph) >= FAR

    # --- what is computed -----------------------------------------------------------------------------------------

    def _zero(self, nest: Nest, name: str) -> int:
        operand = nest.operands.get(name)
        return 0 if operand is None else self.graph.buffer(operand.buffer).zero

    def _folds(self, nest: Nest) -> bool:
        """Say whether there is anything to add to a sum of plain products before the first shift."""
        constant_b = "b" not in nest.operands or (nest.operands["b"].constant and nest.operands["b"].index is None)
        self.subtracts = bool(self.zeros["a"] or self.zeros["b"]) and not constant_b
        return "bias" in nest.operands or self.rule.before > 0 or (bool(self.zeros["a"]) and not self.subtracts)

    def _chosen(self, nest: Nest) -> tuple[int, Nest, Schedule]:
        """Choose between groups of bytes and widened numbers."""
        wide = best(nest, self.isa, frozenset(self.literals))
        grouped = self._grouped(nest) or self._meeting(nest)
        if grouped is not None:
            group, in_groups = grouped
            met = self.subtracts and "b" in nest.operands
            loops = {place for place, axis in enumerate(nest.outer) if met and axis.moves("a") and axis.moves("b")}
            fitting = [candidate for candidate in candidates(in_groups, self.isa, frozenset(self.literals)) if self._fits(candidate, loops)]
            found = min(fitting, key=lambda candidate: candidate.cycles, default=None)
            if found is not None and found.cycles < wide.cycles * _WIDE:
                self.others = fitting
                self.met = met
                return group, in_groups, found
        self.others = list(candidates(nest, self.isa, frozenset(self.literals)))
        return 1, nest, wide

    def _fits(self, candidate: Schedule, loops: set[int]) -> bool:
        """Say whether groups of bytes can be multiplied in a schedule; `loops` may not lie in its tile."""
        modes, lanes = candidate.modes, {column.lanes for column in candidate.columns}
        return modes["a"] == "splat" and modes["b"] == "packed" and lanes == {self.isa.lanes} and not loops & set(candidate.tiles)

    def with_schedule(self, schedule: Schedule) -> IntegerKernel:
        """Give the same instruction in another schedule."""
        other = copy(self)
        other.__dict__.pop("requantiser", None)
        other.schedule = schedule
        return other

    def schedules(self, isa: Isa) -> list[Schedule]:
        """Give every schedule that may take the place of the estimated one."""
        del isa
        return self.others

    def _meeting(self, nest: Nest) -> tuple[int, Nest] | None:
        """Give the nest in groups of a product of activations, whose right factor is laid out on the way; see `staging`."""
        a, b = nest.operands["a"], nest.operands.get("b")
        if b is None or self.isa.group != 4 or not self.subtracts or "bias" in self.plain.operands or len(nest.inner) != 1:
            return None
        stored = [stored_as(self.graph.buffer(operand.buffer), self.isa) for operand in (a, b)]
        columns = [place for place, axis in enumerate(nest.outer) if axis.moves("b") and not axis.moves("a")]
        last = nest.inner[0]
        if stored != ["uint8_t"] * 2 or self.zeros["b"] != 128 or len(columns) != 1 or last.stride("a") != 1 or a.index or b.index:
            return None
        groups = -(-last.extent // 4)
        if 4 * (groups + 15) * (nest.outer[columns[0]].extent + 15) > MOST:
            return None
        outer = [
            Axis(
                axis.extent,
                {**{name: stride for name, stride in axis.strides.items() if name != "bias"}, **({"bias": 1} if place in columns else {})},
            )
            for place, axis in enumerate(nest.outer)
        ]
        operands = {**nest.operands, "b": replace(b, constant=True), "bias": replace(nest.operands["out"], constant=True)}
        strides = {name: stride * 4 for name, stride in last.strides.items()}
        return 4, replace(nest, outer=tuple(outer), inner=(Axis(groups, strides),), operands=operands)

    def around(self) -> list[int]:
        """Give the outer axes whose loops stand around the laying out of a factor."""
        return [place for place, axis in enumerate(self.nest.outer) if self.met and axis.moves("b") and place != self.schedule.vector]

    def prologue(self) -> Iterator[str]:
        """Lay a factor of activations out as the machine multiplies it."""
        vector = self.schedule.vector
        if not self.met or vector is None:
            return
        terms = [self.factor]
        terms += [f"i{place} * {self.nest.outer[place].stride('b')}" for place in self.around() if self.nest.outer[place].extent > 1]
        half = (1 << self.rule.before) >> 1
        yield from panel_text(
            self.plain,
            self.schedule.columns,
            vector,
            steps=self.nest.inner[0].extent,
            depth=self.plain.depth,
            pointer=" + ".join(terms),
            zero=self.zeros["a"],
            half=half,
        )

    def _grouped(self, nest: Nest) -> tuple[int, Nest] | None:
        """Give the nest whose innermost axis goes in groups, where there is such an instruction for these operands."""
        a, b = nest.operands["a"], nest.operands.get("b")
        if b is None or self.isa.group == 1 or not b.constant or b.index is not None or "b" in self.literals or self.subtracts:
            return None
        if a.constant or not nest.inner or nest.inner[-1].stride("a") != 1 or a.index is not None:
            return None
        group = 4 if stored_as(self.graph.buffer(a.buffer), self.isa) == "uint8_t" else 2
        last = nest.inner[-1]
        strides = {name: stride * group for name, stride in last.strides.items()}
        return group, replace(nest, inner=(*nest.inner[:-1], Axis(-(-last.extent // group), strides)))

    # --- where the operands stand ---------------------------------------------------------------------------------

    def lines(self, blob: Blob, pointers: Mapping[str, str]) -> Iterator[str]:
        """Store the weights and write the body of the function."""
        self.places = dict(self._places(self.graph, blob, pointers))
        yield from Kernel(self, [axis.extent for axis in self.nest.inner]).lines()

    @property
    def lanes(self) -> set[int]:
        """Give the widths of the vectors that the text uses."""
        return {column.lanes for column in self.schedule.columns}

    @property
    def cycles(self) -> float:
        """Give the estimate."""
        return self.schedule.cycles

    def _places(self, graph: IntegerGraph, blob: Blob, pointers: Mapping[str, str]) -> Iterator[tuple[str, Place]]:
        for name, operand in self.nest.operands.items():
            if name in self.literals:
                continue
            if self.met and name in ("b", "bias"):
                if name == "b":
                    self.factor = f"({pointers[operand.buffer]} + {operand.offset})"
                yield name, Place(PANEL, "int8_t", packed=4) if name == "b" else Place(CORRECTIONS, "int32_t", packed=1)
                continue
            if name == "bias":
                yield name, self._constant(name, self._folded_bias(), "int32_t", blob)
                continue
            buffer = graph.buffer(operand.buffer)
            if operand.constant and operand.index is None:
                flat = graph.weights[operand.buffer].reshape(-1)
                outer = [place for place, axis in enumerate(self.plain.outer) if axis.moves(name)]
                values = values_of(self.plain, name, flat, outer)
                if name not in ("a", "b"):
                    values = first_of(values, len(outer))
                yield name, self._constant(name, values, stored_as(buffer, self.isa), blob, outer)
                continue
            kind = stored_as(buffer, self.isa)
            base = (
                f"(const {kind} *)(weights + {blob.add(graph.weights[operand.buffer])})" if operand.constant else pointers[operand.buffer]
            )
            pointer = f"{base} + {operand.offset}" if operand.offset else base
            ints = f"{pointers[operand.index[0]]} + {operand.index[1]}" if operand.index is not None else ""
            yield name, Place(pointer, kind, ints=ints)

    def _folded_bias(self) -> npt.NDArray[np.generic]:
        zero = 0 if self.subtracts else self.zeros["a"]
        return folded_bias(self.plain, self.graph, self.bias_axes, before=self.rule.before, zero=zero)

    def _constant(self, name: str, values: npt.NDArray[np.generic], kind: str, blob: Blob, axes: list[int] | None = None) -> Place:
        """Store a constant operand with values [*outer axes, *inner axes of a factor], packed along the vector axis if it varies there."""
        axes = self.bias_axes if axes is None else axes
        vector = self.schedule.vector
        inner = self.plain.inner if name in ("a", "b") else ()
        shape = values.shape[: len(axes)]
        if inner:
            values = values.reshape(*shape, *(axis.extent for axis in inner))
            if self.group > 1:
                missing = self.nest.inner[-1].extent * self.group - inner[-1].extent
                values = np.pad(values, [*([(0, 0)] * (values.ndim - 1)), (0, missing)])
            values = values.reshape(*shape, -1)
        else:
            values = values[..., np.newaxis]
        spread = vector in axes
        outer = [place for place in axes if place != vector]
        if spread:
            values = np.moveaxis(values, axes.index(vector), -2)  # type: ignore[arg-type]
            group, steps = (self.group, self.depth) if inner else (1, 1)
            values = in_blocks(values, self.schedule.columns, group=group)
            size = packed_size(self.schedule.columns, steps) * group
        else:
            size = values.shape[-1]
        strides, reach = {}, size
        for place in reversed(outer):
            strides[place] = reach
            reach *= self.plain.outer[place].extent
        packed = self.group if inner and spread else 1
        return Place(f"(const {kind} *)(weights + {blob.add(values)})", kind, strides, packed)

    # --- text -----------------------------------------------------------------------------------------------------

    def begin(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Start from the folded bias, or from zero."""
        lanes = tile.column.lanes
        for point in tile.points:
            for vector in range(tile.column.vectors):
                start = "0" if lanes == 1 else f"INT_ZERO{lanes}"
                if "bias" in self.places:
                    start = self._constant_load(kernel, "bias", tile, point, vector)
                yield f"{_type(lanes)} {_name(point, vector)} = {start};"

    def _constant_load(self, kernel: Kernel, name: str, tile: Tile, point: tuple[int, ...], vector: int) -> str:
        lanes = tile.column.lanes
        if name in self.literals:
            return str(self.literals[name]) if lanes == 1 else f"INT_SPLAT{lanes}({self.literals[name]})"
        at = kernel.offset(name, tile, point, vector)
        if self.schedule.modes[name] == "splat":
            return f"{name}_[{at}]" if lanes == 1 else f"INT_SPLAT{lanes}({name}_[{at}])"
        return f"{name}_[{at}]" if lanes == 1 else f"INT_LOAD{lanes}({name}_ + {at})"

    def step(self, kernel: Kernel, tile: Tile, fixed: Mapping[int, int], packed_step: int, *, first: bool) -> Iterator[str]:
        """Load what the tile shares once, then one sum of products per accumulator."""
        del first
        factors = [name for name in ("b", "a") if name in self.places]
        yield "{"
        known: dict[tuple[str, tuple[int, ...], int], str] = {}
        for point in tile.points:
            for vector in range(tile.column.vectors):
                read: dict[str, tuple[str, bool]] = {}
                for name in factors:
                    spread = self.schedule.modes[name] != "splat"
                    key = (name, kernel.distinct(name, tile, point), vector if spread else -1)
                    if key not in known:
                        known[key] = f"{name}{'_'.join(map(str, [*key[1], vector if spread else 's']))}"
                        yield f"  {self._read(kernel, name, tile, point, vector, fixed, packed_step, known[key])}"
                    read[name] = (known[key], spread)
                yield f"  {self._product(_name(point, vector), read, tile.column.lanes)}"
        yield "}"

    def _read(
        self,
        kernel: Kernel,
        name: str,
        tile: Tile,
        point: tuple[int, ...],
        vector: int,
        fixed: Mapping[int, int],
        step: int,
        variable: str,
    ) -> str:
        """Declare a variable that holds a factor."""
        lanes, place, mode = tile.column.lanes, self.places[name], self.schedule.modes[name]
        at = kernel.offset(name, tile, point, vector)
        if place.packed:
            at += step * place.packed * (tile.column.vectors * lanes if mode == "packed" else 1)
        else:
            at += kernel.inner_offset(name, fixed)
        pointer = f"{kernel.pointer(name)} + {at}".replace("+ -", "- ")
        if self.fused:
            if name == "a":
                return f"int32_t {variable} = BITS32({pointer});"
            return f"group{self.group}_{lanes} {variable} = GROUP{self.group}_LOAD{lanes}({pointer});"
        zero = self.zeros[name] if self.subtracts else 0
        minus = f" - {zero}" if zero else ""
        if mode == "splat" or lanes == 1:
            return f"int32_t {variable} = (int32_t)*({pointer}){minus};"
        if mode == "gather":
            stride = self.nest.outer[self.schedule.vector].stride(name)  # type: ignore[index]
            loaded = f"INT_GATHER{lanes}_{place.type}({pointer}, {stride})".replace("+ -", "- ")
        else:
            loaded = f"WIDEN{lanes}_{place.type}({pointer})"
        return f"n{lanes} {variable} = {f'INT_SHIFTED{lanes}({loaded}, -{zero})' if minus else loaded};"

    def _product(self, target: str, read: Mapping[str, tuple[str, bool]], lanes: int) -> str:
        if self.fused:
            kind = "unsigned" if self.group == 4 else "signed"
            return f"{target} = GROUP{self.group}_{kind.upper()}{lanes}({target}, {read['a'][0]}, {read['b'][0]});"
        if len(read) == 1:
            ((name, (text, spread)),) = read.items()
            number = self.literals.get("b" if name == "a" else "a", 1)
            sign = {1: "ADD", -1: "SUB"}.get(number)
            value = text if spread or lanes == 1 else f"INT_SPLAT{lanes}({text})"
            if lanes == 1:
                return f"{target} += {text} * {number};" if sign is None else f"{target} {'+' if number > 0 else '-'}= {text};"
            if sign is None:
                return f"{target} = INT_MACS{lanes}({target}, {number}, {value});"
            return f"{target} = INT_{sign}V{lanes}({target}, {value});"
        (one, one_spread), (two, two_spread) = read["b"], read["a"]
        if lanes == 1:
            return f"{target} += {one} * {two};"
        if one_spread and two_spread:
            return f"{target} = INT_MACV{lanes}({target}, {one}, {two});"
        if not one_spread and not two_spread:
            return f"{target} = INT_MACV{lanes}({target}, INT_SPLAT{lanes}({one}), INT_SPLAT{lanes}({two}));"
        scalar, vector = (two, one) if one_spread else (one, two)
        return f"{target} = INT_MACS{lanes}({target}, {scalar}, {vector});"

    def end(self, kernel: Kernel, tile: Tile) -> Iterator[str]:
        """Requantise and store."""
        for vector in range(tile.column.vectors):
            points = tile.points
            partial = tile.column.partial if vector == tile.column.vectors - 1 else 0
            if self._four_fit(kernel, tile, partial):
                whole = len(points) // 4 * 4
                multiplier = self._constant_load(kernel, "multiplier", tile, points[0], vector)
                yield f"const __m512i short{vector} = SHORT16((__m512i){multiplier});"
                for start in range(0, whole, 4):
                    four = points[start : start + 4]
                    names = [f"(__m512i){_name(point, vector)}" for point in four]
                    yield self.requantiser.four(
                        [f"out_ + {kernel.offset('out', tile, point, vector)}" for point in four], names, f"short{vector}"
                    )
                points = points[whole:]
            for point in points:
                at = kernel.offset("out", tile, point, vector)
                multiplier = self._constant_load(kernel, "multiplier", tile, point, vector)
                yield from self.requantiser.one(_name(point, vector), at, multiplier, tile.column.lanes, partial)

    @cached_property
    def requantiser(self) -> Requantiser:
        """What the sums become."""
        vector = self.schedule.vector
        scattered = vector is not None and self.schedule.modes["out"] == "gather"
        stride = self.nest.outer[vector].stride("out") if vector is not None and scattered else None
        unit = self.literals.get("multiplier") == 1
        return Requantiser(self.rule, self.out.zero, stored_as(self.out, self.isa), unit, self.accumulate, stride)

    def _four_fit(self, kernel: Kernel, tile: Tile, partial: int) -> bool:
        """Say whether four rows of a vector can be requantised together, in 16 bits."""
        lanes = tile.column.lanes
        if not self.short or partial or lanes != 16 or self.schedule.modes["out"] != "vector" or not self.requantiser.old_is_plain:
            return False
        return (
            len(tile.points) >= 4
            and len({kernel.distinct("multiplier", tile, point) for point in tile.points} if "multiplier" in self.places else {0}) == 1
        )


def _name(point: tuple[int, ...], vector: int) -> str:
    return "c" + "_".join(map(str, [*point, vector]))


def _type(lanes: int) -> str:
    return "int32_t" if lanes == 1 else f"n{lanes}"
