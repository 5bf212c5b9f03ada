"""Turn buffers round, where a vector would otherwise be gathered element by element.

A scratch buffer of P x Q elements that is stored column by column instead of row by row means the same, so long as every view walks
either along rows or along columns: then each stride has a counterpart. The keys of attention are the case in point: their product
with the queries runs along the tokens.
"""

from __future__ import annotations

from dataclasses import replace

from tacit.ir.graph import Graph, Instruction, View
from tacit.ir.operations import operands_of
from tacit.targets.c.floats import FloatKernel
from tacit.targets.c.isa import Isa


def turn_buffers(graph: Graph, isa: Isa) -> Graph:
    """Give the graph with each buffer in the order in which all that touch it are estimated to be fastest together."""
    if isa.lanes == 1:
        return graph
    kernels = [FloatKernel(instruction, graph, isa) for instruction in graph.instructions]
    estimates = [kernel.cycles for kernel in kernels]
    for kernel in kernels:
        for name, mode in kernel.schedule.modes.items():
            operand = kernel.nest.operands[name]
            if mode != "gather" or operand.constant or graph.buffer(operand.buffer).kind != "scratch":
                continue
            vector = kernel.schedule.vector
            stride = kernel.nest.outer[vector].stride(name) if vector is not None else 0
            size = graph.buffer(operand.buffer).size
            if stride < 2 or size % stride:
                continue
            turned = _turned(graph, operand.buffer, size // stride, stride)
            if turned is None:
                continue
            touching = [
                n for n, step in enumerate(graph.instructions) if any(view.buffer == operand.buffer for _, view in operands_of(step))
            ]
            fresh = {n: FloatKernel(turned.instructions[n], turned, isa).cycles for n in touching}
            if sum(fresh.values()) < sum(estimates[n] for n in touching):
                graph = turned
                for n, estimate in fresh.items():
                    estimates[n] = estimate
    return graph


def _turned(graph: Graph, buffer: str, rows: int, columns: int) -> Graph | None:
    """Give the graph with a buffer of `rows` x `columns` stored by columns, or None when some view does not allow it."""
    instructions: list[Instruction] = []
    for instruction in graph.instructions:
        changed: dict[str, View] = {}
        for operand, view in operands_of(instruction):
            if view.buffer != buffer:
                continue
            found = _turned_view(view, rows, columns)
            if found is None:
                return None
            changed[operand.field] = found
        instructions.append(replace(instruction, **changed) if changed else instruction)  # type: ignore[arg-type]
    return Graph(graph.buffers, tuple(instructions), graph.weights)


def _turned_view(view: View, rows: int, columns: int) -> View | None:
    """Give the view of the same elements in the other order.

    >>> _turned_view(View("k", 2, (4, 3), (8, 1)), 4, 8)
    View(buffer='k', offset=8, shape=(4, 3), strides=(1, 4), index=None)
    """
    row, column = divmod(view.offset, columns)
    least, most = column, column
    strides = []
    for extent, stride in zip(view.shape, view.strides, strict=True):
        if stride % columns == 0:
            strides.append(stride // columns)
        else:
            strides.append(stride * rows)
            least, most = least + min(0, stride * (extent - 1)), most + max(0, stride * (extent - 1))
    if least < 0 or most >= columns or view.index is not None:
        return None
    return View(view.buffer, column * rows + row, view.shape, tuple(strides), None)
