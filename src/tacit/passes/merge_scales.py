"""Put a multiplication by one number into the weights of the matmul before or after it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tacit.ir.graph import Buffer, Graph, Instruction, Matmul, View
from tacit.passes.fuse_relu import moved_view, readers_and_writers
from tacit.passes.places import readers, uniform_weight, writers


def merge_scales(graph: Graph) -> Graph:
    """Drop ``y = max(0, c * x)`` when one matmul with constant weights makes `x` and nothing else reads it.

    The weights (and the bias) are multiplied by `c`, which is exact up to rounding; a ReLU before the scale needs c >= 0.
    """
    place = 0
    while place < len(graph.instructions):
        found = _merged(graph, place)
        if found is None:
            place += 1
        else:
            graph = found
    return graph


def _scale_of(graph: Graph, instruction: Instruction) -> float | None:
    """Give `c` of an instruction ``out = c * a`` (perhaps with ReLU)."""
    if not isinstance(instruction, Matmul) or instruction.accumulate or instruction.bias is not None or instruction.a.index is not None:
        return None
    if instruction.axes.columns or instruction.axes.inner:
        return None
    return uniform_weight(graph, instruction.b)


def _merged(graph: Graph, place: int) -> Graph | None:
    scale = graph.instructions[place]
    factor = _scale_of(graph, scale)
    if factor is None or not isinstance(scale, Matmul) or graph.buffer(scale.a.buffer).kind != "scratch":
        return None
    instructions = list(graph.instructions)
    wrote = writers(instructions, scale.a.buffer)
    if len(wrote) != 1 or wrote[0] >= place or readers(instructions, scale.a.buffer) != [place]:
        return None
    producer = instructions[wrote[0]]
    if not isinstance(producer, Matmul) or producer.accumulate or (producer.relu and factor < 0):
        return None
    constants = [view for view in (producer.b, producer.bias) if view is not None]
    if any(graph.buffer(view.buffer).kind != "weight" for view in constants):
        return None
    out = moved_view(producer.out, scale.a, scale.out)
    busy = readers_and_writers(instructions[wrote[0] + 1 : place]) | {producer.a.buffer}
    if out is None or scale.out.buffer in busy:
        return None
    weights, buffers = dict(graph.weights), list(graph.buffers)
    b = _scaled(producer.b, factor, buffers, weights)
    bias = None if producer.bias is None else _scaled(producer.bias, factor, buffers, weights)
    instructions[wrote[0]] = replace(producer, out=out, b=b, bias=bias, relu=producer.relu or scale.relu)
    del instructions[place]
    return Graph(tuple(buffers), tuple(instructions), weights)


def _scaled(view: View, factor: float, buffers: list[Buffer], weights: dict[str, np.ndarray]) -> View:
    """Add a weight that is `factor` times that of the view."""
    if factor == 1.0:
        return view
    old = next(buffer for buffer in buffers if buffer.name == view.buffer)
    taken = {buffer.name for buffer in buffers}
    number = 2
    while f"{old.name}_x{number}" in taken:
        number += 1
    name = f"{old.name}_x{number}"
    buffers.append(replace(old, name=name))
    weights[name] = (np.asarray(weights[old.name], dtype=np.float64) * factor).astype(np.float32)
    return replace(view, buffer=name)
