"""Random valid graphs for property tests: any views, zero and negative strides, overlaps, indices, every flag."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from tacit.ir.addresses import bounds, overlap
from tacit.ir.graph import Axes, Buffer, Graph, Index, Instruction, Matmul, Relu, View
from tacit.ir.operations import operands_of

Draw = st.DrawFn


@dataclass
class _Growing:
    buffers: list[Buffer] = field(default_factory=list)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    instructions: list[Instruction] = field(default_factory=list)
    readable: list[str] = field(default_factory=list)

    def buffer(self, name: str) -> Buffer:
        return next(buffer for buffer in self.buffers if buffer.name == name)


def _shuffled_dense(draw: Draw, shape: tuple[int, ...], *, whole: bool) -> tuple[int, tuple[int, ...], int]:
    """Draw strides under which no element is named twice; give the offset, the strides and the size of a buffer for them."""
    order = draw(st.permutations(range(len(shape))))
    strides, reach, offset = [0] * len(shape), 1, 0
    for axis in order:
        gap = 0 if whole else draw(st.integers(0, 2))
        stride = reach + gap
        negative = draw(st.booleans()) and shape[axis] > 1
        strides[axis] = -stride if negative else stride
        if negative:
            offset += stride * (shape[axis] - 1)
        reach = stride * (shape[axis] - 1) + reach
    start = 0 if whole else draw(st.integers(0, 3))
    return offset + start, tuple(strides), reach + start


def _read(draw: Draw, grown: _Growing, shape: tuple[int, ...], out: View, *, indexed: bool) -> View:
    """Draw a view of the given shape of anything that may be read next to `out`."""
    buffer = grown.buffer(draw(st.sampled_from(grown.readable)))
    strides = [draw(st.sampled_from([0, 0, 1, 1, 2, 3, 4, 7, -1, -2])) for _ in shape]
    index = None
    if indexed and draw(st.integers(0, 3)) == 0 and buffer.size >= 4:
        tokens = grown.buffer("tokens")
        limit = draw(st.integers(1, 3))
        steps = tuple(draw(st.sampled_from([0, 0, 1, 2])) for _ in shape)
        reach = sum(step * (extent - 1) for step, extent in zip(steps, shape, strict=True))
        if reach < tokens.size:
            step = draw(st.sampled_from([1, 2, -1, buffer.size // limit]))
            index = Index("tokens", draw(st.integers(0, tokens.size - reach - 1)), steps, step, limit)
            if abs(step) * (limit - 1) >= buffer.size:
                index = None
    for axis in range(len(shape) + 1):
        least, greatest = bounds(View(buffer.name, 0, shape, tuple(strides), index))
        if greatest - least < buffer.size or axis == len(shape):
            break
        strides[axis] = 0
    view = View(buffer.name, -least + draw(st.integers(0, buffer.size - 1 - (greatest - least))), shape, tuple(strides), index)
    if buffer.name == out.buffer and overlap(out, view, buffer.size):
        return View("x", 0, shape, tuple(0 for _ in shape))
    return view


def _out(draw: Draw, grown: _Growing, shape: tuple[int, ...]) -> View:
    """Draw a place to write to: a new buffer, or some of one that holds values as a whole."""
    old = [buffer for buffer in grown.buffers if buffer.kind == "scratch"]
    whole = draw(st.booleans())
    offset, strides, size = _shuffled_dense(draw, shape, whole=whole)
    room = [buffer for buffer in old if buffer.size >= size]
    if room and draw(st.booleans()):
        buffer = draw(st.sampled_from(room))
        return View(buffer.name, offset + draw(st.integers(0, buffer.size - size)), shape, strides)
    name = f"s{len(old)}"
    slack = 0 if whole else draw(st.integers(0, 3))
    grown.buffers.append(Buffer(name, "scratch", (size + slack,), zeroed=not whole or draw(st.booleans())))
    return View(name, offset, shape, strides)


def _add_matmul(draw: Draw, grown: _Growing, number: int) -> None:
    extents = st.lists(st.integers(1, 4), max_size=2)
    batch, rows, columns, inner = (tuple(draw(extents)) for _ in range(4))
    out = _out(draw, grown, batch + rows + columns)
    fresh = out.buffer not in grown.readable
    a = _read(draw, grown, batch + rows + inner, out, indexed=True)
    b = _read(draw, grown, batch + inner + columns, out, indexed=True)
    bias = _read(draw, grown, batch + columns, out, indexed=True) if draw(st.booleans()) else None
    accumulate = draw(st.booleans()) and (not fresh or grown.buffer(out.buffer).zeroed)
    axes = Axes(len(batch), len(rows), len(columns), len(inner))
    source = draw(st.sampled_from(["", f'net.py:{number} "q" #1']))
    grown.instructions.append(Matmul(out, a, b, axes, bias, accumulate, draw(st.booleans()), source))
    if fresh:
        grown.readable.append(out.buffer)


def _add_relu(draw: Draw, grown: _Growing) -> None:
    shape = tuple(draw(st.lists(st.integers(1, 4), max_size=3)))
    out = _out(draw, grown, shape)
    if out.buffer in grown.readable and draw(st.booleans()):
        grown.instructions.append(Relu(out, out))
        return
    grown.instructions.append(Relu(out, _read(draw, grown, shape, out, indexed=True)))
    if out.buffer not in grown.readable:
        grown.readable.append(out.buffer)


@st.composite
def graphs(draw: Draw) -> Graph:
    """Draw a valid graph; its inputs are `x` (float32) and `tokens` (int32, 0 to the least limit)."""
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grown = _Growing()
    grown.buffers += [Buffer("x", "input", (draw(st.integers(1, 30)),)), Buffer("tokens", "input", (draw(st.integers(1, 6)),), "int32")]
    grown.readable.append("x")
    for number in range(draw(st.integers(1, 3))):
        shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)))
        values = chance.normal(size=shape).astype(np.float32)
        if draw(st.booleans()):
            values[...] = draw(st.sampled_from([1.0, -1.0, 0.5]))
        grown.buffers.append(Buffer(f"w{number}", "weight", shape))
        grown.weights[f"w{number}"] = values
        grown.readable.append(f"w{number}")
    for number in range(draw(st.integers(1, 5))):
        if draw(st.integers(0, 4)):
            _add_matmul(draw, grown, number)
        else:
            _add_relu(draw, grown)
    for number, buffer in enumerate([buffer for buffer in grown.buffers if buffer.kind == "scratch"][-2:]):
        grown.buffers.append(Buffer(f"y{number}", "output", buffer.shape))
        view = View(f"y{number}", 0, buffer.shape, (1,))
        grown.instructions.append(Relu(view, View(buffer.name, 0, buffer.shape, (1,))))
    return Graph(tuple(grown.buffers), tuple(grown.instructions), grown.weights)


def sample_inputs(graph: Graph, batch: int, seed: int) -> list[np.ndarray]:
    """Make inputs [batch, *shape] for a random graph."""
    chance = np.random.default_rng(seed)
    views = [view for step in graph.instructions for _, view in operands_of(step)]
    limits = [view.index.limit for view in views if view.index is not None]
    x, tokens = graph.of_kind("input")
    return [
        chance.normal(size=(batch, math.prod(x.shape))).astype(np.float32),
        chance.integers(0, min(limits, default=1), (batch, math.prod(tokens.shape))),
    ]
