"""The arithmetic of windows: what convolutions, transposed convolutions and pools read, in whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class ConvolutionGeometry:
    """Per spatial axis: kernel, stride, zeros before and after the input, step between taps, size of the result."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    margins: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]
    groups: int


def argument(node: torch.fx.Node, place: int, name: str, default: Any) -> Any:
    """Give an argument of a node by position or keyword."""
    if len(node.args) > place:
        return node.args[place]
    return node.kwargs.get(name, default)


def spread(value: Any, count: int) -> tuple[int, ...]:
    """Give a number per axis from one number or a list."""
    values = [value] if isinstance(value, int) else list(value)
    return tuple(int(values[0]) for _ in range(count)) if len(values) == 1 else tuple(int(item) for item in values)


def convolution_geometry(node: torch.fx.Node, given: tuple[int, ...]) -> ConvolutionGeometry:
    """Read the geometry of a `conv1d` or `conv2d` node whose input has shape `given`."""
    weight: Any = node.args[1]
    kernel = tuple(int(size) for size in weight.meta["val"].shape[2:])
    axes = len(kernel)
    stride = spread(argument(node, 3, "stride", 1), axes)
    padding = argument(node, 4, "padding", 0)
    dilation = spread(argument(node, 5, "dilation", 1), axes)
    groups = int(argument(node, 6, "groups", 1))
    reach = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    if padding == "same":
        around = [(total // 2, total - total // 2) for total in reach]
    else:
        around = [(0, 0)] * axes if padding == "valid" else [(amount, amount) for amount in spread(padding, axes)]
    sizes = given[-axes:]
    out, margins = [], []
    for axis in range(axes):
        low, high = around[axis]
        count = (sizes[axis] + low + high - reach[axis] - 1) // stride[axis] + 1
        read = (count - 1) * stride[axis] + reach[axis] + 1 - low - sizes[axis]
        out.append(count)
        margins.append((low, max(0, read)))
    return ConvolutionGeometry(kernel, stride, tuple(margins), dilation, tuple(out), groups)


@dataclass(frozen=True)
class Phase:
    """Neighbouring sub-pixel phases of a transposed convolution along one axis.

    Result element ``first + stride * i + r`` for ``r < phases``, ``i < count`` is the sum over taps t of input element
    ``start + slope * r + i + step * t`` times kernel element ``kernel[r][t]``.
    """

    first: int
    phases: int
    count: int
    start: int
    slope: int
    step: int
    kernel: tuple[tuple[int, ...], ...]

    @property
    def taps(self) -> int:
        """How many kernel elements meet in one result element."""
        return len(self.kernel[0])

    @property
    def reach(self) -> tuple[int, int]:
        """The least and the greatest input element that is read."""
        starts = (self.start, self.start + self.slope * (self.phases - 1))
        span = self.step * max(0, self.taps - 1)
        return min(starts), max(starts) + span + self.count - 1


def transposed_phases(*, size: int, kernel: int, stride: int, padding: int, output_padding: int, dilation: int) -> list[Phase]:
    """Cut a transposed convolution along one axis into phases without multiplications by zero.

    >>> [(phase.first, phase.phases, phase.taps) for phase in
    ...  transposed_phases(size=4, kernel=2, stride=2, padding=0, output_padding=0, dilation=1)]
    [(0, 2, 1)]
    """
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
    step = dilation // math.gcd(stride, dilation)
    single: list[Phase] = []
    for first in range(min(stride, out)):
        taps = [tap for tap in range(kernel) if (first + padding - tap * dilation) % stride == 0][::-1]
        start = (first + padding - taps[0] * dilation) // stride if taps else 0
        single.append(Phase(first, 1, -(-(out - first) // stride), start, 0, step, (tuple(taps),)))
    joined: list[Phase] = []
    for phase in single:
        last = joined[-1] if joined else None
        if last is None or last.taps != phase.taps or last.count != phase.count:
            joined.append(phase)
            continue
        slope = phase.start - (last.start + last.slope * (last.phases - 1))
        if last.phases > 1 and slope != last.slope:
            joined.append(phase)
            continue
        joined[-1] = Phase(last.first, last.phases + 1, last.count, last.start, slope, step, (*last.kernel, *phase.kernel))
    return joined


def transposed_axes(node: torch.fx.Node, given: tuple[int, ...]) -> tuple[list[list[Phase]], int]:
    """Give the phases per spatial axis and the groups of a `conv_transpose1d` or `conv_transpose2d` node."""
    weight: Any = node.args[1]
    kernel = [int(size) for size in weight.meta["val"].shape[2:]]
    axes = len(kernel)
    stride = spread(argument(node, 3, "stride", 1), axes)
    padding = spread(argument(node, 4, "padding", 0), axes)
    output_padding = spread(argument(node, 5, "output_padding", 0), axes)
    groups = int(argument(node, 6, "groups", 1))
    dilation = spread(argument(node, 7, "dilation", 1), axes)
    phases = [
        transposed_phases(
            size=given[axis - axes],
            kernel=kernel[axis],
            stride=stride[axis],
            padding=padding[axis],
            output_padding=output_padding[axis],
            dilation=dilation[axis],
        )
        for axis in range(axes)
    ]
    return phases, groups


def transposed_margins(node: torch.fx.Node, given: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Give the zeros that a transposed convolution reads around its input, per spatial axis."""
    phases, _ = transposed_axes(node, given)
    return tuple(phase_margin(list(axis), given[place - len(phases)]) for place, axis in enumerate(phases))


def phase_margin(phases: list[Phase], size: int) -> tuple[int, int]:
    """Give the zeros before and after an axis of `size` elements that its phases read."""
    reaches = [phase.reach for phase in phases if phase.taps]
    low = max((-least for least, _ in reaches), default=0)
    high = max((greatest - size + 1 for _, greatest in reaches), default=0)
    return max(0, low), max(0, high)


@dataclass(frozen=True)
class Pool:
    """Per axis: kernel, stride, padding, step between taps, size of the result."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    out: tuple[int, ...]
    include_padding: bool = True
    divisor: int | None = None


def pool_geometry(node: torch.fx.Node, name: str, given: tuple[int, ...]) -> Pool:
    """Read the geometry of a pooling node (``max_pool1d`` ... ``avg_pool2d``) whose input has shape `given`."""
    axes = int(name[-2])
    kernel = spread(node.args[1], axes)
    stride = spread(argument(node, 2, "stride", kernel) or kernel, axes)
    padding = spread(argument(node, 3, "padding", 0), axes)
    average = name.startswith("avg")
    dilation = spread(1 if average else argument(node, 4, "dilation", 1), axes)
    ceil_mode = bool(argument(node, 4 if average else 5, "ceil_mode", False))
    include = bool(argument(node, 5, "count_include_pad", True)) if average else True
    divisor = argument(node, 6, "divisor_override", None) if average else None
    out = []
    for axis in range(axes):
        size = given[axis - axes]
        room = size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1
        count = -(-room // stride[axis]) + 1 if ceil_mode else room // stride[axis] + 1
        if ceil_mode and (count - 1) * stride[axis] >= size + padding[axis]:
            count -= 1
        out.append(count)
    return Pool(kernel, stride, padding, dilation, tuple(out), include, divisor)


def pool_margin(pool: Pool, axis: int, size: int) -> tuple[int, int]:
    """Give how far the windows of a pool reach beyond an axis of `size` elements."""
    last = (pool.out[axis] - 1) * pool.stride[axis] + pool.dilation[axis] * (pool.kernel[axis] - 1) - pool.padding[axis]
    return pool.padding[axis], max(0, last - size + 1)


def pool_padding(node: torch.fx.Node, given: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Give the zeros that a pooling node reads around its input, per spatial axis."""
    name = str(getattr(node.target, "overloadpacket", node.target)).rpartition(".")[2]
    pool = pool_geometry(node, name, given)
    return tuple(pool_margin(pool, axis, given[axis - len(pool.kernel)]) for axis in range(len(pool.kernel)))
