"""Cut a network to given channels and let the rest make up for what is gone, without any training.

Layer after layer, in the order of a forward pass, the weights that read a cut group are fitted anew by least squares: from what the
layer reads in the network that is already cut before it, to what it gave in the whole network. So errors of earlier layers are made
up for by later ones instead of adding up. A residual branch is fitted to what its *sum* was, so that it mends its shortcut, too.
Source of the fit: He, Zhang and Sun 2017, "Channel Pruning for Accelerating Very Deep Neural Networks", section 3.1.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.resizing.channels import Group, Kept, cut, positions
from tacit.resizing.readers import (
    Additions,
    BatchNorm,
    Enough,
    Layer,
    Links,
    chunks,
    column_axis,
    end_hook,
    gather,
    hooked,
    layer_of,
    links_of,
    patches_of,
    readers_of,
    rows_of,
)

#: How strongly the fit is held to the weights of before, as a part of the mean variance of what a layer reads.
_RIDGE = 3e-3
#: A batch norm whose scale is nearly 0 hides what is before it; it is raised to this part of the usual scale of its layer.
_LEAST_SCALE = 0.1


def rebuild(network: nn.Module, groups: Sequence[Group], kept: Kept, arrays: Sequence[Tensor]) -> nn.Module:
    """Give a copy of a network with the kept channels of some groups, its weights fitted to what the whole network gives.

    kept: place in `groups` -> int64[kept]. arrays: inputs of a few thousand examples, as the network takes them.
    """
    made = cut(network.eval(), groups, kept).eval()
    names = {reader.name for number in kept for reader in readers_of(network, groups[number])}
    links = links_of(network, arrays, sorted(names))
    wanted = gather(network, arrays, links)
    stays = positions(groups, kept)
    for name in links.order:
        layer = layer_of(made, name)
        axis = 1 if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d) else 0
        outputs = stays.get((f"{name}.weight", axis))
        target = wanted.pop(name)
        _refit(made, name, arrays, links, target if outputs is None else target[:, torch.from_numpy(outputs)])
    return made


@dataclass(eq=False)
class _Sums:
    """What least squares need, float64: sums over rows of x x^T, y x^T, x and y."""

    square: Tensor
    cross: Tensor
    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, x: Tensor, y: Tensor) -> _Sums:
        """Add up x[row, column] and y[row, channel]."""
        wide, high = x.double(), y.double()
        return cls(wide.T @ wide, high.T @ wide, wide.sum(0), high.sum(0))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(self.square + other.square, self.cross + other.cross, self.x + other.x, self.y + other.y)


def _refit(made: nn.Module, name: str, arrays: Sequence[Tensor], links: Links, target: Tensor) -> None:
    """Fit one layer of the cut network, and the mean of a batch norm behind it, in place.

    target: float32[row, channel], what the layer, or the sum that it ends in, is to give.
    """
    layer = layer_of(made, name)
    found = made.get_submodule(links.norms[name]) if name in links.norms else None
    norm = found if isinstance(found, BatchNorm) else None
    if name in links.summed and norm is not None:
        _open_up(layer, norm)
    total, start = None, 0
    for x, other in _runs(made, name, arrays, links):
        if x is None:
            return
        y = target[start : start + len(x)]
        start += len(x)
        part = _Sums.of(x, y if other is None else _before_norm(y - other, norm))
        total = part if total is None else total + part
    if total is None:
        return
    free = layer.bias is not None or norm is not None  # something can take up a difference of the means
    with torch.no_grad():
        x_mean, y_mean = total.x / start, total.y / start
        square, cross = total.square / start, total.cross / start
        if free:
            square, cross = square - torch.outer(x_mean, x_mean), cross - torch.outer(y_mean, x_mean)
        ridge = _RIDGE * float(square.diagonal().mean()) + 1e-10
        held = square + ridge * torch.eye(len(square), dtype=torch.float64)
        after = torch.linalg.solve(held, (cross + ridge * layer.weight.double().flatten(1)).T).T
        layer.weight.copy_(after.reshape(layer.weight.shape))
        gap = y_mean - after @ x_mean
        if layer.bias is not None:
            layer.bias.copy_(gap)
        elif norm is not None and norm.running_mean is not None:
            norm.running_mean.sub_(gap.to(norm.running_mean.dtype))


def _open_up(layer: Layer, norm: BatchNorm) -> None:
    """Raise the scales of a batch norm that are nearly 0, with smaller weights before it, so that what it gives stays the same."""
    if norm.weight is None or norm.running_var is None or norm.running_mean is None:
        return
    with torch.no_grad():
        least = _LEAST_SCALE * float(norm.weight.abs().median()) + 1e-6
        scale = torch.where(norm.weight < 0, -1.0, 1.0) * norm.weight.abs().clamp(min=least)
        part = norm.weight / scale
        layer.weight.mul_(part.reshape(-1, *[1] * (layer.weight.ndim - 1)))
        norm.running_mean.mul_(part)
        if layer.bias is not None:
            layer.bias.mul_(part)
        norm.weight.copy_(scale)


def _before_norm(z: Tensor, norm: BatchNorm | None) -> Tensor:
    """Give what a batch norm has to read in order to give float32[row, channel]."""
    if norm is None or norm.running_mean is None or norm.running_var is None:
        return z
    deviation = (norm.running_var + norm.eps).sqrt()
    scale = deviation if norm.weight is None else deviation / norm.weight.detach()
    shift = 0.0 if norm.bias is None else norm.bias.detach()
    return (z - shift) * scale + norm.running_mean


def _runs(made: nn.Module, name: str, arrays: Sequence[Tensor], links: Links) -> Iterator[tuple[Tensor | None, Tensor | None]]:
    """Run the cut network as far as it is needed, chunk by chunk.

    Gives float32[row, column] of what the layer reads (None: it can't be fitted), and float32[row, channel] of what its result is added
    to (None: it ends in no sum).
    """
    axis, total, now = column_axis(made.get_submodule(name)), len(arrays[0]), 0
    ends: dict[str, Tensor] = {}
    reads: list[Tensor | None] = []
    others: list[Tensor] = []

    def read(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        reads.append(patches_of(layer, given[0], name=name, chunk=now, total=total))
        if name not in links.summed or reads[-1] is None:
            raise Enough

    def met(first: Tensor, second: Tensor, _: Tensor) -> None:
        end = ends.get(name)
        if end is first or end is second:
            others.append(rows_of(second if end is first else first, axis, name=name, chunk=now, total=total))
            raise Enough

    handles = [made.get_submodule(name).register_forward_pre_hook(read)]
    if name in links.summed:
        handles.append(end_hook(made, name, links, ends))
    with hooked(handles), torch.no_grad(), Additions(met):
        for now, chunk in chunks(arrays):  # noqa: B007 - the hooks read it
            reads.clear()
            others.clear()
            ends.clear()
            with suppress(Enough):
                made.eval()(*chunk)
            yield (reads[0] if reads else None), (others[0] if others else None)


def recalibrate(network: nn.Module, arrays: Sequence[Tensor]) -> None:
    """Measure the means and variances of all batch norms anew, one after the other, in place."""
    norms = [part for part in network.modules() if isinstance(part, BatchNorm) and part.running_mean is not None]
    before = [(norm, norm.momentum) for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain average over all chunks
        norm.train()
    with torch.no_grad():
        for _, chunk in chunks(arrays):
            network(*chunk)
    for norm, momentum in before:
        norm.momentum = momentum
    network.eval()
