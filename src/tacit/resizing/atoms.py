"""Follow channels through a traced network: which positions of which axes have to be removed together.

Every position of every axis of every tensor carries an atom; what an operation forces to have equal lengths, or to be the same
channel, is united. Atom 0 stands for what can't be removed: space, time, classes, and all that an unknown operation touches. What
only moves elements (a reshape, a slice, a concatenation ...) is not described rule by rule: it is run on arrays of atoms.
Idea of the dependency graph: Fang et al. 2023, "DepGraph: Towards Any Structural Pruning".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from tacit.lowering.approximation import FUNCTIONS
from tacit.lowering.borders import operation
from tacit.lowering.export import Traced
from tacit.lowering.geometry import argument

Axes = list[np.ndarray]  # one int64[length] of atoms per axis

PRODUCER, CONSUMER, FOLLOWER = "producer", "consumer", "follower"

#: Operations that move elements, or leave them as they are.
_MOVING = frozenset(
    (
        *("dropout", "dropout_", "feature_dropout", "contiguous", "clone", "detach", "detach_", "alias", "to", "_to_copy"),
        *("lift_fresh_copy", "view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "permute"),
        *("transpose", "t", "movedim", "swapaxes", "numpy_T", "slice", "narrow", "select", "index", "index_select", "split"),
        *("split_with_sizes", "chunk", "unbind", "getitem", "expand", "expand_as", "broadcast_to", "repeat", "tile"),
        *("repeat_interleave", "flip", "upsample_nearest1d", "upsample_nearest2d", "pixel_shuffle", "cat", "stack", "pad"),
        "constant_pad_nd",
    )
)
_ELEMENTWISE = frozenset(
    (
        *("add", "add_", "sub", "sub_", "rsub", "mul", "mul_", "div", "div_", "neg", "square", "pow", "relu", "relu_", "relu6"),
        *("relu6_", "clamp", "clamp_", "clamp_min", "clamp_max", "hardtanh", "hardtanh_", "hardsigmoid", "hardsigmoid_"),
        *("hardswish", "hardswish_", "leaky_relu", "leaky_relu_", "abs", "maximum", "minimum", *FUNCTIONS),
    )
)
_REDUCING = frozenset(("mean", "sum", "amax", "amin"))
_POOLS = {
    **dict.fromkeys(("avg_pool1d", "max_pool1d", "adaptive_avg_pool1d"), 1),
    **dict.fromkeys(("avg_pool2d", "max_pool2d", "adaptive_avg_pool2d"), 2),
}


class Atoms:
    """Atoms with union-find; 0 is what can't be removed."""

    def __init__(self) -> None:
        self._parent = [0]

    def fresh(self, count: int) -> np.ndarray:
        """Give int64[count] of new atoms."""
        first = len(self._parent)
        self._parent += range(first, first + count)
        return np.arange(first, first + count)

    def root(self, atom: int) -> int:
        """Give what stands for all that is united with an atom."""
        while self._parent[atom] != atom:
            self._parent[atom] = self._parent[self._parent[atom]]
            atom = self._parent[atom]
        return atom

    def roots(self, atoms: np.ndarray) -> np.ndarray:
        """Give int64 of the same shape."""
        return np.array([self.root(int(atom)) for atom in atoms.reshape(-1)], np.int64).reshape(atoms.shape)

    def unite(self, first: np.ndarray, second: np.ndarray) -> None:
        """Unite atoms position by position."""
        for one, other in zip(first.tolist(), second.tolist(), strict=True):
            low, high = sorted((self.root(one), self.root(other)))
            self._parent[high] = low

    def pin(self, atoms: np.ndarray) -> None:
        """Say that atoms can't be removed."""
        self.unite(atoms.reshape(-1), np.zeros(atoms.size, np.int64))


class Marked:
    """The atoms of a traced network. roles: what a tensor of the state is to the atoms on one of its axes."""

    def __init__(self, traced: Traced, *, free: Callable[[str], bool]) -> None:
        """Follow all operations. free: tells whether the parameter of this name may be cut; of buffers, batch norms' alone may."""
        self.atoms = Atoms()
        self.traced = traced
        self.states: dict[str, Axes] = {}
        self.roles: dict[tuple[str, int], str] = {}
        self._axes: dict[torch.fx.Node, Any] = {}
        running = {item for node in traced.nodes if operation(node) == "batch_norm" for item in node.args[3:5]}
        for node, tensor in traced.constants.items():
            name = traced.names[node]
            own = tensor.is_floating_point() and (free(name) or node in running)
            axes = [self.atoms.fresh(size) if own and size > 1 else _pinned(size) for size in tensor.shape]
            self.states[name] = self._axes[node] = axes
        for node in traced.inputs:
            self._axes[node] = [_pinned(int(size)) for size in node.meta["val"].shape]
        for node in traced.nodes:
            self._axes[node] = self._follow(node)
        for output in traced.outputs:
            for axis in self._axes.get(output, []):
                self.atoms.pin(axis)

    def _follow(self, node: torch.fx.Node) -> Any:
        name, given = operation(node), [self._axes[item] for item in node.all_input_nodes]
        rule = _RULES.get(name)
        if name in _MOVING:
            return self._moved(node, name)
        if name in _ELEMENTWISE:
            return self._broadcast(node, given)
        if name in _REDUCING:
            return self._reduced(node)
        if name in _POOLS:
            return self._pooled(node, _POOLS[name])
        made = None if rule is None else rule(self, node)
        return self._unknown(node) if made is None else made

    def of(self, item: Any) -> Axes:
        """Give the atoms of a node's axes."""
        axes: Axes = self._axes[item]
        return axes

    def state_name(self, item: Any) -> str | None:
        """Name the tensor of the state that a node is, None where it is computed."""
        return self.traced.names.get(item)

    def role(self, item: Any, axis: int, role: str) -> None:
        """Note what a tensor of the state is to the atoms of one of its axes."""
        name = self.state_name(item)
        if name is not None:
            self.roles[name, axis] = role

    def _unknown(self, node: torch.fx.Node) -> Any:
        """Leave alone what an operation that is not understood touches."""
        for item in node.all_input_nodes:
            self._pin_all(self._axes[item])
        values = node.meta["val"]
        if isinstance(values, tuple | list):
            return [_shaped(value) for value in values]
        return _shaped(values)

    def _pin_all(self, axes: Any) -> None:
        for axis in axes:
            if isinstance(axis, list):
                self._pin_all(axis)
            else:
                self.atoms.pin(axis)

    def _broadcast(self, node: torch.fx.Node, given: Sequence[Axes]) -> Axes:
        shape = node.meta["val"].shape
        out: Axes = [_pinned(int(size)) for size in shape]
        for place in range(-len(shape), 0):
            lined = [axes[place] for axes in given if len(axes) >= -place]
            full = [axis for axis in lined if len(axis) == shape[place] and len(axis) > 1]
            for axis in full[1:]:
                self.atoms.unite(full[0], axis)
            if full:
                out[place] = full[0]
        return out

    def _reduced(self, node: torch.fx.Node) -> Axes:
        axes = self.of(node.args[0])
        chosen = argument(node, 1, "dim", None)
        dims = range(len(axes)) if chosen is None or chosen == [] else ([chosen] if isinstance(chosen, int) else chosen)
        gone = {dim % len(axes) for dim in dims}
        for dim in gone:
            self.atoms.pin(axes[dim])
        keeps = len(node.meta["val"].shape) == len(axes)
        return [_pinned(1) if place in gone else axis for place, axis in enumerate(axes) if keeps or place not in gone]

    def _pooled(self, node: torch.fx.Node, spatial: int) -> Axes:
        axes = self.of(node.args[0])
        for axis in axes[-spatial:]:
            self.atoms.pin(axis)
        return [*axes[:-spatial], *(_pinned(int(size)) for size in node.meta["val"].shape[-spatial:])]

    def _moved(self, node: torch.fx.Node, name: str) -> Any:
        """Run the operation on arrays of atoms, once per axis that may be removed, and see along which axis they lie afterwards."""
        operands = [item for item in node.all_input_nodes if self._axes[item] and _is_float(item)]
        if name == "getitem" or not operands:
            if name == "getitem" and isinstance(self._axes[node.args[0]], list):  # type: ignore[index]
                return self._axes[node.args[0]][node.args[1]]  # type: ignore[index]
            return self._unknown(node)
        values = node.meta["val"]
        several = isinstance(values, tuple | list)
        outs: list[Axes] = [_shaped(value) for value in (values if several else [values])]
        ranks = {len(self.of(item)) for item in operands}
        for place in range(max(ranks)):
            live = [item for item in operands if place < len(self.of(item)) and self.atoms.roots(self.of(item)[place]).any()]
            if not live:
                continue
            try:
                made = self._run(node, name, operands, place)
            except (RuntimeError, TypeError, ValueError, IndexError, KeyError):
                return self._unknown(node)
            for out, moved in zip(outs, made, strict=True):
                self._lay(out, self.atoms.roots(moved))
        return outs if several else outs[0]

    def _run(self, node: torch.fx.Node, name: str, operands: Sequence[torch.fx.Node], place: int) -> list[np.ndarray]:
        def spread(item: torch.fx.Node) -> Any:
            if item not in operands:
                return self.traced.constants[item]
            axes = self.of(item)
            shape = [len(axis) if at == place else 1 for at, axis in enumerate(axes)]
            atoms = torch.from_numpy(axes[place].astype(np.float64)).reshape(shape)
            return atoms.expand([len(axis) for axis in axes]).contiguous()

        arguments, options = torch.fx.node.map_arg((node.args, node.kwargs), spread)
        if name in ("pad", "constant_pad_nd"):
            filled = argument(node, 3 if name == "pad" else 2, "value", None)
            if filled:
                raise ValueError("what is put around is not 0")
        if name in ("to", "_to_copy"):
            arguments, options = arguments[:1], {}
            found: Any = arguments[0]
        else:
            target: Any = node.target
            found = target(*arguments, **options)
        return [np.rint(part.numpy()).astype(np.int64) for part in (found if isinstance(found, tuple | list) else [found])]

    def _lay(self, out: Axes, atoms: np.ndarray) -> None:
        """Give atoms [axes of the result] to the one axis that they depend on; leave them alone where that is not one."""
        if not atoms.any():
            return
        for place, axis in enumerate(out):
            line = np.moveaxis(atoms, place, 0).reshape(len(axis), -1)
            if (line == line[:, :1]).all():
                if axis.any():
                    self.atoms.pin(axis)
                    self.atoms.pin(line[:, 0])
                else:
                    out[place] = line[:, 0].copy()
                return
        self.atoms.pin(np.unique(atoms))


def _pinned(size: int) -> np.ndarray:
    return np.zeros(size, np.int64)


def _shaped(value: Any) -> Axes:
    return [_pinned(int(size)) for size in value.shape] if isinstance(value, torch.Tensor) else []


def _is_float(item: torch.fx.Node) -> bool:
    value = item.meta.get("val")
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _weighted(follow: Marked, node: torch.fx.Node, *, outer: int) -> tuple[Axes, Axes, Any]:
    """Give the atoms of the input and the weight of a layer, and its bias, and note their roles. outer: the weight's axis of outputs."""
    weight = node.args[1]
    follow.role(weight, outer, PRODUCER)
    follow.role(weight, 1 - outer, CONSUMER)
    bias = argument(node, 2, "bias", None)
    axes = follow.of(weight)
    for axis in axes[2:]:
        follow.atoms.pin(axis)
    if bias is not None:
        follow.role(bias, 0, FOLLOWER)
    return follow.of(node.args[0]), axes, bias


def _convolution(follow: Marked, node: torch.fx.Node) -> Axes:
    x, weight, bias = _weighted(follow, node, outer=0)
    atoms, groups = follow.atoms, int(argument(node, 6, "groups", 1))
    for axis in x[2:]:
        atoms.pin(axis)
    if groups == 1:
        atoms.unite(x[1], weight[1])
    elif len(weight[1]) == 1:  # depthwise: a filter belongs to its channel
        atoms.unite(weight[0], np.repeat(x[1], len(weight[0]) // groups))
        follow.role(node.args[1], 0, FOLLOWER)
    else:  # the same places of every group go together, so that all groups stay equally large
        for kind, size in ((x[1], len(weight[1])), (weight[0], len(weight[0]) // groups)):
            for group in range(1, groups):
                atoms.unite(kind[:size], kind[group * size : (group + 1) * size])
        atoms.unite(x[1][: len(weight[1])], weight[1])
    if bias is not None:
        atoms.unite(weight[0], follow.of(bias)[0])
    return [x[0], weight[0], *(_pinned(int(size)) for size in node.meta["val"].shape[2:])]


def _transposed(follow: Marked, node: torch.fx.Node) -> Axes | None:
    if int(argument(node, 6, "groups", 1)) != 1:
        return None
    x, weight, bias = _weighted(follow, node, outer=1)
    for axis in x[2:]:
        follow.atoms.pin(axis)
    follow.atoms.unite(x[1], weight[0])
    if bias is not None:
        follow.atoms.unite(weight[1], follow.of(bias)[0])
    return [x[0], weight[1], *(_pinned(int(size)) for size in node.meta["val"].shape[2:])]


def _linear(follow: Marked, node: torch.fx.Node) -> Axes:
    x, weight, bias = _weighted(follow, node, outer=0)
    follow.atoms.unite(x[-1], weight[1])
    if bias is not None:
        follow.atoms.unite(weight[0], follow.of(bias)[0])
    return [*x[:-1], weight[0]]


def _embedding(follow: Marked, node: torch.fx.Node) -> Axes:
    weight = follow.of(node.args[0])
    follow.atoms.pin(weight[0])
    follow.role(node.args[0], 1, PRODUCER)
    return [*follow.of(node.args[1]), weight[1]]


def _batch_norm(follow: Marked, node: torch.fx.Node) -> Axes:
    x = follow.of(node.args[0])
    for item in node.args[1:5]:
        if item is not None:
            follow.atoms.unite(x[1], follow.of(item)[0])
            follow.role(item, 0, FOLLOWER)
    return x


def _product(follow: Marked, node: torch.fx.Node) -> Axes | None:
    """Unite what a product of matrices sums over; leading axes are broadcast."""
    first, second = follow.of(node.args[0]), follow.of(node.args[1])
    if len(first) == 1 or len(second) == 1:
        follow.atoms.unite(first[-1], second[-2] if len(second) > 1 else second[0])
        return [*first[:-1], *second[:-2], *(second[-1:] if len(second) > 1 else [])]
    follow.atoms.unite(first[-1], second[-2])
    shape = node.meta["val"].shape
    out: Axes = [_pinned(int(size)) for size in shape[:-2]]
    for place in range(len(out)):
        lined = [axes[place - len(shape)] for axes in (first, second) if len(axes) >= len(shape) - place]
        full = [axis for axis in lined if len(axis) == shape[place] and len(axis) > 1]
        for axis in full[1:]:
            follow.atoms.unite(full[0], axis)
        out[place] = full[0] if full else out[place]
    return [*out, first[-2], second[-1]]


def _prelu(follow: Marked, node: torch.fx.Node) -> Axes:
    x, weight = follow.of(node.args[0]), follow.of(node.args[1])
    if len(weight[0]) > 1:
        follow.atoms.unite(x[1], weight[0])
        follow.role(node.args[1], 0, FOLLOWER)
    return x


_RULES: dict[str, Callable[[Marked, torch.fx.Node], Axes | None]] = {
    "conv1d": _convolution,
    "conv2d": _convolution,
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
    "linear": _linear,
    "embedding": _embedding,
    "batch_norm": _batch_norm,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot"), _product),
    "prelu": _prelu,
}
