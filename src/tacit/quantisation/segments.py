"""Write a sum of ReLUs at many knots as a sum of clipped pieces, each of which is a few bits wide.

A logarithm as ``sum_j v_j * relu(x - t_j)`` subtracts numbers of 10^4 from one another to give one of 10. The same function is
``sum_j s_j * d_j * clip((x - t_j) / d_j, 0, 1)`` with the slope ``s_j`` and the width ``d_j`` of each piece: nothing cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.graph import Axes, Graph, Instruction, Matmul
from tacit.ir.integer_interpreter import gathered, place_of
from tacit.ir.operations import reads
from tacit.quantisation import aligning
from tacit.quantisation.constants import Additions, constants, is_constant
from tacit.quantisation.seen import Seen
from tacit.quantisation.useful import affine, varying
from tacit.quantisation.weights import Reals

_CANCELLING = 4.0  # times the result that the terms may sum to before they are rewritten
_ROOM = 2.0  # times the last piece seen at which the function stops growing


@dataclass(frozen=True, eq=False)
class _Bends:
    """``relu(factor * x - knots[j])`` by one instruction, summed with `weights` by another; knots ascend with `order`."""

    made: int
    used: int
    axis: int  # of the pieces, in the output of the first
    factor: float
    knots: Reals
    weights: Reals


def clipped_pieces(graph: Graph, seen: Mapping[str, Seen]) -> Graph:
    """Rewrite every such sum whose terms cancel; seen: what passed through the buffers, for the end of the last piece."""
    for place in reversed(range(len(graph.instructions))):
        found = _bends(graph, place)
        if found is not None:
            graph = _rewritten(graph, found, seen)
    return graph


def _bends(graph: Graph, place: int) -> _Bends | None:
    step = graph.instructions[place]
    if not isinstance(step, Matmul) or not step.relu or step.accumulate or step.bias is None or varying(step, graph) != "a":
        return None
    factor, offset = affine(step, graph)
    spread = [axis for axis in range(offset.ndim) if np.ptp(offset, axis).any()]
    if len(spread) != 1 or np.ptp(factor) or float(factor.reshape(-1)[0]) <= 0 or offset.shape[spread[0]] < 3:
        return None
    if spread[0] < step.axes.batch + step.axes.rows:
        return None
    name = step.out.buffer
    writers = [number for number, other in enumerate(graph.instructions) if other.out.buffer == name]
    readers = [number for number, other in enumerate(graph.instructions) if any(view.buffer == name for view in reads(other))]
    if writers != [place] or len(readers) != 1 or graph.buffer(name).kind != "scratch":
        return None
    used = graph.instructions[readers[0]]
    if not isinstance(used, Matmul) or used.a.buffer != name or used.b.buffer == name or not _sums_over(step, spread[0], used, graph):
        return None
    knots, weights = -np.moveaxis(offset, spread[0], 0).reshape(-1), constants(used.b, graph).reshape(-1)
    return _Bends(place, readers[0], spread[0], float(factor.reshape(-1)[0]), knots, np.broadcast_to(weights, knots.shape))


def _sums_over(step: Matmul, axis: int, used: Matmul, graph: Graph) -> bool:
    """Say whether an instruction sums what `step` made over just its axis of knots, with constant weights."""
    axes, count = used.axes, step.out.shape[axis]
    if axes.inner != 1 or used.a.shape[-1] != count or axes.batch or axes.columns:
        return False
    if not is_constant(used.b, graph) or used.b.index is not None or (used.bias is not None and not is_constant(used.bias, graph)):
        return False
    labels = np.full((1, graph.buffer(step.out.buffer).size), -1)
    shape = [1] * len(step.out.shape)
    shape[axis] = count
    place_of(step.out, {step.out.buffer: labels})[...] = np.arange(count).reshape(shape)
    return used.a.index is None and bool(np.all(gathered(used.a, {step.out.buffer: labels}) == np.arange(count)))


def _rewritten(graph: Graph, found: _Bends, seen: Mapping[str, Seen]) -> Graph:
    step, used = graph.instructions[found.made], graph.instructions[found.used]
    if not isinstance(step, Matmul) or not isinstance(used, Matmul):
        return graph
    order = np.argsort(found.knots, kind="stable")
    knots, slopes = found.knots[order], np.cumsum(found.weights[order])
    most = max(float(seen[step.a.buffer].high) * found.factor, knots[-1])
    widths = np.diff(knots, append=knots[-1] + max(_ROOM * (most - knots[-1]), knots[-1] - knots[-2]))
    widths = np.maximum(widths, 1e-9 * (knots[-1] - knots[0]))
    rise = slopes * widths
    if np.sum(np.abs(found.weights) * np.maximum(most - found.knots, 0)) < _CANCELLING * np.abs(np.cumsum(rise)).max():
        return graph
    back, axes, added = np.argsort(order, kind="stable"), step.axes, Additions(graph)
    extents = [1] * (len(step.out.shape) + axes.inner)
    extents[found.axis] = len(knots)
    factor = aligning.back_to_b((found.factor / widths)[back].reshape(extents), axes)
    offset = aligning.back_to_bias((-knots / widths)[back].reshape(extents[: len(step.out.shape)]), axes)
    columns = step.out.shape[axes.batch + axes.rows :]
    scaled = replace(
        step,
        b=added.view(f"{step.out.buffer}.factor", factor, step.b.shape),
        bias=added.view(f"{step.out.buffer}.offset", offset, (*step.out.shape[: axes.batch], *columns)),
    )
    rest = added.scratch(f"{step.out.buffer}.rest", graph.buffer(step.out.buffer))
    minus, one = (added.view(name, np.array(value), ()) for name, value in (("minus_one", -1.0), ("one", 1.0)))
    turned = Matmul(replace(step.out, buffer=rest), step.out, minus, Axes(0, len(step.out.shape), 0, 0), one, relu=True, source=step.source)
    constant = rise.sum() + (0.0 if used.bias is None else constants(used.bias, graph))
    summed = replace(
        used,
        a=replace(used.a, buffer=rest),
        b=added.view(f"{used.b.buffer}.pieces", -rise[back], used.b.shape),
        bias=added.view(f"{used.b.buffer}.sum", np.asarray(constant), ()),
    )
    instructions: list[Instruction] = list(graph.instructions)
    instructions[found.used] = summed
    instructions[found.made : found.made + 1] = [scaled, turned]
    return added.finish(instructions)
