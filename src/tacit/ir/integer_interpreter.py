"""Run an integer graph with NumPy: the executable definition, whose bits every target gives.

The meaning stands in `integer.py`. Sums are made by BLAS on floats, in a precision in which they are exact (the bounds of
`integer_ranges.py` say so); everything after them is int32 arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.ground.errors import InputError
from tacit.ir.graph import Buffer, Matmul, View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul, IntegerRelu, Requantise
from tacit.ir.integer_ranges import LIMITS, buffer_ranges, sums
from tacit.ir.integer_verifier import shadow, verify_integers
from tacit.ir.interpreter import checked_input, index_limits

Array = npt.NDArray[Any]
Memory = dict[str, Array]
WORK_ELEMENTS = 1 << 22  # of the largest intermediate array; as many examples run at once as stay below it


class IntegerInterpreter:
    """Run an integer graph on any number of examples. Raises: GraphError when the graph breaks a rule."""

    def __init__(self, graph: IntegerGraph) -> None:
        verify_integers(graph)
        self.graph = graph
        self._limits = index_limits(shadow(graph))
        ranges = buffer_ranges(graph)
        self._exact = [_exact_type(int(sums(step, graph, ranges).partial.max())) for step in graph.instructions]
        self.batch = max(1, WORK_ELEMENTS // max([1, *(self._work(step) for step in graph.instructions)]))

    def __call__(self, inputs: Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.float32]]:
        """Run. inputs: one array [example, *shape] per input. Gives one float32 array [example, *shape] per output.

        Raises: InputError for a wrong count, shape or type, or an integer outside the rows that it picks from.
        """
        found = zip(self.graph.of_kind("output"), self.integers(inputs), strict=True)
        return [dequantised(buffer, values) for buffer, values in found]

    def integers(self, inputs: Sequence[npt.ArrayLike]) -> list[Array]:
        """Run and give the integers of the outputs as they stand in their buffers, for comparisons of bits. Raises: InputError."""
        arrays = self._checked(inputs)
        count = len(arrays[0])
        outputs = [np.empty((count, *buffer.shape), buffer.dtype) for buffer in self.graph.of_kind("output")]
        for start in range(0, count, self.batch):
            memory = self.start([array[start : start + self.batch] for array in arrays])
            for _ in self.steps(memory):
                pass
            for buffer, whole in zip(self.graph.of_kind("output"), outputs, strict=True):
                whole[start : start + self.batch] = memory[buffer.name].reshape(-1, *buffer.shape)
        return outputs

    def start(self, arrays: Sequence[Array]) -> Memory:
        """Make the memory of a run on a few examples, with its inputs quantised: buffer -> integers [example, element]."""
        memory: Memory = {}
        count = len(arrays[0]) if arrays else 1
        for buffer in self.graph.buffers:
            if buffer.kind == "weight":
                memory[buffer.name] = self.graph.weights[buffer.name].reshape(1, -1)
            elif buffer.kind != "input":
                memory[buffer.name] = np.full((count, buffer.size), buffer.zero if buffer.zeroed else 0, buffer.dtype)
        for buffer, array in zip(self.graph.of_kind("input"), arrays, strict=True):
            memory[buffer.name] = quantised(buffer, array).reshape(count, buffer.size)
        return memory

    def steps(self, memory: Memory) -> Iterator[tuple[int, IntegerInstruction]]:
        """Run one instruction after the other on a memory; give each after it has run."""
        for number, step in enumerate(self.graph.instructions):
            self._run(step, memory, self._exact[number])
            yield number, step

    def _run(self, step: IntegerInstruction, memory: Memory, exact: type) -> None:
        out, rule = self.graph.buffer(step.out.buffer), step.requantise
        if isinstance(step, IntegerRelu):
            sum_of = (gathered(step.x, memory).astype(np.int32) - np.int32(self.graph.buffer(step.x.buffer).zero)).astype(np.int32)
            old = None
        else:
            a, b = (self._centred(view, memory, exact) for view in (step.a, step.b))
            sum_of = products(step, gathered(step.a, a), gathered(step.b, b)).astype(np.int32)
            if step.bias is not None:
                shape = (*step.bias.shape[: step.axes.batch], *(1,) * step.axes.rows, *step.bias.shape[step.axes.batch :])
                sum_of += gathered(step.bias, memory).reshape(1, *shape)
            old = gathered(step.out, memory) if step.accumulate else None
            if old is not None and len(sum_of) < len(old):
                sum_of = np.repeat(sum_of, len(old), 0)
        place = place_of(step.out, memory)
        place[...] = requantised(sum_of, rule, gathered(rule.multiplier, memory), old, out.zero)

    def _work(self, step: IntegerInstruction) -> int:
        """Count the elements that one example takes in the largest array of an instruction."""
        views = (step.out, step.x) if isinstance(step, IntegerRelu) else (step.out, step.a, step.b)
        return max(view.size for view in views if view.index is not None or self.graph.buffer(view.buffer).kind != "weight")

    def _centred(self, view: View, memory: Memory, exact: type) -> Memory:
        """Give the memory of a view's buffer (and of its index) as exact floats from which the zero is taken."""
        values: Array = memory[view.buffer].astype(exact)
        zero = self.graph.buffer(view.buffer).zero
        if zero:
            values -= zero
        return {view.buffer: values, **({} if view.index is None else {view.index.buffer: memory[view.index.buffer]})}

    def _checked(self, inputs: Sequence[npt.ArrayLike]) -> list[Array]:
        buffers = self.graph.of_kind("input")
        arrays = [np.asarray(value) for value in inputs]
        if len(arrays) != len(buffers):
            raise InputError(f"expected {len(buffers)} input arrays, got {len(arrays)}")
        counts = {len(array) if array.ndim else 0 for array in arrays}
        if len(counts) != 1:
            raise InputError(f"expected inputs of equally many examples, got {[list(array.shape) for array in arrays]}")
        count = counts.pop()
        for buffer, array in zip(buffers, arrays, strict=True):
            wanted = Buffer(buffer.name, "input", buffer.shape, "int32" if buffer.dtype == "int32" else "float32")
            checked_input(wanted, array, count, self._limits.get(buffer.name))
        return arrays


def evaluate_integers(graph: IntegerGraph, inputs: Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.float32]]:
    """Run an integer graph once on arrays [example, *shape]; see `IntegerInterpreter`."""
    return IntegerInterpreter(graph)(inputs)


def quantised(buffer: IntegerBuffer, array: npt.ArrayLike) -> Array:
    """Bring the array [example, *shape] of an input to the integers of its buffer, in float32 as the definition says."""
    if buffer.dtype == "int32":
        taken: Array = np.asarray(array).astype(np.int32)
        return taken
    low, high = LIMITS[buffer.dtype]
    given = np.asarray(array, np.float32)
    scales = np.float64(buffer.scale) if buffer.scales is None else np.array(buffer.scales, np.float64).reshape(buffer.shape)
    inverse = (1.0 / scales).astype(np.float32)
    shift = np.float32(buffer.zero - low + 0.5)
    with np.errstate(all="ignore"):  # infinities are clipped, NaN is replaced
        moved = given * inverse + shift
        moved = np.where(np.isnan(given), shift, moved)
        places = np.trunc(np.clip(moved, np.float32(0.0), np.float32(high - low)))
    found: Array = (places.astype(np.int32) + low).astype(buffer.dtype)
    return found


def dequantised(buffer: IntegerBuffer, values: Array) -> npt.NDArray[np.float32]:
    """Give the numbers that the integers of an output stand for."""
    centred = (values.astype(np.int32) - np.int32(buffer.zero)).astype(np.float32)
    found: npt.NDArray[np.float32] = np.float32(buffer.scale) * centred
    return found


def requantised(sum_of: npt.NDArray[np.int32], rule: Requantise, multiplier: Array, old: Array | None, zero: int) -> npt.NDArray[np.int32]:
    """Apply the formula of `integer.py` to int32[example, *out]; `sum_of` is overwritten."""
    if rule.before:
        sum_of += np.int32((1 << rule.before) >> 1)
        sum_of >>= np.int32(rule.before)
    sum_of *= multiplier
    if old is not None:
        sum_of += (old.astype(np.int32) - np.int32(rule.old_zero)) * np.int32(rule.addend)
    if rule.after:
        sum_of += np.int32((1 << rule.after) >> 1)
        sum_of >>= np.int32(rule.after)
    sum_of += np.int32(zero)
    return np.clip(sum_of, rule.low, rule.high, out=sum_of)


def place_of(view: View, memory: Memory) -> Array:
    """View the elements of a view without an index, [example, *shape], in the memory itself."""
    flat = memory[view.buffer]
    strides = (flat.strides[0], *(stride * flat.itemsize for stride in view.strides))
    return np.lib.stride_tricks.as_strided(flat[:, view.offset :], (len(flat), *view.shape), strides)


def gathered(view: View, memory: Memory) -> Array:
    """Give the elements of a view, [example, *shape]; the first extent is 1 for a weight without an index."""
    if view.index is None:
        return place_of(view, memory)
    index = view.index
    ints = place_of(View(index.buffer, index.offset, view.shape, index.strides), memory).astype(np.int64)
    addresses = ints * index.step + view.offset
    for axis, (extent, stride) in enumerate(zip(view.shape, view.strides, strict=True)):
        addresses += (np.arange(extent) * stride).reshape([-1 if place == axis else 1 for place in range(len(view.shape))])
    flat = memory[view.buffer]
    if len(flat) == 1:
        found: Array = flat[0][addresses]
        return found
    return np.take_along_axis(flat, addresses.reshape(len(flat), -1), 1).reshape(addresses.shape)


def products(step: IntegerMatmul | Matmul, a: Array, b: Array) -> Array:
    """Give ``sum_k a * b`` over floats, [example, *out]; the first extent of `a` or `b` may be 1."""
    axes = step.axes
    batch = math.prod(step.out.shape[: axes.batch])
    rows = math.prod(step.out.shape[axes.batch : axes.batch + axes.rows])
    columns = math.prod(step.out.shape[axes.batch + axes.rows :])
    inner = math.prod(step.a.shape[axes.batch + axes.rows :])
    left, right = a.reshape(len(a), batch, rows, inner), b.reshape(len(b), batch, inner, columns)
    if inner == 1:
        made = left * right
    elif len(right) == 1:  # the examples are rows, too
        tall = left.transpose(1, 0, 2, 3).reshape(batch, len(left) * rows, inner)
        made = (tall @ right[0]).reshape(batch, len(left), rows, columns).transpose(1, 0, 2, 3)
    else:
        made = left @ right
    return made.reshape(len(made), *step.out.shape)


def _exact_type(most: int) -> type:
    """Give the float type in which sums of this magnitude are exact."""
    return np.float32 if most < 1 << 24 else np.float64
