"""How large the integers of a graph can become: interval arithmetic from the actual weights, nothing measured.

The verifier proves with it that no 32-bit number overflows, the interpreter that sums of floats are exact, and whoever makes an
integer graph chooses shifts by it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.ir.graph import View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul, Requantise

Bounds = npt.NDArray[np.int64]
#: Least and greatest number of each type.
LIMITS: Mapping[str, tuple[int, int]] = {
    "uint8": (0, 255),
    "int8": (-128, 127),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
}
_MOST = 1 << 24  # elements of an intermediate array, above which one operand counts by its extremes alone


@dataclass(frozen=True, eq=False)
class Interval:
    """Least and greatest value, elementwise: int64 arrays of one shape, whose extents are those of a view or 1."""

    low: Bounds
    high: Bounds

    @property
    def magnitude(self) -> Bounds:
        """Give the greatest absolute value."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def shifted(self, by: int) -> Interval:
        """Round away the lowest `by` bits, as the formula does."""
        half = (1 << by) >> 1
        return Interval((self.low + half) >> by, (self.high + half) >> by)

    def times(self, other: Interval) -> Interval:
        """Multiply; the shapes are broadcast."""
        corners = [self.low * other.low, self.low * other.high, self.high * other.low, self.high * other.high]
        return Interval(np.minimum.reduce(corners), np.maximum.reduce(corners))

    def plus(self, other: Interval) -> Interval:
        """Add; the shapes are broadcast."""
        return Interval(self.low + other.low, self.high + other.high)

    def whole(self) -> Interval:
        """Forget which element is which."""
        return Interval(self.low.min(keepdims=True), self.high.max(keepdims=True))


def constant(low: int, high: int | None = None) -> Interval:
    """Make an interval without axes."""
    return Interval(np.array(low, np.int64), np.array(low if high is None else high, np.int64))


def buffer_ranges(graph: IntegerGraph) -> dict[str, tuple[int, int]]:
    """Give the least and greatest integer that each buffer can ever hold, from the clips of what writes to it."""
    found: dict[str, tuple[int, int]] = {}
    for buffer in graph.buffers:
        if buffer.kind == "weight":
            values = graph.weights[buffer.name]
            found[buffer.name] = (int(values.min()), int(values.max()))
        elif buffer.kind == "input":
            found[buffer.name] = LIMITS[buffer.dtype]
        elif buffer.zeroed:
            found[buffer.name] = (buffer.zero, buffer.zero)
    for instruction in graph.instructions:
        name, clip = instruction.out.buffer, instruction.requantise
        low, high = found.get(name, (clip.low, clip.high))
        found[name] = (min(low, clip.low), max(high, clip.high))
    return found


def view_interval(view: View, buffer: IntegerBuffer, reach: tuple[int, int], values: np.ndarray | None) -> Interval:
    """Bound ``q - zero`` over a view; an axis along which nothing is known to differ has extent 1. values: of a weight."""
    if values is None:
        ones = (1,) * len(view.shape)
        return Interval(np.full(ones, reach[0] - buffer.zero, np.int64), np.full(ones, reach[1] - buffer.zero, np.int64))
    shape = [extent if stride else 1 for extent, stride in zip(view.shape, view.strides, strict=True)]
    flat = np.ascontiguousarray(values).reshape(-1)
    strides = [stride * flat.itemsize for stride in view.strides]
    start = flat[view.offset :] if view.offset < flat.size else flat[:0]
    if view.index is None:
        seen = np.lib.stride_tricks.as_strided(start, shape, strides).astype(np.int64) - buffer.zero
        return Interval(seen, seen)
    rows = (view.index.limit, *shape)
    seen = np.lib.stride_tricks.as_strided(start, rows, (view.index.step * flat.itemsize, *strides))
    return Interval(seen.min(0).astype(np.int64) - buffer.zero, seen.max(0).astype(np.int64) - buffer.zero)


@dataclass(frozen=True, eq=False)
class Sums:
    """Bounds of the accumulator before requantisation; extents are those of `out`, or 1.

    total: of the whole sum, bias included. partial: the greatest magnitude of any part of the sum in any order.
    """

    total: Interval
    partial: Bounds


def sums(instruction: IntegerInstruction, graph: IntegerGraph, ranges: Mapping[str, tuple[int, int]]) -> Sums:
    """Bound the sums of an instruction."""

    def interval(view: View) -> Interval:
        return view_interval(view, graph.buffer(view.buffer), ranges[view.buffer], graph.weights.get(view.buffer))

    if not isinstance(instruction, IntegerMatmul):
        found = interval(instruction.x)
        return Sums(found, found.magnitude)
    axes, a, b = instruction.axes, interval(instruction.a), interval(instruction.b)
    batch, rows, columns, inner = axes.batch, axes.rows, axes.columns, axes.inner
    left = [*a.low.shape[: batch + rows], *(1,) * columns, *a.low.shape[batch + rows :]]
    right = [*b.low.shape[:batch], *(1,) * rows, *b.low.shape[batch + inner :], *b.low.shape[batch : batch + inner]]
    size = math.prod(max(pair) for pair in zip(left, right, strict=True))
    if size > _MOST:
        a, left = a.whole(), [1] * len(left)
    b_order = [*range(batch), *range(batch + inner, batch + inner + columns), *range(batch, batch + inner)]
    low, high = (np.transpose(part, b_order).reshape(right) for part in (b.low, b.high))
    terms = Interval(a.low.reshape(left), a.high.reshape(left)).times(Interval(low, high))
    first = batch + rows + columns
    extents = instruction.a.shape[batch + rows :]
    seen = terms.low.shape[first:]
    repeats = math.prod(wide if narrow == 1 else 1 for wide, narrow in zip(extents, seen, strict=True))
    over = tuple(range(first, first + inner))
    total = Interval(terms.low.sum(over) * repeats, terms.high.sum(over) * repeats)
    partial = terms.magnitude.sum(over) * repeats
    if instruction.bias is not None:
        bias = interval(instruction.bias)
        shape = [*bias.low.shape[:batch], *(1,) * rows, *bias.low.shape[batch:]]
        added = Interval(bias.low.reshape(shape), bias.high.reshape(shape))
        total, partial = total.plus(added), partial + added.magnitude
    return Sums(total, partial)


def old_interval(instruction: IntegerInstruction, ranges: Mapping[str, tuple[int, int]]) -> Interval:
    """Bound what an accumulating matmul adds before the last shift: ``(old - old_zero) * addend``."""
    if not isinstance(instruction, IntegerMatmul) or not instruction.accumulate:
        return constant(0)
    low, high = ranges[instruction.out.buffer]
    rule: Requantise = instruction.requantise
    return constant(low - rule.old_zero, high - rule.old_zero).times(constant(rule.addend))
