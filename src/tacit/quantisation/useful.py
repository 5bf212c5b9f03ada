"""Which values of a buffer make a difference: what every reader clips anyway needs no integers.

``clip(x, 0, 8)`` is ``8 - relu(8 - relu(x))``: of the inner ReLU only values up to 8 matter, although its input may reach thousands.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tacit.ir.graph import Graph, Instruction, Matmul, Relu, View
from tacit.ir.integer_interpreter import gathered, place_of
from tacit.quantisation import aligning
from tacit.quantisation.constants import constants
from tacit.quantisation.weights import Reals

Limits = Mapping[str, tuple[Reals, Reals]]


def useful_values(graph: Graph) -> Limits:
    """Give for each input, scratch and output buffer the least and greatest value of each element that readers tell apart."""
    low = {buffer.name: np.full(buffer.size, np.inf) for buffer in graph.buffers if buffer.kind != "weight" and buffer.dtype == "float32"}
    high = {name: np.full(array.size, -np.inf) for name, array in low.items()}
    for buffer in graph.of_kind("output"):
        low[buffer.name][:], high[buffer.name][:] = -np.inf, np.inf
    for step in reversed(graph.instructions):
        _note(step, graph, low, high)
    for name in low:  # an element that nothing reads may be anything
        unread = low[name] > high[name]
        low[name][unread] = high[name][unread] = 0.0
    return {name: (low[name], high[name]) for name in low}


def _note(step: Instruction, graph: Graph, low: dict[str, Reals], high: dict[str, Reals]) -> None:
    """Widen the limits of what an instruction reads."""
    wanted = [place_of(step.out, {step.out.buffer: side[step.out.buffer][None]})[0] for side in (low, high)]
    if isinstance(step, Relu):
        _widen(step.x, np.maximum(wanted[0], 0), np.maximum(wanted[1], 0), graph, low, high)
        return
    operand = None if step.accumulate else varying(step, graph)
    if operand is None:
        everything = [(step.a, True), (step.b, True), (step.bias, True), (step.out, step.accumulate)]
        for view in (view for view, read in everything if read and view is not None):
            _widen(view, np.array(-np.inf), np.array(np.inf), graph, low, high)
        return
    if step.relu:
        wanted = [np.maximum(side, 0) for side in wanted]
    factor, offset = affine(step, graph)
    with np.errstate(all="ignore"):
        ends = [np.where(factor == 0, np.nan, (side - offset) / factor) for side in wanted]
    least, greatest = np.where(factor < 0, ends[1], ends[0]), np.where(factor < 0, ends[0], ends[1])
    axes, view = step.axes, step.a if operand == "a" else step.b
    first = axes.batch + (0 if operand == "a" else axes.rows)
    over = tuple(range(axes.batch + axes.rows, least.ndim)) if operand == "a" else tuple(range(axes.batch, first))
    with np.errstate(all="ignore"):
        least = np.where(np.isnan(least), np.inf, least).min(over, initial=np.inf)
        greatest = np.where(np.isnan(greatest), -np.inf, greatest).max(over, initial=-np.inf)
    ones = (1,) * axes.inner
    shape = (*least.shape, *ones) if operand == "a" else (*least.shape[: axes.batch], *ones, *least.shape[axes.batch :])
    _widen(view, least.reshape(shape), greatest.reshape(shape), graph, low, high)


def varying(step: Matmul, graph: Graph) -> str | None:
    """Say which operand an instruction takes elementwise, ``out = factor * x + offset``: "a", "b", or None."""
    if aligning.terms(step) != 1 or not _plain_constant(step.bias, graph):
        return None
    if _plain_constant(step.b, graph) and graph.buffer(step.a.buffer).kind != "weight" and step.a.index is None:
        return "a"
    if _plain_constant(step.a, graph) and graph.buffer(step.b.buffer).kind != "weight" and step.b.index is None:
        return "b"
    return None


def affine(step: Matmul, graph: Graph) -> tuple[Reals, Reals]:
    """Give factor and offset of an elementwise instruction; extents of `out`, or 1."""
    axes = step.axes
    if varying(step, graph) == "a":
        factor = aligning.aligned_b(constants(step.b, graph), axes)
    else:
        factor = aligning.aligned_a(constants(step.a, graph), axes)
    offset = np.zeros((1,) * len(step.out.shape)) if step.bias is None else aligning.aligned_bias(constants(step.bias, graph), axes)
    return aligning.of_out(factor, axes), offset


def _plain_constant(view: View | None, graph: Graph) -> bool:
    return view is None or (graph.buffer(view.buffer).kind == "weight" and view.index is None)


def _widen(view: View, least: Reals, greatest: Reals, graph: Graph, low: dict[str, Reals], high: dict[str, Reals]) -> None:
    if view.buffer not in low or view.buffer not in high:
        return
    if view.index is not None:
        low[view.buffer][:], high[view.buffer][:] = -np.inf, np.inf
        return
    size = low[view.buffer].size
    addresses = gathered(view, {view.buffer: np.arange(size)[None]})[0]
    np.minimum.at(low[view.buffer], addresses, np.broadcast_to(least, view.shape))
    np.maximum.at(high[view.buffer], addresses, np.broadcast_to(greatest, view.shape))
