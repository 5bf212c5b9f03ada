"""Write the integer instruction of a float one: rounded weights, bias, and a requantisation that can't overflow."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tacit.ir.graph import Graph, Instruction, Matmul, Relu, View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerInstruction, IntegerMatmul, IntegerRelu, IntegerType, Requantise
from tacit.ir.integer_ranges import LIMITS, Sums, sums
from tacit.quantisation import aligning
from tacit.quantisation.constants import constants, dense_strides, is_constant
from tacit.quantisation.formats import Format
from tacit.quantisation.inputs import scale_of
from tacit.quantisation.shifts import Shifts, choose_shifts
from tacit.quantisation.splitting import best_cut, cut_factor, halves
from tacit.quantisation.weights import FINE, MOST, Reals, Rounded, exact, nearest

_ROUGH = 512  # part of the range of a result that its multiplier may be off by (or a step); beyond, an instruction is cut in two
_ROOM = float(1 << 24)  # steps of a result that a sum may reach where steps have to be made coarser
_BIAS = 1 << 24  # what a bias may reach, so that there is room for the sum


class TooFine(Exception):
    """The steps of a buffer are so fine that sums measured in them need more than 32 bits; `by`: how much coarser they have to be."""

    def __init__(self, buffer: str, by: float) -> None:
        super().__init__(buffer, by)
        self.buffer, self.by = buffer, by


class Emitter:
    """Collect the buffers, weights and instructions of an integer graph, in the order of the float graph."""

    def __init__(self, graph: Graph, formats: Mapping[str, Format]) -> None:
        self.graph, self.formats = graph, formats
        self.buffers: list[IntegerBuffer] = []
        self.weights: dict[str, np.ndarray] = {}
        self.instructions: list[IntegerInstruction] = []
        self._by_content: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._steps = MOST
        self._taken = {buffer.name for buffer in graph.buffers if buffer.kind != "weight"}
        for buffer in graph.buffers:
            if buffer.kind != "weight":
                form = formats[buffer.name]
                made = IntegerBuffer(buffer.name, buffer.kind, buffer.shape, form.dtype, form.scale, form.zero, buffer.zeroed, form.scales)
                self.buffers.append(made)

    def finish(self) -> IntegerGraph:
        """Give the graph as it stands, with the weights that it reads."""
        views = [view for step in self.instructions for view in (step.requantise.multiplier, *_views(step))]
        used = {view.buffer for view in views}
        weights = {name: values for name, values in self.weights.items() if name in used}
        return IntegerGraph(
            tuple(item for item in self.buffers if item.kind != "weight" or item.name in weights), tuple(self.instructions), weights
        )

    def add(self, step: Instruction) -> list[IntegerInstruction]:
        """Append the integer form of an instruction and give it; it is several where multipliers differ too much for one shift.

        Raises: TooFine.
        """
        made = self._relu(step) if isinstance(step, Relu) else self._matmul(step)
        self.instructions += made
        return made

    # --- constants ----------------------------------------------------------------------------------------------------

    def weight(self, name: str, values: np.ndarray, dtype: IntegerType) -> str:
        """Store a constant and give its name; equal constants are stored once."""
        array = np.ascontiguousarray(values, dtype).reshape(np.shape(values))
        content = (dtype, array.shape, hashlib.sha256(array.tobytes()).digest())
        if content not in self._by_content:
            free, number = name, 2
            while free in self._taken:
                free, number = f"{name}_{number}", number + 1
            self._taken.add(free)
            self._by_content[content] = free
            self.buffers.append(IntegerBuffer(free, "weight", array.shape, dtype))
            self.weights[free] = array
        return self._by_content[content]

    def dense(self, name: str, values: np.ndarray, shape: tuple[int, ...], dtype: IntegerType) -> View:
        """Store a constant whose extents are those of `shape`, or 1 where it does not vary; give the view of that shape."""
        kept = tuple(extent for extent in values.shape if extent > 1)
        return View(self.weight(name, values.reshape(kept), dtype), 0, shape, dense_strides(values.shape))

    def scale_of(self, view: View) -> Reals:
        """Give the scale of a view of an activation; extents of the view, or 1."""
        form = self.formats[view.buffer]
        if form.scales is None:
            return np.full((1,) * len(view.shape), form.scale)
        return scale_of(view, np.array(form.scales, np.float64))

    # --- instructions -------------------------------------------------------------------------------------------------

    def _relu(self, step: Relu) -> list[IntegerInstruction]:
        x, scale = step.x, np.ones((1,) * len(step.x.shape))
        if is_constant(step.x, self.graph):
            x, scale = self._table(step.x, inner=()) if step.x.index else self._plain(step.x)
        else:
            scale = self.scale_of(step.x)
        rough = IntegerRelu(step.out, x, Requantise(0, step.out, 0, 0, 0), step.source)
        return self._requantised(rough, scale, relu=True)

    def _plain(self, view: View) -> tuple[View, Reals]:
        rounded = nearest(constants(view, self.graph), tuple(range(len(view.shape))))
        return self.dense(view.buffer, rounded.integers, view.shape, "int8"), rounded.scale

    def _table(self, view: View, *, inner: tuple[int, ...]) -> tuple[View, Reals]:
        """Round a weight whose rows are picked by an index: one scale per place in a row, where rows don't overlap."""
        values = np.asarray(self.graph.weights[view.buffer], np.float64)
        index, flat = view.index, values.reshape(-1)
        reach = sum(stride * (extent - 1) for extent, stride in zip(view.shape, view.strides, strict=True))
        width = abs(index.step) if index is not None else 0
        usual = all(stride >= 0 for stride in view.strides) and not any(view.strides[axis] for axis in inner)
        if not usual or width <= reach or width == 0 or flat.size % width or view.offset % width + reach >= width:
            rounded = nearest(values, tuple(range(values.ndim)))
            return replace(view, buffer=self.weight(view.buffer, rounded.integers, "int8")), np.full(
                (1,) * len(view.shape), rounded.scale.max()
            )
        rounded = nearest(flat.reshape(-1, width), (0,))
        name = self.weight(view.buffer, rounded.integers.reshape(values.shape), "int8")
        shape = [extent if stride else 1 for extent, stride in zip(view.shape, view.strides, strict=True)]
        row = np.ascontiguousarray(rounded.scale[0])[view.offset % width :]
        scale = np.lib.stride_tricks.as_strided(row, shape, [stride * 8 for stride in view.strides]).copy()
        return replace(view, buffer=name), scale

    def _matmul(self, step: Matmul) -> list[IntegerInstruction]:
        for self._steps in (MOST, 63, 31, 15, 7, 3, 1):  # fewer where sums of 16-bit numbers would overflow
            rough, product = self._products(step)
            if int(self._sums(rough).partial.max()) < 1 << 30:
                break
        return self._requantised(rough, product, relu=step.relu)

    def _products(self, step: Matmul) -> tuple[IntegerMatmul, Reals]:
        """Give the instruction without its requantisation, and what a step of its sums is worth; extents of out, or 1."""
        axes = step.axes
        offsets = None if step.bias is None else aligning.aligned_bias(constants(step.bias, self.graph), axes)
        one = np.ones((1,) * (axes.batch + axes.rows + axes.columns + axes.inner))
        scale_b = one if is_constant(step.b, self.graph) else aligning.aligned_b(self.scale_of(step.b), axes)
        if is_constant(step.a, self.graph):
            a, scale_a, scale_b = self._constant_a(step, scale_b, offsets)
        else:
            a, scale_a = step.a, aligning.aligned_a(self.scale_of(step.a), axes)
        b = step.b
        if is_constant(b, self.graph):
            b, scale_a, scale_b = self._constant_b(step, scale_a, offsets)
        product = aligning.of_out(scale_a * scale_b, axes)
        bias = None
        if step.bias is not None and offsets is not None:
            limit = LIMITS["int32"][1] >> 2
            integers = np.clip(np.rint(offsets / product), -limit, limit).astype(np.int32)
            bias = self.dense(step.bias.buffer, aligning.back_to_bias(integers, axes), step.bias.shape, "int32")
        return IntegerMatmul(step.out, a, b, axes, Requantise(0, step.out, 0, 0, 0), bias, step.accumulate, step.source), product

    def _constant_a(self, step: Matmul, other: Reals, offsets: Reals | None) -> tuple[View, Reals, Reals]:
        """Give the rounded constant `a`, its scale and what is left of the scale of `b`; with a bias the rows share one scale."""
        axes = step.axes
        if step.a.index is not None:
            view, found = self._table(step.a, inner=tuple(range(axes.batch + axes.rows, len(step.a.shape))))
            scale = aligning.aligned_a(found, axes)
            return view, scale if step.bias is None else np.full((1,) * scale.ndim, scale.max()), other
        values = aligning.aligned_a(constants(step.a, self.graph), axes)
        inner = aligning.inner_axes(axes)
        over = inner if step.bias is None else (*inner, *aligning.row_axes(axes))
        rounded, other = self._rounded(step, values, other, over, offsets)
        return self.dense(step.a.buffer, aligning.back_to_a(rounded.integers, axes), step.a.shape, "int8"), rounded.scale, other

    def _constant_b(self, step: Matmul, other: Reals, offsets: Reals | None) -> tuple[View, Reals, Reals]:
        """Give the rounded constant `b`, what is left of the scale of `a`, and its scale."""
        axes = step.axes
        if step.b.index is not None:
            view, found = self._table(step.b, inner=tuple(range(axes.batch, axes.batch + axes.inner)))
            return view, other, aligning.aligned_b(found, axes)
        values = aligning.aligned_b(constants(step.b, self.graph), axes)
        rounded, other = self._rounded(step, values, other, aligning.inner_axes(axes), offsets)
        return self.dense(step.b.buffer, aligning.back_to_b(rounded.integers, axes), step.b.shape, "int8"), other, rounded.scale

    def _rounded(self, step: Matmul, values: Reals, other: Reals, over: tuple[int, ...], offsets: Reals | None) -> tuple[Rounded, Reals]:
        """Round a constant operand next to one of scale `other`; give it and what is left of that scale."""
        inner = aligning.inner_axes(step.axes)
        if any(other.shape[axis] > 1 for axis in inner):  # the weights take what differs from term to term
            values, other = values * other, np.ones((1,) * other.ndim)
        exactly = exact(values)
        single = aligning.terms(step) == 1
        if exactly is not None and (offsets is None or _whole(offsets / aligning.of_out(exactly.scale * other, step.axes))):
            return exactly, other
        least: Reals | float = 0.0
        if offsets is not None:
            found = np.abs(offsets) / _BIAS
            least = found.reshape([*found.shape, *(1,) * len(inner)]) / other
            least = least.max(tuple(axis for axis in range(least.ndim) if values.shape[axis] == 1 or axis in over), keepdims=True)
        if exactly is not None:
            fine = min(FINE, self._steps) // int(np.abs(exactly.integers).max()) or 1  # whole numbers still, in finer steps for the bias
            finer = Rounded((exactly.integers * fine).astype(np.int8), exactly.scale / fine)
            if np.all(finer.scale >= least):
                return finer, other
        steps = (1 if offsets is None else min(FINE, self._steps)) if single else self._steps
        return nearest(values, over, steps=steps, least=least), other

    def _requantised(self, rough: IntegerInstruction, product: Reals, *, relu: bool) -> list[IntegerInstruction]:
        """Choose the requantisation of an instruction whose sums are worth `product`; halve it while the multipliers are too rough."""
        out = self.formats[rough.out.buffer]
        low, high = LIMITS[out.dtype]
        accumulate = isinstance(rough, IntegerMatmul) and rough.accumulate
        factor = product / out.scale
        shifts = choose_shifts(
            factor,
            self._sums(rough).total,
            levels=high - low,
            old=(low - out.zero, high - out.zero) if accumulate else None,
            most_before=0 if isinstance(rough, IntegerRelu) else 30,
            exact=bool(np.all(np.abs(factor - np.rint(factor)) < 1e-9)) and float(np.abs(factor).max()) <= 4,
        )
        if math.isinf(shifts.error):
            greatest = float((self._sums(rough).total.magnitude * np.abs(factor)).max())
            raise TooFine(rough.out.buffer, greatest / _ROOM)
        if shifts.error > max(1.0, (high - low) / _ROUGH):
            cut = best_cut(np.abs(factor))
            if cut is not None:
                parts = zip(halves(rough, *cut), cut_factor(product, *cut), strict=True)
                return [made for part, own in parts for made in self._requantised(part, own, relu=relu)]
        return [replace(rough, requantise=self._rule(rough, shifts, relu=relu))]

    def _rule(self, rough: IntegerInstruction, shifts: Shifts, *, relu: bool) -> Requantise:
        out = self.formats[rough.out.buffer]
        low, high = LIMITS[out.dtype]
        accumulate = isinstance(rough, IntegerMatmul) and rough.accumulate
        name = f"{rough.out.buffer}.multiplier"
        return Requantise(
            before=shifts.before,
            multiplier=self.dense(name, shifts.multiplier, rough.out.shape, "int32"),
            after=shifts.after,
            low=max(low, out.zero) if relu else low,
            high=high,
            addend=1 << shifts.after if accumulate else 0,
            old_zero=out.zero if accumulate else 0,
        )

    def _sums(self, rough: IntegerInstruction) -> Sums:
        ranges = {view.buffer: self._range(view) for view in _views(rough)}
        return sums(rough, IntegerGraph(tuple(self.buffers), (), self.weights), ranges)

    def _range(self, view: View) -> tuple[int, int]:
        if view.buffer in self.weights:
            return int(self.weights[view.buffer].min()), int(self.weights[view.buffer].max())
        return LIMITS[self.formats[view.buffer].dtype]


def _views(step: IntegerInstruction) -> tuple[View, ...]:
    if isinstance(step, IntegerRelu):
        return (step.x,)
    return (step.a, step.b) if step.bias is None else (step.a, step.b, step.bias)


def _whole(values: Reals) -> bool:
    return bool(np.abs(values - np.rint(values)).max(initial=0.0) < 1e-3)
