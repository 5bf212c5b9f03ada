"""Choose what the integers of each buffer stand for: type, scale and zero, from what was seen on examples.

Buffers joined by copies, negations and the halves of a maximum share one scale, so that all of these are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.graph import Buffer, Graph, Instruction, Matmul, Relu, View
from tacit.ir.integer import IntegerType
from tacit.ir.integer_ranges import LIMITS
from tacit.quantisation.observing import Floats, Seen

_SHRINK = tuple(1.0 - 0.05 * step for step in range(15))  # of the range seen: what is tried
_WIDE = 8.0  # times by which the ranges of an input's elements may differ before each gets its own scale


@dataclass(frozen=True)
class Format:
    """``real = scale * (q - zero)``; `scales`: of an input whose elements have their own. `error`: relative, on the sample."""

    dtype: IntegerType
    scale: float
    zero: int
    scales: tuple[float, ...] | None = None
    error: float = 0.0


def choose_formats(graph: Graph, seen: Mapping[str, Seen], *, wide: Iterable[str] = ()) -> dict[str, Format]:
    """Give the format of every input, scratch and output buffer. wide: the buffers that get 16 bits (their groups do)."""
    chosen = set(wide) | {buffer.name for buffer in graph.of_kind("output")}
    narrow = must_be_narrow(graph)
    formats: dict[str, Format] = {}
    for group in groups(graph):
        members = [name for name in group if name in seen]
        dtype: IntegerType = "int16" if chosen & set(group) and not narrow & set(group) else "uint8"
        formats |= _group_formats([(graph.buffer(name), seen[name]) for name in members], dtype, narrow=bool(narrow & set(group)))
    for buffer in graph.of_kind("input"):
        if buffer.dtype == "int32":
            formats[buffer.name] = Format("int32", 1.0, 0)
    return formats


def must_be_narrow(graph: Graph) -> set[str]:
    """Give the buffers that meet in long products of two activations, whose sums would overflow with 16 bits."""
    found: set[str] = set()
    for step in graph.instructions:
        if isinstance(step, Matmul) and not any(graph.buffer(view.buffer).kind == "weight" for view in (step.a, step.b)):
            inner = math.prod(step.a.shape[step.axes.batch + step.axes.rows :])
            if inner > 1:
                found |= {step.a.buffer, step.b.buffer}
    return found


def groups(graph: Graph) -> list[list[str]]:
    """Give the buffers that share a scale, each buffer in one group."""
    leader = {buffer.name: buffer.name for buffer in graph.buffers if buffer.kind != "weight"}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for step in graph.instructions:
        source = copied(step, graph)
        if source is not None:
            leader[find(source.buffer)] = find(step.out.buffer)
    found: dict[str, list[str]] = {}
    for name in leader:
        found.setdefault(find(name), []).append(name)
    return list(found.values())


def copied(step: Instruction, graph: Graph) -> View | None:
    """Give the view of a buffer whose numbers an instruction copies, negates or subtracts from one another, or None."""
    if isinstance(step, Relu):
        return step.x if graph.buffer(step.x.buffer).kind != "weight" else None
    for view, other in ((step.a, step.b), (step.b, step.a)):
        if graph.buffer(view.buffer).kind == "weight" or graph.buffer(other.buffer).kind != "weight" or other.index is not None:
            continue
        values = constants(other, graph)
        inner = step.a.shape[step.axes.batch + step.axes.rows :]
        terms = int(np.prod(inner, dtype=np.int64))
        if np.all(np.abs(values) == 1.0) and (terms == 1 or (terms == 2 and sorted(values.reshape(-1)) == [-1.0, 1.0])):
            return view
    return None


def constants(view: View, graph: Graph) -> Floats:
    """Give the values of a view of a weight without an index; axes of stride 0 have extent 1."""
    flat = np.ascontiguousarray(graph.weights[view.buffer], np.float32).reshape(-1)
    shape = [extent if stride else 1 for extent, stride in zip(view.shape, view.strides, strict=True)]
    return np.lib.stride_tricks.as_strided(flat[view.offset :], shape, [stride * flat.itemsize for stride in view.strides])


def _group_formats(members: list[tuple[Buffer, Seen]], dtype: IntegerType, *, narrow: bool) -> dict[str, Format]:
    if not narrow and len(members) == 1 and members[0][0].kind == "input":
        special = _input_format(*members[0])
        if special is not None:
            return {members[0][0].name: special}
    if not members:
        return {}
    samples = {buffer.name: found.values.astype(np.float64) for buffer, found in members}
    power = sum(float(np.mean(values**2)) for values in samples.values()) or 1.0
    best: tuple[float, dict[str, Format]] | None = None
    for part in _SHRINK if dtype == "uint8" else (1.0,):
        ends = {buffer.name: (min(found.low, 0.0) * part, max(found.high, 0.0) * part) for buffer, found in members}
        scale = max(_scale(low, high, dtype) for low, high in ends.values())
        formats = {name: _placed(low, high, scale, dtype) for name, (low, high) in ends.items()}
        error = sum(_squared_error(samples[name], form) for name, form in formats.items())
        if best is None or error < best[0]:
            best = (error, formats)
    error, formats = best if best is not None else (0.0, {})
    return {name: replace(form, error=float(np.sqrt(error / power))) for name, form in formats.items()}


def _scale(low: float, high: float, dtype: IntegerType) -> float:
    """Give the least scale under which a range fits."""
    most = max(high / 32767.0, -low / 32768.0) if dtype == "int16" else (high - low) / 255.0
    return most if most > 1e-30 else 1.0


def _placed(low: float, high: float, scale: float, dtype: IntegerType) -> Format:
    return Format(dtype, scale, 0 if dtype == "int16" else int(np.clip(round(-low / scale), 0, 255)))


def rounded(values: np.ndarray, form: Format) -> np.ndarray:
    """Give the numbers that stand for `values` in a format, as reals."""
    low, high = LIMITS[form.dtype]
    scale = form.scale if form.scales is None else np.array(form.scales)
    found: np.ndarray = (np.clip(np.rint(values / scale) + form.zero, low, high) - form.zero) * scale
    return found


def _squared_error(values: np.ndarray, form: Format) -> float:
    return float(np.mean((rounded(values, form) - values) ** 2))


def _input_format(buffer: Buffer, found: Seen) -> Format | None:
    """Give an exact format for whole numbers, and 16 bits to other inputs."""
    values = found.values
    if bool(np.all(values == np.rint(values))):
        if found.low >= 0 and found.high <= 255:
            return Format("uint8", 1.0, 0)
        if found.low >= -32768 and found.high <= 32767:
            return Format("int16", 1.0, 0)
    return replace(_placed(found.low, found.high, _scale(min(found.low, 0.0), max(found.high, 0.0), "int16"), "int16"))
