"""What is known of the sums of an integer kernel before it runs: bias, zeros that meet weights, the rounding of the first shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tacit.ir.integer import IntegerGraph
from tacit.targets.c.nests import Axis, Nest
from tacit.targets.c.weights import values_of


def bias_axes(nest: Nest, *, by_weights: bool) -> list[int]:
    """Give the outer axes along which the folded bias varies. by_weights: the sums of the weights are part of it."""
    return [place for place, axis in enumerate(nest.outer) if axis.moves("bias") or (by_weights and axis.moves("b"))]


def with_bias(nest: Nest, axes: list[int] | None) -> Nest:
    """Give the folded bias its place in a nest: one number per element of its axes. None: there is none."""
    outer, reach = list(nest.outer), 1
    for place in range(len(outer)):
        strides = {name: stride for name, stride in outer[place].strides.items() if not name.startswith("bias")}
        outer[place] = Axis(outer[place].extent, strides)
    for place in reversed(axes or []):
        outer[place] = Axis(outer[place].extent, {**outer[place].strides, "bias": reach})
        reach *= outer[place].extent
    operands = dict(nest.operands)
    if axes is not None:
        operands["bias"] = replace(operands["bias"], constant=True, index=None, offset=0)
    return replace(nest, outer=tuple(outer), operands=operands)


def folded_bias(nest: Nest, graph: IntegerGraph, axes: list[int], *, before: int, zero: int) -> npt.NDArray[np.int32]:
    """Give what each sum starts from, int32[*axes]: ``bias - zero * sum of the weights + half of the step that is rounded to``.

    axes: outer axes along which it varies. before: the first shift. zero: of the activation that meets weights (0: nothing to do).
    """
    total = np.full([nest.outer[place].extent for place in axes], (1 << before) >> 1, np.int64)
    if "bias" in nest.operands:
        flat = graph.weights[nest.operands["bias"].buffer].reshape(-1)
        total += first_of(values_of(nest, "bias", flat, axes), len(axes)).astype(np.int64)
    if zero and "b" not in nest.operands:
        total -= zero * nest.depth
    elif zero:
        flat = graph.weights[nest.operands["b"].buffer].reshape(-1)
        weights = values_of(nest, "b", flat, axes).astype(np.int64)
        total -= zero * weights.sum(axis=tuple(range(len(axes), weights.ndim)))
    return total.astype(np.int32)


def first_of(values: npt.NDArray[np.generic], outer: int) -> npt.NDArray[np.generic]:
    """Give what stands at the start of all axes but the first `outer`."""
    return values.reshape(*values.shape[:outer], -1)[..., 0]
