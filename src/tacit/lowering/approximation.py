"""Rules for pointwise functions that are not made of ReLUs: refused, or a sum of ReLUs within an error that the caller allows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from tacit.lowering import arithmetic, rectifiers
from tacit.lowering import strided as views
from tacit.lowering.borders import operation
from tacit.lowering.context import Approximation, Context, Refused, Value
from tacit.lowering.piecewise import Array, Function, Piecewise, fit, saturation
from tacit.lowering.products import einsum
from tacit.lowering.strided import NO_MARGIN, memory_order
from tacit.lowering.sums import add_constant, axis_labels

#: Functions that become lines far from zero, so that any argument is allowed.
SATURATING = frozenset({
    "sigmoid", "tanh", "erf", "gelu", "silu", "silu_", "softplus", "elu", "elu_", "selu", "selu_", "celu", "mish", "mish_", "log_sigmoid",
    "sigmoid_", "tanh_",
})  # fmt: skip
#: Functions that need a bounded argument.
BOUNDED = frozenset(
    {"exp", "log", "reciprocal", "sqrt", "rsqrt", "log1p", "expm1", "log2", "log10", "exp2", "sin", "cos", "tan", "atan", "softsign"}
)
FUNCTIONS = SATURATING | BOUNDED

RELU_LIKE = {
    "sigmoid": "nn.Hardsigmoid",
    "tanh": "nn.Hardtanh",
    "gelu": "nn.ReLU",
    "silu": "nn.Hardswish",
    "softplus": "nn.ReLU",
    "elu": "nn.LeakyReLU",
    "selu": "nn.LeakyReLU",
    "celu": "nn.LeakyReLU",
    "mish": "nn.Hardswish",
}


def power(context: Context, node: torch.fx.Node) -> Value:
    """Lower pow: products for whole exponents from 2 to 4, else an approximation."""
    exponent = context.get(node.args[1])
    if exponent in (1, 2, 3, 4):
        return arithmetic.power(context, node)
    if not isinstance(exponent, int | float):
        raise Refused("pow with an exponent that is not a number", "use a number as the exponent")
    return pointwise(context, node)


def pointwise(context: Context, node: torch.fx.Node) -> Value:
    """Lower a function of one value by a sum of ReLUs."""
    name = operation(node).removesuffix("_")
    tolerance = context.approximate
    if tolerance is None:
        near = RELU_LIKE.get(name)
        advice = f"use `{near}`, or " if near else ""
        raise Refused("is not made of ReLUs", f"{advice}allow an approximation with `approximate=1e-3`")
    function = _function(node)
    if operation(node) in SATURATING:
        low, high, slopes = saturation(function, tolerance / 4)
        fitted = fit(function, low, high, tolerance, slopes=slopes)
        reach = (-math.inf, math.inf)
    else:
        reach = _bounded_range(context, node, name)
        fitted = fit(function, *reach, tolerance)
    if fitted is None:
        raise Refused(f"can't be brought within {tolerance:g} on {_show(reach)}", "allow a larger error, or clamp to a smaller range first")
    context.approximations.append(Approximation(name, context.source, reach, fitted.error, len(fitted.knots)))
    return _emit(context, node, fitted)


def _function(node: torch.fx.Node) -> Function:
    target: Any = node.target

    def evaluate(x: Array) -> Array:
        with torch.no_grad():
            made: Array = target(torch.from_numpy(np.array(x, dtype=np.float64)), *node.args[1:], **node.kwargs).numpy()
        return made

    return evaluate


def _bounded_range(context: Context, node: torch.fx.Node, name: str) -> tuple[float, float]:
    operand: Any = node.args[0]
    low, high = context.ranges.get(operand, (-math.inf, math.inf))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise Refused("has an argument without bounds", f"clamp it first: `torch.{name}(x.clamp(low, high))`")
    values = _function(node)(np.linspace(low, high, 1001))
    if not np.isfinite(values).all():
        raise Refused(f"is not finite on {_show((low, high))}", "clamp its argument to where it is finite")
    return low, high


def _show(reach: tuple[float, float]) -> str:
    return f"{reach[0]:g} ... {reach[1]:g}"


def _emit(context: Context, node: torch.fx.Node, fitted: Piecewise) -> Value:
    """Give ``constant + slope * x + weights @ relu(x - knots)``."""
    view = context.strided(node.args[0])
    rank = len(view.shape)
    order = memory_order(view)
    total = context.read(view, scale=fitted.slope)
    if len(fitted.knots):
        wide = views.expand(views.insert_axis(view, rank), (*view.shape, len(fitted.knots)))
        bends = rectifiers.rectified(add_constant(context.read(wide), torch.from_numpy(-fitted.knots).expand(wide.shape)))
        place = context.emitter.allocate(f"{node.name}_bends", wide.shape, (*order, rank), (NO_MARGIN,) * (rank + 1))
        context.write(bends, place)
        labels = axis_labels(rank)
        groups = tuple((label,) for label in labels)
        weights = torch.from_numpy(fitted.weights)
        bent = einsum(context, place, (*labels, "j"), weights, ("j",), groups, name=f"{node.name}.weights", order=order)
        total = arithmetic.plus(context, bent, total) if fitted.slope else bent
    return add_constant(total, torch.tensor(fitted.constant, dtype=torch.float64).expand(view.shape))
