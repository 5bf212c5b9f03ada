"""Gradients of one number per example with respect to all weights, layer by layer, in the shortest exact form.

One backward pass gives, for every layer, what went in (x) and the slope at what came out (d). The gradient of an example is then
``d x'`` for a linear layer, a sum of those over positions for a convolution, and so on, so the kernel of two sets of examples needs
no gradient written out where a layer meets one position: ``(X X' + 1) o (D D')``. Source: the same factors as in Grosse et al. 2023,
"Studying Large Language Model Generalization with Influence Functions", section 2.2. Layers of other types are differentiated per
example by `torch.func`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

#: Rows of an embedding are gathered into so many sums with random signs (feature hashing, Weinberger et al. 2009): unbiased, and dense.
BUCKETS = 64


@dataclass(frozen=True, eq=False)
class Factors:
    """A linear layer that meets one position: d x', and d for its bias; x float32[example, input], d float32[example, output]."""

    x: Tensor
    d: Tensor
    bias: bool

    def __len__(self) -> int:
        return len(self.x)

    def kernel(self, other: Factors | Dense) -> Tensor:
        """Give float32[example, other example]: the products of the gradients."""
        if isinstance(other, Dense):
            return self.dense().kernel(other)
        inner = self.x @ other.x.T
        return (inner + 1.0 if self.bias else inner) * (self.d @ other.d.T)

    def dense(self) -> Dense:
        """Write the gradients out: float32[example, output * (input + bias)]."""
        x = torch.cat([self.x, torch.ones_like(self.x[:, :1])], 1) if self.bias else self.x
        return Dense((self.d[:, :, None] * x[:, None, :]).flatten(1))

    def rows(self, rows: slice) -> Factors:
        """Give some of the examples."""
        return Factors(self.x[rows], self.d[rows], self.bias)


@dataclass(frozen=True, eq=False)
class Dense:
    """Gradients written out: float32[example, weight]."""

    g: Tensor

    def __len__(self) -> int:
        return len(self.g)

    def kernel(self, other: Factors | Dense) -> Tensor:
        """Give float32[example, other example]: the products of the gradients."""
        return self.g @ other.dense().g.T

    def dense(self) -> Dense:
        """Give itself."""
        return self

    def rows(self, rows: slice) -> Dense:
        """Give some of the examples."""
        return Dense(self.g[rows])


Slopes = dict[str, Factors | Dense]


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """Give the layers that have weights of their own, by name."""
    return {name: part for name, part in network.named_modules() if any(True for _ in part.parameters(recurse=False))}


def slopes(
    network: nn.Module, arrays: Sequence[Tensor], direction: Tensor, *, only: Sequence[str] | None = None, most: int | None = None
) -> Slopes:
    """Give per layer the gradients of ``scores . direction`` of every example, in evaluation mode.

    arrays: what the network takes, or what follows its fixed front, [example, ...] each. direction: float32[example, score]. only:
    names of layers, in the order in which `layers_of` has them. most: a written-out gradient of more numbers is gathered into so
    many sums with random signs (a count sketch: products stay right on average, with an error of one part in the root of `most`).
    """
    network.eval()
    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}
    layers = layers_of(network)
    if only is not None:
        layers = {name: layers[name] for name in only}
    known = {name: part for name, part in layers.items() if _is_known(part)}

    def remember(name: str) -> Callable[..., Tensor]:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            made = output if output.requires_grad else output.requires_grad_(True)
            calls.setdefault(name, []).append((inputs[0].detach(), made))
            # What follows may work in place (`relu_`), so it gets a value of its own.
            return made * 1.0

        return hook

    handles = [part.register_forward_hook(remember(name)) for name, part in known.items()]
    try:
        with torch.enable_grad():
            total = (_scores(network, *arrays).double() * direction).sum()
            flat = [made for name in calls for _, made in calls[name]]
            found = torch.autograd.grad(total, flat, allow_unused=True)
    finally:
        for handle in handles:
            handle.remove()
    given = iter(found)
    result: Slopes = {}
    for name, seen in calls.items():
        pairs = [(x, torch.zeros_like(made) if d is None else d) for (x, made), d in zip(seen, given, strict=False)]
        result[name] = _layer(known[name], pairs)
    # A layer of another type, or one whose weights are used without calling it.
    others = [name for name in layers if name not in result]
    if others:
        result |= _by_example(network, arrays, direction, others)
    return {name: _sketched(result[name], most) for name in layers}


def _sketched(part: Factors | Dense, most: int | None) -> Factors | Dense:
    """Gather a wide gradient into `most` sums; place and sign of a number depend on its position alone."""
    if most is None or isinstance(part, Factors) or part.g.shape[1] <= most:
        return part
    place, sign = _sketch(part.g.shape[1], most)
    return Dense(part.g.new_zeros(len(part), most).index_add_(1, place, part.g * sign))


@cache
def _sketch(size: int, most: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(size * 1_000_003 + most)
    place = torch.randint(0, most, (size,), generator=generator)
    return place, torch.randint(0, 2, (size,), generator=generator).float() * 2.0 - 1.0


def _is_known(layer: nn.Module) -> bool:
    if isinstance(layer, _BatchNorm):
        return layer.running_mean is not None and layer.affine
    return isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Embedding)


def _scores(network: nn.Module, *arrays: Tensor) -> Tensor:
    body: nn.Module = getattr(network, "behind_front", network)
    scores: Tensor = body(*arrays)
    return scores


class _Whole(nn.Module):
    """A network as training calls it, behind its fixed front."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arrays: Tensor) -> Tensor:
        """Give the scores."""
        return _scores(self.network, *arrays)


def kernel(first: Mapping[str, Factors | Dense], second: Mapping[str, Factors | Dense]) -> Tensor:
    """Give float32[example, other example]: the products of the whole gradients."""
    parts = iter(first.items())
    name, part = next(parts)
    total = part.kernel(second[name])
    for name, part in parts:
        total += part.kernel(second[name])
    return total


def joined(parts: Sequence[Slopes]) -> Slopes:
    """Put batches of examples one after the other."""
    result: Slopes = {}
    for name, first in parts[0].items():
        own = [part[name] for part in parts]
        if isinstance(first, Factors):
            pairs = [(part.x, part.d) for part in own if isinstance(part, Factors)]
            result[name] = Factors(torch.cat([x for x, _ in pairs]), torch.cat([d for _, d in pairs]), first.bias)
        else:
            result[name] = Dense(torch.cat([part.dense().g for part in own]))
    return result


def _layer(layer: nn.Module, pairs: Sequence[tuple[Tensor, Tensor]]) -> Factors | Dense:
    """Give the gradients of one layer from what went in and the slopes at what came out, one pair for every call of it."""
    if isinstance(layer, nn.Linear):
        if len(pairs) == 1 and pairs[0][0].ndim == 2:
            return Factors(pairs[0][0], pairs[0][1], layer.bias is not None)
        return Dense(_sum(_positions(x.flatten(1, -2), d.flatten(1, -2), layer.bias is not None) for x, d in pairs))
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return Dense(_sum(_convolution(layer, x, d) for x, d in pairs))
    if isinstance(layer, nn.Embedding):
        return Dense(_sum(_embedding(layer, x, d) for x, d in pairs))
    return Dense(_sum(_norm(layer, x, d) for x, d in pairs))


def _sum(parts: Iterator[Tensor]) -> Tensor:
    total = next(parts)
    for part in parts:
        total = total + part
    return total


def _positions(x: Tensor, d: Tensor, bias: bool) -> Tensor:
    """x float32[example, position, input], d float32[example, position, output] -> float32[example, output * input (+ output)]."""
    outer = (d.transpose(1, 2) @ x).flatten(1)
    return torch.cat([outer, d.sum(1)], 1) if bias else outer


def _convolution(layer: nn.Conv1d | nn.Conv2d, x: Tensor, d: Tensor) -> Tensor:
    """Sum over positions; every group of a grouped convolution for itself."""
    if isinstance(layer, nn.Conv1d):
        x, d = x.unsqueeze(2), d.unsqueeze(2)
    one = isinstance(layer, nn.Conv1d)
    size, step, spread = ((1, *value) if one else value for value in (layer.kernel_size, layer.stride, layer.dilation))
    if isinstance(layer.padding, str):
        around = [extent * (length - 1) if layer.padding == "same" else 0 for extent, length in zip(spread, size, strict=True)]
        x = F.pad(x, [around[1] // 2, around[1] - around[1] // 2, around[0] // 2, around[0] - around[0] // 2])
        padding: tuple[int, ...] = (0, 0)
    else:
        padding = (0, *layer.padding) if one else tuple(layer.padding)
    if layer.padding_mode != "zeros" and any(padding):
        x, padding = F.pad(x, [padding[1], padding[1], padding[0], padding[0]], mode=layer.padding_mode), (0, 0)
    patches = F.unfold(x, size, dilation=spread, padding=padding, stride=step)
    count, groups = len(x), layer.groups
    left = d.reshape(count, groups, d.shape[1] // groups, -1)
    right = patches.reshape(count, groups, patches.shape[1] // groups, -1)
    outer = (left @ right.transpose(2, 3)).flatten(1)
    return torch.cat([outer, d.flatten(2).sum(2)], 1) if layer.bias is not None else outer


def _embedding(layer: nn.Embedding, x: Tensor, d: Tensor) -> Tensor:
    """Add the slopes of every row into one of `BUCKETS` sums, with a sign; both depend on the row alone."""
    index = x.long().reshape(len(x), -1)
    slope = d.reshape(len(x), index.shape[1], -1)
    if layer.padding_idx is not None:
        slope = slope * (index != layer.padding_idx).unsqueeze(2)
    if layer.num_embeddings <= 4 * BUCKETS:
        place, buckets, sign = index, layer.num_embeddings, torch.ones_like(slope[:, :, 0])
    else:
        mixed = (index * 2654435761 + 1013904223) % 4294967296
        place, buckets = (mixed >> 7) % BUCKETS, BUCKETS
        sign = ((mixed >> 20) % 2 * 2 - 1).to(slope.dtype)
    sums = slope.new_zeros(len(x), buckets, slope.shape[2])
    sums.scatter_add_(1, place.unsqueeze(2).expand_as(slope), slope * sign.unsqueeze(2))
    return sums.flatten(1)


def _norm(layer: nn.Module, x: Tensor, d: Tensor) -> Tensor:
    """A batch norm in evaluation mode is ``scale * known + shift`` with fixed statistics."""
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean, variance = layer.running_mean.reshape(shape), layer.running_var.reshape(shape)  # type: ignore[operator]
    known = (x - mean) * torch.rsqrt(variance + layer.eps)  # type: ignore[operator]
    return torch.cat([(d * known).flatten(2).sum(2) if x.ndim > 2 else d * known, d.flatten(2).sum(2) if x.ndim > 2 else d], 1)


def _by_example(network: nn.Module, arrays: Sequence[Tensor], direction: Tensor, names: Sequence[str]) -> Slopes:
    """Differentiate every example for itself with respect to the weights of some layers."""
    module = _Whole(network)
    whole = {name: weight.detach() for name, weight in module.named_parameters()} | dict(module.named_buffers())
    wanted = {
        f"network.{name}.{own}" if name else f"network.{own}": weight.detach()
        for name in names
        for own, weight in network.get_submodule(name).named_parameters(recurse=False)
    }

    def number(weights: Mapping[str, Tensor], own: Tensor, *one: Tensor) -> Tensor:
        made: Tensor = torch.func.functional_call(module, {**whole, **weights}, tuple(array.unsqueeze(0) for array in one))
        return (made[0] * own).sum()

    gradient = torch.func.vmap(torch.func.grad(number), in_dims=(None, 0, *[0] * len(arrays)))
    found = gradient(wanted, direction.float(), *arrays)
    return {
        name: Dense(
            torch.cat([value.flatten(1) for own, value in found.items() if own.rpartition(".")[0] == f"network.{name}".rstrip(".")], 1)
        )
        for name in names
    }
