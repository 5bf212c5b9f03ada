"""Tensors as views that move no data: every axis is a row of factors, each with its own stride.

An axis of several factors is what a reshape leaves behind: flattening ``[channel, height, width]`` gives one axis with
three factors, whatever the order of the three in memory. So every merge of axes is a view, and most splits are too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Factor:
    """Part of an axis: `size` steps of `stride` elements; each also moves the index (if any) by `index` integers."""

    size: int
    stride: int
    index: int = 0


Axis = tuple[Factor, ...]


@dataclass(frozen=True)
class Rows:
    """An integer input picks the row: adds ``step * ints[offset + ...]`` to the address (see `tacit.ir.graph.Index`)."""

    buffer: str
    offset: int
    step: int
    limit: int


@dataclass(frozen=True)
class Strided:
    """A tensor that lies in a buffer.

    margins: per axis, how many elements before and after it may be read and are zero. nonnegative: no element is below 0.
    """

    buffer: str
    offset: int
    axes: tuple[Axis, ...]
    margins: tuple[tuple[int, int], ...]
    rows: Rows | None = None
    nonnegative: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each axis."""
        return tuple(math.prod(factor.size for factor in axis) for axis in self.axes)


NO_MARGIN = (0, 0)


def row_major(buffer: str, shape: Sequence[int], *, offset: int = 0) -> Strided:
    """View a buffer as a row-major tensor of `shape`.

    >>> row_major("x", (2, 3)).axes
    ((Factor(size=2, stride=3, index=0),), (Factor(size=3, stride=1, index=0),))
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axes = tuple(tidy((Factor(size, stride),)) for size, stride in zip(shape, strides, strict=True))
    return Strided(buffer, offset, axes, (NO_MARGIN,) * len(shape))


def tidy(axis: Axis) -> Axis:
    """Drop factors of size 1 and join neighbours that are one run in memory."""
    kept: list[Factor] = []
    for factor in axis:
        if factor.size == 1:
            continue
        last = kept[-1] if kept else None
        if last and last.stride == factor.size * factor.stride and last.index == factor.size * factor.index:
            kept[-1] = Factor(last.size * factor.size, factor.stride, factor.index)
        else:
            kept.append(factor)
    return tuple(kept)


def permute(view: Strided, order: Sequence[int]) -> Strided:
    """Reorder the axes."""
    return replace(view, axes=tuple(view.axes[i] for i in order), margins=tuple(view.margins[i] for i in order))


def split_factors(factors: Sequence[Factor], sizes: Sequence[int]) -> list[Axis] | None:
    """Cut a row of factors into axes of the given sizes; None when a cut would fall inside a factor unevenly.

    >>> split_factors([Factor(6, 1)], [2, 3])
    [(Factor(size=2, stride=3, index=0),), (Factor(size=3, stride=1, index=0),)]
    """
    rest = [factor for factor in factors if factor.size != 1]
    found: list[Axis] = []
    for size in sizes:
        axis: list[Factor] = []
        need = size
        while need > 1:
            if not rest:
                return None
            factor = rest.pop(0)
            if need % factor.size == 0:
                axis.append(factor)
                need //= factor.size
            elif factor.size % need == 0:
                inner = factor.size // need
                axis.append(Factor(need, factor.stride * inner, factor.index * inner))
                rest.insert(0, Factor(inner, factor.stride, factor.index))
                need = 1
            else:
                return None
        found.append(tuple(axis))
    return found


def reshape(view: Strided, shape: Sequence[int]) -> Strided | None:
    """Give the same elements in a new shape; None when that needs a copy. Margins of axes that stay whole are kept."""
    if 0 in shape:
        return None
    old = view.shape
    axes: list[Axis] = []
    margins: list[tuple[int, int]] = []
    left = right = 0
    while left < len(old) or right < len(shape):
        if left < len(old) and right < len(shape) and old[left] == shape[right]:
            axes.append(view.axes[left])
            margins.append(view.margins[left])
            left, right = left + 1, right + 1
            continue
        if right < len(shape) and shape[right] == 1:
            axes.append(())
            margins.append(NO_MARGIN)
            right += 1
            continue
        if left < len(old) and old[left] == 1:
            left += 1
            continue
        end_left, end_right = min(left + 1, len(old)), min(right + 1, len(shape))
        while math.prod(old[left:end_left]) != math.prod(shape[right:end_right]):
            if math.prod(old[left:end_left]) < math.prod(shape[right:end_right]):
                end_left += 1
            else:
                end_right += 1
        pieces = split_factors(tidy(tuple(factor for axis in view.axes[left:end_left] for factor in axis)), shape[right:end_right])
        if pieces is None:
            return None
        axes.extend(tidy(piece) for piece in pieces)
        margins.extend([NO_MARGIN] * len(pieces))
        left, right = end_left, end_right
    return replace(view, axes=tuple(axes), margins=tuple(margins))


def _with_axis(
    view: Strided, axis: int, factors: Axis, *, start: int = 0, index_start: int = 0, margin: tuple[int, int] = NO_MARGIN
) -> Strided:
    axes = (*view.axes[:axis], factors, *view.axes[axis + 1 :])
    margins = (*view.margins[:axis], margin, *view.margins[axis + 1 :])
    rows = replace(view.rows, offset=view.rows.offset + index_start) if view.rows else None
    return replace(view, offset=view.offset + start, axes=axes, margins=margins, rows=rows)


def _slice_factors(factors: Axis, start: int, count: int, step: int) -> tuple[Axis, int, int] | None:
    """Give factors, shift of the address and shift of the index of a slice of a composite axis."""
    if not factors:
        return (), 0, 0
    if len(factors) == 1:
        factor = factors[0]
        return (Factor(count, factor.stride * step, factor.index * step),), start * factor.stride, start * factor.index
    outer, rest = factors[0], factors[1:]
    inner = math.prod(factor.size for factor in rest)
    first, last = start // inner, (start + (count - 1) * step) // inner
    if first == last:
        found = _slice_factors(rest, start - first * inner, count, step)
        return None if found is None else (found[0], found[1] + first * outer.stride, found[2] + first * outer.index)
    if step == 1 and start % inner == 0 and count % inner == 0:
        return (Factor(count // inner, outer.stride, outer.index), *rest), first * outer.stride, first * outer.index
    if step % inner == 0:
        found = _slice_factors(rest, start % inner, 1, 1)
        if found is None:
            return None
        jump = step // inner
        return (
            (Factor(count, outer.stride * jump, outer.index * jump),),
            first * outer.stride + found[1],
            first * outer.index + found[2],
        )
    return None


def narrow(view: Strided, axis: int, start: int, count: int, *, step: int = 1) -> Strided | None:
    """Take `count` elements of an axis from `start` on, every `step`-th; None when that needs a copy."""
    if start == 0 and step == 1 and count == view.shape[axis]:
        return view
    found = _slice_factors(view.axes[axis], start, count, step)
    if found is None:
        return None
    return _with_axis(view, axis, tidy(found[0]), start=found[1], index_start=found[2])


def select(view: Strided, axis: int, position: int) -> Strided:
    """Take one position of an axis and drop the axis."""
    return drop_axis(narrow(view, axis, position, 1) or view, axis)  # a single position is always a view


def drop_axis(view: Strided, axis: int) -> Strided:
    """Remove an axis of size 1."""
    return replace(view, axes=(*view.axes[:axis], *view.axes[axis + 1 :]), margins=(*view.margins[:axis], *view.margins[axis + 1 :]))


def insert_axis(view: Strided, axis: int, factors: Axis = ()) -> Strided:
    """Add an axis before `axis` (of size 1 unless factors are given)."""
    return replace(
        view, axes=(*view.axes[:axis], factors, *view.axes[axis:]), margins=(*view.margins[:axis], NO_MARGIN, *view.margins[axis:])
    )


def expand(view: Strided, shape: Sequence[int]) -> Strided:
    """Broadcast to `shape` by strides of zero; new axes come in front."""
    while len(view.axes) < len(shape):
        view = insert_axis(view, 0)
    for axis, size in enumerate(shape):
        if view.shape[axis] != size:
            view = _with_axis(view, axis, (Factor(size, 0),))
    return view


def flip(view: Strided, axis: int) -> Strided:
    """Reverse an axis by negative strides."""
    factors = view.axes[axis]
    start = sum((factor.size - 1) * factor.stride for factor in factors)
    index_start = sum((factor.size - 1) * factor.index for factor in factors)
    turned = tuple(Factor(factor.size, -factor.stride, -factor.index) for factor in factors)
    low, high = view.margins[axis]
    return _with_axis(view, axis, turned, start=start, index_start=index_start, margin=(high, low))


def pad(view: Strided, axis: int, low: int, high: int) -> Strided | None:
    """Extend an axis into its zero margin; None when the margin is too small."""
    if low == 0 and high == 0:
        return view
    have_low, have_high = view.margins[axis]
    if low > have_low or high > have_high or len(view.axes[axis]) != 1:
        return None
    factor = view.axes[axis][0]
    size = factor.size + low + high
    margin = (have_low - low, have_high - high)
    return _with_axis(view, axis, (Factor(size, factor.stride),), start=-low * factor.stride, margin=margin)


def windows(view: Strided, axis: int, *, count: int, stride: int, taps: int, step: int, start: int = 0) -> Strided | None:
    """Replace an axis by two, ``(position, tap)``: element ``start + position * stride + tap * step`` of the axis.

    None when the axis is made of several factors; every element must lie within the axis.
    """
    if len(view.axes[axis]) > 1:
        return None
    factor = view.axes[axis][0] if view.axes[axis] else Factor(1, 0)
    positions = tidy((Factor(count, factor.stride * stride, factor.index * stride),))
    along = tidy((Factor(taps, factor.stride * step, factor.index * step),))
    moved = _with_axis(view, axis, positions, start=start * factor.stride, index_start=start * factor.index)
    return insert_axis(moved, axis + 1, along)


def memory_order(view: Strided) -> tuple[int, ...]:
    """Give the axes from the outermost to the innermost in memory (ties and broadcast axes in their own order)."""

    def key(axis: int) -> tuple[int, int]:
        strides = [abs(factor.stride) + abs(factor.index) * (view.rows.step if view.rows else 0) for factor in view.axes[axis]]
        return (-max(strides, default=0), axis)

    moving = [axis for axis in range(len(view.axes)) if view.axes[axis] and any(f.stride or f.index for f in view.axes[axis])]
    ordered = iter(sorted(moving, key=key))
    return tuple(next(ordered) if axis in moving else axis for axis in range(len(view.axes)))
