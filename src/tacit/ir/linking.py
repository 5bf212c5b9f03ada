"""Link graphs into one: the outputs of some are the inputs of others, and all of it is one straight line over one arena.

Nothing is copied where graphs meet: the buffer that one writes is the buffer that the next one reads. Weights keep their names, so a
graph that stands in a whole twice, or beside it as an entry point of its own, shares them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tacit.ground.errors import GraphError
from tacit.ir.graph import Axes, Buffer, Graph, Index, Instruction, Matmul, View
from tacit.ir.operations import operands_of


@dataclass(frozen=True)
class Source:
    """Where an array comes from: the input of the whole called `name` (place 0), or an output of the piece `name`."""

    name: str
    place: int = 0


@dataclass(frozen=True, eq=False)
class Piece:
    """One use of a graph: a name for its memory, and where each of its inputs comes from."""

    name: str
    graph: Graph
    inputs: tuple[Source, ...]


def link(inputs: Sequence[Buffer], pieces: Sequence[Piece], outputs: Sequence[Source], *, name: str = "scores") -> Graph:
    """Give the graph that runs `pieces` in order and gives `outputs`, one after the other, as one array called `name`.

    inputs: the inputs of the whole. Raises: GraphError for an input of another size or type than its source, for a source that is not
    there yet, and for two weights of one name that differ.
    """
    buffers: dict[str, Buffer] = {buffer.name: replace(buffer, kind="input") for buffer in inputs}
    found: dict[Source, _Place] = {Source(buffer.name): _Place(buffer.name, 0, buffer) for buffer in inputs}
    last = _final(pieces, outputs)
    width = sum(buffer.size for buffer, _ in last.values())
    weights: dict[str, np.ndarray] = {}
    instructions: list[Instruction] = []
    zeroed = any(buffer.zeroed for buffer, _ in last.values())
    for piece in pieces:
        moved = _inputs(piece, found)
        for buffer in piece.graph.buffers:
            if buffer.kind == "weight":
                _share(buffers, weights, buffer, piece.graph.weights[buffer.name])
            elif buffer.kind != "input":
                place = piece.graph.of_kind("output").index(buffer) if buffer.kind == "output" else None
                source = Source(piece.name, place or 0)
                if place is not None and source in last:
                    moved[buffer.name] = _Place(name, last[source][1], buffer)
                else:
                    fresh = replace(buffer, name=f"{piece.name}.{buffer.name}", kind="scratch")
                    buffers[fresh.name] = fresh
                    moved[buffer.name] = _Place(fresh.name, 0, fresh)
                if place is not None:
                    found[source] = moved[buffer.name]
        instructions += [_moved(instruction, moved) for instruction in piece.graph.instructions]
    for source, (buffer, start) in last.items():
        if source.name in buffers:  # an input that is an output as it is
            instructions.append(_copy(name, start, buffer, buffers, weights))
    buffers[name] = Buffer(name, "output", (width,), zeroed=zeroed)
    return Graph(tuple(buffers.values()), tuple(instructions), weights)


def renamed(graph: Graph, prefix: str) -> Graph:
    """Give a graph whose weights have a prefix, so that those of several programs keep apart; numbers alone need none."""
    names = {name: f"{prefix}.{name}" for name in graph.weights}
    return with_weight_names(graph, names)


def with_weight_names(graph: Graph, names: Mapping[str, str]) -> Graph:
    """Give a graph with other names for some weights."""
    moved = {old: _Place(new, 0, graph.buffer(old)) for old, new in names.items() if old in graph.weights}
    buffers = tuple(replace(buffer, name=names.get(buffer.name, buffer.name)) for buffer in graph.buffers)
    instructions = tuple(_moved(instruction, moved) for instruction in graph.instructions)
    return Graph(buffers, instructions, {names.get(name, name): array for name, array in graph.weights.items()})


def sharing_names(graphs: Mapping[str, Graph], first: str) -> dict[str, Graph]:
    """Give graphs in which equal weights have one name: that in the graph `first` where it has them, so that a file holds them once."""
    known: dict[tuple[tuple[int, ...], bytes], str] = {}
    taken: set[str] = set()
    made: dict[str, Graph] = {}
    for entry in [first, *(name for name in graphs if name != first)]:
        graph = graphs[entry]
        names: dict[str, str] = {}
        for name, array in graph.weights.items():
            content = (array.shape, np.ascontiguousarray(array, np.float32).tobytes())
            wanted = known.get(content)
            if wanted is None or wanted in names.values():
                wanted = name
                while wanted in taken or wanted in names.values():
                    wanted = f"{entry}.{wanted}"
                known.setdefault(content, wanted)
            names[name] = wanted
        taken |= set(names.values())
        made[entry] = with_weight_names(graph, names)
    return {name: made[name] for name in graphs}


def softened(graph: Graph, name: str, limit: int) -> Graph:
    """Give a graph that takes shares in place of integers: float32[*shape, limit] instead of the int32[*shape] input `name`.

    Where a row was picked, the rows are added up by their shares: a product of matrices in place of an address. With a share of 1 for one
    row and 0 for the others it computes what it did.
    """
    integers = graph.buffer(name)
    buffers = [Buffer(name, "input", (*integers.shape, limit)) if buffer.name == name else buffer for buffer in graph.buffers]
    instructions: list[Instruction] = []
    for number, instruction in enumerate(graph.instructions):
        for operand, view in operands_of(instruction):
            if view.index is not None and view.index.buffer == name:
                mixed, product = _mixed(view, view.index, f"{name}.mixed{number}.{operand.field}", limit)
                buffers.append(mixed)
                instructions.append(product)
                strides = product.out.strides
                whole = _strides_back(view, view.index, strides)
                there: dict[str, Any] = {operand.field: View(mixed.name, 0, view.shape, whole)}
                instruction = replace(instruction, **there)
        instructions.append(instruction)
    return Graph(tuple(buffers), tuple(instructions), graph.weights)


@dataclass(frozen=True)
class _Place:
    """Where a buffer of a piece stands in the whole."""

    name: str
    offset: int
    buffer: Buffer


def _final(pieces: Sequence[Piece], outputs: Sequence[Source]) -> dict[Source, tuple[Buffer, int]]:
    """Give for each output of the whole the buffer that it was and where it begins in the joined one."""
    found: dict[Source, tuple[Buffer, int]] = {}
    by_name = {piece.name: piece for piece in pieces}
    start = 0
    for source in outputs:
        if source.name not in by_name or source in found:
            raise GraphError(f"expected different outputs of pieces as outputs of the whole, got `{source.name}`")
        buffer = by_name[source.name].graph.of_kind("output")[source.place]
        found[source] = (buffer, start)
        start += buffer.size
    return found


def _inputs(piece: Piece, found: Mapping[Source, _Place]) -> dict[str, _Place]:
    """Give for each input of a piece the buffer that it is in the whole."""
    own = piece.graph.of_kind("input")
    if len(own) != len(piece.inputs):
        raise GraphError(f"expected {len(own)} sources, got {len(piece.inputs)} - at the piece `{piece.name}`")
    moved = {}
    for buffer, source in zip(own, piece.inputs, strict=True):
        place = found.get(source)
        if place is None:
            raise GraphError(f"expected a source that is computed before, got `{source.name}` - at the piece `{piece.name}`")
        if (place.buffer.size, place.buffer.dtype) != (buffer.size, buffer.dtype):
            wanted, got = f"{buffer.dtype}[{buffer.size}]", f"{place.buffer.dtype}[{place.buffer.size}]"
            raise GraphError(f"expected {wanted} for `{buffer.name}`, got {got} - at the piece `{piece.name}`")
        moved[buffer.name] = place
    return moved


def _share(buffers: dict[str, Buffer], weights: dict[str, np.ndarray], buffer: Buffer, values: np.ndarray) -> None:
    if buffer.name in weights and not np.array_equal(weights[buffer.name], values):
        raise GraphError(f"expected weights of one name to be equal, got two of `{buffer.name}`")
    buffers[buffer.name], weights[buffer.name] = buffer, values


def _moved(instruction: Instruction, moved: Mapping[str, _Place]) -> Instruction:
    """Give an instruction whose views stand where the buffers are now."""
    views: dict[str, Any] = {}
    for operand, view in operands_of(instruction):
        place, index = moved.get(view.buffer), view.index
        if index is not None and index.buffer in moved:
            index = replace(index, buffer=moved[index.buffer].name, offset=index.offset + moved[index.buffer].offset)
        there = view if place is None else replace(view, buffer=place.name, offset=view.offset + place.offset)
        views[operand.field] = replace(there, index=index)
    return replace(instruction, **views)


def _copy(name: str, start: int, buffer: Buffer, buffers: dict[str, Buffer], weights: dict[str, np.ndarray]) -> Instruction:
    """Copy a buffer into the output: by a 1, as lowering does."""
    one = np.ones((), np.float32)
    _share(buffers, weights, Buffer("one", "weight", ()), one)
    rows = (buffer.size,)
    return Matmul(View(name, start, rows, (1,)), View(buffer.name, 0, rows, (1,)), View("one", 0, (), ()), Axes(0, 1, 0, 0))


def _mixed(view: View, index: Index, name: str, limit: int) -> tuple[Buffer, Matmul]:
    """Give a buffer for the rows of an indexed view, and the product that adds them up by their shares."""
    picked = [axis for axis, step in enumerate(index.strides) if step]
    both = [axis for axis in picked if view.strides[axis]]  # where the place in the table goes on with the place of the integer
    rows = [axis for axis in picked if not view.strides[axis]]
    columns = [axis for axis, step in enumerate(index.strides) if not step]
    order = [*both, *rows, *columns]
    shape = tuple(view.shape[axis] for axis in order)
    strides, step = [0] * len(order), 1
    for place in reversed(range(len(order))):
        strides[place], step = step, step * shape[place]
    shares = View(
        index.buffer,
        index.offset * limit,
        (*(view.shape[axis] for axis in [*both, *rows]), index.limit),
        (*(index.strides[axis] * limit for axis in [*both, *rows]), 1),
    )
    table = View(
        view.buffer,
        view.offset,
        (*(view.shape[axis] for axis in both), index.limit, *(view.shape[axis] for axis in columns)),
        (*(view.strides[axis] for axis in both), index.step, *(view.strides[axis] for axis in columns)),
    )
    buffer = Buffer(name, "scratch", shape)
    out = View(name, 0, shape, tuple(strides))
    return buffer, Matmul(out, shares, table, Axes(len(both), len(rows), len(columns), 1))


def _strides_back(view: View, index: Index, strides: Sequence[int]) -> tuple[int, ...]:
    """Give the strides of the mixed rows in the order of the axes of the view that they stand for."""
    picked = [axis for axis, step in enumerate(index.strides) if step]
    order = [axis for axis in picked if view.strides[axis]] + [axis for axis in picked if not view.strides[axis]]
    order += [axis for axis, step in enumerate(index.strides) if not step]
    back = [0] * len(order)
    for place, axis in enumerate(order):
        back[axis] = strides[place]
    return tuple(back)
