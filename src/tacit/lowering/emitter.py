"""Write sums into memory: choose layouts, give every loop its role, and emit matmuls."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Index, View
from tacit.lowering.strided import NO_MARGIN, Axis, Factor, Strided, reshape, row_major, split_factors
from tacit.lowering.sums import Dot, Sum, by_label, scaled, squeeze_uniform

Margins = tuple[tuple[int, int], ...]


@dataclass
class Loop:
    """One axis of a matmul: its size and, per operand, the stride and the stride of the index."""

    size: int
    out: Factor
    a: Factor
    b: Factor
    b_axis: int | None  # axis of the constant `b` (None: does not vary, or `b` is in memory)
    bias_axis: int | None
    in_out: bool
    bias: int = 0

    def role(self) -> str:
        """Say which of batch, rows, columns, inner the loop is."""
        if not self.in_out:
            return "inner"
        varies = self.b_axis is not None or self.bias_axis is not None or self.b.stride != 0 or self.b.index != 0
        if not varies:
            return "rows"
        return "batch" if self.a.stride or self.a.index else "columns"


@dataclass(frozen=True)
class Nest:
    """The loops of a dot, its operands, and its constants with one axis per loop along which they vary."""

    loops: list[Loop]
    a: Strided
    b: Strided | None
    weight: torch.Tensor
    bias: torch.Tensor


class Emitter:
    """Own the builder of the graph; every method that writes takes the view to write into."""

    def __init__(self) -> None:
        self.builder = GraphBuilder()

    def allocate(self, name: str, shape: Sequence[int], order: Sequence[int], margins: Margins) -> Strided:
        """Make a scratch buffer whose axes lie in memory as `order` says, with a border of zeros as `margins` says."""
        padded = [shape[axis] + sum(margins[axis]) for axis in order]
        kept = [size for size in padded if size != 1] or [1]
        bordered = any(low or high for low, high in margins)
        buffer = self.builder.add_scratch(name, tuple(kept), zeroed=bordered)
        strides = {axis: math.prod(padded[place + 1 :]) for place, axis in enumerate(order)}
        offset = sum(margins[axis][0] * strides[axis] for axis in order)
        axes: list[Axis] = []
        for axis, size in enumerate(shape):
            keep = size != 1 or margins[axis] != NO_MARGIN
            axes.append((Factor(size, strides[axis]),) if keep else ())
        return Strided(buffer.name, offset, tuple(axes), margins)

    def constant(self, name: str, tensor: torch.Tensor) -> Strided:
        """Put a constant tensor into memory (what is broadcast is stored once)."""
        small = squeeze_uniform(tensor.detach().double())
        kept = tuple(size for size in small.shape if size != 1)
        buffer = self.builder.add_weight(name, _to_numpy(small).reshape(kept))
        view = row_major(buffer.name, tuple(small.shape))
        axes = tuple(
            axis if size == full else (Factor(full, 0),) for axis, size, full in zip(view.axes, small.shape, tensor.shape, strict=True)
        )
        return replace(view, axes=axes)

    def write(self, value: Sum, dest: Strided, *, source: str) -> None:
        """Compute a sum into `dest`, whose shape it has."""
        dots = list(_join_pairs(value.dots))
        started = False
        if value.base is not None:
            self.write(value.base, dest, source=source)
            started = True
        if not dots and (value.base is None or value.constant is not None):
            dots.append(self._constant_dot(value, source))
        dots.sort(key=lambda dot: not _is_copy(dot))  # a copy goes first, so that a later pass can drop it
        bias_at = None if value.constant is None or not bool(value.constant.any()) else _best_for_bias(dots, value.constant)
        for place, dot in enumerate(dots):
            bias = by_label(value.constant, dot) if bias_at == place and value.constant is not None else None
            self._emit(dot, dest, bias=bias, accumulate=started or place > 0, relu=value.relu and place == len(dots) - 1)

    def _constant_dot(self, value: Sum, source: str) -> Dot:
        zero = row_major(self.builder.add_weight("zero", np.zeros(())).name, ())
        shape = value.shape
        return scaled(
            replace(zero, axes=tuple((Factor(size, 0),) for size in shape), margins=(NO_MARGIN,) * len(shape)), 1.0, source=source
        ).dots[0]

    def _emit(self, dot: Dot, dest: Strided, *, bias: torch.Tensor | None, accumulate: bool, relu: bool) -> None:
        nest = self._nest(dot, dest, bias)
        order = {"batch": 0, "rows": 1, "columns": 2, "inner": 3}
        loops = [loop for loop in nest.loops if loop.size != 1]

        def key(loop: Loop) -> tuple[int, int, int]:
            inner = not loop.in_out
            reach = loop.a if inner else loop.out
            return (order[loop.role()], -abs(reach.stride), -max(abs(loop.a.stride), abs(loop.a.index)))

        loops.sort(key=key)
        by_role = {role: [loop for loop in loops if loop.role() == role] for role in order}
        b_loops = by_role["batch"] + by_role["inner"] + by_role["columns"]
        layout = b_loops if by_role["columns"] else by_role["inner"] + by_role["batch"]
        weight = self._weight(dot.name, nest.weight, layout) if nest.b is None else ""
        bias_buffer = None if bias is None else self._bias(dot.name, nest.bias, by_role["batch"] + by_role["columns"])
        _merge(by_role)
        self._append(dot, dest, nest, (weight, bias_buffer), by_role, accumulate=accumulate, relu=relu)

    def _append(
        self,
        dot: Dot,
        dest: Strided,
        nest: Nest,
        constants: tuple[str, str | None],
        roles: dict[str, list[Loop]],
        *,
        accumulate: bool,
        relu: bool,
    ) -> None:
        out_loops = roles["batch"] + roles["rows"] + roles["columns"]
        a_loops = roles["batch"] + roles["rows"] + roles["inner"]
        b_loops = roles["batch"] + roles["inner"] + roles["columns"]
        bias_loops = roles["batch"] + roles["columns"]
        weight, bias = constants
        b_place = (weight, 0) if nest.b is None else (nest.b.buffer, nest.b.offset)
        self.builder.matmul(
            _view(dest.buffer, dest.offset, [(loop.size, loop.out) for loop in out_loops], None),
            _view(nest.a.buffer, nest.a.offset, [(loop.size, loop.a) for loop in a_loops], nest.a),
            _view(*b_place, [(loop.size, loop.b) for loop in b_loops], nest.b),
            axes=Axes(len(roles["batch"]), len(roles["rows"]), len(roles["columns"]), len(roles["inner"])),
            bias=None if bias is None else _view(bias, 0, [(loop.size, Factor(loop.size, loop.bias)) for loop in bias_loops], None),
            accumulate=accumulate,
            relu=relu,
            source=dot.source,
        )

    def _weight(self, name: str, weight: torch.Tensor, layout: Sequence[Loop]) -> str:
        present = [loop for loop in layout if loop.b_axis is not None]
        shaped = weight.permute([loop.b_axis for loop in present if loop.b_axis is not None])
        if shaped.numel() == 1 or name == "one":
            name = {1.0: "one", -1.0: "minus_one"}.get(float(shaped.reshape(-1)[0]) if shaped.numel() == 1 else 0.0, "scale")
        buffer = self.builder.add_weight(name, _to_numpy(shaped))
        for place, loop in enumerate(present):
            stride = math.prod(other.size for other in present[place + 1 :])
            loop.b = Factor(loop.size, stride)
        return buffer.name

    def _bias(self, name: str, bias: torch.Tensor, layout: Sequence[Loop]) -> str:
        present = [loop for loop in layout if loop.bias_axis is not None]
        shaped = bias.permute([loop.bias_axis for loop in present if loop.bias_axis is not None])
        buffer = self.builder.add_weight("shift" if name in ("one", "scale") else f"{name.removesuffix('.weight')}.bias", _to_numpy(shaped))
        for place, loop in enumerate(present):
            loop.bias = math.prod(other.size for other in present[place + 1 :])
        return buffer.name

    def _nest(self, dot: Dot, dest: Strided, bias: torch.Tensor | None) -> Nest:
        """Cut every label into factors that are single strides in all operands."""
        out_shape = [dot.sizes[label] for label in dot.out_labels]
        out_axes = self._split_out(dot, dest, out_shape)
        labels = list(dict.fromkeys((*dot.out_labels, *dot.a_labels, *dot.b_labels)))
        a, b = dot.a, dot.b
        if self._cuts(labels, dot, out_axes, a, b) is None:
            a = self.copy(a, name=f"{a.buffer}_copy", source=dot.source)
            if isinstance(b, Strided):
                b = self.copy(b, name=f"{b.buffer}_copy", source=dot.source)
        cuts = self._cuts(labels, dot, out_axes, a, b)
        if cuts is None:
            raise ValueError(f"axes of {dot.source} do not fit together")
        b_tensor = dot.b if isinstance(dot.b, torch.Tensor) else None
        b_parts = _axes_of_tensor(b_tensor, dot.b_labels, labels, cuts)
        bias_parts = _axes_of_tensor(bias, dot.out_labels, labels, cuts)
        loops: list[Loop] = []
        for label in labels:
            sizes = cuts[label]
            out = _cut(out_axes.get(label), sizes)
            on_a = _cut(a.axes[dot.a_labels.index(label)] if label in dot.a_labels else None, sizes)
            in_b = isinstance(b, Strided) and label in dot.b_labels
            on_b = _cut(b.axes[dot.b_labels.index(label)] if in_b and isinstance(b, Strided) else None, sizes)
            for place, size in enumerate(sizes):
                in_out = label in out_axes
                b_axis, bias_axis = b_parts[1].get((label, place)), bias_parts[1].get((label, place))
                loops.append(Loop(size, out[place], on_a[place], on_b[place], b_axis, bias_axis, in_out))
        return Nest(loops, a, b if isinstance(b, Strided) else None, b_parts[0], bias_parts[0])

    def _split_out(self, dot: Dot, dest: Strided, out_shape: Sequence[int]) -> dict[str, Axis]:
        if not dot.out_labels:
            return {}
        split = reshape(replace(dest, margins=(NO_MARGIN,) * len(dest.axes)), out_shape)
        if split is None:
            raise ValueError(f"the result of {dot.source} can't be written into its place")
        return dict(zip(dot.out_labels, split.axes, strict=True))

    def _cuts(
        self, labels: Sequence[str], dot: Dot, out_axes: dict[str, Axis], a: Strided, b: torch.Tensor | Strided
    ) -> dict[str, list[int]] | None:
        found: dict[str, list[int]] = {}
        for label in labels:
            axes = [out_axes[label]] if label in out_axes else []
            if label in dot.a_labels:
                axes.append(a.axes[dot.a_labels.index(label)])
            if isinstance(b, Strided) and label in dot.b_labels:
                axes.append(b.axes[dot.b_labels.index(label)])
            sizes = refine(dot.sizes[label], axes)
            if sizes is None:
                return None
            found[label] = sizes
        return found

    def copy(self, view: Strided, *, name: str, source: str, margins: Margins | None = None, order: Sequence[int] | None = None) -> Strided:
        """Copy a tensor into a buffer of its own."""
        edges = margins or (NO_MARGIN,) * len(view.axes)
        dest = self.allocate(name, view.shape, order if order is not None else range(len(view.axes)), edges)
        self.write(scaled(view, 1.0, source=source, name="one"), dest, source=source)
        return replace(dest, nonnegative=view.nonnegative)


def refine(size: int, axes: Sequence[Axis]) -> list[int] | None:
    """Find sizes, outermost first, into which every axis can be cut; None when the cuts of two axes cross.

    >>> refine(12, [(Factor(3, 4), Factor(4, 9)), (Factor(6, 2), Factor(2, 50))])
    [3, 2, 2]
    """
    points = {1, size}
    for axis in axes:
        inner = 1
        for factor in reversed(axis):
            inner *= factor.size
            points.add(inner)
    ordered = sorted(points)
    if any(high % low for low, high in itertools.pairwise(ordered)):
        return None
    return [high // low for low, high in itertools.pairwise(ordered)][::-1] or [1]


def _cut(axis: Axis | None, sizes: Sequence[int]) -> list[Factor]:
    if axis is None:
        return [Factor(size, 0) for size in sizes]
    pieces = split_factors(axis, sizes)
    if pieces is None:
        raise ValueError("an axis was cut where it can't be")
    return [piece[0] if piece else Factor(1, 0) for piece in pieces]


def _axes_of_tensor(
    tensor: torch.Tensor | None, tensor_labels: Sequence[str], labels: Sequence[str], cuts: dict[str, list[int]]
) -> tuple[torch.Tensor, dict[tuple[str, int], int]]:
    """Cut a constant like the loops; give it without its uniform axes, and which axis belongs to which loop."""
    if tensor is None:
        return torch.zeros(()), {}
    shape: list[int] = []
    names: list[tuple[str, int]] = []
    for axis, label in enumerate(tensor_labels):
        pieces = cuts[label] if tensor.shape[axis] > 1 else [1] * len(cuts[label])
        shape.extend(pieces)
        names.extend((label, place) for place in range(len(pieces)))
    small = squeeze_uniform(tensor.reshape(shape))
    kept = [axis for axis, size in enumerate(small.shape) if size > 1]
    found = {names[axis]: place for place, axis in enumerate(kept)}
    return small.reshape([small.shape[axis] for axis in kept]), found


def _merge(roles: dict[str, list[Loop]]) -> None:
    """Join neighbouring loops of one role that are one run in every operand."""
    for role, loops in roles.items():
        merged: list[Loop] = []
        for loop in loops:
            last = merged[-1] if merged else None
            if last is not None and _one_run(last, loop):
                size = last.size * loop.size
                merged[-1] = replace(loop, size=size)
            else:
                merged.append(loop)
        roles[role] = merged


def _one_run(outer: Loop, inner: Loop) -> bool:
    pairs = ((outer.out, inner.out), (outer.a, inner.a), (outer.b, inner.b))
    same = all(first.stride == inner.size * second.stride and first.index == inner.size * second.index for first, second in pairs)
    return same and outer.bias == inner.size * inner.bias


def _view(buffer: str, offset: int, loops: Sequence[tuple[int, Factor]], operand: Strided | None) -> View:
    shape = tuple(size for size, _ in loops)
    index = None
    if operand is not None and operand.rows is not None:
        rows = operand.rows
        index = Index(rows.buffer, rows.offset, tuple(factor.index for _, factor in loops), rows.step, rows.limit)
    return View(buffer, offset, shape, tuple(factor.stride for _, factor in loops), index)


def _is_copy(dot: Dot) -> bool:
    return isinstance(dot.b, torch.Tensor) and dot.pointwise and dot.b.numel() == 1 and float(dot.b) == 1.0


def _best_for_bias(dots: Sequence[Dot], constant: torch.Tensor) -> int:
    """Choose the dot whose weights already vary where the constant varies."""
    for place, dot in enumerate(dots):
        found = by_label(constant, dot)
        varying = {label for label, size in zip(dot.out_labels, found.shape, strict=True) if size > 1}
        if varying <= set(dot.b_labels) - (set(dot.a_labels) if not dot.pointwise else set()):
            return place
    return 0


def _join_pairs(dots: Sequence[Dot]) -> list[Dot]:
    """Turn elementwise dots that read one buffer at equal steps into a single dot with an inner axis over the steps."""
    groups: dict[object, list[Dot]] = {}
    for dot in dots:
        simple = dot.pointwise and isinstance(dot.b, torch.Tensor) and dot.b.numel() == 1
        key: object = (dot.a.buffer, dot.a.axes, dot.a.rows) if simple and dot.a.rows is None else object()
        groups.setdefault(key, []).append(dot)
    joined: list[Dot] = []
    for members in groups.values():
        members = sorted(members, key=lambda dot: dot.a.offset)
        steps = {second.a.offset - first.a.offset for first, second in itertools.pairwise(members)}
        if len(members) == 1 or len(steps) != 1 or 0 in steps:
            joined.extend(members)
            continue
        first, step = members[0], steps.pop()
        a = replace(first.a, axes=(*first.a.axes, (Factor(len(members), step),)), margins=(*first.a.margins, NO_MARGIN))
        weights = torch.stack([dot.b.reshape(()) for dot in members if isinstance(dot.b, torch.Tensor)])
        sizes = {**first.sizes, "step": len(members)}
        joined.append(replace(first, a=a, a_labels=(*first.a_labels, "step"), b=weights, b_labels=("step",), sizes=sizes))
    return joined


def _to_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().to(torch.float32).contiguous().numpy()
