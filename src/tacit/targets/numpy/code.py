"""Write a program as straight-line Python: one statement or two for each instruction, over views of flat buffers."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence

from tacit.ir.graph import Axes, Buffer, Graph, Instruction, Matmul, View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul
from tacit.ir.integer_ranges import LIMITS
from tacit.ir.integer_verifier import shadow
from tacit.ir.interpreter import index_limits
from tacit.targets.numpy import library

WORK_ELEMENTS = 1 << 22  # of the largest intermediate array; as many examples run at once as stay below it

#: Names that generated functions use.
_TAKEN = {"np", "math", "Path", "weights", "count", "parts", "i", "a", "b", "out", "total", "run"}
_TAKEN |= {name for name in vars(library) if not name.startswith("_")}


class Code:
    """The function of one entry point, as lines of text. keys: weight -> its name in the file of weights."""

    def __init__(self, graph: Graph | IntegerGraph, keys: Mapping[str, str]) -> None:
        self.graph, self.keys = graph, keys
        self.names = identifiers([buffer.name for buffer in _buffers(graph) if buffer.kind != "weight"])
        limits = index_limits(shadow(graph) if isinstance(graph, IntegerGraph) else graph)
        self.limits = {name: [min(int(limit), 2**31) for limit in found] for name, found in limits.items()}

    @property
    def arguments(self) -> list[str]:
        """The parameters of the function."""
        return [self.names[buffer.name] for buffer in self.graph.of_kind("input")]

    @property
    def batch(self) -> int:
        """How many examples are run at once."""
        views = [getattr(step, field, step.out) for step in self.graph.instructions for field in ("a", "b", "out")]
        sizes = [view.size for view in views]
        return max(1, WORK_ELEMENTS // max([1, *sizes]))

    def lines(self) -> Iterator[str]:
        """Give the body: inputs, memory, instructions, outputs."""
        for buffer in _buffers(self.graph):
            if buffer.kind == "input":
                yield from self._input(buffer)
        yield f"count = len({self.arguments[0]})"
        for buffer in _buffers(self.graph):
            if buffer.kind in ("scratch", "output"):
                yield self._memory(buffer)
        source = ""
        for step in self.graph.instructions:
            if step.source and step.source != source:
                yield ""
                yield f"# {' '.join(step.source.split())}"
            source = step.source
            yield from self._instruction(step)
        yield ""
        outputs = [self._output(buffer) for buffer in _buffers(self.graph) if buffer.kind == "output"]
        yield f"return {outputs[0] if len(outputs) == 1 else f'({chr(44).join(outputs)})'}"

    # --- memory ------------------------------------------------------------------------------------------------------------

    def _input(self, buffer: Buffer | IntegerBuffer) -> Iterator[str]:
        name = self.names[buffer.name]
        if buffer.dtype == "int32":
            each = self.limits.get(buffer.name, [2**31])
            limits = each[0] if len(set(each)) == 1 else each
            yield f"{name} = counted({name}, {_quoted(buffer.name)}, {buffer.shape}, {limits})"
            return
        yield f"{name} = taken({name}, {_quoted(buffer.name)}, {buffer.shape})"
        if isinstance(buffer, IntegerBuffer):
            inverse = f"1 / {buffer.scale!r}" if buffer.scales is None else f"1 / np.array({list(buffer.scales)})"
            low, high = LIMITS[buffer.dtype]
            yield f"{name} = quantised({name}, {inverse}, {buffer.zero}, {low}, {high}, np.{buffer.dtype})"

    def _memory(self, buffer: Buffer | IntegerBuffer) -> str:
        name = self.names[buffer.name]
        if isinstance(buffer, IntegerBuffer):
            return f"{name} = np.full((count, {buffer.size}), {buffer.zero if buffer.zeroed else 0}, np.{buffer.dtype})"
        return f"{name} = np.{'zeros' if buffer.zeroed else 'empty'}((count, {buffer.size}), np.float32)"

    def _output(self, buffer: Buffer | IntegerBuffer) -> str:
        shaped = f"{self.names[buffer.name]}.reshape(count, {', '.join(map(str, buffer.shape))})"
        if isinstance(buffer, IntegerBuffer):
            return f"np.float32({buffer.scale!r}) * ({shaped}.astype(np.int32) - {buffer.zero}).astype(np.float32)"
        return shaped

    # --- instructions ---------------------------------------------------------------------------------------------------------

    def _instruction(self, step: Instruction | IntegerInstruction) -> Iterator[str]:
        if isinstance(step, Matmul | IntegerMatmul):
            yield f"a = {self._factor(step.a)}"
            yield f"b = {self._factor(step.b)}"
            total = f"product(a, b{_counts(step.axes)})"
            if step.bias is not None:
                total += f" + {self._view(_over_rows(step.bias, step.out, step.axes))}"
        else:
            total = self._view(step.x)
            if not isinstance(self.graph, Graph):
                zero = self._buffer(step.x).zero
                total += f".astype(np.int32) - {zero}" if zero else ".astype(np.int32)"
        yield f"out = {self._view(step.out)}"
        if isinstance(self.graph, IntegerGraph):
            yield from self._requantised(step, total)  # type: ignore[arg-type]
            return
        if isinstance(step, Matmul) and step.accumulate:
            total = f"out + {total}"
        rectified = not isinstance(step, Matmul) or step.relu
        yield f"out[...] = {f'np.maximum({total}, 0)' if rectified else total}"

    def _requantised(self, step: IntegerInstruction, total: str) -> Iterator[str]:
        rule, old = step.requantise, ""
        if isinstance(step, IntegerMatmul) and step.accumulate:
            old = f", (out.astype(np.int32) - {rule.old_zero}) * {rule.addend}"
        yield f"total = {total}"
        multiplier = self._view(rule.multiplier)
        zero = self._buffer(step.out).zero
        yield f"out[...] = requantised(total, {rule.before}, {multiplier}, {rule.after}, {zero}, {rule.low}, {rule.high}{old})"

    def _factor(self, view: View) -> str:
        """Give a factor of a product; of integers, exact and with its zero taken off."""
        found = self._view(view)
        if isinstance(self.graph, Graph):
            return found
        return f"centred({found}, {self._buffer(view).zero})"

    def _view(self, view: View) -> str:
        where = f"{self._memory_of(view.buffer)}, {view.offset}, {view.shape}, {view.strides}"
        if view.index is None:
            return f"view({where})"
        index = view.index
        integers = self._view(View(index.buffer, index.offset, view.shape, index.strides))
        return f"picked({where}, {integers}, {index.step})"

    def _memory_of(self, name: str) -> str:
        return f"weights[{_quoted(self.keys[name])}]" if name in self.keys else self.names[name]

    def _buffer(self, view: View) -> IntegerBuffer:
        found = self.graph.buffer(view.buffer)
        if not isinstance(found, IntegerBuffer):
            raise TypeError("a float graph has no zeros")
        return found


def identifiers(names: Sequence[str]) -> dict[str, str]:
    """Give each name an identifier of its own that no function of the library has."""
    found: dict[str, str] = {}
    for name in names:
        stem = re.sub(r"\W", "_", name, flags=re.ASCII)
        stem = stem if stem.isidentifier() else f"x_{stem}"
        chosen, number = stem, 2
        while chosen in _TAKEN or chosen in found.values() or keyword.iskeyword(chosen):
            chosen, number = f"{stem}_{number}", number + 1
        found[name] = chosen
    return found


def _quoted(text: str) -> str:
    """Write a string of Python in double quotes."""
    return json.dumps(text)


def _buffers(graph: Graph | IntegerGraph) -> list[Buffer | IntegerBuffer]:
    return [*graph.buffers]


def _counts(axes: Axes) -> str:
    counts = {"batch": axes.batch, "rows": axes.rows, "inner": axes.inner, "columns": axes.columns}
    return "".join(f", {role}={count}" for role, count in counts.items() if count)


def _over_rows(bias: View, out: View, axes: Axes) -> View:
    """Let a bias [batch, columns] have the shape of the result, standing still along the rows."""
    rows, still = out.shape[axes.batch : axes.batch + axes.rows], (0,) * axes.rows
    index = bias.index
    if index is not None:
        index = type(index)(index.buffer, index.offset, _between(index.strides, still, axes.batch), index.step, index.limit)
    return View(bias.buffer, bias.offset, _between(bias.shape, rows, axes.batch), _between(bias.strides, still, axes.batch), index)


def _between(values: tuple[int, ...], middle: tuple[int, ...], place: int) -> tuple[int, ...]:
    return (*values[:place], *middle, *values[place:])
