"""Run a float graph instruction by instruction on examples and note what passes through its buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tacit.ir.graph import Graph, Instruction, Relu, View
from tacit.ir.integer_interpreter import Array, Memory, gathered, place_of, products

Floats = npt.NDArray[np.float32]
SAMPLES = 1 << 17  # values kept of one buffer
WORK_ELEMENTS = 1 << 22


class FloatRun:
    """Run a graph on chunks of examples with all of its buffers in view."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        largest = max([1, *(max(view.size for view in _views(step)) for step in graph.instructions)])
        self.batch = max(1, WORK_ELEMENTS // largest)

    def chunks(self, examples: Sequence[Array]) -> Iterator[list[Array]]:
        """Cut arrays [example, *shape] into pieces that fit the memory of a run."""
        for start in range(0, len(examples[0]), self.batch):
            yield [array[start : start + self.batch] for array in examples]

    def start(self, arrays: Sequence[Array]) -> Memory:
        """Make the memory of a run: buffer -> float32[example, element]."""
        memory: Memory = {}
        count = len(arrays[0])
        for buffer in self.graph.buffers:
            if buffer.kind == "weight":
                memory[buffer.name] = np.asarray(self.graph.weights[buffer.name], np.float32).reshape(1, -1)
            elif buffer.kind != "input":
                memory[buffer.name] = np.zeros((count, buffer.size), np.float32)
        for buffer, array in zip(self.graph.of_kind("input"), arrays, strict=True):
            dtype = np.int32 if buffer.dtype == "int32" else np.float32
            memory[buffer.name] = np.ascontiguousarray(array, dtype).reshape(count, buffer.size)
        return memory

    def steps(self, memory: Memory) -> Iterator[tuple[int, Instruction]]:
        """Run one instruction after the other; give each after it has run."""
        for number, step in enumerate(self.graph.instructions):
            values = self.sums(step, memory)
            place_of(step.out, memory)[...] = np.maximum(values, 0) if isinstance(step, Relu) or step.relu else values
            yield number, step

    def sums(self, step: Instruction, memory: Memory) -> Array:
        """Give what an instruction writes, before its ReLU: float32[example or 1, *out]."""
        if isinstance(step, Relu):
            return gathered(step.x, memory)
        values = products(step, gathered(step.a, memory), gathered(step.b, memory))
        if step.bias is not None:
            shape = (*step.bias.shape[: step.axes.batch], *(1,) * step.axes.rows, *step.bias.shape[step.axes.batch :])
            bias = gathered(step.bias, memory)
            values = values + bias.reshape(len(bias), *shape)
        return values + gathered(step.out, memory) if step.accumulate else values


def _views(step: Instruction) -> tuple[View, ...]:
    return (step.out, step.x) if isinstance(step, Relu) else (step.out, step.a, step.b)


@dataclass
class Seen:
    """What passed through a buffer: extremes of all, and a sample of values."""

    low: float = np.inf
    high: float = -np.inf
    parts: list[Floats] = field(default_factory=list)

    def add(self, values: Array, most: int) -> None:
        """Note some values, at most about `most` of them in the sample, evenly spaced."""
        flat = values.reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        step = max(1, -(-flat.size // most)) | 1  # odd, so that no column of a power of two is left out
        self.parts.append(np.array(flat[::step], np.float32))

    @property
    def values(self) -> Floats:
        """Give the sample."""
        return np.concatenate(self.parts) if self.parts else np.zeros(1, np.float32)


def observe(graph: Graph, examples: Sequence[Array]) -> dict[str, Seen]:
    """Run a graph on examples and give for each input, scratch and output buffer what passed through it."""
    run = FloatRun(graph)
    seen = {buffer.name: Seen() for buffer in graph.buffers if buffer.kind != "weight" and buffer.dtype == "float32"}
    writes = {name: max(1, sum(step.out.buffer == name for step in graph.instructions)) for name in seen}
    chunks = -(-len(examples[0]) // run.batch)
    for arrays in run.chunks(examples):
        memory = run.start(arrays)
        for buffer in graph.of_kind("input"):
            if buffer.name in seen:
                seen[buffer.name].add(memory[buffer.name], SAMPLES // chunks)
        for _, step in run.steps(memory):
            name = step.out.buffer
            seen[name].add(place_of(step.out, memory), SAMPLES // (chunks * writes[name]))
    for buffer in graph.buffers:
        if buffer.zeroed:
            seen[buffer.name].low, seen[buffer.name].high = min(seen[buffer.name].low, 0.0), max(seen[buffer.name].high, 0.0)
    return seen
