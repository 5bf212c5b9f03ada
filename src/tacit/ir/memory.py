"""Place buffers in one arena: those whose lifetimes do not meet may share memory.

Inputs, outputs and scratch all live in the arena; weights do not. An input is alive from before the first instruction
to its last read, an output from its first write to the end, scratch from its first use to its last. Placement is
offline dynamic storage allocation, which is NP-hard: several greedy orders with best fit are tried and the best is kept
(Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tacit.ir.addresses import elements
from tacit.ir.graph import Buffer, Graph
from tacit.ir.operations import operands_of, reads, touched

_SHUFFLES = 64  # orders tried after the fixed ones; the seed is fixed, so a graph always has the same plan
_WORK = 3_000_000  # comparisons of two buffers after which no further order is tried


@dataclass(frozen=True)
class Zeroing:
    """Set every element of `buffer` to 0 before the instruction numbered `before` (the count of instructions: at the end)."""

    before: int
    buffer: str


@dataclass(frozen=True, eq=False)
class MemoryPlan:
    """Where each buffer lives; all counts are in elements of 4 bytes (float32 or int32).

    offsets: of every input, output and scratch buffer that is used. elements: size of the arena. lower_bound: the most
    that is alive at one moment; no plan can be smaller. lifetimes: first and last instruction at which a buffer is alive
    (-1: before the first, the count of instructions: after the last). zeroings: what each run has to zero, in order; a
    zeroed buffer that is not listed stays as it was before the first run, when the whole arena must be 0.
    """

    offsets: Mapping[str, int]
    elements: int
    lower_bound: int
    lifetimes: Mapping[str, tuple[int, int]]
    zeroings: tuple[Zeroing, ...]


@dataclass(frozen=True)
class _Block:
    name: str
    size: int  # rounded up to the alignment
    first: int
    last: int


def plan_memory(graph: Graph, *, alignment: int = 16, sizes: Mapping[str, int] | None = None) -> MemoryPlan:
    """Place every buffer that is used; each offset is a multiple of `alignment` elements (16: a cache line).

    sizes: of the buffers, where they are not counted in elements but, say, in bytes; all counts of the plan are then in that unit.
    """
    lifetimes = buffer_lifetimes(graph)
    if sizes is None:
        sizes = {buffer.name: buffer.size for buffer in graph.buffers}
    blocks = [_Block(name, -(-sizes[name] // alignment) * alignment, *life) for name, life in lifetimes.items()]
    offsets, total = _best_placement(blocks)
    return MemoryPlan(
        offsets=offsets,
        elements=total,
        lower_bound=_most_alive([_Block(name, sizes[name], *life) for name, life in lifetimes.items()]),
        lifetimes=lifetimes,
        zeroings=_zeroings(graph, offsets, lifetimes, sizes),
    )


def buffer_lifetimes(graph: Graph) -> dict[str, tuple[int, int]]:
    """Give the first and last moment at which each input, output and used scratch buffer is alive."""
    end = len(graph.instructions)
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for number, instruction in enumerate(graph.instructions):
        for name in touched(instruction):
            first.setdefault(name, number)
            last[name] = number
    lifetimes = {}
    for buffer in graph.buffers:
        if buffer.kind == "input":
            lifetimes[buffer.name] = (-1, last.get(buffer.name, -1))
        elif buffer.kind == "output":
            lifetimes[buffer.name] = (first.get(buffer.name, end), end)
        elif buffer.kind == "scratch" and buffer.name in first:
            lifetimes[buffer.name] = (first[buffer.name], last[buffer.name])
    return lifetimes


def _most_alive(blocks: list[_Block]) -> int:
    """Sum the sizes of what is alive at the worst moment."""
    changes: dict[int, int] = {}
    for block in blocks:
        changes[block.first] = changes.get(block.first, 0) + block.size
        changes[block.last + 1] = changes.get(block.last + 1, 0) - block.size
    alive = most = 0
    for moment in sorted(changes):
        alive += changes[moment]
        most = max(most, alive)
    return most


def _best_placement(blocks: list[_Block]) -> tuple[dict[str, int], int]:
    """Try several orders and keep the smallest arena; stop at the lower bound."""
    bound = _most_alive(blocks)
    breadth = _conflict_sizes(blocks)
    keys: list[Callable[[_Block], tuple[float, ...]]] = [
        lambda block: (-block.size, block.first),
        lambda block: (-block.size * (block.last - block.first + 1), block.first),
        lambda block: (-breadth[block.name], -block.size),
        lambda block: (-(block.last - block.first), -block.size),
        lambda block: (block.first, -block.size),
        lambda block: (block.last, -block.size),
    ]
    best: tuple[dict[str, int], int] = ({}, 0)
    best_order: list[_Block] = []
    work, chance = 0, random.Random(0)
    for attempt in range(len(keys) + _SHUFFLES):
        order = sorted(blocks, key=keys[attempt]) if attempt < len(keys) else _nearby(best_order, chance)
        offsets, total = _place(order)
        if not best_order or total < best[1]:
            best, best_order = (offsets, total), order
        work += len(blocks) ** 2
        if best[1] <= bound or (attempt >= len(keys) and work > _WORK):
            break
    return best


def _conflict_sizes(blocks: list[_Block]) -> dict[str, int]:
    """Give for each block the most that is alive at one moment of its life."""
    moments = sorted({block.first for block in blocks} | {block.last for block in blocks})
    place = {moment: number for number, moment in enumerate(moments)}
    alive = np.zeros(len(moments), np.int64)
    for block in blocks:
        alive[place[block.first] : place[block.last] + 1] += block.size
    return {block.name: int(alive[place[block.first] : place[block.last] + 1].max()) for block in blocks}


def _nearby(order: list[_Block], chance: random.Random) -> list[_Block]:
    """Move a few blocks of an order to other places."""
    moved = list(order)
    for _ in range(1 + chance.randrange(3)):
        block = moved.pop(chance.randrange(len(moved)))
        moved.insert(chance.randrange(len(moved) + 1), block)
    return moved


def _place(order: list[_Block]) -> tuple[dict[str, int], int]:
    """Put each block in turn into the smallest gap that holds it among the placed blocks that are alive with it."""
    placed: list[tuple[int, int, int, int]] = []  # offset, stop, first, last; by offset
    offsets: dict[str, int] = {}
    total = 0
    for block in order:
        spot, least, free = -1, -1, 0
        for offset, stop, first, last in placed:
            if first > block.last or last < block.first:
                continue
            gap = offset - free
            if gap >= block.size and (spot < 0 or gap < least):
                spot, least = free, gap
            free = max(free, stop)
        if spot < 0:
            spot = free
        offsets[block.name] = spot
        total = max(total, spot + block.size)
        placed.append((spot, spot + block.size, block.first, block.last))
        placed.sort()
    return offsets, total


def _zeroings(
    graph: Graph, offsets: Mapping[str, int], lifetimes: Mapping[str, tuple[int, int]], sizes: Mapping[str, int]
) -> tuple[Zeroing, ...]:
    """Find the zeroed buffers that a run finds dirty: those that share memory, and those that are overwritten after being read as 0."""
    zeroed = [buffer for buffer in graph.buffers if buffer.zeroed and buffer.name in offsets]
    dirtied = _dirtied(graph, zeroed)
    ranges = [(offset, offset + sizes[name], name) for name, offset in offsets.items()]
    found = []
    for buffer in zeroed:
        start, stop = offsets[buffer.name], offsets[buffer.name] + sizes[buffer.name]
        shares = any(low < stop and start < high and name != buffer.name for low, high, name in ranges)
        if shares or buffer.name in dirtied:
            found.append(Zeroing(lifetimes[buffer.name][0], buffer.name))
    return tuple(sorted(found, key=lambda zeroing: zeroing.before))


def _dirtied(graph: Graph, zeroed: list[Buffer]) -> set[str]:
    """Give the buffers in which an element is read before it is written, and written in the same run."""
    written = {buffer.name: np.zeros(buffer.size, np.bool_) for buffer in zeroed}
    needed = {buffer.name: np.zeros(buffer.size, np.bool_) for buffer in zeroed}
    for instruction in graph.instructions:
        for view in reads(instruction):
            if view.buffer in written:
                seen = np.zeros_like(written[view.buffer])
                elements(view).mark(seen)
                needed[view.buffer] |= seen & ~written[view.buffer]
        for operand, view in operands_of(instruction):
            if operand.written and view.buffer in written:
                elements(view).mark(written[view.buffer])
    return {name for name in written if bool((needed[name] & written[name]).any())}
