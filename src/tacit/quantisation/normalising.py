"""Bring a float graph to a form in which every bias is a constant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tacit.ir.graph import Axes, Graph, Instruction, Matmul, View
from tacit.quantisation.constants import Additions, is_constant


def constant_biases(graph: Graph) -> Graph:
    """Write a bias that is not a constant (or is picked by an index) as a copy onto which the products are accumulated."""
    instructions: list[Instruction] = []
    added = Additions(graph)
    one: View | None = None
    for step in graph.instructions:
        if not isinstance(step, Matmul) or step.bias is None or (is_constant(step.bias, graph) and step.bias.index is None):
            instructions.append(step)
            continue
        axes, bias = step.axes, step.bias
        zeros = (0,) * axes.rows
        index = bias.index
        if index is not None:
            index = replace(index, strides=(*index.strides[: axes.batch], *zeros, *index.strides[axes.batch :]))
        spread = View(bias.buffer, bias.offset, step.out.shape, (*bias.strides[: axes.batch], *zeros, *bias.strides[axes.batch :]), index)
        one = one or added.view("one", np.ones(()), ())
        flat = Axes(0, len(step.out.shape), 0, 0)
        instructions.append(Matmul(step.out, spread, one, flat, accumulate=step.accumulate, source=step.source))
        instructions.append(replace(step, bias=None, accumulate=True))
    return graph if one is None else added.finish(instructions)
