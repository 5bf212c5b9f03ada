"""How wide a border of zeros every value needs, so that the padding of its consumers costs nothing."""

from __future__ import annotations

from typing import Any

import torch

from tacit.lowering.geometry import argument, convolution_geometry, pool_padding, transposed_margins

Margins = tuple[tuple[int, int], ...]
aten = torch.ops.aten

#: Elementwise operations: the result has the layout of its operands, so they share one border.
ELEMENTWISE = {
    "add", "sub", "rsub", "mul", "div", "neg", "relu", "relu_", "relu6", "relu6_", "clamp", "clamp_", "clamp_min", "clamp_max", "hardtanh",
    "hardtanh_", "hardsigmoid", "hardswish", "hardswish_", "leaky_relu", "leaky_relu_", "prelu", "dropout", "dropout_", "feature_dropout",
    "batch_norm", "contiguous", "clone", "detach", "alias", "to", "_to_copy", "add_", "mul_", "sub_", "div_", "abs", "maximum", "minimum",
    "threshold", "sigmoid", "tanh", "gelu", "silu", "silu_", "elu", "softplus", "identity", "lift_fresh_copy", "hardsigmoid_", "detach_",
}  # fmt: skip

POOLS = ("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")


def operation(node: torch.fx.Node) -> str:
    """Give the name of an operation without namespace and overload: ``conv2d`` for ``aten.conv2d.default``."""
    packet = getattr(node.target, "overloadpacket", None)
    return str(getattr(packet, "__name__", getattr(node.target, "__name__", node.target)))


def shape_of(node: torch.fx.Node) -> tuple[int, ...] | None:
    """Give the shape of a node's tensor; None for a tuple of tensors."""
    value = node.meta.get("val")
    return tuple(int(size) for size in value.shape) if isinstance(value, torch.Tensor) else None


class Borders:
    """The margins that every node's value should have; nodes joined elementwise have the same."""

    def __init__(self, nodes: tuple[torch.fx.Node, ...], symbolic: set[torch.fx.Node], nonnegative: set[torch.fx.Node]) -> None:
        self._parent: dict[torch.fx.Node, torch.fx.Node] = {}
        self._margins: dict[torch.fx.Node, Margins] = {}
        self._symbolic, self._nonnegative = symbolic, nonnegative
        for node in nodes:
            joined = operation(node) == "cat" and argument(node, 1, "dim", 0) in (1, -3)
            if joined or operation(node) in ELEMENTWISE:
                for operand in node.all_input_nodes:
                    if operand in symbolic and node in symbolic and (joined or shape_of(operand) == shape_of(node)):
                        self._parent[self._root(operand)] = self._root(node)
        for _ in range(4):  # demands run backwards through views; joined groups may need a second round
            for node in reversed(nodes):
                if node in symbolic:
                    self._demand(node)

    def of(self, node: torch.fx.Node, rank: int) -> Margins:
        """Give the margins for a value of `rank` axes."""
        found = self._margins.get(self._root(node))
        return found if found is not None and len(found) == rank else ((0, 0),) * rank

    def _root(self, node: torch.fx.Node) -> torch.fx.Node:
        while node in self._parent and self._parent[node] is not node:
            node = self._parent[node]
        return node

    def _ask(self, operand: Any, margins: Margins) -> None:
        if not isinstance(operand, torch.fx.Node) or operand not in self._symbolic or shape_of(operand) is None:
            return
        old = self.of(operand, len(margins))
        self._margins[self._root(operand)] = tuple(
            (max(low, have[0]), max(high, have[1])) for (low, high), have in zip(margins, old, strict=True)
        )

    def _demand(self, node: torch.fx.Node) -> None:
        name, shape = operation(node), shape_of(node)
        if shape is None or not node.args:
            return
        operand = node.args[0]
        given = shape_of(operand) if isinstance(operand, torch.fx.Node) else None
        if given is None:
            return
        own = self.of(node, len(shape))
        if name in ("conv1d", "conv2d"):
            self._ask(operand, ((0, 0), (0, 0), *convolution_geometry(node, given).margins))
        elif name in ("conv_transpose1d", "conv_transpose2d"):
            self._ask(operand, ((0, 0), (0, 0), *transposed_margins(node, given)))
        elif name in POOLS and (name.startswith("avg") or operand in self._nonnegative):
            self._ask(operand, ((0, 0),) * (len(given) - len(pool_padding(node, given))) + pool_padding(node, given))
        elif name in ("permute", "transpose", "t"):
            self._ask(operand, _back_through_permute(node, name, own))
        elif name in ("pad", "constant_pad_nd"):
            self._ask(operand, _plus_pad(list(node.args[1]), own))  # type: ignore[arg-type]
        elif name in ("view", "reshape", "unsqueeze", "squeeze", "flatten", "unflatten") and len(given) != 0:
            self._ask(operand, _back_through_reshape(given, shape, own))


def _back_through_permute(node: torch.fx.Node, name: str, own: Margins) -> Margins:
    rank = len(own)
    order = list(range(rank))
    if name == "permute":
        order = [int(axis) % rank for axis in node.args[1]]  # type: ignore[union-attr, arg-type]
    elif rank >= 2:
        first, second = (int(node.args[1]) % rank, int(node.args[2]) % rank) if name == "transpose" else (0, 1)  # type: ignore[arg-type]
        order[first], order[second] = order[second], order[first]
    back: list[tuple[int, int]] = [(0, 0)] * rank
    for place, axis in enumerate(order):
        back[axis] = own[place]
    return tuple(back)


def _plus_pad(amounts: list[int], own: Margins) -> Margins:
    wanted = list(own)
    for place in range(len(amounts) // 2):
        axis = len(own) - 1 - place
        low, high = amounts[2 * place], amounts[2 * place + 1]
        wanted[axis] = (max(0, own[axis][0] + low), max(0, own[axis][1] + high))
    return tuple(wanted)


def _back_through_reshape(given: tuple[int, ...], shape: tuple[int, ...], own: Margins) -> Margins:
    """Keep the margins of axes that stay whole."""
    back: list[tuple[int, int]] = [(0, 0)] * len(given)
    places: dict[tuple[int, int], int] = {}
    before = 1
    for place, size in enumerate(shape):
        places.setdefault((before, size), place)
        before *= size
    before = 1
    for axis, size in enumerate(given):
        if size > 1 and (before, size) in places:
            back[axis] = own[places[(before, size)]]
        before *= size
    return tuple(back)
