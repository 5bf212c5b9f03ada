"""Sums that are one node in ONNX though they are several instructions: maxima, absolute values and limits, written with rectifiers."""

from __future__ import annotations

import numpy as np

from tacit.targets.onnx.nodes import Nodes, Tensor


def simplified_sum(nodes: Nodes, x: Tensor, y: Tensor) -> Tensor | None:
    """Give ``Max(a, b)`` for ``a + relu(b - a)`` and ``Abs(a)`` for ``relu(a) + relu(-a)``; None for other sums."""
    for first, second in ((x, y), (y, x)):
        rectified = _input_of(nodes, second, "Relu")
        if rectified is None:
            continue
        difference = nodes.maker(rectified)
        if difference is not None and difference.op_type == "Sub" and difference.input[1] == first.name and first.shape == second.shape:
            made = nodes.add("Max", [first.name, difference.input[0]], first.shape)
            return _maximum_along(nodes, made) or made
        other = _input_of(nodes, first, "Relu")
        if other is not None and difference is not None and difference.op_type == "Mul" and difference.input[0] == other.name:
            factor = nodes.constants.get(difference.input[1])
            if factor is not None and factor.size == 1 and factor == -1:
                return nodes.add("Abs", [other], other.shape)
    return None


def _maximum_along(nodes: Nodes, x: Tensor) -> Tensor | None:
    """Give ``ReduceMax`` for maxima of halves of halves ... of a tensor that see all of one of its axes; None for others."""
    picks = [nodes.maker(part) for part in nodes.inputs_of(x, "Max")]
    if any(pick is None or pick.op_type != "Gather" or pick.input[1] not in nodes.constants for pick in picks) or not picks:
        return None
    axis = {pick.attribute[0].i - 1 for pick in picks if pick is not None}
    halves = nodes.inputs_of(nodes.inputs_of(x, "Max")[0], "Gather")
    if len(axis) != 1 or len({pick.input[0] for pick in picks if pick is not None}) != 1 or not halves:
        return None
    along = axis.pop()
    origin, seen = _seen(nodes, halves[0], along)
    places = [int(nodes.constants[pick.input[1]]) for pick in picks if pick is not None]
    if origin == halves[0] or set().union(*(seen[place] for place in places)) != set(range(origin.shape[along])):
        return None
    shape = (*origin.shape[:along], *origin.shape[along + 1 :])
    if nodes.opset < 18:
        return nodes.add("ReduceMax", [origin], shape, origin.dtype, axes=[along + 1], keepdims=0)
    return nodes.add("ReduceMax", [origin.name, nodes.integers([along + 1])], shape, origin.dtype, keepdims=0)


def _seen(nodes: Nodes, x: Tensor, along: int) -> tuple[Tensor, list[set[int]]]:
    """Say of which tensor x holds maxima, and which places of an axis each of them sees."""
    parts = nodes.inputs_of(x, "Max")
    if len(parts) == 2:
        (first, one), (second, other) = (_seen(nodes, part, along) for part in parts)
        if first == second and len(one) == len(other):
            return first, [mine | yours for mine, yours in zip(one, other, strict=True)]
    node, whole = nodes.maker(x), nodes.inputs_of(x, "Slice")
    if node is not None and whole:
        start, stop, axes, step = (nodes.constants[name].tolist() for name in node.input[1:])
        if axes == [along + 1] and step[0] > 0:
            origin, seen = _seen(nodes, whole[0], along)
            return origin, seen[start[0] : stop[0] : step[0]]
    return x, [{place} for place in range(x.shape[along])]


def limited(nodes: Nodes, constant: np.ndarray, x: Tensor) -> tuple[Tensor, float] | None:
    """Give ``constant - relu(limit - y)`` as ``min(y, limit)`` and what is still to be added; None for other differences."""
    rectified = _input_of(nodes, x, "Relu")
    difference = None if rectified is None else nodes.maker(rectified)
    if difference is None or difference.op_type != "Sub" or constant.size != 1:
        return None
    limit = nodes.constants.get(difference.input[0])
    if limit is None or limit.size != 1:
        return None
    y = Tensor(difference.input[1], x.shape, x.dtype)
    below = _input_of(nodes, y, "Relu")
    rest = float(constant.reshape(()).astype(np.float64) - limit.reshape(()))
    bound = nodes.constant(limit.reshape(()))
    if below is not None and float(limit.reshape(())) >= 0:
        return nodes.add("Clip", [below.name, nodes.constant(np.zeros((), np.float32)), bound], x.shape), rest
    return nodes.add("Min", [y.name, bound], x.shape), rest


def _input_of(nodes: Nodes, tensor: Tensor, operation: str) -> Tensor | None:
    """Give what an operation with one input was applied to."""
    node = nodes.maker(tensor)
    return Tensor(node.input[0], tensor.shape, tensor.dtype) if node is not None and node.op_type == operation else None
