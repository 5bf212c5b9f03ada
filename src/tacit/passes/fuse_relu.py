"""Put a ReLU into the matmul whose result it alone reads."""

from __future__ import annotations

from dataclasses import replace

from tacit.ir.graph import Graph, Instruction, Matmul, Relu, View
from tacit.passes.places import canonical, is_copy, readers, writers


def fuse_relu(graph: Graph) -> Graph:
    """Replace ``t = a @ b; y = max(0, t)`` by ``y = max(0, a @ b)``, when nothing else reads or writes `t`.

    A copy that ends in a ReLU counts as one. The matmul writes where the ReLU wrote, so both views must name `t` axis by axis
    alike, and `y` may not be read or written between the two.
    """
    instructions = list(graph.instructions)
    place = 0
    while place < len(instructions):
        found = _fused(graph, instructions, place)
        if found is None:
            place += 1
            continue
        producer, fused = found
        instructions[producer] = fused
        del instructions[place]
    return Graph(graph.buffers, tuple(instructions), graph.weights)


def _as_relu(graph: Graph, instruction: Instruction) -> tuple[View, View] | None:
    """Give result and operand of a ReLU, or of a copy that ends in one."""
    if isinstance(instruction, Relu):
        return instruction.out, instruction.x
    if instruction.relu and is_copy(graph, replace(instruction, relu=False)):
        return instruction.out, instruction.a
    return None


def _fused(graph: Graph, instructions: list[Instruction], place: int) -> tuple[int, Instruction] | None:
    pair = _as_relu(graph, instructions[place])
    if pair is None:
        return None
    out, x = pair
    if graph.buffer(x.buffer).kind != "scratch" or x.index is not None or x.buffer == out.buffer:
        return None
    wrote = writers(instructions, x.buffer)
    if readers(instructions, x.buffer) != [place] or len(wrote) != 1 or wrote[0] >= place:
        return None
    producer = instructions[wrote[0]]
    if not isinstance(producer, Matmul) or producer.accumulate:
        return None
    moved = moved_view(producer.out, x, out)
    between = instructions[wrote[0] + 1 : place]
    touched = out.buffer in {view for view in readers_and_writers(between)} or out.buffer in {producer.a.buffer, producer.b.buffer}
    if moved is None or touched:
        return None
    return wrote[0], replace(producer, out=moved, relu=True)


def readers_and_writers(instructions: list[Instruction]) -> set[str]:
    """Give the buffers that are touched."""
    names = set()
    for instruction in instructions:
        names.add(instruction.out.buffer)
        names.update(view.buffer for view in ([instruction.x] if isinstance(instruction, Relu) else [instruction.a, instruction.b]))
    return names


def moved_view(written: View, read: View, target: View) -> View | None:
    """Say where a writer of `written` must write so that `target` holds what a copy of `read` into it would.

    Both views must name the same elements; None when the axes can't be matched.
    """
    if written.offset != read.offset or canonical(written) != canonical(read):
        return None
    steps = sorted(
        ((r, t, size) for size, r, t in zip(read.shape, read.strides, target.strides, strict=True) if size != 1),
        key=lambda axis: -abs(axis[0]),
    )
    strides = []
    for size, stride in zip(written.shape, written.strides, strict=True):
        found = _stride_for(size, stride, steps)
        if found is None:
            return None
        strides.append(found)
    return View(target.buffer, target.offset, written.shape, tuple(strides))


def _stride_for(size: int, stride: int, steps: list[tuple[int, int, int]]) -> int | None:
    """Find the stride in the target of an axis of the written view: it must run within axes of the copy that stay one run."""
    if size == 1:
        return 0
    for start, (read_stride, target_stride, length) in enumerate(steps):
        if read_stride == 0 or stride % read_stride or not 0 < stride // read_stride < max(length, 2):
            continue
        times = stride // read_stride
        reach, run, outer = length, read_stride, target_stride
        for other_read, other_target, other_length in reversed(steps[:start]):
            if other_read != run * length or other_target != outer * length:
                break
            reach, run, outer, length = reach * other_length, other_read, other_target, other_length
        return times * target_stride if times * size <= reach else None
    return None
