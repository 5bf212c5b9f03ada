"""An instruction as a nest of loops: axes with one stride per operand, in the form that the template of C works on.

The nest of ``out[m, n] = sum_k a[m, k] * b[k, n]`` has outer axes m and n and the inner axis k; nothing in it says which axes were
rows, columns or batch, for the strides tell: an operand does not depend on an axis along which its stride is 0. A convolution,
a mean, a copy and a product of activations differ in their strides only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tacit.ir.graph import Graph, Matmul, Relu, View
from tacit.ir.integer import IntegerGraph, IntegerMatmul, IntegerRelu

#: Strides of the index of an operand stand under its name with this mark behind it.
INDEX = "@"


@dataclass(frozen=True)
class Axis:
    """One loop: its extent, and for each operand the stride in elements (absent: 0)."""

    extent: int
    strides: Mapping[str, int]

    def stride(self, operand: str) -> int:
        """Give the stride of an operand along this axis."""
        return self.strides.get(operand, 0)

    def moves(self, operand: str) -> bool:
        """Say whether an operand depends on this axis."""
        return self.stride(operand) != 0 or self.stride(operand + INDEX) != 0


@dataclass(frozen=True)
class Operand:
    """Where a view begins; with an index, ``step * ints[...]`` is added (its strides stand under the name with `INDEX`)."""

    buffer: str
    offset: int
    constant: bool
    index: tuple[str, int, int] | None = None  # buffer of the integers, offset in it, step


@dataclass(frozen=True)
class Nest:
    """Outer axes by descending stride in `out`, inner axes by descending stride in the first factor, and the operands.

    operands: ``out``, ``a``, and where present ``b``, ``bias``, ``multiplier``.
    """

    outer: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    operands: Mapping[str, Operand]

    @property
    def depth(self) -> int:
        """Count the products that make one element of the output."""
        return math.prod(axis.extent for axis in self.inner)


def nest_of(instruction: Matmul | Relu | IntegerMatmul | IntegerRelu, graph: Graph | IntegerGraph) -> Nest:
    """Make the nest of an instruction: axes of extent 1 dropped, neighbours that every operand walks as one joined."""
    weights = {buffer.name for buffer in graph.of_kind("weight")}
    views = dict(_views(instruction))
    outer = [_axis(extent, place, views, "outer") for place, extent in enumerate(instruction.out.shape)]
    inner = []
    if isinstance(instruction, Matmul | IntegerMatmul):
        axes = instruction.axes
        for place in range(axes.inner):
            extent = instruction.a.shape[axes.batch + axes.rows + place]
            inner.append(_axis(extent, place, views, "inner"))
    operands = {name: _operand(view, view.buffer in weights) for name, (view, _) in views.items()}
    swapped = "b" in operands and operands["a"].constant and not operands["b"].constant
    if swapped:
        operands["a"], operands["b"] = operands["b"], operands["a"]
        outer, inner = [_swapped(axis) for axis in outer], [_swapped(axis) for axis in inner]
    walked = "b" if "b" in operands and operands["a"].constant else "a"
    outer = sorted((axis for axis in outer if axis.extent > 1), key=lambda axis: -abs(axis.stride("out")))
    inner = sorted((axis for axis in inner if axis.extent > 1), key=lambda axis: -abs(axis.stride(walked)))
    return Nest(tuple(_joined(outer, operands)), tuple(_joined(inner, operands)), operands)


def literal_of(nest: Nest, graph: Graph | IntegerGraph, name: str) -> float | None:
    """Give the number that a constant operand is everywhere, or None when it varies."""
    operand = nest.operands.get(name)
    if operand is None or not operand.constant or operand.index is not None:
        return None
    if any(axis.moves(name) for axis in (*nest.outer, *nest.inner)):
        return None
    return float(graph.weights[operand.buffer].reshape(-1)[operand.offset])


def _views(instruction: Matmul | Relu | IntegerMatmul | IntegerRelu) -> Iterator[tuple[str, tuple[View, dict[str, list[int]]]]]:
    """Give each view with, for the outer and the inner axes of the nest, the place of the axis within the view (-1: none)."""
    rank = len(instruction.out.shape)
    every = list(range(rank))
    if isinstance(instruction, Relu | IntegerRelu):
        yield "out", (instruction.out, {"outer": every, "inner": []})
        yield "a", (instruction.x, {"outer": every, "inner": []})
    else:
        axes = instruction.axes
        batch, rows, columns, inner = axes.batch, axes.rows, axes.columns, axes.inner
        first = list(range(batch))
        yield "out", (instruction.out, {"outer": every, "inner": [-1] * inner})
        of_a = {"outer": [*range(batch + rows), *([-1] * columns)], "inner": [batch + rows + k for k in range(inner)]}
        yield "a", (instruction.a, of_a)
        of_b = {"outer": [*first, *([-1] * rows), *(batch + inner + n for n in range(columns))], "inner": [batch + k for k in range(inner)]}
        yield "b", (instruction.b, of_b)
        if instruction.bias is not None:
            of_bias = {"outer": [*first, *([-1] * rows), *(batch + n for n in range(columns))], "inner": [-1] * inner}
            yield "bias", (instruction.bias, of_bias)
    if isinstance(instruction, IntegerMatmul | IntegerRelu):
        count = instruction.axes.inner if isinstance(instruction, IntegerMatmul) else 0
        yield "multiplier", (instruction.requantise.multiplier, {"outer": every, "inner": [-1] * count})


def _axis(extent: int, place: int, views: Mapping[str, tuple[View, dict[str, list[int]]]], role: str) -> Axis:
    strides: dict[str, int] = {}
    for name, (view, places) in views.items():
        at = places[role][place]
        if at < 0:
            continue
        if view.strides[at]:
            strides[name] = view.strides[at]
        if view.index is not None and view.index.strides[at]:
            strides[name + INDEX] = view.index.strides[at]
    return Axis(extent, strides)


def _operand(view: View, constant: bool) -> Operand:
    index = None if view.index is None else (view.index.buffer, view.index.offset, view.index.step)
    return Operand(view.buffer, view.offset, constant, index)


def _swapped(axis: Axis) -> Axis:
    names = {"a": "b", "b": "a", "a" + INDEX: "b" + INDEX, "b" + INDEX: "a" + INDEX}
    return replace(axis, strides={names.get(name, name): stride for name, stride in axis.strides.items()})


def _joined(axes: list[Axis], operands: Mapping[str, Operand]) -> list[Axis]:
    joined: list[Axis] = []
    for axis in axes:
        if joined and all(joined[-1].stride(key) == axis.stride(key) * axis.extent for name in operands for key in (name, name + INDEX)):
            joined[-1] = replace(axis, extent=joined[-1].extent * axis.extent)
        else:
            joined.append(axis)
    return joined
