"""Hold the rules of an integer graph: those of every graph, types and scales, and the proof that no 32-bit number overflows.

The proof is interval arithmetic from the actual weights (`integer_ranges.py`), so it holds for every input. All problems are
reported in one error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from tacit.ground.errors import GraphError, raise_all
from tacit.ir.addresses import bounds
from tacit.ir.graph import Buffer, Graph, Instruction, Matmul, Relu, View
from tacit.ir.integer import BYTES, IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul
from tacit.ir.integer_ranges import LIMITS, Interval, buffer_ranges, constant, old_interval, sums, view_interval
from tacit.ir.verifier import verify

_ACTIVATIONS = ("uint8", "int16")
_MOST = (1 << 31) - 1
_LARGEST = float(np.finfo(np.float32).max)


def verify_integers(graph: IntegerGraph) -> None:
    """Check every rule. Raises: GraphError that names all problems, by instruction number and view."""
    problems = [*_buffer_problems(graph), *_weight_problems(graph)]
    raise_all(problems, heading="expected a valid integer graph", error=GraphError)
    verify(shadow(graph))
    for number, instruction in enumerate(graph.instructions):
        problems += [f"{_where(number, instruction)}: {problem}" for problem in _type_problems(instruction, graph)]
    raise_all(problems, heading="expected a valid integer graph", error=GraphError)
    ranges = buffer_ranges(graph)
    for number, instruction in enumerate(graph.instructions):
        problems += [f"{_where(number, instruction)}: {problem}" for problem in overflows(instruction, graph, ranges)]
    raise_all(problems, heading="expected 32-bit sums that can't overflow", error=GraphError)


def shadow(graph: IntegerGraph) -> Graph:
    """Give the float graph of the same views, with weights of 0: what is true of its addresses is true of the integer graph's."""
    buffers = []
    for buffer in graph.buffers:
        picks = buffer.kind == "input" and buffer.dtype == "int32"
        buffers.append(Buffer(buffer.name, buffer.kind, buffer.shape, "int32" if picks else "float32", buffer.zeroed))
    zeros = {buffer.name: np.zeros(buffer.shape, np.float32) for buffer in graph.of_kind("weight")}
    return Graph(tuple(buffers), tuple(map(_float_instruction, graph.instructions)), zeros)


def _float_instruction(step: IntegerInstruction) -> Instruction:
    if isinstance(step, IntegerMatmul):
        return Matmul(step.out, step.a, step.b, step.axes, step.bias, step.accumulate, source=step.source)
    return Relu(step.out, step.x, step.source)


def _where(number: int, instruction: IntegerInstruction) -> str:
    return f"instruction {number} ({'matmul' if isinstance(instruction, IntegerMatmul) else 'relu'} -> {instruction.out.buffer})"


def _buffer_problems(graph: IntegerGraph) -> Iterator[str]:
    for buffer in graph.buffers:
        where = f"buffer `{buffer.name}`"
        if buffer.dtype not in BYTES:
            yield f"{where}: expected a type of {', '.join(BYTES)}, got {buffer.dtype!r}"
            continue
        allowed = _allowed(buffer)
        if buffer.dtype not in allowed:
            yield f"{where}: expected {' or '.join(allowed)} for a buffer of kind {buffer.kind}, got {buffer.dtype}"
        low, high = LIMITS[buffer.dtype]
        if not low <= buffer.zero <= high:
            yield f"{where}: expected a zero from {low} to {high}, got {buffer.zero}"
        scales = (buffer.scale,) if buffer.scales is None else buffer.scales
        if not all(math.isfinite(scale) and scale > 0 for scale in scales):
            yield f"{where}: expected finite scales above 0"
        elif buffer.kind == "input" and not all(1 / scale < _LARGEST for scale in scales):
            yield f"{where}: expected scales whose inverse is a float32"
        yield from _special_problems(buffer, where)


def _allowed(buffer: IntegerBuffer) -> tuple[str, ...]:
    return {"weight": ("int8", "int32"), "input": (*_ACTIVATIONS, "int32")}.get(buffer.kind, _ACTIVATIONS)


def _special_problems(buffer: IntegerBuffer, where: str) -> Iterator[str]:
    if buffer.scales is not None:
        if buffer.kind != "input" or buffer.dtype == "int32":
            yield f"{where}: only a float input may have a scale per element"
        elif len(buffer.scales) != buffer.size:
            yield f"{where}: expected {buffer.size} scales, got {len(buffer.scales)}"
    if buffer.kind in ("weight", "input") and buffer.dtype in ("int8", "int32") and (buffer.zero != 0):
        yield f"{where}: expected a zero of 0, got {buffer.zero}"


def _weight_problems(graph: IntegerGraph) -> Iterator[str]:
    names = {buffer.name for buffer in graph.of_kind("weight")}
    for name in sorted(set(graph.weights) - names):
        yield f"weight `{name}`: has values but is not declared as a weight"
    for buffer in graph.of_kind("weight"):
        values = graph.weights.get(buffer.name)
        if values is None:
            yield f"weight `{buffer.name}`: has no values"
        elif values.dtype != np.dtype(buffer.dtype) or values.shape != buffer.shape:
            yield f"weight `{buffer.name}`: expected {buffer.dtype}{list(buffer.shape)}, got {values.dtype}{list(values.shape)}"


def _type_problems(instruction: IntegerInstruction, graph: IntegerGraph) -> Iterator[str]:
    """Find what is wrong with types, multiplier, shifts and clip of one instruction."""
    rule, out = instruction.requantise, graph.buffer(instruction.out.buffer)
    if isinstance(instruction, IntegerMatmul):
        for field, view in (("a", instruction.a), ("b", instruction.b)):
            if graph.buffer(view.buffer).dtype == "int32":
                yield f"{field}: expected 8- or 16-bit integers, `{view.buffer}` is int32"
        if instruction.bias is not None:
            yield from _constant_problems("bias", instruction.bias, graph)
        if not instruction.accumulate and (rule.addend or rule.old_zero):
            yield f"expected no addend without `accumulate`, got {rule.addend} (old zero {rule.old_zero})"
    elif rule.before or rule.addend or rule.old_zero:
        yield "expected a ReLU to have neither `before` nor addend"
    yield from _constant_problems("multiplier", rule.multiplier, graph)
    if rule.multiplier.shape != instruction.out.shape:
        yield f"multiplier: expected the shape of out, {list(instruction.out.shape)}, got {list(rule.multiplier.shape)}"
    for name, shift in (("before", rule.before), ("after", rule.after)):
        if not 0 <= shift <= 30:
            yield f"expected a shift `{name}` from 0 to 30, got {shift}"
    low, high = LIMITS[out.dtype]
    if not low <= rule.low <= rule.high <= high:
        yield f"expected a clip within {low} to {high}, got {rule.low} to {rule.high}"


def _constant_problems(field: str, view: View, graph: IntegerGraph) -> Iterator[str]:
    known = {buffer.name: buffer for buffer in graph.buffers}
    if view.buffer not in known:
        yield f"{field}: there is no buffer `{view.buffer}`"
        return
    buffer = known[view.buffer]
    if buffer.kind != "weight" or buffer.dtype != "int32":
        yield f"{field}: expected an int32 weight, `{view.buffer}` is a {buffer.dtype} {buffer.kind}"
    if view.index is not None:
        yield f"{field}: may not be picked by an index"
    elif len(view.shape) != len(view.strides) or any(extent < 1 for extent in view.shape):
        yield f"{field}: expected as many strides as extents and extents of at least 1"
    else:
        least, greatest = bounds(view)
        if least < 0 or greatest >= buffer.size:
            yield f"{field}: addresses {least} to {greatest} are not all within `{view.buffer}`, which has {buffer.size} elements"


def overflows(instruction: IntegerInstruction, graph: IntegerGraph, ranges: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    """Name each intermediate of the formula that some input could bring beyond 32 bits."""
    rule, found = instruction.requantise, sums(instruction, graph, ranges)
    yield from _too_large("the sum", constant(0, int(found.partial.max())))
    half = constant((1 << rule.before) >> 1)
    yield from _too_large("the sum plus half of the first shift", found.total.plus(half))
    view = rule.multiplier
    factors = view_interval(view, graph.buffer(view.buffer), (0, 0), graph.weights[view.buffer])
    product = found.total.shifted(rule.before).times(factors)
    yield from _too_large("the sum times the multiplier", product)
    old = old_interval(instruction, ranges)
    yield from _too_large("what is added to", old)
    whole = product.plus(old)
    yield from _too_large("the sum before the last shift", whole)
    yield from _too_large("the sum plus half of the last shift", whole.plus(constant((1 << rule.after) >> 1)))
    zero = graph.buffer(instruction.out.buffer).zero
    yield from _too_large("the result before the clip", whole.shifted(rule.after).plus(constant(zero)))


def _too_large(what: str, found: Interval) -> Iterator[str]:
    low, high = int(found.low.min()), int(found.high.max())
    if low < -_MOST - 1 or high > _MOST:
        yield f"{what} can reach {low if -low > high else high}, which is not a 32-bit integer"
