"""Rules for pooling and for sums, means and maxima over axes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from tacit.lowering import strided as views
from tacit.lowering.borders import operation
from tacit.lowering.context import Context, Refused, Value
from tacit.lowering.geometry import Pool, argument, pool_geometry, pool_margin, spread
from tacit.lowering.products import einsum, windows
from tacit.lowering.rectifiers import greater
from tacit.lowering.shapes import padded
from tacit.lowering.strided import NO_MARGIN, Strided, memory_order
from tacit.lowering.sums import Sum, axis_labels


def _axes(context: Context, node: torch.fx.Node) -> tuple[tuple[int, ...], bool, int]:
    rank = len(context.get(node.args[0]).shape)
    wanted = argument(node, 1, "dim", None)
    if isinstance(wanted, int):
        wanted = [wanted]
    axes = tuple(sorted(int(axis) % rank for axis in wanted)) if wanted else tuple(range(rank))
    return axes, bool(argument(node, 2, "keepdim", False)), rank


def reduce_sum(context: Context, node: torch.fx.Node) -> Value:
    """Lower mean and sum over axes: a matmul with one constant."""
    axes, keep, rank = _axes(context, node)
    view = context.strided(node.args[0])
    count = math.prod(view.shape[axis] for axis in axes)
    weight = torch.tensor(1.0 / count if operation(node) == "mean" else 1.0, dtype=torch.float64)
    labels = axis_labels(rank)
    kept = [label for axis, label in enumerate(labels) if axis not in axes]
    if keep:
        groups: tuple[tuple[str, ...], ...] = tuple(() if axis in axes else (labels[axis],) for axis in range(rank))
        return einsum(context, view, labels, weight, (), groups, name="mean", order=memory_order(view))
    found = einsum(context, view, labels, weight, (), tuple((label,) for label in kept), name="mean")
    remaining = [axis for axis in memory_order(view) if axis not in axes]
    ranks = sorted(remaining)
    return replace(found, order=tuple(ranks.index(axis) for axis in remaining))


def average_pool(context: Context, node: torch.fx.Node) -> Value:
    """Lower avg_pool1d and avg_pool2d; where the divisor depends on the place, the weight does too."""
    given = context.get(node.args[0]).shape
    pool = pool_geometry(node, operation(node), given)
    return _average(context, context.strided(node.args[0]), pool)


def _average(context: Context, view: Strided, pool: Pool) -> Sum:
    axes, rank = len(pool.kernel), len(view.shape)
    first = rank - axes
    sizes = view.shape[first:]
    margins = tuple(pool_margin(pool, axis, sizes[axis]) for axis in range(axes))
    wide = padded(context, view, (*((NO_MARGIN,) * first), *margins))
    for axis in reversed(range(axes)):
        wide = windows(context, wide, first + axis, count=pool.out[axis], stride=pool.stride[axis], taps=pool.kernel[axis], step=1)
    leading, positions, taps = axis_labels(first), axis_labels(axes, "p"), axis_labels(axes, "k")
    labels = leading + tuple(label for pair in zip(positions, taps, strict=True) for label in pair)
    weight = torch.ones((), dtype=torch.float64)
    for axis in range(axes):
        weight = weight[..., None] / _window_sizes(pool, axis, sizes[axis])
    if pool.divisor:
        weight = torch.full([1] * axes, 1.0 / pool.divisor, dtype=torch.float64)
    groups = tuple((label,) for label in leading + positions)
    order = memory_order(view)
    return einsum(context, wide, labels, weight, positions, groups, name="average", order=order)


def _window_sizes(pool: Pool, axis: int, size: int) -> torch.Tensor:
    """Count the elements of each window that the average divides by."""
    starts = torch.arange(pool.out[axis]) * pool.stride[axis] - pool.padding[axis]
    ends = starts + pool.kernel[axis]
    if pool.include_padding:
        return (ends.clamp(max=size + pool.padding[axis]) - starts).double()
    return (ends.clamp(max=size) - starts.clamp(min=0)).double()


def adaptive_average_pool(context: Context, node: torch.fx.Node) -> Value:
    """Lower adaptive_avg_pool1d and 2d: windows of one size where the sizes divide, else an averaging matrix per axis."""
    view = context.strided(node.args[0])
    shape = context.shape()
    axes = int(operation(node)[-2])
    first = len(shape) - axes
    if all(view.shape[axis] % shape[axis] == 0 for axis in range(first, len(shape))):
        kernel = tuple(view.shape[axis] // shape[axis] for axis in range(first, len(shape)))
        return _average(context, view, Pool(kernel, kernel, (0,) * axes, (1,) * axes, shape[first:]))
    for axis in range(first, len(shape)):
        matrix = torch.zeros(shape[axis], view.shape[axis], dtype=torch.float64)
        for row in range(shape[axis]):
            start, end = row * view.shape[axis] // shape[axis], -(-(row + 1) * view.shape[axis] // shape[axis])
            matrix[row, start:end] = 1.0 / (end - start)
        labels = axis_labels(len(shape))
        groups = tuple(("o",) if place == axis else (labels[place],) for place in range(len(shape)))
        found = einsum(context, view, labels, matrix, ("o", labels[axis]), groups, name="average", order=memory_order(view))
        if axis == len(shape) - 1:
            return found
        view = context.compute(found, f"{node.name}_{axis}")
    return view


def max_pool(context: Context, node: torch.fx.Node) -> Value:
    """Lower max_pool1d and max_pool2d, one axis after the other."""
    name = operation(node)
    view = context.strided(node.args[0])
    pool = pool_geometry(node, name, view.shape)
    axes = len(pool.kernel)
    first = len(view.shape) - axes
    order = sorted(range(axes), key=lambda axis: -pool.stride[axis])
    result: Sum | None = None
    for axis in order:
        if pool.kernel[axis] == 1 and pool.stride[axis] == 1 and pool.padding[axis] == 0:
            continue
        if result is not None:
            view = context.compute(result, f"{node.name}_part")
        result = _max_axis(context, view, first + axis, pool, axis)
        if isinstance(result, Strided):
            view, result = result, None
    return result if result is not None else view


def _max_axis(context: Context, view: Strided, axis: int, pool: Pool, place: int) -> Any:
    kernel, stride, step, count = pool.kernel[place], pool.stride[place], pool.dilation[place], pool.out[place]
    if len(view.axes[axis]) > 1:  # an axis that was reshaped or repeated is laid out first
        view = context.emitter.copy(view, name=f"{view.buffer}_copy", source=context.source, order=memory_order(view))
    wide = _replicated(context, view, axis, pool_margin(pool, place, view.shape[axis]), step)
    if kernel == 1:
        return views.narrow(wide, axis, 0, count, step=stride)
    if stride >= kernel * step or stride >= kernel:
        taken = windows(context, wide, axis, count=count, stride=stride, taps=kernel, step=step)
        return max_over(context, taken, axis + 1)
    width = 1
    while width * 2 < kernel:
        positions = wide.shape[axis] - width * step
        wide = _pair(context, wide, axis, positions, 1, width * step, last=False)
        width *= 2
    return _pair(context, wide, axis, count, stride, (kernel - width) * step, last=True)


def _pair(context: Context, view: Strided, axis: int, count: int, stride: int, apart: int, *, last: bool) -> Any:
    """Give the greater of each element and the one `apart` behind it, at `count` places."""
    left = views.narrow(view, axis, 0, count, step=stride)
    right = views.narrow(view, axis, apart, count, step=stride)
    if left is None or right is None:
        raise Refused("pooling over a reshaped axis", "call `.contiguous()` before")
    found = greater(context, right, left, left.shape)
    found = replace(found, order=memory_order(view))
    return found if last else context.compute(found, "largest")


def _replicated(context: Context, view: Strided, axis: int, around: tuple[int, int], step: int) -> Strided:
    """Extend an axis by elements that every window that reaches there contains anyway; zeros when no element is below 0."""
    low, high = around
    if low == 0 and high == 0:
        return view
    if view.nonnegative:
        return padded(context, view, tuple(around if place == axis else NO_MARGIN for place in range(len(view.shape))))
    size = view.shape[axis]
    shape = (*view.shape[:axis], low + size + high, *view.shape[axis + 1 :])
    dest = context.emitter.allocate(f"{view.buffer}_edges", shape, memory_order(view), (NO_MARGIN,) * len(shape))
    pieces = [(low, 0, size)]
    outside = [*range(-low, 0), *range(size, size + high)]
    for position in outside:
        source = position
        while source < 0:
            source += step
        while source >= size:
            source -= step
        pieces.append((low + position, source, 1))
    for target, source, count in pieces:
        into, out_of = views.narrow(dest, axis, target, count), views.narrow(view, axis, source, count)
        if into is None or out_of is None:
            raise Refused("padding of a reshaped axis", "call `.contiguous()` before")
        context.write(out_of, into)
    return dest


def max_over(context: Context, view: Strided, axis: int) -> Any:
    """Give the maximum over one axis, which is dropped: halves of the axis against each other until one element is left."""
    while view.shape[axis] > 1:
        size = view.shape[axis]
        half = -(-size // 2)
        left, right = views.narrow(view, axis, 0, half), views.narrow(view, axis, size - half, half)
        if left is None or right is None:
            view = context.emitter.copy(view, name=f"{view.buffer}_copy", source=context.source)
            continue
        if half == 1:
            first, second = views.drop_axis(left, axis), views.drop_axis(right, axis)
            found = greater(context, second, first, first.shape)
            return replace(found, order=memory_order(first))
        view = context.compute(greater(context, right, left, left.shape), "largest")
    return views.drop_axis(view, axis)


def reduce_max(context: Context, node: torch.fx.Node) -> Any:
    """Lower amax, and max over one axis (the values; not the places), and max of two tensors."""
    if str(node.target).endswith("max.other"):
        return greater(context, node.args[0], node.args[1], context.shape())
    axes, keep, _ = _axes(context, node)
    view = context.strided(node.args[0])
    found: Any = view
    for axis in reversed(axes):
        found = max_over(context, view, axis)
        if isinstance(found, Sum) and (axis != axes[0] or keep):
            found = context.compute(found, "largest")
        if isinstance(found, Strided):
            view = found
    if keep and isinstance(found, Strided):
        for axis in axes:
            found = views.insert_axis(found, axis)
    return [found, None] if str(node.target).endswith("max.dim") else found


def adaptive_max_pool(context: Context, node: torch.fx.Node) -> Any:
    """Lower adaptive_max_pool1d and 2d where the sizes divide."""
    view = context.strided(node.args[0])
    axes = int(operation(node)[-2])
    wanted = spread(node.args[1], axes)
    first = len(view.shape) - axes
    kernel = []
    for place, out in enumerate(wanted):
        if view.shape[first + place] % out:
            raise Refused("adaptive max pooling to a size that does not divide", "use `F.max_pool2d`, or a size that divides the input's")
        kernel.append(view.shape[first + place] // out)
    pool = Pool(tuple(kernel), tuple(kernel), (0,) * axes, (1,) * axes, wanted)
    for place in range(axes):
        if pool.kernel[place] > 1:
            found = _max_axis(context, view, first + place, pool, place)
            view = found if isinstance(found, Strided) else context.compute(found, "largest")
    return [view, None]


def reduce_min(context: Context, node: torch.fx.Node) -> Value:
    """Lower amin: the maximum of the negative, negated."""
    axes, keep, _ = _axes(context, node)
    view = context.compute(context.read(context.strided(node.args[0]), scale=-1.0), "negative")
    for axis in reversed(axes):
        found = max_over(context, view, axis)
        view = found if isinstance(found, Strided) else context.compute(found, "largest")
    if keep:
        for axis in axes:
            view = views.insert_axis(view, axis)
    return context.read(view, scale=-1.0)
