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
    made = _sole_writer(instructions, scale.a.buffer, reader=place)
    if made is None:
        return None
    producer = instructions[made]
    if not isinstance(producer, Matmul) or producer.accumulate or (producer.relu and factor < 0):
        return None
    out = moved_view(producer.out, scale.a, scale.out)
    busy = readers_and_writers(instructions[made + 1 : place]) | {producer.a.buffer, producer.b.buffer}
    if out is None or scale.out.buffer in busy:
        return None
    weights, buffers = dict(graph.weights), list(graph.buffers)
    scaled_place = _weighted(graph, instructions, made, factor)
    if scaled_place is None:
        return None
    instructions[scaled_place] = _times(instructions[scaled_place], factor, buffers, weights)
    instructions[made] = replace(instructions[made], out=out, relu=producer.relu or scale.relu)  # type: ignore[arg-type]
    del instructions[place]
    return Graph(tuple(buffers), tuple(instructions), weights)


def _sole_writer(instructions: list[Instruction], name: str, *, reader: int) -> int | None:
    """Give the place of the one instruction that writes a buffer which `reader` alone reads, after it."""
    wrote = writers(instructions, name)
    return wrote[0] if len(wrote) == 1 and wrote[0] < reader and readers(instructions, name) == [reader] else None


def _weighted(graph: Graph, instructions: list[Instruction], place: int, factor: float) -> int | None:
    """Find the matmul with constant weights that can take the factor: this one, or the one that makes one of its operands.

    The second is what attention needs: the scale of ``q @ k`` goes into the weights that make `q`.
    """
    here = instructions[place]
    if not isinstance(here, Matmul):
        return None
    if _constant(graph, here):
        return place
    if here.bias is not None:
        return None
    for operand in (here.a, here.b):
        if graph.buffer(operand.buffer).kind != "scratch" or here.a.buffer == here.b.buffer:
            continue
        made = _sole_writer(instructions, operand.buffer, reader=place)
        before = None if made is None else instructions[made]
        if isinstance(before, Matmul) and not before.accumulate and _constant(graph, before) and (factor >= 0 or not before.relu):
            return made
    return None


def _constant(graph: Graph, instruction: Matmul) -> bool:
    constants = [view for view in (instruction.b, instruction.bias) if view is not None]
    return all(graph.buffer(view.buffer).kind == "weight" for view in constants)


def _times(instruction: Instruction, factor: float, buffers: list[Buffer], weights: dict[str, np.ndarray]) -> Instruction:
    if not isinstance(instruction, Matmul):
        return instruction
    bias = None if instruction.bias is None else _scaled(instruction.bias, factor, buffers, weights)
    return replace(instruction, b=_scaled(instruction.b, factor, buffers, weights), bias=bias)


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
