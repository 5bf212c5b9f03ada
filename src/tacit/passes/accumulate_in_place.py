"""Let a residual be added into the memory where its first term already lies."""

from __future__ import annotations

import numpy as np

from tacit.ir.graph import Buffer, Graph, Instruction, View
from tacit.passes.places import canonical, is_copy, map_views, readers, renamed, writers


def accumulate_in_place(graph: Graph) -> Graph:
    """Drop ``y = copy of x`` when `x` is not read afterwards: `y` takes the place of `x`.

    Both buffers must have one geometry (shape and border), the copy must take all that was written to `x`, be the first to
    touch `y`, and nothing may read `x` after it.
    """
    changed = True
    while changed:
        changed = False
        for place, instruction in enumerate(graph.instructions):
            if is_copy(graph, instruction) and _can_join(graph, place):
                graph = _joined(graph, place)
                changed = True
                break
    return graph


def _can_join(graph: Graph, place: int) -> bool:
    instructions = graph.instructions
    copy = instructions[place]
    source, target = copy.a, copy.out  # type: ignore[union-attr]
    x, y = graph.buffer(source.buffer), graph.buffer(target.buffer)
    if x.kind != "scratch" or y.kind not in ("scratch", "output") or x.name == y.name or x.size != y.size or x.zeroed != y.zeroed:
        return False
    if source.offset != target.offset or source.strides != target.strides:
        return False
    wrote = writers(instructions, x.name)
    if not wrote or max(wrote) > place or max(readers(instructions, x.name)) != place:
        return False
    first_of_y = min([*writers(instructions, y.name), *readers(instructions, y.name)])
    if first_of_y != place:
        return False
    return not x.zeroed or all(_within(instructions[writer].out, source, x.size) for writer in wrote)


def _within(view: View, whole: View, size: int) -> bool:
    """Whether a view names only elements of the copied view (so that the border of `y` stays zero)."""
    if view.offset == whole.offset and canonical(view) == canonical(whole):
        return True
    named = np.zeros(size, dtype=bool)
    named[_addresses(whole)] = True
    return bool(named[_addresses(view)].all())


def _addresses(view: View) -> np.ndarray:
    found = np.full((), view.offset)
    for length, stride in zip(view.shape, view.strides, strict=True):
        found = found[..., None] + np.arange(length) * stride
    return found.reshape(-1)


def _joined(graph: Graph, place: int) -> Graph:
    copy = graph.instructions[place]
    x, y = graph.buffer(copy.a.buffer), graph.buffer(copy.out.buffer)  # type: ignore[union-attr]
    kept, gone = (y, x) if y.kind == "output" else (x, y)
    names = {gone.name: kept.name}
    instructions: list[Instruction] = [
        map_views(instruction, lambda view: renamed(view, names))
        for number, instruction in enumerate(graph.instructions)
        if number != place
    ]
    buffers: list[Buffer] = [buffer for buffer in graph.buffers if buffer.name != gone.name]
    return Graph(tuple(buffers), tuple(instructions), graph.weights)
