"""Bring a float graph to a form in which every bias is a constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tacit.ir.graph import Axes, Buffer, Graph, Instruction, Matmul, View


def constant_biases(graph: Graph) -> Graph:
    """Write a bias that is not a constant (or is picked by an index) as a copy onto which the products are accumulated."""
    instructions: list[Instruction] = []
    one = _free("one", graph)
    for step in graph.instructions:
        if not isinstance(step, Matmul) or step.bias is None or (_constant(step.bias, graph) and step.bias.index is None):
            instructions.append(step)
            continue
        axes, bias = step.axes, step.bias
        zeros = (0,) * axes.rows
        index = bias.index
        if index is not None:
            index = replace(index, strides=(*index.strides[: axes.batch], *zeros, *index.strides[axes.batch :]))
        spread = View(bias.buffer, bias.offset, step.out.shape, (*bias.strides[: axes.batch], *zeros, *bias.strides[axes.batch :]), index)
        flat = Axes(0, len(step.out.shape), 0, 0)
        instructions.append(Matmul(step.out, spread, View(one, 0, (), ()), flat, accumulate=step.accumulate, source=step.source))
        instructions.append(replace(step, bias=None, accumulate=True))
    if len(instructions) == len(graph.instructions):
        return graph
    buffers = (*graph.buffers, Buffer(one, "weight", ()))
    return Graph(buffers, tuple(instructions), {**graph.weights, one: np.ones((), np.float32)})


def _constant(view: View, graph: Graph) -> bool:
    return graph.buffer(view.buffer).kind == "weight"


def _free(name: str, graph: Graph) -> str:
    taken, found, number = {buffer.name for buffer in graph.buffers}, name, 2
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found
