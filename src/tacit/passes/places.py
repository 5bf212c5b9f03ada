"""Who reads and writes what: the questions that every pass asks of a list of instructions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from tacit.ir.graph import Graph, Index, Instruction, Matmul, Relu, View


def views_read(instruction: Instruction) -> Iterator[View]:
    """Give the views that an instruction reads (the result too, when it accumulates)."""
    if isinstance(instruction, Relu):
        yield instruction.x
        return
    yield instruction.a
    yield instruction.b
    if instruction.bias is not None:
        yield instruction.bias
    if instruction.accumulate:
        yield instruction.out


def readers(instructions: Sequence[Instruction], name: str) -> list[int]:
    """Give the places of the instructions that read the buffer `name`, as values or as indices."""
    return [
        place
        for place, instruction in enumerate(instructions)
        if any(view.buffer == name or (view.index is not None and view.index.buffer == name) for view in views_read(instruction))
    ]


def writers(instructions: Sequence[Instruction], name: str) -> list[int]:
    """Give the places of the instructions that write the buffer `name`."""
    return [place for place, instruction in enumerate(instructions) if instruction.out.buffer == name]


def map_views(instruction: Instruction, change: Callable[[View], View]) -> Instruction:
    """Apply a change to every view of an instruction."""
    if isinstance(instruction, Relu):
        return replace(instruction, out=change(instruction.out), x=change(instruction.x))
    bias = None if instruction.bias is None else change(instruction.bias)
    return replace(instruction, out=change(instruction.out), a=change(instruction.a), b=change(instruction.b), bias=bias)


def renamed(view: View, names: dict[str, str]) -> View:
    """Put other buffers in place of those in `names`."""
    index = view.index
    if index is not None and index.buffer in names:
        index = Index(names[index.buffer], index.offset, index.strides, index.step, index.limit)
    return replace(view, buffer=names.get(view.buffer, view.buffer), index=index)


def used_names(instructions: Sequence[Instruction]) -> set[str]:
    """Give the buffers that the instructions name."""
    found: set[str] = set()

    def note(view: View) -> View:
        found.add(view.buffer)
        if view.index is not None:
            found.add(view.index.buffer)
        return view

    for instruction in instructions:
        map_views(instruction, note)
    return found


def uniform_weight(graph: Graph, view: View) -> float | None:
    """Give the one number that a view of a weight names; None when it names several or is no weight."""
    if graph.buffer(view.buffer).kind != "weight" or view.index is not None:
        return None
    array = np.asarray(graph.weights[view.buffer]).reshape(-1)
    if array.size == 0:
        return None
    if all(stride == 0 for stride in view.strides):
        return float(array[view.offset])
    return float(array[0]) if bool((array == array[0]).all()) else None


def canonical(view: View) -> tuple[tuple[int, int], ...]:
    """Give the axes of a view in order of their strides, joined where they are one run: equal for equal sets of elements.

    >>> canonical(View("x", 0, (2, 3), (3, 1)))
    ((6, 1),)
    """
    axes = [(size, stride) for size, stride in zip(view.shape, view.strides, strict=True) if size != 1]
    axes.sort(key=lambda axis: -abs(axis[1]))
    joined: list[tuple[int, int]] = []
    for size, stride in axes:
        if joined and joined[-1][1] == size * stride:
            joined[-1] = (joined[-1][0] * size, stride)
        else:
            joined.append((size, stride))
    return tuple(joined)


def is_copy(graph: Graph, instruction: Instruction) -> bool:
    """Whether an instruction only copies: ``out = a`` element by element."""
    if not isinstance(instruction, Matmul) or instruction.accumulate or instruction.relu or instruction.bias is not None:
        return False
    axes = instruction.axes
    return axes.columns == 0 and axes.inner == 0 and instruction.a.index is None and uniform_weight(graph, instruction.b) == 1.0
