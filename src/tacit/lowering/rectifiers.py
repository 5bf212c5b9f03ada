"""Rules for ReLU and what is made of it: clamps, gates, bent lines, the greater of two values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from tacit.lowering.arithmetic import as_tensor, negated, plus, product
from tacit.lowering.context import Context, Refused, Value
from tacit.lowering.geometry import argument
from tacit.lowering.mosaic import Mosaic
from tacit.lowering.sums import Sum, add_constant, multiply

#: Above this width `clamp` keeps its value small by adding two ReLUs, below it nests them (one instruction less).
NESTED_CLAMP = 64.0


def rectified(value: Sum) -> Sum:
    """Give ``max(0, value)``."""
    if value.base is not None and not value.dots and value.constant is None:
        return value.base
    return replace(value, relu=True)


def relu(context: Context, node: torch.fx.Node) -> Value:
    """Lower relu: a flag on the last instruction of the sum."""
    value = context.get(node.args[0])
    if isinstance(value, Mosaic) and context.sole_reader(node.args[0]):
        return replace(value, parts=tuple((region, rectified(part)) for region, part in value.parts))
    return rectified(context.gathered(node.args[0]))


def clamped(context: Context, operand: Any, low: float | None, high: float | None) -> Value:
    """Give ``operand`` limited to ``low ... high`` by at most two ReLUs."""
    low = None if low is not None and low == -math.inf else low
    high = None if high is not None and high == math.inf else high
    if low is None and high is None:
        return context.gathered(operand)
    if low is not None and high is not None and high <= low:
        return add_constant(times_sum(context.gathered(operand), 0.0), as_tensor(high, tuple(context.get(operand).shape)))
    value = context.gathered(operand)
    if high is None:
        return _plus_number(rectified(_plus_number(value, -(low or 0.0))), low or 0.0)
    if low is not None and high - low > NESTED_CLAMP:
        held = context.compute(value, "clamped")
        upper = _sum_of(rectified(_plus_number(context.read(held), -high)))
        lower = _sum_of(rectified(_plus_number(context.read(held), -low)))
        return _plus_number(plus(context, lower, negated(context, upper)), low)
    inner = value if low is None else context.read(context.compute(rectified(_plus_number(value, -low)), "clamped"))
    room = high - (low or 0.0)
    below = negated(context, inner)
    rest = rectified(_plus_number(below, room))
    return _plus_number(negated(context, _sum_of(rest)), high)


def times_sum(value: Sum, factor: float) -> Sum:
    """Give a sum times a number, when it has no base."""
    return multiply(value, torch.tensor(factor).expand(value.shape)) or value


def _plus_number(value: Sum, number: float) -> Sum:
    if number == 0:
        return value
    base = _sum_of(value)
    return add_constant(base, torch.tensor(number, dtype=torch.float64).expand(value.shape))


def _sum_of(value: Sum) -> Sum:
    """Wrap a sum that ends in a ReLU so that more can be added to it."""
    return Sum(value.shape, (), base=value, order=value.order) if value.relu else value


def clamp(context: Context, node: torch.fx.Node) -> Value:
    """Lower clamp, clamp_min, clamp_max, hardtanh, relu6."""
    name = str(node.target)
    if "relu6" in name:
        return clamped(context, node.args[0], 0.0, 6.0)
    if "clamp_min" in name:
        return clamped(context, node.args[0], _number(context, node.args[1]), None)
    if "clamp_max" in name:
        return clamped(context, node.args[0], None, _number(context, node.args[1]))
    if "hardtanh" in name:
        return clamped(context, node.args[0], float(argument(node, 1, "min_val", -1)), float(argument(node, 2, "max_val", 1)))
    low, high = argument(node, 1, "min", None), argument(node, 2, "max", None)
    return clamped(context, node.args[0], _number(context, low), _number(context, high))


def _number(context: Context, value: Any) -> float | None:
    found = context.get(value)
    if isinstance(found, torch.Tensor) and found.numel() == 1:
        return float(found)
    if found is not None and not isinstance(found, int | float):
        raise Refused("clamp with bounds that are tensors", "use `torch.maximum` and `torch.minimum`")
    return None if found is None else float(found)


def hardsigmoid_of(context: Context, operand: Any) -> Sum:
    """Give ``clamp(x / 6 + 1/2, 0, 1)``."""
    scaled_value = multiply(context.gathered(operand), as_tensor(1 / 6, tuple(context.get(operand).shape)))
    value = scaled_value if scaled_value is not None else context.read(context.strided(operand), scale=1 / 6)
    inner = context.read(context.compute(rectified(_plus_number(value, 0.5)), "gate"))
    rest = rectified(_plus_number(negated(context, inner), 1.0))
    return _plus_number(negated(context, _sum_of(rest)), 1.0)


def hardsigmoid(context: Context, node: torch.fx.Node) -> Value:
    """Lower hardsigmoid."""
    return hardsigmoid_of(context, node.args[0])


def hardswish(context: Context, node: torch.fx.Node) -> Value:
    """Lower hardswish: the product of x and hardsigmoid(x)."""
    held = context.strided(node.args[0])
    gate = context.compute(hardsigmoid_of(context, held), f"{node.name}_gate")
    return product(context, held, gate)


def leaky(context: Context, operand: Any, slope: torch.Tensor) -> Sum:
    """Give ``slope * x + (1 - slope) * relu(x)``."""
    held = context.strided(operand)
    rest = 1.0 - slope
    linear_part = multiply(context.read(held), slope) or context.read(held)
    if bool((rest >= 0).all()):
        bent = multiply(context.read(held), rest) or context.read(held)
        return plus(context, _sum_of(rectified(bent)), linear_part)
    bent = context.read(context.compute(rectified(context.read(held)), "part"))
    return plus(context, linear_part, multiply(bent, rest) or bent)


def leaky_relu(context: Context, node: torch.fx.Node) -> Value:
    """Lower leaky_relu."""
    slope = float(argument(node, 1, "negative_slope", 0.01))
    return leaky(context, node.args[0], as_tensor(slope, tuple(context.get(node.args[0]).shape)))


def prelu(context: Context, node: torch.fx.Node) -> Value:
    """Lower prelu: a slope per channel."""
    slope = context.get(node.args[1])
    if not isinstance(slope, torch.Tensor):
        raise Refused("prelu with a computed slope", "make the slope a parameter")
    shape = tuple(context.get(node.args[0]).shape)
    along = slope.reshape(-1, *([1] * (len(shape) - 2))) if len(shape) > 1 else slope
    return leaky(context, node.args[0], as_tensor(along, shape))


def absolute(context: Context, node: torch.fx.Node) -> Value:
    """Lower abs: ``2 * relu(x) - x``."""
    held = context.strided(node.args[0])
    return plus(context, _sum_of(rectified(context.read(held, scale=2.0))), context.read(held, scale=-1.0))


def greater(context: Context, left: Any, right: Any, shape: tuple[int, ...]) -> Sum:
    """Give ``max(left, right) = relu(left - right) + right``."""
    first, second = context.strided(left), context.strided(right)
    difference = plus(context, context.read(first, shape), context.read(second, shape, scale=-1.0))
    return plus(context, _sum_of(rectified(difference)), context.read(second, shape))


def maximum(context: Context, node: torch.fx.Node) -> Value:
    """Lower maximum of two tensors."""
    return greater(context, node.args[0], node.args[1], context.shape())


def minimum(context: Context, node: torch.fx.Node) -> Value:
    """Lower minimum: ``right - relu(right - left)``."""
    shape = context.shape()
    first, second = context.strided(node.args[0]), context.strided(node.args[1])
    difference = plus(context, context.read(second, shape), context.read(first, shape, scale=-1.0))
    return plus(context, context.read(second, shape), negated(context, _sum_of(rectified(difference))))
