"""Values that are not computed yet: ``relu(sum of products + constant)``, gathered until somebody reads them.

Gathering is what folds a batch norm into its convolution, a ReLU into the matmul before it, and a residual into an
accumulation: each of these only edits the sum. Constants are folded in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from tacit.lowering.strided import Strided, memory_order

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Dot:
    """A product like an einsum: every axis of an operand has a label, every axis of the result is a row of labels.

    b is a constant (float64 tensor) or another tensor in memory. Labels that are in an operand and not in the result are
    summed over. A constant may have size 1 along a label.
    """

    a: Strided
    a_labels: Labels
    b: torch.Tensor | Strided
    b_labels: Labels
    out: tuple[Labels, ...]
    sizes: dict[str, int]
    source: str
    name: str = "constant"

    @property
    def pointwise(self) -> bool:
        """Whether every element of the result is one element of `a` times a constant."""
        one_each = all(len(group) == 1 for group in self.out)
        return (
            isinstance(self.b, torch.Tensor) and one_each and self.a_labels == self.out_labels and set(self.b_labels) <= set(self.a_labels)
        )

    @property
    def out_labels(self) -> Labels:
        """Every label of the result, from the first axis to the last."""
        return tuple(label for group in self.out for label in group)


@dataclass(frozen=True)
class Sum:
    """``base + sum of dots + constant``, then ``max(0, .)`` when `relu`.

    base: a sum that is written first. constant: float64, expanded to `shape`. order: the axes from the outermost to the
    innermost in the memory where the result should lie.
    """

    shape: tuple[int, ...]
    dots: tuple[Dot, ...]
    constant: torch.Tensor | None = None
    relu: bool = False
    base: Sum | None = None
    order: tuple[int, ...] = ()

    @property
    def nonnegative(self) -> bool:
        """Whether every element is known to be at least 0."""
        return self.relu

    @property
    def pointwise(self) -> bool:
        """Whether the sum is elementwise, so that views of it can be taken before it is computed."""
        return not self.relu and self.base is None and all(dot.pointwise for dot in self.dots)


def axis_labels(count: int, prefix: str = "x") -> Labels:
    """Name `count` axes."""
    return tuple(f"{prefix}{axis}" for axis in range(count))


def scaled(view: Strided, scale: float | torch.Tensor, *, source: str, name: str = "scale") -> Sum:
    """Give ``view * scale``; a tensor must have the shape of the view (expanded)."""
    labels = axis_labels(len(view.shape))
    sizes = dict(zip(labels, view.shape, strict=True))
    groups = tuple((label,) for label in labels)
    if isinstance(scale, torch.Tensor):
        b, b_labels = scale.double(), labels
    else:
        b, b_labels = torch.tensor(float(scale), dtype=torch.float64), ()
    dot = Dot(view, labels, b, b_labels, groups, sizes, source, name)
    return Sum(view.shape, (dot,), order=memory_order(view))


def squeeze_uniform(tensor: torch.Tensor) -> torch.Tensor:
    """Reduce every axis along which the values are all the same to size 1."""
    for axis, size in enumerate(tensor.shape):
        if size > 1:
            first = tensor.narrow(axis, 0, 1)
            if tensor.stride(axis) == 0 or bool((tensor == first).all()):
                tensor = first
    return tensor


def by_label(tensor: torch.Tensor, dot: Dot) -> torch.Tensor:
    """Turn a tensor of the result's shape (expanded) into one with an axis per label, uniform axes reduced to size 1."""
    shape = [dot.sizes[label] for label in dot.out_labels]
    return squeeze_uniform(squeeze_axes(tensor, dot, shape))


def squeeze_axes(tensor: torch.Tensor, dot: Dot, shape: Sequence[int]) -> torch.Tensor:
    """Split the axes of a tensor into labels without copying what is broadcast."""
    kept = []
    position = 0
    for axis, group in enumerate(dot.out):
        sizes = list(shape[position : position + len(group)])
        position += len(group)
        if tensor.shape[axis] > 1 and tensor.stride(axis) == 0:
            tensor = tensor.narrow(axis, 0, 1)
        kept.extend([1] * len(group) if tensor.shape[axis] == 1 else sizes)
    return tensor.reshape(kept)


def align(tensor: torch.Tensor, labels: Labels, wanted: Labels) -> torch.Tensor:
    """Permute and insert axes of size 1 so that the axes stand as `wanted` says."""
    present = [label for label in wanted if label in labels]
    tensor = tensor.permute([labels.index(label) for label in present])
    for axis, label in enumerate(wanted):
        if label not in labels:
            tensor = tensor.unsqueeze(axis)
    return tensor


def multiply_dot(dot: Dot, factor: torch.Tensor) -> Dot | None:
    """Fold a constant of the result's shape into `dot`; None when the constant varies along rows of a contraction."""
    if not isinstance(dot.b, torch.Tensor):
        return None
    found = by_label(factor.double(), dot)
    varying = {label for label, size in zip(dot.out_labels, found.shape, strict=True) if size > 1}
    if not dot.pointwise and not varying <= set(dot.b_labels):
        return None
    wanted = (*dot.b_labels, *(label for label in dot.out_labels if label in varying and label not in dot.b_labels))
    for axis, label in reversed(list(enumerate(dot.out_labels))):
        if label not in wanted:
            found = found.squeeze(axis)
    labels = tuple(label for label in dot.out_labels if label in wanted)
    return replace(dot, b=align(dot.b, dot.b_labels, wanted) * align(found, labels, wanted), b_labels=wanted)


def multiply(value: Sum, factor: torch.Tensor) -> Sum | None:
    """Give ``value * factor`` for a constant of the same shape (expanded); None when it can't be folded."""
    if value.relu or value.base is not None:
        return None
    dots = [multiply_dot(dot, factor) for dot in value.dots]
    if any(dot is None for dot in dots):
        return None
    constant = None if value.constant is None else value.constant * factor.double()
    return replace(value, dots=tuple(dot for dot in dots if dot is not None), constant=constant)


def add_constant(value: Sum, constant: torch.Tensor) -> Sum:
    """Give ``value + constant`` for a constant of the same shape (expanded) and a sum without ReLU."""
    total = constant.double() if value.constant is None else value.constant + constant.double()
    return replace(value, constant=total)


def map_pointwise(
    value: Sum, view: Callable[[Strided], Strided | None], tensor: Callable[[torch.Tensor], torch.Tensor], shape: tuple[int, ...]
) -> Sum | None:
    """Apply a change of axes to an elementwise sum: `view` to the operands, `tensor` to the constants."""
    if not value.pointwise:
        return None
    dots = []
    for dot in value.dots:
        moved, weight = view(dot.a), dot.b
        if moved is None or not isinstance(weight, torch.Tensor):
            return None
        scale = align(weight, dot.b_labels, dot.out_labels).expand([dot.sizes[label] for label in dot.out_labels])
        labels = axis_labels(len(shape))
        sizes = dict(zip(labels, shape, strict=True))
        groups = tuple((label,) for label in labels)
        b = squeeze_uniform(tensor(scale))
        dots.append(Dot(moved, labels, b, labels, groups, sizes, dot.source, dot.name))
    constant = None if value.constant is None else tensor(value.constant)
    order = memory_order(dots[0].a) if dots else tuple(range(len(shape)))
    return Sum(shape, tuple(dots), constant, order=order)


def permuted(value: Sum, order: Sequence[int]) -> Sum:
    """Reorder the axes of a value that is not computed yet; its place in memory stays the same."""
    dots = tuple(replace(dot, out=tuple(dot.out[axis] for axis in order)) for dot in value.dots)
    constant = None if value.constant is None else value.constant.permute(tuple(order))
    base = None if value.base is None else permuted(value.base, order)
    places = {axis: place for place, axis in enumerate(order)}
    memory = tuple(places[axis] for axis in (value.order or range(len(value.shape))))
    return Sum(tuple(value.shape[axis] for axis in order), dots, constant, value.relu, base, memory)


def reshaped(value: Sum, shape: Sequence[int]) -> Sum | None:
    """Reshape a value that is not computed yet; None when an axis would have to be cut, or joined against its order in memory."""
    grouped = _joined_axes(value.shape, shape)
    if grouped is None:
        return None
    order = [axis for axis in (value.order or range(len(value.shape))) if value.shape[axis] > 1]
    firsts = []
    for group in grouped:
        kept = [axis for axis in group if value.shape[axis] > 1]
        at = [order.index(axis) for axis in kept]
        if at != list(range(at[0], at[0] + len(at))) if at else False:
            return None
        firsts.append(at[0] if at else -1)
    memory = tuple(sorted(range(len(shape)), key=lambda axis: (firsts[axis], axis)))
    base = None if value.base is None else reshaped(value.base, shape)
    if value.base is not None and base is None:
        return None
    dots = tuple(replace(dot, out=tuple(sum((dot.out[axis] for axis in group), ()) for group in grouped)) for dot in value.dots)
    constant = None if value.constant is None else value.constant.reshape(tuple(shape))
    return Sum(tuple(shape), dots, constant, value.relu, base, memory)


def _joined_axes(old: Sequence[int], new: Sequence[int]) -> list[list[int]] | None:
    """Say which old axes each new axis is made of; None when one would have to be cut."""
    groups: list[list[int]] = []
    axis = 0
    for size in new:
        group: list[int] = []
        product = 1
        while product < size and axis < len(old):
            product *= old[axis]
            group.append(axis)
            axis += 1
        if product != size:
            return None
        groups.append(group)
    rest = list(range(axis, len(old)))
    if any(old[left] != 1 for left in rest):
        return None
    return groups
