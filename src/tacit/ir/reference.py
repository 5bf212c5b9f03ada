"""Run a graph with plain loops: slow, and so short that it can be checked by eye. Only tests use it.

It takes one example, follows `graph.py` word by word with float64 sums, and knows nothing of memory plans or views of
NumPy; the interpreter is compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tacit.ir.graph import Graph, Matmul, Relu, View

Memory = Mapping[str, npt.NDArray[np.float64]]


def run_reference(graph: Graph, inputs: Sequence[npt.ArrayLike]) -> list[npt.NDArray[np.float32]]:
    """Run a graph on one example: one array per input without a batch axis, one float32 array per output.

    Elements that nothing has written are NaN, so that reading one shows.
    """
    memory = {buffer.name: np.full(buffer.size, 0.0 if buffer.zeroed else np.nan) for buffer in graph.buffers}
    for name, values in graph.weights.items():
        memory[name][:] = values.reshape(-1)
    for buffer, value in zip(graph.of_kind("input"), inputs, strict=True):
        memory[buffer.name][:] = np.asarray(value, np.float32).reshape(-1) if buffer.dtype == "float32" else np.asarray(value).reshape(-1)
    for instruction in graph.instructions:
        if isinstance(instruction, Matmul):
            _matmul(instruction, memory)
        else:
            _relu(instruction, memory)
    return [memory[buffer.name].astype(np.float32).reshape(buffer.shape) for buffer in graph.of_kind("output")]


def address(view: View, place: Sequence[int], memory: Memory) -> int:
    """Give the address of the element of a view at an index of its axes."""
    found = view.offset + sum(i * stride for i, stride in zip(place, view.strides, strict=True))
    if view.index is not None:
        index = view.index
        found += index.step * int(memory[index.buffer][index.offset + sum(i * s for i, s in zip(place, index.strides, strict=True))])
    return found


def _relu(instruction: Relu, memory: Memory) -> None:
    for place in np.ndindex(*instruction.out.shape):
        x = memory[instruction.x.buffer][address(instruction.x, place, memory)]
        memory[instruction.out.buffer][address(instruction.out, place, memory)] = max(0.0, x)


def _matmul(instruction: Matmul, memory: Memory) -> None:
    axes, out, a, b, bias = instruction.axes, instruction.out, instruction.a, instruction.b, instruction.bias
    inner = a.shape[axes.batch + axes.rows :]
    for place in np.ndindex(*out.shape):
        batch, row, column = place[: axes.batch], place[axes.batch : axes.batch + axes.rows], place[axes.batch + axes.rows :]
        where = address(out, place, memory)
        total = memory[out.buffer][where] if instruction.accumulate else 0.0
        for k in np.ndindex(*inner):
            left = memory[a.buffer][address(a, batch + row + k, memory)]
            total += left * memory[b.buffer][address(b, batch + k + column, memory)]
        if bias is not None:
            total += memory[bias.buffer][address(bias, batch + column, memory)]
        memory[out.buffer][where] = np.float32(max(0.0, total) if instruction.relu else total)
