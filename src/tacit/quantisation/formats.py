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
from tacit.quantisation.constants import constants
from tacit.quantisation.seen import Seen

_ROOM = {"output": 2.0, "scratch": 1.25}  # times the range seen that 16 bits hold: other examples may reach further
_SHRINK = tuple(1.0 - 0.05 * step for step in range(15))  # of the range seen: what is tried


@dataclass(frozen=True)
class Format:
    """``real = scale * (q - zero)``; `scales`: of an input whose elements have their own. `error`: relative, on the sample."""

    dtype: IntegerType
    scale: float
    zero: int
    scales: tuple[float, ...] | None = None
    error: float = 0.0


def choose_formats(graph: Graph, seen: Mapping[str, Seen], inputs: Mapping[str, Format], *, wide: Iterable[str] = ()) -> dict[str, Format]:
    """Give the format of every input, scratch and output buffer. wide: the buffers that get 16 bits (their groups do)."""
    chosen = set(wide) | {buffer.name for buffer in graph.of_kind("output")}
    narrow = must_be_narrow(graph)
    formats = dict(inputs)
    for group in groups(graph):
        members = [name for name in group if name in seen and name not in inputs]
        dtype: IntegerType = "int16" if chosen & set(group) and not narrow & set(group) else "uint8"
        formats |= _group_formats([(graph.buffer(name), seen[name]) for name in members], dtype, right_factors(graph))
    return formats


def right_factors(graph: Graph) -> set[str]:
    """Give the buffers that are the right factor of a product of activations.

    With their zero in the middle of the bytes they are signed numbers of 8 bits, which is what processors multiply unsigned ones by.
    """
    steps = [step for step in graph.instructions if isinstance(step, Matmul) and step.axes.inner]
    return {step.b.buffer for step in steps if not any(graph.buffer(view.buffer).kind == "weight" for view in (step.a, step.b))}


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
    leader = {buffer.name: buffer.name for buffer in graph.buffers if buffer.kind in ("scratch", "output")}

    def find(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for step in graph.instructions:
        source = copied(step, graph)
        joined = [] if source is None else [source.buffer, step.out.buffer]
        if all(graph.buffer(name).kind == "scratch" for name in joined) and source is not None:  # outputs have 16 bits of their own
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


def _group_formats(members: list[tuple[Buffer, Seen]], dtype: IntegerType, centred: set[str]) -> dict[str, Format]:
    if not members:
        return {}
    samples = {buffer.name: found.values.astype(np.float64) for buffer, found in members}
    power = sum(float(np.mean(values**2)) for values in samples.values()) or 1.0
    best: tuple[float, dict[str, Format]] | None = None
    for part in _SHRINK if dtype == "uint8" else (1.0,):
        ends = {}
        for buffer, found in members:
            room = part if dtype == "uint8" else _ROOM[buffer.kind]
            ends[buffer.name] = min(found.low, 0.0) * room, max(found.high, 0.0) * room
        if dtype == "uint8":
            ends |= {name: _centred(low, high) for name, (low, high) in ends.items() if name in centred and low < 0.0}
        scale = max(_scale(low, high, dtype) for low, high in ends.values())
        formats = {name: _placed(low, high, scale, dtype) for name, (low, high) in ends.items()}
        error = sum(_squared_error(samples[name], form) for name, form in formats.items())
        if best is None or error < best[0]:
            best = (error, formats)
    error, formats = best if best is not None else (0.0, {})
    return {name: replace(form, error=float(np.sqrt(error / power))) for name, form in formats.items()}


def _centred(low: float, high: float) -> tuple[float, float]:
    """Widen a range so that its zero is 128."""
    most = max(-low / 128.0, high / 127.0)
    return -128.0 * most, 127.0 * most


def _scale(low: float, high: float, dtype: IntegerType) -> float:
    """Give the least scale under which a range fits."""
    most = max(high / 32767.0, -low / 32768.0) if dtype == "int16" else (high - low) / 255.0
    return most if most > 1e-30 else 1.0


def _placed(low: float, high: float, scale: float, dtype: IntegerType) -> Format:
    return Format(dtype, scale, 0 if dtype == "int16" else int(np.clip(round(-low / scale), 0, 255)))


def range_format(low: float, high: float, dtype: IntegerType) -> Format:
    """Give the format that just holds ``low ... high``, which includes 0."""
    return _placed(low, high, _scale(low, high, dtype), dtype)


def rounded(values: np.ndarray, form: Format, scale: np.ndarray | float) -> np.ndarray:
    """Give the numbers that stand for `values` in a format, as reals; scale: that of the format, for each of the values."""
    low, high = LIMITS[form.dtype]
    found: np.ndarray = (np.clip(np.rint(values / scale) + form.zero, low, high) - form.zero) * scale
    return found


def _squared_error(values: np.ndarray, form: Format) -> float:
    return float(np.mean((rounded(values, form, form.scale) - values) ** 2))
