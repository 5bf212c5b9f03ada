"""Hold the rules of a graph: every address in its buffer, every shape right, nothing read that was not written.

`verify` reports all problems in one error. It is exact: which elements are written is kept in one boolean mask per
buffer, so that a border that is never written is found out even when a single element of it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.ground.errors import GraphError, raise_all
from tacit.ir.addresses import Mask, bounds, elements, names_twice, overlap, steps_apart
from tacit.ir.graph import Buffer, Graph, Index, Instruction, Matmul, Relu, View
from tacit.ir.operations import Operand, operands_of, operation_of, role_counts

MOST_AXES = 31  # of a view; with the axis of examples, what NumPy has room for
MOST_ELEMENTS = 1 << 31  # of all inputs, scratch and outputs: 8 GiB
MOST_MASKED = 1 << 28  # elements of buffers that are written in part: what is kept in mind of them takes a byte each
MOST_STEPS = 1 << 32  # elements of masks gone through, seconds; a graph that people run needs a thousandth


def verify(graph: Graph) -> None:
    """Check every rule. Raises: GraphError that names all problems, by instruction number and view.

    Takes seconds and 256 MiB at most, however large the extents: a graph that would need more breaks a rule by that.
    """
    problems = [*_buffer_problems(graph), *_weight_problems(graph)]
    known = {buffer.name: buffer for buffer in graph.buffers}
    written = _Written(graph)
    for number, instruction in enumerate(graph.instructions):
        where = f"instruction {number} ({operation_of(instruction).name} -> {instruction.out.buffer})"
        found = list(_instruction_problems(instruction, known, written))
        if found:
            written.assume(instruction.out.buffer)
        else:
            found = list(written.problems(instruction))
        problems += [f"{where}: {problem}" for problem in found]
    problems += written.missing_outputs()
    raise_all(problems, heading="expected a valid graph", error=GraphError)


def _buffer_problems(graph: Graph) -> Iterator[str]:
    seen: set[str] = set()
    for buffer in graph.buffers:
        where = f"buffer `{buffer.name}`"
        if buffer.name in seen:
            yield f"{where}: declared twice"
        seen.add(buffer.name)
        if buffer.kind not in ("input", "weight", "scratch", "output"):
            yield f"{where}: expected a kind of input, weight, scratch or output, got {buffer.kind!r}"
        if buffer.dtype not in ("float32", "int32"):
            yield f"{where}: expected float32 or int32, got {buffer.dtype!r}"
        elif buffer.dtype == "int32" and buffer.kind != "input":
            yield f"{where}: only an input may be int32, this is of kind {buffer.kind}"
        if any(extent < 1 for extent in buffer.shape):
            yield f"{where}: expected extents of at least 1, got {list(buffer.shape)}"
        if buffer.zeroed and buffer.kind not in ("scratch", "output"):
            yield f"{where}: only scratch and outputs may be zeroed, this is of kind {buffer.kind}"
    total = sum(buffer.size for buffer in graph.buffers if buffer.kind != "weight" and min(buffer.shape, default=1) > 0)
    if total > MOST_ELEMENTS:
        raise GraphError(f"expected inputs, scratch and outputs of at most {MOST_ELEMENTS} elements in all, got {_spelt(total)}")
    if not any(buffer.kind == "output" for buffer in graph.buffers):
        yield "the graph has no output"


def _spelt(number: int) -> str:
    return str(number) if number < 10**18 else "more than 10**18"


def _weight_problems(graph: Graph) -> Iterator[str]:
    names = {buffer.name for buffer in graph.of_kind("weight")}
    for name in sorted(set(graph.weights) - names):
        yield f"weight `{name}`: has values but is not declared as a weight"
    for buffer in graph.of_kind("weight"):
        where = f"weight `{buffer.name}`"
        if buffer.name not in graph.weights:
            yield f"{where}: has no values"
            continue
        values = graph.weights[buffer.name]
        if values.dtype != np.float32 or values.shape != buffer.shape:
            yield f"{where}: expected float32{list(buffer.shape)}, got {values.dtype}{list(values.shape)}"
        elif not bool(np.isfinite(values).all()):
            yield f"{where}: {int(np.count_nonzero(~np.isfinite(values)))} of {values.size} values are not finite"


def _instruction_problems(instruction: Instruction, known: dict[str, Buffer], written: _Written) -> Iterator[str]:
    """Find what is wrong with an instruction by itself."""
    sound = True
    for operand, view in operands_of(instruction):
        for problem in _view_problems(operand, view, known):
            sound = False
            yield f"{operand.field}: {problem}"
    shapes = list(_shape_problems(instruction))
    yield from shapes
    if not sound or shapes:
        return
    out = instruction.out
    size = known[out.buffer].size
    if not steps_apart(out):
        written.spend(elements(out).steps(size), mask=size)
    if names_twice(out, size):
        yield f"out: names an element of `{out.buffer}` twice"
    for operand, view in operands_of(instruction):
        if operand.written or view.buffer != out.buffer or (isinstance(instruction, Relu) and view == out):
            continue
        written.spend(elements(out).steps(size) + elements(view).steps(size), mask=size)
        if overlap(out, view, size):
            yield f"{operand.field}: reads elements of `{out.buffer}` that the same instruction writes"


def _view_problems(operand: Operand, view: View, known: dict[str, Buffer]) -> Iterator[str]:
    if view.buffer not in known:
        yield f"there is no buffer `{view.buffer}`"
        return
    buffer = known[view.buffer]
    if operand.written and buffer.kind in ("input", "weight"):
        yield f"writes to the {buffer.kind} `{view.buffer}`"
    if buffer.dtype != "float32":
        yield f"expected float32 elements, `{view.buffer}` is {buffer.dtype}"
    if len(view.shape) != len(view.strides):
        yield f"has {len(view.shape)} extents but {len(view.strides)} strides"
        return
    if len(view.shape) > MOST_AXES:
        yield f"expected at most {MOST_AXES} axes, got {len(view.shape)}"
        return
    if any(extent < 1 for extent in view.shape):
        yield f"expected extents of at least 1, got {list(view.shape)}"
        return
    if view.index is not None:
        yield from _index_problems(operand, view, view.index, known)
        if view.index.limit < 1:
            return
    least, greatest = bounds(view)
    if least < 0 or greatest >= buffer.size:
        yield f"addresses {least} to {greatest} are not all within `{view.buffer}`, which has {buffer.size} elements"


def _index_problems(operand: Operand, view: View, index: Index, known: dict[str, Buffer]) -> Iterator[str]:
    if operand.written:
        yield "may not be written through an index"
    if index.limit < 1:
        yield f"expected an index limit of at least 1, got {index.limit}"
    if index.buffer not in known:
        yield f"there is no buffer `{index.buffer}` to index by"
        return
    buffer = known[index.buffer]
    if buffer.kind != "input" or buffer.dtype != "int32":
        yield f"expected an int32 input to index by, `{index.buffer}` is a {buffer.dtype} {buffer.kind}"
    if len(index.strides) != len(view.shape):
        yield f"has {len(view.shape)} axes but its index {len(index.strides)} strides"
        return
    least, greatest = bounds(View(index.buffer, index.offset, view.shape, index.strides))
    if least < 0 or greatest >= buffer.size:
        yield f"index addresses {least} to {greatest} are not all within `{index.buffer}`, which has {buffer.size} elements"


def _shape_problems(instruction: Instruction) -> Iterator[str]:
    if isinstance(instruction, Relu):
        if instruction.out.shape != instruction.x.shape:
            yield f"x: expected the shape of out, {list(instruction.out.shape)}, got {list(instruction.x.shape)}"
        return
    if min(instruction.axes.batch, instruction.axes.rows, instruction.axes.columns, instruction.axes.inner) < 0:
        yield f"expected counts of axes of at least 0, got {instruction.axes}"
        return
    extents: dict[str, tuple[int, ...]] = {}
    for operand, view in operands_of(instruction):
        counts = role_counts(operand, instruction.axes)
        if len(view.shape) != sum(counts):
            said = " + ".join(f"{count} {role}" for role, count in zip(operand.roles, counts, strict=True))
            yield f"{operand.field}: expected {sum(counts)} axes ({said}), got {len(view.shape)}"
            continue
        start = 0
        for role, count in zip(operand.roles, counts, strict=True):
            part = view.shape[start : start + count]
            start += count
            if extents.setdefault(role, part) != part:
                yield f"{operand.field}: expected {role} extents {list(extents[role])} as before, got {list(part)}"


class _Written:
    """Which elements of each scratch and output buffer hold a value so far."""

    def __init__(self, graph: Graph) -> None:
        self._buffers = {buffer.name: buffer for buffer in graph.buffers if buffer.kind in ("scratch", "output")}
        self._masks: dict[str, Mask] = {}
        self._whole = {name for name, buffer in self._buffers.items() if buffer.zeroed}
        self._steps = 0

    def assume(self, name: str) -> None:
        """Take a buffer as written, so that one mistake is reported once."""
        self._whole.add(name)

    def spend(self, steps: int, *, mask: int = 0) -> None:
        """Note that so many elements are gone through, in a mask of so many. Raises: GraphError for more than is sensible."""
        self._steps += steps
        if self._steps > MOST_STEPS or mask > MOST_MASKED:
            raise GraphError("expected a graph that can be checked within seconds, got one that goes through too many elements")

    def problems(self, instruction: Instruction) -> Iterator[str]:
        """Find reads of elements that hold no value, then note what the instruction writes."""
        for operand, view in operands_of(instruction):
            if operand.written and not (isinstance(instruction, Matmul) and instruction.accumulate):
                continue
            if view.buffer in self._buffers and view.buffer not in self._whole:
                lacking = self._lacking(view)
                if lacking is not None:
                    verb = "accumulates onto" if operand.written else "reads"
                    yield f"{operand.field}: {verb} elements of `{view.buffer}` that nothing wrote, the first at {lacking}"
        out = instruction.out
        if out.buffer not in self._whole:
            named, size = elements(out), self._buffers[out.buffer].size
            if named.start == 0 and named.axes in (((1, size),), ()) and named.stop == size:
                self._fill(out.buffer)
                return
            mask = self._mask(out.buffer)
            self.spend(named.steps(size))
            named.mark(mask)
            if bool(mask.all()):
                self._fill(out.buffer)

    def missing_outputs(self) -> Iterator[str]:
        """Find outputs that are not written as a whole."""
        for name, buffer in self._buffers.items():
            if buffer.kind == "output" and name not in self._whole:
                if name not in self._masks:
                    yield f"output `{name}`: {buffer.size} of {buffer.size} elements are never written, the first at 0"
                    continue
                mask = self._mask(name)
                lacking = buffer.size - int(np.count_nonzero(mask))
                yield f"output `{name}`: {lacking} of {buffer.size} elements are never written, the first at {int(np.argmin(mask))}"

    def _fill(self, name: str) -> None:
        self._whole.add(name)
        self._masks.pop(name, None)

    def _mask(self, name: str) -> Mask:
        if name not in self._masks:
            size = self._buffers[name].size
            if size + sum(map(len, self._masks.values())) > MOST_MASKED:
                raise GraphError(
                    f"expected buffers of at most {MOST_MASKED} elements in all that are written in part, got more with `{name}`",
                    fix="write each buffer by one instruction, or declare it as zeroed",
                )
            self._masks[name] = np.zeros(size, np.bool_)
        return self._masks[name]

    def _lacking(self, view: View) -> int | None:
        """Give the first element of a view that holds no value."""
        mask, named = self._mask(view.buffer), elements(view)
        self.spend(named.steps(len(mask)))
        if bool(named.of(mask).all()):
            return None
        wanted = np.zeros_like(mask)
        named.mark(wanted)
        np.greater(wanted, mask, out=wanted)
        return int(np.argmax(wanted))
