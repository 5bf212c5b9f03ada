"""What is known of the values of an operation without running it: the least and the greatest, from clamps and bounded functions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch

from tacit.lowering.borders import operation
from tacit.lowering.geometry import argument

Range = tuple[float, float]
UNKNOWN: Range = (-math.inf, math.inf)
_FIXED: dict[str, Range] = {
    "relu": (0.0, math.inf),
    "relu_": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "relu6_": (0.0, 6.0),
    "sigmoid": (0.0, 1.0),
    "hardsigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "erf": (-1.0, 1.0),
    "abs": (0.0, math.inf),
    "square": (0.0, math.inf),
}
_KEEPS = frozenset(
    [
        "dropout",
        "contiguous",
        "clone",
        "view",
        "reshape",
        "permute",
        "transpose",
        "slice",
        "select",
        "flatten",
        "unsqueeze",
        "squeeze",
        "expand",
        "max_pool1d",
        "max_pool2d",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "mean",
        "amax",
        "amin",
        "upsample_nearest1d",
        "upsample_nearest2d",
    ]
)


def find_ranges(nodes: Iterable[torch.fx.Node]) -> dict[torch.fx.Node, Range]:
    """Give what is known of every node; nodes of which nothing is known are left out."""
    found: dict[torch.fx.Node, Range] = {}
    for node in nodes:
        low, high = _range_of(node, operation(node), found)
        if math.isfinite(low) or math.isfinite(high):
            found[node] = (low, high)
    return found


def _range_of(node: torch.fx.Node, name: str, found: dict[torch.fx.Node, Range]) -> Range:
    operand = node.args[0] if node.args else None
    given = found.get(operand, UNKNOWN) if isinstance(operand, torch.fx.Node) else UNKNOWN
    if name in ("clamp", "clamp_", "clamp_min", "clamp_max", "hardtanh", "hardtanh_"):
        return _clamped(node, name, given)
    if name in _FIXED:
        low, high = _FIXED[name]
        return (low, min(high, max(low, given[1]))) if name.startswith("relu") else (low, high)
    if name in _KEEPS:
        return given
    if name in ("add", "sub", "mul", "div") and len(node.args) > 1 and isinstance(node.args[1], int | float) and not node.kwargs:
        number = float(node.args[1])
        if name in ("add", "sub"):
            shift = number if name == "add" else -number
            return given[0] + shift, given[1] + shift
        factor = number if name == "mul" else (1.0 / number if number else 0.0)
        ends = (given[0] * factor, given[1] * factor) if factor else UNKNOWN
        return min(ends), max(ends)
    return UNKNOWN


def _clamped(node: torch.fx.Node, name: str, given: Range) -> Range:
    low: Any
    high: Any
    if name.startswith("hardtanh"):
        low, high = argument(node, 1, "min_val", -1.0), argument(node, 2, "max_val", 1.0)
    elif name == "clamp_max":
        low, high = None, node.args[1]
    else:
        low, high = argument(node, 1, "min", None), argument(node, 2, "max", None) if name != "clamp_min" else None
    least = float(low) if isinstance(low, int | float) else -math.inf
    most = float(high) if isinstance(high, int | float) else math.inf
    return min(most, max(least, given[0])), max(least, min(most, given[1]))
