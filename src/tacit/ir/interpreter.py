"""Run a graph with NumPy: the definition of what a graph means, prepared once and then fast.

The meaning of each operation stands in `graph.py`, and as plain loops in `reference.py`; the two are compared by tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt

from tacit.ground.errors import InputError
from tacit.ir.addresses import elements
from tacit.ir.blas import blas_threads, one_blas_thread
from tacit.ir.contraction import Array, Axis, Contraction, Operand, normal_form
from tacit.ir.graph import Buffer, Graph, Index, Matmul, Relu, View
from tacit.ir.kernels import prepare
from tacit.ir.memory import MemoryPlan, plan_memory
from tacit.ir.operations import operands_of
from tacit.ir.verifier import verify
from tacit.ir.workspace import Step, Workspace

ARENA_BYTES = 4 << 20  # `evaluate` takes fewer examples at once where their arena would no longer be near a cache


class Interpreter:
    """Run a graph on `batch` examples at once; all memory is taken when it is made, and calls take none.

    One interpreter serves one thread at a time. Raises: GraphError when the graph breaks a rule.
    """

    def __init__(self, graph: Graph, *, batch: int = 1) -> None:
        if batch < 1:
            raise InputError(f"expected a batch of at least 1, got {batch}")
        verify(graph)
        self.graph, self.batch = graph, batch
        plan = plan_memory(graph)
        self._arena = np.zeros(plan.elements * batch, np.float32)
        self._flat: dict[str, Array] = {}
        for buffer in graph.buffers:
            if buffer.kind == "weight":
                self._flat[buffer.name] = np.ascontiguousarray(graph.weights[buffer.name], np.float32).reshape(-1)
            elif buffer.name in plan.offsets:
                start = plan.offsets[buffer.name] * batch
                self._flat[buffer.name] = self._arena[start : start + buffer.size * batch]
        self._inputs = [(buffer, self._store(buffer)) for buffer in graph.of_kind("input")]
        self._outputs = [(buffer, self._flat[buffer.name]) for buffer in graph.of_kind("output")]
        self._limits = index_limits(graph)
        self._steps = self._prepared(plan)

    def _store(self, buffer: Buffer) -> npt.NDArray[np.generic]:
        flat = self._flat[buffer.name].reshape(self.batch, buffer.size)
        return flat.view(np.int32) if buffer.dtype == "int32" else flat

    def __call__(self, inputs: Sequence[npt.ArrayLike]) -> list[Array]:
        """Run once. inputs: one array [batch, *shape] per input; numbers of any type for float32, integers for int32.

        Gives one new float32 array [batch, *shape] per output. Raises: InputError for a wrong count, shape or type, or an
        integer outside the rows that it picks from.
        """
        if len(inputs) != len(self._inputs):
            raise InputError(f"expected {len(self._inputs)} input arrays, got {len(inputs)}")
        for (buffer, store), value in zip(self._inputs, inputs, strict=True):
            np.copyto(store, checked_input(buffer, value, self.batch, self._limits.get(buffer.name)).reshape(store.shape), casting="unsafe")
        with one_blas_thread(), np.errstate(all="ignore"):  # float32 overflows to infinity without a word, as on every target
            for step in self._steps:
                step()
        return [flat.reshape(self.batch, *buffer.shape).copy() for buffer, flat in self._outputs]

    def _prepared(self, plan: MemoryPlan) -> list[Step]:
        """Prepare the steps of all instructions, and before each the zeroing that it needs."""
        work = Workspace()
        zeroed: dict[int, list[str]] = {}
        for zeroing in plan.zeroings:
            zeroed.setdefault(zeroing.before, []).append(zeroing.buffer)
        for number in range(len(self.graph.instructions) + 1):
            for name in zeroed.get(number, ()):
                work.add(self._flat[name].fill, 0.0)
            if number < len(self.graph.instructions):
                instruction = self.graph.instructions[number]
                if isinstance(instruction, Matmul):
                    prepare(self._contraction(instruction, work), work)
                else:
                    self._prepare_relu(instruction, work)
        return work.steps

    def _prepare_relu(self, instruction: Relu, work: Workspace) -> None:
        shape = [self.batch, *instruction.out.shape]
        operand, strides = self._operand(instruction.x, work, "x")
        out, places = self._operand(instruction.out, work, "out")
        work.relu(operand.view(shape, strides), out.view(shape, places))

    def _contraction(self, instruction: Matmul, work: Workspace) -> Contraction:
        """Make the problem of a matmul over the examples and the axes of its views."""
        axes = instruction.axes
        out, s_out = self._operand(instruction.out, work, "out")
        a, s_a = self._operand(instruction.a, work, "a")
        b, s_b = self._operand(instruction.b, work, "b")
        bias, s_bias = None, [0] * (1 + axes.batch + axes.columns)
        if instruction.bias is not None:
            bias, s_bias = self._operand(instruction.bias, work, "bias")
        first_row, first_column = 1 + axes.batch, 1 + axes.batch + axes.rows
        shape, found = instruction.out.shape, [Axis("stack", self.batch, s_out[0], s_a[0], s_b[0], s_bias[0])]
        for i in range(1, first_row):
            found.append(Axis("stack", shape[i - 1], s_out[i], s_a[i], s_b[i], s_bias[i]))
        for i in range(first_row, first_column):
            found.append(Axis("row", shape[i - 1], s_out[i], s_a[i], 0, 0))
        for j in range(axes.columns):
            i = first_column + j
            found.append(Axis("column", shape[i - 1], s_out[i], 0, s_b[first_row + axes.inner + j], s_bias[first_row + j]))
        for j in range(axes.inner):
            extent = instruction.a.shape[axes.batch + axes.rows + j]
            found.append(Axis("inner", extent, 0, s_a[first_column + j], s_b[first_row + j], 0))
        return normal_form(Contraction(tuple(found), out, a, b, bias, instruction.accumulate, instruction.relu))

    def _operand(self, view: View, work: Workspace, slot: str) -> tuple[Operand, list[int]]:
        """Give the memory of a view and its strides, that of the examples first; an indexed view is gathered in a step."""
        if view.index is not None:
            return self._gathered(view, view.index, work, slot)
        buffer = self.graph.buffer(view.buffer)
        constant = buffer.kind == "weight"
        return Operand(self._flat[view.buffer], view.offset, constant), [0 if constant else buffer.size, *view.strides]

    def _gathered(self, view: View, index: Index, work: Workspace, slot: str) -> tuple[Operand, list[int]]:
        """Prepare the gathering of an indexed view into scratch, one element for each that differs."""
        source, integers = self.graph.buffer(view.buffer), self.graph.buffer(index.buffer)
        shape = [n if stride or step else 1 for n, stride, step in zip(view.shape, view.strides, index.strides, strict=True)]
        picked = [place for place, step in enumerate(index.strides) if step]
        rest = [place for place in range(len(shape)) if place not in picked]
        order = picked + rest
        extents = [shape[place] for place in order]
        ints = np.ndarray(
            [self.batch, *extents],
            np.int32,
            buffer=self._flat[index.buffer].data,
            offset=index.offset * 4,
            strides=[integers.size * 4, *[index.strides[place] * 4 for place in order]],
        )
        scratch = work.scratch(f"index {slot}", [self.batch, *extents])
        flat = self._flat[view.buffer]
        width = math.prod(shape[place] for place in rest)
        rows_lie_together = [view.strides[place] for place in rest] == [math.prod(shape[place + 1 :]) for place in rest] and rest == list(
            range(len(picked), len(shape))
        )
        if source.kind == "weight" and width == index.step and rows_lie_together and not any(view.strides[place] for place in picked):
            table = flat[view.offset : view.offset + index.limit * width].reshape(index.limit, width)
            rows = ints[(slice(None),) * (1 + len(picked)) + (0,) * len(rest)]
            work.steps.append(partial(np.take, table, rows, 0, scratch.reshape(*rows.shape, width), "clip"))
        else:
            static = np.full([self.batch, *extents], view.offset, np.int64)
            example = 0 if source.kind == "weight" else source.size
            for axis, stride in enumerate([example, *[view.strides[place] for place in order]]):
                static += (np.arange(static.shape[axis]) * stride).reshape([-1 if n == axis else 1 for n in range(static.ndim)])
            addresses = np.empty_like(static)
            work.add(np.multiply, ints, np.int64(index.step), addresses)
            work.add(np.add, addresses, static, addresses)
            work.steps.append(partial(np.take, flat, addresses, 0, scratch, "clip"))
        dense = [math.prod(extents[place + 1 :]) for place in range(len(extents))]
        strides = [0] * len(shape)
        for place, stride in zip(order, dense, strict=True):
            strides[place] = stride if shape[place] == view.shape[place] else 0
        return Operand(scratch.reshape(-1), 0), [math.prod(extents), *strides]


def index_limits(graph: Graph) -> dict[str, npt.NDArray[np.int64]]:
    """Give for each integer input the least number that each of its elements must stay below."""
    limits: dict[str, npt.NDArray[np.int64]] = {}
    for instruction in graph.instructions:
        for _, view in operands_of(instruction):
            if view.index is None:
                continue
            size = graph.buffer(view.index.buffer).size
            limit = limits.setdefault(view.index.buffer, np.full(size, np.iinfo(np.int64).max))
            used = np.zeros(size, np.bool_)
            elements(View(view.index.buffer, view.index.offset, view.shape, view.index.strides)).mark(used)
            limit[used] = np.minimum(limit[used], view.index.limit)
    return limits


def checked_input(buffer: Buffer, value: npt.ArrayLike, batch: int, limits: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.generic]:
    """Give the array of one input if its shape, type and, where it picks rows, its numbers are right. Raises: InputError."""
    array = np.asarray(value)
    wanted = (batch, *buffer.shape)
    where = f"at input `{buffer.name}`"
    if array.shape != wanted:
        raise InputError(f"expected {buffer.dtype}{list(wanted)}, got {array.dtype}{list(array.shape)} - {where}")
    kinds = "iu" if buffer.dtype == "int32" else "fiub"
    if array.dtype.kind not in kinds:
        raise InputError(f"expected numbers for {buffer.dtype}, got {array.dtype} - {where}")
    if limits is not None:
        flat = array.reshape(batch, buffer.size)
        bad = (flat < 0) | (flat >= limits)
        if bad.any():
            example, element = (int(place) for place in np.argwhere(bad)[0])
            where += f", example {example}, element {element}"
            raise InputError(f"expected an integer from 0 to {limits[element] - 1}, got {flat[example, element]} - {where}")
    return array


def fitting(graph: Graph) -> int:
    """Give how many examples `evaluate` takes at once at the most, by their arena."""
    return max(1, ARENA_BYTES // max(1, plan_memory(graph).elements * 4))


def evaluate(graph: Graph, inputs: Sequence[npt.ArrayLike], *, batch: int = 256) -> list[Array]:
    """Run a graph on any number of examples, at most `batch` at once (fewer where their arena would pass 4 MB).

    As many chunks run side by side as BLAS has threads (``OMP_NUM_THREADS``). inputs: one array [examples, *shape] per input.
    Gives one float32 array [examples, *shape] per output.
    Raises: GraphError, and InputError as `Interpreter` does.
    """
    arrays = [np.asarray(value) for value in inputs]
    counts = {len(array) if array.ndim else 0 for array in arrays}
    if len(counts) != 1:
        raise InputError(f"expected inputs of equally many examples, got {[list(array.shape) for array in arrays]}")
    count = counts.pop()
    outputs = [np.empty((count, *buffer.shape), np.float32) for buffer in graph.of_kind("output")]
    if batch < 1:
        raise InputError(f"expected a batch of at least 1, got {batch}")
    if count == 0:
        return outputs
    verify(graph)
    limits = index_limits(graph)
    if len(arrays) == len(graph.of_kind("input")):  # here, so that an error names the example of the whole and not of a chunk
        for buffer, array in zip(graph.of_kind("input"), arrays, strict=True):
            checked_input(buffer, array, count, limits.get(buffer.name))
    size = min(batch, count, fitting(graph))
    starts = range(0, count, size)
    workers = min(blas_threads(), len(starts))

    def work(worker: int) -> None:
        run = Interpreter(graph, batch=size)
        for start in starts[worker::workers]:
            taken = min(size, count - start)
            chunk = [array[start : start + taken] for array in arrays]
            if taken < size:
                chunk = [np.concatenate([part, np.zeros((size - taken, *part.shape[1:]), part.dtype)]) for part in chunk]
            for whole, part in zip(outputs, run(chunk), strict=True):
                whole[start : start + taken] = part[:taken]

    with one_blas_thread():
        if workers == 1:
            work(0)
        else:
            with ThreadPoolExecutor(workers) as pool:
                list(pool.map(work, range(workers)))
    return outputs
