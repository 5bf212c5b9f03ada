"""Rules for convolutions, linear layers and products of matrices: each becomes one dot (or one per phase)."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from tacit.lowering import strided as views
from tacit.lowering.context import Context, Refused
from tacit.lowering.geometry import ConvolutionGeometry, Phase, convolution_geometry, phase_margin, transposed_axes
from tacit.lowering.lookup import Lookup
from tacit.lowering.mosaic import Mosaic, Region, Stretch
from tacit.lowering.shapes import padded
from tacit.lowering.strided import NO_MARGIN, Factor, Strided, memory_order, tidy
from tacit.lowering.sums import Dot, Labels, Sum, align, axis_labels, squeeze_uniform


def constant(context: Context, argument: Any, what: str) -> torch.Tensor:
    """Give an argument that must be constant, in float64. Raises: Refused."""
    value = context.get(argument)
    if not isinstance(value, torch.Tensor):
        raise Refused(f"{what} that depends on the input", "make it a parameter or a buffer")
    return value.detach().double()


def _affine(context: Context, operand: Any, free: tuple[int, ...]) -> tuple[Strided, torch.Tensor, torch.Tensor | None] | None:
    """Take ``scale * x + shift`` apart when it is not computed yet and is the same along the axes `free`."""
    value = context.get(operand)
    if not isinstance(value, Sum) or not value.pointwise or len(value.dots) != 1 or not context.sole_reader(operand):
        return None
    dot = value.dots[0]
    if not isinstance(dot.b, torch.Tensor):
        return None
    scale = squeeze_uniform(align(dot.b, dot.b_labels, dot.out_labels))
    shift = None if value.constant is None else squeeze_uniform(value.constant)
    tensors = [scale] if shift is None else [scale, shift]
    if any(tensor.shape[axis] > 1 for tensor in tensors for axis in free):
        return None
    return dot.a, scale, shift


def linear(context: Context, node: torch.fx.Node) -> Sum:
    """Lower linear; a scale and shift of the input go into the weights."""
    weight_value = context.get(node.args[1])
    if not isinstance(weight_value, torch.Tensor):
        raise Refused("linear with a weight that depends on the input", "use `torch.matmul` of the two tensors")
    weight = weight_value.detach().double()
    bias = constant(context, node.args[2], "a bias") if len(node.args) > 2 and node.args[2] is not None else None
    rank = len(context.get(node.args[0]).shape)
    folded = _affine(context, node.args[0], tuple(range(rank - 1)))
    if folded is not None:
        view, scale, shift = folded
        if shift is not None:
            more = weight @ shift.reshape(-1).expand(weight.shape[1])
            bias = more if bias is None else bias + more
        weight = weight * scale.reshape(-1)
    else:
        view = context.strided(node.args[0])
    rows = axis_labels(rank - 1)
    return einsum(
        context, view, (*rows, "i"), weight, ("o", "i"), (*((row,) for row in rows), ("o",)), bias, name=context.name_of(node.args[1])
    )


def einsum(
    context: Context,
    a: Strided,
    a_labels: Labels,
    b: torch.Tensor | Strided,
    b_labels: Labels,
    out: tuple[Labels, ...],
    bias: torch.Tensor | None = None,
    *,
    name: str = "weight",
    order: tuple[int, ...] = (),
) -> Sum:
    """Make a sum of one dot; `bias` broadcasts against the last axis of the result, or has the result's rank."""
    sizes = {**dict(zip(b_labels, b.shape, strict=True)), **dict(zip(a_labels, a.shape, strict=True))}
    for label, size in zip(b_labels, b.shape, strict=True):
        sizes[label] = max(sizes[label], int(size))
    shape = tuple(_product(sizes[label] for label in group) for group in out)
    dot = Dot(a, a_labels, b, b_labels, out, sizes, context.source, name)
    return Sum(shape, (dot,), None if bias is None else bias.double().expand(shape), order=order or tuple(range(len(shape))))


def _product(sizes: Any) -> int:
    total = 1
    for size in sizes:
        total *= int(size)
    return total


def convolution(context: Context, node: torch.fx.Node) -> Sum:
    """Lower conv1d and conv2d: one matmul over overlapping windows of the input with its border."""
    weight = constant(context, node.args[1], "the kernel of a convolution")
    bias = constant(context, node.args[2], "a bias") if len(node.args) > 2 and node.args[2] is not None else None
    given = context.get(node.args[0]).shape
    axes = weight.dim() - 2
    if len(given) != axes + 2:
        raise Refused("a convolution without a batch axis", "keep the batch axis: x[batch, channel, ...]")
    geometry = convolution_geometry(node, given)
    around = (NO_MARGIN, NO_MARGIN, *geometry.margins)
    folded = _affine(context, node.args[0], (0, *range(2, axes + 2)))
    fits = folded is not None and _has_margins(folded[0], around) and (folded[2] is None or not any(map(any, around)))
    if folded is not None and fits:
        view, scale, shift = folded
        inputs = weight.shape[1] * geometry.groups
        per_output = _per_group(scale.reshape(-1).expand(inputs), geometry.groups, weight)
        if shift is not None:
            more = (weight * _per_group(shift.reshape(-1).expand(inputs), geometry.groups, weight)).flatten(1).sum(1)
            bias = more if bias is None else bias + more
        weight = weight * per_output
        held = None
    else:
        view = context.strided(node.args[0])
        held = node.args[0]
    return convolve(
        context, padded(context, view, around, node=held, channels_last=True), weight, bias, geometry, name=context.name_of(node.args[1])
    )


def _per_group(values: torch.Tensor, groups: int, weight: torch.Tensor) -> torch.Tensor:
    """Shape a value per input channel to multiply a kernel [output, input / groups, ...]."""
    per_group = values.reshape(groups, 1, -1).expand(-1, weight.shape[0] // groups, -1)
    return per_group.reshape(weight.shape[0], weight.shape[1], *([1] * (weight.dim() - 2)))


def _has_margins(view: Strided, around: tuple[tuple[int, int], ...]) -> bool:
    return all(views.pad(view, axis, low, high) is not None for axis, (low, high) in enumerate(around))


def convolve(
    context: Context, view: Strided, weight: torch.Tensor, bias: torch.Tensor | None, geometry: ConvolutionGeometry, *, name: str
) -> Sum:
    """Give the sum of one dot over the windows of `view`, which is padded already."""
    axes = len(geometry.kernel)
    for axis in reversed(range(axes)):
        view = windows(
            context,
            view,
            axis + 2,
            count=geometry.out[axis],
            stride=geometry.stride[axis],
            taps=geometry.kernel[axis],
            step=geometry.dilation[axis],
        )
    positions, taps = axis_labels(axes, "p"), axis_labels(axes, "k")
    interleaved = tuple(itertools.chain.from_iterable(zip(positions, taps, strict=True)))
    groups = geometry.groups
    order = (0, *range(2, axes + 2), 1)
    full_bias = None if bias is None else bias.reshape(1, -1, *([1] * axes))
    if groups == 1:
        out = (("n",), ("o",), *((position,) for position in positions))
        return einsum(context, view, ("n", "c", *interleaved), weight, ("o", "c", *taps), out, full_bias, name=name, order=order)
    split = _split_channels(context, view, groups)
    grouped = weight.reshape(groups, -1, *weight.shape[1:])
    grouped_out: tuple[Labels, ...] = (("n",), ("g", "o"), *((position,) for position in positions))
    return einsum(
        context, split, ("n", "g", "c", *interleaved), grouped, ("g", "o", "c", *taps), grouped_out, full_bias, name=name, order=order
    )


def _split_channels(context: Context, view: Strided, groups: int) -> Strided:
    shape = (view.shape[0], groups, view.shape[1] // groups, *view.shape[2:])
    split = views.reshape(view, shape)
    if split is None:
        split = views.reshape(context.emitter.copy(view, name=f"{view.buffer}_copy", source=context.source), shape)
    if split is None:
        raise Refused("channels that can't be split into groups", "call `.contiguous()` before the convolution")
    return split


def windows(context: Context, view: Strided, axis: int, *, count: int, stride: int, taps: int, step: int, start: int = 0) -> Strided:
    """Replace an axis by positions and taps, copying first when the axis is made of several factors."""
    found = views.windows(view, axis, count=count, stride=stride, taps=taps, step=step, start=start)
    if found is None:
        copied = context.emitter.copy(view, name=f"{view.buffer}_copy", source=context.source, order=memory_order(view))
        found = views.windows(copied, axis, count=count, stride=stride, taps=taps, step=step, start=start)
    if found is None:
        raise Refused("windows over a reshaped axis", "call `.contiguous()` before")
    return found


def transposed_convolution(context: Context, node: torch.fx.Node) -> Sum | Mosaic:
    """Lower conv_transpose1d and conv_transpose2d by phases: no multiplication by a stuffed zero."""
    weight = constant(context, node.args[1], "the kernel of a convolution")
    bias = constant(context, node.args[2], "a bias") if len(node.args) > 2 and node.args[2] is not None else None
    view = context.strided(node.args[0])
    phases, groups = transposed_axes(node, view.shape)
    axes = len(phases)
    margins = tuple(phase_margin(axis, view.shape[2 + place]) for place, axis in enumerate(phases))
    wide = padded(context, view, (NO_MARGIN, NO_MARGIN, *margins), node=node.args[0], channels_last=True)
    shape, order = context.shape(), (0, *range(2, axes + 2), 1)
    name = context.name_of(node.args[1])
    parts: list[tuple[Region, Sum]] = []
    for chosen in itertools.product(*phases):
        part = _phase(context, wide, weight, chosen, [low for low, _ in margins], groups, name)
        if bias is not None:
            part = Sum(part.shape, part.dots, bias.reshape(1, -1, *([1] * axes)).expand(part.shape), order=order)
        stretches = [
            None if phase.count * phase.phases == size else Stretch(phase.first, phase.count, _step(phase, axis), phase.phases)
            for phase, axis, size in zip(chosen, phases, shape[2:], strict=True)
        ]
        parts.append((Region((None, None, *stretches)), part))
    return parts[0][1] if len(parts) == 1 else Mosaic(shape, tuple(parts), order)


def _step(phase: Phase, axis: list[Phase]) -> int:
    return sum(other.phases for other in axis)


def _phase(
    context: Context, view: Strided, weight: torch.Tensor, chosen: tuple[Phase, ...], lows: list[int], groups: int, name: str
) -> Sum:
    """Give one block of phases as a dot with labels n, g, o, c and per axis p (position), r (phase), k (tap)."""
    axes = len(chosen)
    order = (0, *range(2, axes + 2), 1)
    outputs = weight.shape[1]
    shape = (view.shape[0], groups * outputs, *(phase.count * phase.phases for phase in chosen))
    if any(phase.taps == 0 for phase in chosen):
        return Sum(shape, (), order=order)
    view = _split_channels(context, view, groups)
    kernel = weight.reshape(groups, -1, *weight.shape[1:])  # [group, input, output, *kernel]
    a_labels: list[str] = ["n", "g", "c"]
    b_labels: list[str] = ["g", "c", "o"]
    out: list[Labels] = [("n",), ("g", "o")]
    for axis, phase in enumerate(chosen):
        place = 3 + 3 * axis
        if len(view.axes[place]) > 1:
            view = context.emitter.copy(view, name=f"{view.buffer}_copy", source=context.source)
        factor = view.axes[place][0] if view.axes[place] else Factor(1, 0)
        made = (
            tidy((Factor(phase.count, factor.stride),)),
            tidy((Factor(phase.phases, factor.stride * phase.slope),)),
            tidy((Factor(phase.taps, factor.stride * phase.step),)),
        )
        start = (phase.start + lows[axis]) * factor.stride
        view = Strided(
            view.buffer,
            view.offset + start,
            (*view.axes[:place], *made, *view.axes[place + 1 :]),
            (NO_MARGIN,) * (len(view.axes) + 2),
            view.rows,
        )
        chosen_taps = torch.tensor(phase.kernel).reshape(-1)
        at = 3 + 2 * axis
        kernel = kernel.index_select(at, chosen_taps)
        kernel = kernel.reshape(*kernel.shape[:at], phase.phases, phase.taps, *kernel.shape[at + 1 :])
        a_labels += [f"p{axis}", f"r{axis}", f"k{axis}"]
        b_labels += [f"r{axis}", f"k{axis}"]
        out.append((f"p{axis}", f"r{axis}"))
    return einsum(context, view, tuple(a_labels), kernel, tuple(b_labels), tuple(out), name=name, order=order)


def matrix_product(context: Context, node: torch.fx.Node) -> Sum:
    """Lower matmul, mm, bmm of two tensors, one of which may be constant."""
    return multiply_matrices(context, node.args[0], node.args[1])


def multiply_matrices(context: Context, left: Any, right: Any) -> Sum:
    """Give ``left @ right`` with PyTorch's rules for vectors and for broadcasting the leading axes."""
    left_shape, right_shape = tuple(context.get(left).shape), tuple(context.get(right).shape)
    lead = max(len(left_shape), len(right_shape), 2) - 2
    leading = axis_labels(lead)
    a_labels = (*leading[lead - max(0, len(left_shape) - 2) :], *(("m",) if len(left_shape) > 1 else ()), "k")
    b_labels = (*leading[lead - max(0, len(right_shape) - 2) :], "k", *(("n",) if len(right_shape) > 1 else ()))
    rows = (("m",),) if len(left_shape) > 1 else ()
    columns = (("n",),) if len(right_shape) > 1 else ()
    return contract(context, [left, right], [a_labels, b_labels], (*((label,) for label in leading), *rows, *columns))


def contract(context: Context, operands: list[Any], labels: list[Labels], out: tuple[Labels, ...]) -> Sum:
    """Give the einsum of two operands; a constant becomes the weight, axes of size 1 broadcast."""
    values = [context.get(operand) for operand in operands]
    if isinstance(values[0], torch.Tensor):
        operands, labels, values = operands[::-1], labels[::-1], values[::-1]
    first = context.strided(operands[0])
    second: torch.Tensor | Strided
    second = values[1].detach().double() if isinstance(values[1], torch.Tensor) else context.strided(operands[1])
    sizes: dict[str, int] = {}
    for operand, names in ((first, labels[0]), (second, labels[1])):
        for label, size in zip(names, operand.shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), int(size))
    first = views.expand(first, [sizes[label] for label in labels[0]])
    if isinstance(second, Strided):
        second = views.expand(second, [sizes[label] for label in labels[1]])
    return einsum(context, first, labels[0], second, labels[1], out, name=context.name_of(operands[1]))


def einsum_rule(context: Context, node: torch.fx.Node) -> Sum:
    """Lower an einsum of one or two operands."""
    equation = str(node.args[0]).replace(" ", "")
    operands: list[Any] = list(node.args[1])  # type: ignore[arg-type]
    terms, _, result = equation.partition("->")
    names = terms.split(",")
    if "..." in equation or "->" not in equation or len(operands) > 2 or any(len(set(name)) != len(name) for name in names):
        raise Refused(f"einsum `{equation}`", "write it as products of two tensors with every axis named once and `->`")
    out = tuple((label,) for label in result)
    if len(operands) == 1:
        return einsum(context, context.strided(operands[0]), tuple(names[0]), torch.ones((), dtype=torch.float64), (), out, name="one")
    return contract(context, operands, [tuple(name) for name in names], out)


def embedding(context: Context, node: torch.fx.Node) -> Lookup:
    """Lower embedding: the integers pick the rows of the table."""
    weight, indices = context.get(node.args[0]), context.get(node.args[1])
    if not isinstance(indices, Lookup):
        raise Refused(
            "an embedding of computed indices", "embed an integer input (`limit` in its array), or arithmetic on it with constants"
        )
    if not isinstance(weight, torch.Tensor):
        raise Refused("an embedding with a computed table", "make the table a parameter")
    greatest = int(indices.table.max())
    if greatest >= weight.shape[0] or int(indices.table.min()) < 0:
        raise Refused(
            f"an embedding of {weight.shape[0]} rows whose indices reach from {int(indices.table.min())} to {greatest}",
            f"make the table {greatest + 1} rows or lower the limit of the input",
        )
    return indices.embed(weight.detach())
