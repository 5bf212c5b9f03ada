"""Rules for operations that only move axes: nothing is computed, nothing is copied where a view can be had."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import torch

from tacit.lowering import strided as views
from tacit.lowering.context import Context, Refused, Value
from tacit.lowering.geometry import argument
from tacit.lowering.lookup import Lookup
from tacit.lowering.mosaic import Mosaic, Region, Stretch
from tacit.lowering.strided import Strided
from tacit.lowering.sums import Sum, map_pointwise, permuted, reshaped

Margins = tuple[tuple[int, int], ...]
ViewChange = Callable[[Strided], Strided | None]


def move(context: Context, operand: Any, view: ViewChange, tensor: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]) -> Value:
    """Apply a change of axes to whatever form the operand has; copy only when the view can't be had."""
    value = context.get(operand)
    if isinstance(value, Lookup):
        moved = value.moved(view, tensor)
        if moved is not None:
            return moved
    if isinstance(value, Sum) and context.sole_reader(operand) and math.prod(shape) <= math.prod(value.shape):
        mapped = map_pointwise(value, view, tensor, shape)
        if mapped is not None:
            return mapped
    source = context.strided(operand)
    found = view(source)
    if found is None:
        found = view(context.emitter.copy(source, name=f"{source.buffer}_copy", source=context.source))
    if found is None:
        raise Refused("axes can't be rearranged like this", "reshape in two steps, through the full shape")
    return found


def reshape(context: Context, node: torch.fx.Node) -> Value:
    """Lower view, reshape, flatten, unflatten, squeeze, unsqueeze."""
    shape = context.shape()
    value = context.get(node.args[0])
    if isinstance(value, Sum) and not value.pointwise and context.sole_reader(node.args[0]):
        found = reshaped(value, shape)
        if found is not None:
            return found
    return move(context, node.args[0], lambda view: views.reshape(view, shape), lambda tensor: tensor.reshape(shape), shape)


def permute(context: Context, node: torch.fx.Node) -> Value:
    """Lower permute, transpose, t, movedim: any operation whose result only reorders axes."""
    rank = len(context.shape())
    target: Any = node.target
    probe = torch.empty([axis + 2 for axis in range(rank)], device="meta")
    order = [size - 2 for size in target(probe, *node.args[1:], **node.kwargs).shape]
    value = context.get(node.args[0])
    if isinstance(value, Sum) and not value.pointwise and context.sole_reader(node.args[0]):
        return permuted(value, order)
    return move(context, node.args[0], lambda view: views.permute(view, order), lambda tensor: tensor.permute(order), context.shape())


def narrow(context: Context, operand: Any, axis: int, start: int, count: int, step: int = 1) -> Value:
    """Take part of an axis."""
    value = context.get(operand)
    axis %= len(value.shape)
    shape = (*value.shape[:axis], count, *value.shape[axis + 1 :])

    def of_tensor(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.narrow(axis, start, (count - 1) * step + 1)[(*(slice(None),) * axis, slice(None, None, step))]

    return move(context, operand, lambda view: views.narrow(view, axis, start, count, step=step), of_tensor, shape)


def slice_(context: Context, node: torch.fx.Node) -> Value:
    """Lower slice and narrow."""
    given = context.get(node.args[0]).shape
    axis = int(argument(node, 1, "dim", 0)) % len(given)
    size = given[axis]
    start, step = argument(node, 2, "start", 0) or 0, int(argument(node, 4, "step", 1))
    start = min(size, max(0, start + size if start < 0 else start))
    count = context.shape()[axis]
    return narrow(context, node.args[0], axis, start, count, step)


def narrow_rule(context: Context, node: torch.fx.Node) -> Value:
    """Lower narrow."""
    axis, start, count = (int(item) for item in node.args[1:4])  # type: ignore[arg-type]
    size = context.get(node.args[0]).shape[axis]
    return narrow(context, node.args[0], axis, start + size if start < 0 else start, count)


def select(context: Context, node: torch.fx.Node) -> Value:
    """Lower select: one position of an axis."""
    given = context.get(node.args[0]).shape
    axis = int(node.args[1]) % len(given)  # type: ignore[arg-type]
    position = int(node.args[2]) % given[axis]  # type: ignore[arg-type]
    shape = context.shape()
    return move(context, node.args[0], lambda view: views.select(view, axis, position), lambda tensor: tensor.select(axis, position), shape)


def split(context: Context, node: torch.fx.Node) -> list[Value]:
    """Lower split, chunk and unbind to a list of parts."""
    found: list[torch.Tensor] = list(node.meta["val"])
    operand: Any = node.args[0]
    given = context.get(operand).shape
    unbound = len(found) > 0 and found[0].dim() < len(given)
    axis = int(argument(node, 1 if unbound else 2, "dim", 0)) % len(given)
    context.strided(operand) if not isinstance(context.get(operand), Sum | Lookup) else None
    parts: list[Value] = []
    start = 0
    for part in found:
        count = 1 if unbound else int(part.shape[axis])
        one = narrow(context, operand, axis, start, count)
        if unbound:
            shape = tuple(part.shape)
            one = _squeezed(context, one, shape)
        parts.append(one)
        start += count
    return parts


def _squeezed(context: Context, value: Value, shape: tuple[int, ...]) -> Value:
    if isinstance(value, Sum):
        mapped = map_pointwise(value, lambda view: views.reshape(view, shape), lambda tensor: tensor.reshape(shape), shape)
        return mapped if mapped is not None else context.compute(value, "part")
    if isinstance(value, Lookup):
        moved = value.moved(lambda view: views.reshape(view, shape), lambda tensor: tensor.reshape(shape))
        if moved is not None:
            return moved
    return views.reshape(value, shape) or value if isinstance(value, Strided) else value


def getitem(context: Context, node: torch.fx.Node) -> Value:
    """Lower the choice of one result of several."""
    results: list[Value] = context.get(node.args[0])
    return results[int(node.args[1])]  # type: ignore[arg-type]


def expand(context: Context, node: torch.fx.Node) -> Value:
    """Lower expand: strides of zero."""
    value, shape = context.get(node.args[0]), context.shape()
    if isinstance(value, Lookup):
        return value.broadcast(shape)
    return views.expand(context.strided(node.args[0]), shape)


def repeat(context: Context, node: torch.fx.Node) -> Value:
    """Lower repeat and tile: a broadcast axis before every axis, joined with it."""
    view = context.strided(node.args[0])
    times = [int(item) for item in node.args[1]]  # type: ignore[union-attr, arg-type]
    times = [1] * (len(view.shape) - len(times)) + times
    view = views.expand(view, (1,) * (len(times) - len(view.shape)) + view.shape)
    for axis, count in enumerate(times):
        if count > 1:
            widened = views.insert_axis(view, axis, (views.Factor(count, 0),))
            shape = (*view.shape[:axis], count * view.shape[axis], *view.shape[axis + 1 :])
            view = views.reshape(widened, shape) or view
    return view


def flip(context: Context, node: torch.fx.Node) -> Value:
    """Lower flip: negative strides."""
    rank = len(context.shape())
    axes = [int(axis) % rank for axis in node.args[1]]  # type: ignore[union-attr, arg-type]

    def of_view(view: Strided) -> Strided:
        for axis in axes:
            view = views.flip(view, axis)
        return view

    return move(context, node.args[0], of_view, lambda tensor: tensor.flip(axes), context.shape())


def upsample(context: Context, node: torch.fx.Node) -> Value:
    """Lower nearest up-sampling by whole factors: a broadcast axis after every spatial axis."""
    view = context.strided(node.args[0])
    for axis, size in list(enumerate(context.shape()))[2:]:
        old = view.shape[axis]
        if size % old:
            raise Refused("up-sampling by a factor that is not whole", "up-sample by 2, 3, ... and crop with a slice")
        widened = views.insert_axis(view, axis + 1, (views.Factor(size // old, 0),))
        view = views.reshape(widened, (*view.shape[:axis], size, *view.shape[axis + 1 :])) or view
    return view


def pixel_shuffle(context: Context, node: torch.fx.Node) -> Value:
    """Lower pixel shuffle: split the channels, then join them with the spatial axes."""
    factor = int(node.args[1])  # type: ignore[arg-type]
    view = context.strided(node.args[0])
    count, channels, height, width = view.shape
    wide = views.reshape(view, (count, channels // factor**2, factor, factor, height, width))
    joined = None if wide is None else views.reshape(views.permute(wide, (0, 1, 4, 2, 5, 3)), context.shape())
    if joined is None:
        raise Refused("channels that can't be split", "call `.contiguous()` before")
    return joined


def concatenate(context: Context, node: torch.fx.Node) -> Value:
    """Lower cat and stack: producers write into their part."""
    operands: list[Any] = list(node.args[0])  # type: ignore[arg-type]
    shape = context.shape()
    axis = int(argument(node, 1, "dim", 0)) % len(shape)
    stacked = "stack" in str(node.target)
    parts: list[tuple[Region, Sum]] = []
    start = 0
    order: tuple[int, ...] = ()
    reserved = context.reserved.get(node)
    if reserved is not None:
        return _filled(context, reserved, operands, axis)
    for operand in operands:
        value = context.get(operand)
        if not stacked and value.shape[axis] == 0:
            continue
        if stacked:
            wide = (*shape[:axis], 1, *shape[axis + 1 :])
            part = context.read(views.insert_axis(context.strided(operand), axis), wide)
        elif isinstance(value, Mosaic):
            part = context.read(context.strided(operand))
        else:
            part = _unwrapped(context.gathered(operand))
        count = part.shape[axis]
        region = Region(tuple(Stretch(start, count) if place == axis else None for place in range(len(shape))))
        parts.append((region, part))
        order = order or part.order
        start += count
    return Mosaic(shape, tuple(parts), order)


def _filled(context: Context, dest: Strided, operands: list[Any], axis: int) -> Strided:
    """Write the parts of a concatenation that do not lie in its memory already."""
    start = 0
    for operand in operands:
        count = context.get(operand).shape[axis]
        if count:
            place = views.narrow(dest, axis, start, count) or dest
            value = context.get(operand)
            there = isinstance(value, Strided) and (value.buffer, value.offset, value.axes) == (place.buffer, place.offset, place.axes)
            if not there:
                context.write(value if context.sole_reader(operand) or isinstance(value, torch.Tensor) else context.strided(operand), place)
        start += count
    return dest


def _unwrapped(value: Sum) -> Sum:
    """Undo the wrapping of a sum that ends in a ReLU, when nothing was added to it."""
    return value.base if value.base is not None and not value.dots and value.constant is None and not value.relu else value


def pad(context: Context, node: torch.fx.Node) -> Value:
    """Lower constant padding: a view into the border of zeros, or a copy into a larger buffer."""
    mode = argument(node, 2, "mode", "constant") if "constant_pad_nd" not in str(node.target) else "constant"
    if mode != "constant":
        raise Refused(f"padding in mode `{mode}`", "pad with zeros: `F.pad(x, amounts)`")
    fill = argument(node, 3, "value", 0.0) if "constant_pad_nd" not in str(node.target) else argument(node, 2, "value", 0.0)
    amounts = [int(item) for item in node.args[1]]  # type: ignore[union-attr, arg-type]
    view = context.strided(node.args[0])
    around = [(0, 0)] * len(view.shape)
    for place in range(len(amounts) // 2):
        around[len(view.shape) - 1 - place] = (amounts[2 * place], amounts[2 * place + 1])
    for axis, (low, high) in enumerate(around):
        cut_low, cut_high = max(0, -low), max(0, -high)
        if cut_low or cut_high:
            cut = narrow(context, view, axis, cut_low, view.shape[axis] - cut_low - cut_high)
            view = cut if isinstance(cut, Strided) else view
    positive = tuple((max(0, low), max(0, high)) for low, high in around)
    if fill:
        return _padded_with(context, view, positive, float(fill))
    return _with_room(context, node, view, positive)


def _padded_with(context: Context, view: Strided, around: tuple[tuple[int, int], ...], fill: float) -> Value:
    shape = context.shape()
    inside = Region(tuple(Stretch(low, size) for (low, _), size in zip(around, view.shape, strict=True)))
    dest = context.emitter.allocate("padded", shape, views.memory_order(view), ((0, 0),) * len(shape))
    context.write(torch.tensor(fill).expand(shape), dest)
    context.write(view, inside.of_view(dest))
    return dest


def _with_room(context: Context, node: torch.fx.Node, view: Strided, around: Margins) -> Strided:
    """Pad with zeros; a copy gets the further border that the readers of the result ask for."""
    found = _within_margins(view, around)
    if found is not None:
        return found
    more = context.borders.of(node, len(around))
    margins = tuple((low + extra[0], high + extra[1]) for (low, high), extra in zip(around, more, strict=True))
    name, order = f"{view.buffer}_padded", views.memory_order(view)
    copied = context.emitter.copy(view, name=name, source=context.source, margins=margins, order=order)
    return _within_margins(copied, around) or copied


def padded(context: Context, view: Strided, around: Margins, *, node: Any = None, channels_last: bool = False) -> Strided:
    """Give the tensor with zeros around it; without a copy where the margins suffice.

    node: whose value `view` is; a copy then takes its place, so that other readers find the border. channels_last: how to
    lay out a copy that a convolution reads.
    """
    found = _within_margins(view, around)
    if found is not None:
        return found
    rank = len(view.shape)
    asked = context.borders.of(node, rank) if isinstance(node, torch.fx.Node) else around
    margins = tuple((max(low, more[0]), max(high, more[1])) for (low, high), more in zip(around, asked, strict=True))
    order = (0, *range(2, rank), 1) if channels_last else views.memory_order(view)
    copied = context.emitter.copy(view, name=f"{view.buffer}_padded", source=context.source, margins=margins, order=order)
    if isinstance(node, torch.fx.Node):
        context.values[node] = copied
    result = _within_margins(copied, around)
    if result is None:
        raise Refused("padding of this axis", "pad only the last axes")
    return result


def _within_margins(view: Strided, around: Margins) -> Strided | None:
    found: Strided | None = view
    for axis, (low, high) in enumerate(around):
        found = views.pad(found, axis, low, high) if found is not None else None
    return found


def _gathered_rows(context: Context, operand: Any, axis: int, positions: list[int]) -> Value:
    """Take positions of an axis: a view where they are evenly spaced, else one copy per run."""
    view = context.strided(operand)
    size = view.shape[axis]
    positions = [position % size for position in positions]
    steps = {second - first for first, second in itertools.pairwise(positions)} or {1}
    step = steps.pop()
    if not steps and step > 0:
        return narrow(context, view, axis, positions[0], len(positions), step)
    if not steps and step < 0:
        turned = views.flip(view, axis)
        return narrow(context, turned, axis, size - 1 - positions[0], len(positions), -step)
    shape = (*view.shape[:axis], len(positions), *view.shape[axis + 1 :])
    parts: list[tuple[Region, Sum]] = []
    start = 0
    while start < len(positions):
        end = start + 1
        while end < len(positions) and positions[end] == positions[end - 1] + 1:
            end += 1
        part = narrow(context, view, axis, positions[start], end - start)
        if not isinstance(part, Strided):
            raise Refused("an index of this value", "call `.contiguous()` before")
        stretch = Stretch(start, end - start)
        parts.append((Region(tuple(stretch if place == axis else None for place in range(len(shape)))), context.read(part)))
        start = end
    return Mosaic(shape, tuple(parts), views.memory_order(view))


def index(context: Context, node: torch.fx.Node) -> Value:
    """Lower indexing of one axis by a constant list."""
    indices: list[Any] = [context.get(item) for item in node.args[1]]  # type: ignore[union-attr]
    given = [(axis, item) for axis, item in enumerate(indices) if item is not None]
    if len(given) != 1 or not isinstance(given[0][1], torch.Tensor):
        raise Refused("an index that depends on the input, or of several axes", "index one axis by constants, or embed an integer input")
    axis, positions = given[0]
    if positions.dim() != 1:
        raise Refused("an index with more than one axis", "index by a flat list and reshape")
    rows = positions.nonzero()[:, 0] if positions.dtype == torch.bool else positions
    return _gathered_rows(context, node.args[0], axis, [int(row) for row in rows])


def index_select(context: Context, node: torch.fx.Node) -> Value:
    """Lower index_select by constants."""
    rows = context.get(node.args[2])
    if not isinstance(rows, torch.Tensor):
        raise Refused("an index that depends on the input", "index by constants, or embed an integer input")
    rank = len(context.get(node.args[0]).shape)
    return _gathered_rows(context, node.args[0], int(node.args[1]) % rank, [int(row) for row in rows.reshape(-1)])  # type: ignore[arg-type]


def repeat_interleave(context: Context, node: torch.fx.Node) -> Value:
    """Lower repeat_interleave by a number: a broadcast axis after the axis."""
    times, axis = node.args[1], argument(node, 2, "dim", None)
    if not isinstance(times, int) or axis is None:
        raise Refused("repeat_interleave by a tensor or without an axis", "use `x.repeat_interleave(2, dim=1)`")
    view = context.strided(node.args[0])
    place = int(axis) % len(view.shape)
    shape = (*view.shape[:place], view.shape[place] * times, *view.shape[place + 1 :])
    return views.reshape(views.insert_axis(view, place + 1, (views.Factor(times, 0),)), shape) or view
