"""Rules for sums, products and ReLUs of tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from tacit.lowering.context import Context, Refused, Value
from tacit.lowering.geometry import argument
from tacit.lowering.lookup import Lookup, narrow_broadcast
from tacit.lowering.mosaic import Mosaic
from tacit.lowering.products import contract, multiply_matrices
from tacit.lowering.sums import Sum, add_constant, axis_labels, multiply

Number = int | float


#: Arithmetic on tables of integer inputs may make a table at most so many times larger; small ones are always allowed.
MOST_GROWTH = 2
SMALL_TABLE = 4096


def is_constant(value: Any) -> bool:
    """Whether a value is known while lowering."""
    return isinstance(value, torch.Tensor | int | float)


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """Give the shape that tensors of these shapes broadcast to."""
    rank = max(len(shape) for shape in shapes)
    wide = [(1,) * (rank - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(next((size for size in sizes if size != 1), 1) for sizes in zip(*wide, strict=True))


def as_tensor(value: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """Give a constant in float64, expanded to `shape`."""
    return (value.detach() if isinstance(value, torch.Tensor) else torch.tensor(float(value))).double().expand(shape)


def times(context: Context, operand: Any, factor: Any) -> Value:
    """Give ``operand * factor`` for a constant factor."""
    shape = broadcast(tuple(context.get(operand).shape), tuple(getattr(factor, "shape", ())))
    constant = as_tensor(factor, shape)
    value = context.get(operand)
    if isinstance(value, Mosaic) and value.shape == shape and context.sole_reader(operand):
        parts = [(region, multiply(part, region.of_tensor(constant))) for region, part in value.parts]
        found = tuple((region, part) for region, part in parts if part is not None)
        if len(found) == len(parts):
            return replace(value, parts=found)
    folded = multiply(context.gathered(operand, shape), constant)
    return folded if folded is not None else _scaled_read(context, operand, shape, constant)


def _scaled_read(context: Context, operand: Any, shape: tuple[int, ...], constant: torch.Tensor) -> Sum:
    found = multiply(context.read(context.strided(operand), shape), constant)
    if found is None:
        raise Refused("a product", "multiply by a constant that is a parameter or a buffer")
    return found


def plus_constant(context: Context, operand: Any, constant: Any) -> Value:
    """Give ``operand + constant``."""
    shape = broadcast(tuple(context.get(operand).shape), tuple(getattr(constant, "shape", ())))
    full = as_tensor(constant, shape)
    value = context.get(operand)
    if (
        isinstance(value, Mosaic)
        and value.shape == shape
        and context.sole_reader(operand)
        and not any(part.relu for _, part in value.parts)
    ):
        return replace(value, parts=tuple((region, add_constant(part, region.of_tensor(full))) for region, part in value.parts))
    return add_constant(context.gathered(operand, shape), full)


def plus(context: Context, left: Sum, right: Sum) -> Sum:
    """Add two sums of one shape; at most one base can stay, the other is computed."""
    if left.base is not None and right.base is not None:
        right = _without_base(context, right)
    constants = [part.constant for part in (left, right) if part.constant is not None]
    constant = sum(constants[1:], constants[0]) if constants else None
    order = left.order or right.order
    for part in (left, right):
        if any(not dot.pointwise for dot in part.dots):
            order = part.order or order
            break
    return Sum(left.shape, (*left.dots, *right.dots), constant, base=left.base or right.base, order=order)


def _without_base(context: Context, value: Sum) -> Sum:
    if value.base is None:
        return value
    read = context.read(context.compute(value.base, "part"))
    return Sum(value.shape, (*read.dots, *value.dots), value.constant, order=value.order)


def negated(context: Context, value: Sum) -> Sum:
    """Give the sum times -1."""
    found = multiply(_without_base(context, value), torch.tensor(-1.0).expand(value.shape))
    return found if found is not None else _negated_read(context, value)


def _negated_read(context: Context, value: Sum) -> Sum:
    return context.read(context.compute(value, "part"), scale=-1.0)


def add(context: Context, node: torch.fx.Node) -> Value:
    """Lower add, sub and rsub with their factor `alpha`."""
    name = str(node.target)
    left, right = node.args[0], node.args[1]
    alpha = float(argument(node, 2, "alpha", 1))
    if "rsub" in name:
        left, right = right, left
    sign = -alpha if "sub" in name else alpha
    left_value, right_value = context.get(left), context.get(right)
    if is_constant(right_value):
        constant = right_value.double() * sign if isinstance(right_value, torch.Tensor) else right_value * sign
        return plus_constant(context, left, constant)
    if is_constant(left_value):
        scaled_right = times(context, right, sign) if sign != 1 else None
        if scaled_right is None:
            return plus_constant(context, right, left_value)
        shape = context.shape()
        wide = scaled_right if isinstance(scaled_right, Sum) and scaled_right.shape == shape else None
        if wide is None:
            held = context.compute(scaled_right, "part") if isinstance(scaled_right, Sum | Mosaic) else context.strided(right)
            wide = context.read(held, shape)
        return add_constant(wide, as_tensor(left_value, shape))
    shape = context.shape()
    first = context.gathered(left, shape)
    if left is right:
        return times(context, left, 1 + sign)
    second = context.gathered(right, shape)
    if sign == -1:
        second = negated(context, second)
    elif sign != 1:
        found = multiply(_without_base(context, second), torch.tensor(sign).expand(shape))
        second = found if found is not None else context.read(context.compute(second, "part"), scale=sign)
    return plus(context, first, second)


def product(context: Context, left: Any, right: Any) -> Value:
    """Give the elementwise product of two operands."""
    left_value, right_value = context.get(left), context.get(right)
    if is_constant(right_value):
        return times(context, left, right_value)
    if is_constant(left_value):
        return times(context, right, left_value)
    shape = broadcast(tuple(left_value.shape), tuple(right_value.shape))
    labels = axis_labels(len(shape))
    names = [labels[len(shape) - len(value.shape) :] for value in (left_value, right_value)]
    found = contract(context, [left, right], names, tuple((label,) for label in labels))
    wider = context.strided(left if math.prod(left_value.shape) >= math.prod(right_value.shape) else right)
    return replace(found, order=context.read(wider, shape).order)


def mul(context: Context, node: torch.fx.Node) -> Value:
    """Lower mul."""
    return product(context, node.args[0], node.args[1])


def div(context: Context, node: torch.fx.Node) -> Value:
    """Lower division by a constant."""
    divisor = context.get(node.args[1])
    if not is_constant(divisor):
        raise Refused(
            "division by a value that depends on the input",
            "multiply by `torch.reciprocal(x.clamp(low, high))` and compile with `approximate=1e-3`, or divide by a constant",
        )
    if node.kwargs.get("rounding_mode") is not None:
        raise Refused("division with rounding", "divide without `rounding_mode`")
    inverse = 1.0 / divisor.double() if isinstance(divisor, torch.Tensor) else 1.0 / divisor
    return times(context, node.args[0], inverse)


def neg(context: Context, node: torch.fx.Node) -> Value:
    """Lower neg."""
    return times(context, node.args[0], -1.0)


def power(context: Context, node: torch.fx.Node) -> Value:
    """Lower square and pow with exponent 2, 3 or 4."""
    exponent = context.get(node.args[1]) if len(node.args) > 1 else 2
    if exponent == 1:
        return context.strided(node.args[0])
    if exponent not in (2, 3, 4):
        raise Refused(f"pow with exponent {exponent}", "use `x * x`, or `x.clamp(low, high)` before and compile with `approximate=1e-3`")
    square = product(context, node.args[0], node.args[0])
    if exponent == 2:
        return square
    held = context.compute(square, f"{node.name}_square") if isinstance(square, Sum | Mosaic) else context.strided(node.args[0])
    return product(context, held, held if exponent == 4 else node.args[0])


def batch_norm(context: Context, node: torch.fx.Node) -> Value:
    """Lower batch_norm in evaluation mode: a scale and a shift per channel."""
    weight, bias, mean, variance = (context.get(item) for item in node.args[1:5])
    if mean is None or variance is None:
        raise Refused("batch norm without running statistics", "use `track_running_stats=True` (the default)")
    epsilon = float(node.args[7])  # type: ignore[arg-type]
    scale = 1.0 / torch.sqrt(variance.double() + epsilon)
    scale = scale if weight is None else scale * weight.detach().double()
    shift = -mean.double() * scale
    shift = shift if bias is None else shift + bias.detach().double()
    rank = len(context.get(node.args[0]).shape)
    channel = (-1, *([1] * (rank - 2)))
    scaled_value = times(context, node.args[0], scale.reshape(channel))
    full = shift.reshape(channel)
    if isinstance(scaled_value, Mosaic):
        wide = full.expand(scaled_value.shape)
        return replace(
            scaled_value, parts=tuple((region, add_constant(part, region.of_tensor(wide))) for region, part in scaled_value.parts)
        )
    if isinstance(scaled_value, Sum):
        return add_constant(scaled_value, full.expand(scaled_value.shape))
    raise Refused("batch norm of this value", "apply it to the result of a convolution or a linear layer")


def addmm(context: Context, node: torch.fx.Node) -> Value:
    """Lower addmm and baddbmm: ``beta * input + alpha * (left @ right)``."""
    if float(node.kwargs.get("alpha", 1)) != 1 or float(node.kwargs.get("beta", 1)) != 1:  # type: ignore[arg-type]
        raise Refused("addmm with `alpha` or `beta`", "write `c + a @ b` and scale `c` or `a`")
    found = multiply_matrices(context, node.args[1], node.args[2])
    first = context.get(node.args[0])
    if is_constant(first):
        return add_constant(found, as_tensor(first, found.shape))
    return plus(context, context.gathered(node.args[0], found.shape), found)


def same(context: Context, node: torch.fx.Node) -> Value:
    """Lower dropout, contiguous, clone, detach, to(float): nothing."""
    value = context.get(node.args[0])
    if isinstance(value, Sum | Mosaic) and not context.sole_reader(node.args[0]):
        return context.strided(node.args[0])
    found: Value = value
    return found


def _stored(table: torch.Tensor) -> int:
    """Count the elements of a table without what is broadcast."""
    return math.prod(size for axis, size in enumerate(table.shape) if axis == 0 or table.stride(axis) != 0)


def on_tables(context: Context, node: torch.fx.Node) -> Lookup | None:
    """Do elementwise arithmetic on constants and on functions of one integer input while lowering; None when that is not what it is."""
    values = [context.get(item) for item in node.args]
    lookups = [value for value in values if isinstance(value, Lookup)]
    if not lookups or not all(isinstance(value, Lookup | torch.Tensor | int | float | bool | torch.dtype | None) for value in values):
        return None
    shape = context.shape()
    wide = [value.broadcast(shape) for value in lookups]
    if any(other.ids != wide[0].ids for other in wide[1:]):
        return None
    target: Any = node.target
    places = iter(wide)
    arguments = [narrow_broadcast(next(places).table) if isinstance(value, Lookup) else value for value in values]
    with torch.no_grad():
        table = target(*arguments, **node.kwargs)
    table = table.expand(wide[0].limit, *shape) if table.dim() == len(shape) + 1 else table
    if table.dim() != len(shape) + 1 or _stored(table) > max(MOST_GROWTH * max(_stored(value.table) for value in lookups), SMALL_TABLE):
        return None
    return Lookup(wide[0].ids, table)
