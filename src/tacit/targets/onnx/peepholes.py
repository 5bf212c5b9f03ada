"""Sums that are one node in ONNX though they are several instructions: maxima and absolute values, written with rectifiers."""

from __future__ import annotations

from tacit.targets.onnx.nodes import Nodes, Tensor


def simplified_sum(nodes: Nodes, x: Tensor, y: Tensor) -> Tensor | None:
    """Give ``Max(a, b)`` for ``a + relu(b - a)`` and ``Abs(a)`` for ``relu(a) + relu(-a)``; None for other sums."""
    for first, second in ((x, y), (y, x)):
        rectified = _input_of(nodes, second, "Relu")
        if rectified is None:
            continue
        difference = nodes.maker(rectified)
        if difference is not None and difference.op_type == "Sub" and difference.input[1] == first.name and first.shape == second.shape:
            return nodes.add("Max", [first.name, difference.input[0]], first.shape)
        other = _input_of(nodes, first, "Relu")
        if other is not None and difference is not None and difference.op_type == "Mul" and difference.input[0] == other.name:
            factor = nodes.constants.get(difference.input[1])
            if factor is not None and factor.size == 1 and factor == -1:
                return nodes.add("Abs", [other], other.shape)
    return None


def _input_of(nodes: Nodes, tensor: Tensor, operation: str) -> Tensor | None:
    """Give what an operation with one input was applied to."""
    node = nodes.maker(tensor)
    return Tensor(node.input[0], tensor.shape, tensor.dtype) if node is not None and node.op_type == operation else None
