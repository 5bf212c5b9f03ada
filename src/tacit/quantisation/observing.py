"""Run a float graph instruction by instruction on examples and note what passes through its buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from tacit.ir.graph import Graph, Instruction, Relu, View
from tacit.ir.integer_interpreter import Array, Memory, gathered, place_of, products
from tacit.quantisation.constants import is_constant
from tacit.quantisation.formats import Format, rounded
from tacit.quantisation.seen import Floats, Seen
from tacit.quantisation.useful import Limits

SAMPLES = 1 << 17  # values kept of one buffer
WORK_ELEMENTS = 1 << 22
NO_LIMITS: Limits = MappingProxyType({})
NO_FORMATS: Mapping[str, Format] = MappingProxyType({})


class FloatRun:
    """Run a graph on chunks of examples with all of its buffers in view.

    limits: values beyond them are clipped where they are written (see `useful.py`). formats: the buffers that are rounded.
    """

    def __init__(self, graph: Graph, *, limits: Limits = NO_LIMITS, formats: Mapping[str, Format] = NO_FORMATS) -> None:
        self.graph, self.formats = graph, formats
        self.limits = {name: pair for name, pair in limits.items() if np.isfinite(pair[0]).any() or np.isfinite(pair[1]).any()}
        views = [view for step in graph.instructions for view in _views(step)]
        self.batch = max(1, WORK_ELEMENTS // max(view.size for view in views if view.index or not is_constant(view, graph)))

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
            memory[buffer.name] = np.array(array, dtype).reshape(count, buffer.size)
            self._written(View(buffer.name, 0, (buffer.size,), (1,)), memory)
        return memory

    def steps(self, memory: Memory) -> Iterator[tuple[int, Instruction]]:
        """Run one instruction after the other; give each after it has run."""
        for number, step in enumerate(self.graph.instructions):
            values = self.sums(step, memory)
            place_of(step.out, memory)[...] = np.maximum(values, 0) if isinstance(step, Relu) or step.relu else values
            self._written(step.out, memory)
            yield number, step

    def _written(self, view: View, memory: Memory) -> None:
        """Clip and round what was written to a view."""
        name = view.buffer
        if name in self.limits:
            low, high = (place_of(view, {name: side[None].astype(np.float32)}) for side in self.limits[name])
            values = place_of(view, memory)
            np.copyto(values, np.clip(values, low, high))
        if name in self.formats:
            form, values = self.formats[name], place_of(view, memory)
            scale = form.scale if form.scales is None else place_of(view, {name: np.array(form.scales)[None]})
            np.copyto(values, rounded(values, form, scale), casting="unsafe")

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


def observe(graph: Graph, examples: Sequence[Array], limits: Limits = NO_LIMITS) -> dict[str, Seen]:
    """Run a graph on examples and give for each input, scratch and output buffer what passed through it."""
    run = FloatRun(graph, limits=limits)
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
    return seen


def outputs(run: FloatRun, examples: Sequence[Array]) -> Floats:
    """Run on examples and give all outputs side by side, float32[example, element]."""
    found = []
    for arrays in run.chunks(examples):
        memory = run.start(arrays)
        for _ in run.steps(memory):
            pass
        found.append(np.concatenate([memory[buffer.name] for buffer in run.graph.of_kind("output")], 1))
    return np.concatenate(found)
