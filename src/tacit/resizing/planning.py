"""How many channels each group keeps: where a little of what is read is lost for much of what it costs.

All groups are decided together. Starting whole, the step is taken again and again that saves most for the error that it brings (see
`tacit.resizing.ranking`). The cost of widths is a model: exact for multiply-accumulates and bytes of the
layers, and for time the vectors that a kernel multiplies, so that widths come out as the target's kernels like them. What is asked for
is held against the real costs by whoever calls this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tacit.resizing.channels import Group, widths
from tacit.resizing.ranking import Ranking
from tacit.resizing.readers import hooked

MACS, BYTES, TIME = "macs", "bytes", "time"
_COUNTED = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.Linear)
#: Multiply-accumulates that an instruction of a kernel is worth beside those of its vectors: loads, stores, sums.
_BESIDE = 2.0

Widths = dict[int, int]  # place of a group -> channels that it keeps


@dataclass(frozen=True)
class _Layer:
    weight: str
    positions: int
    transposed: bool
    depthwise: bool


@dataclass(frozen=True, eq=False)
class Model:
    """What a network costs when its groups have given widths. kind: `MACS`, `BYTES` or `TIME`. lanes: numbers in a vector."""

    kind: str
    state: Mapping[str, Tensor]
    groups: Sequence[Group]
    layers: tuple[_Layer, ...]
    lanes: int = 1

    def __call__(self, sizes: Mapping[int, int]) -> float:
        """Give the cost: multiply-accumulates, bytes, or vectors multiplied."""
        shapes = widths(self.state, self.groups, sizes)
        if self.kind == BYTES:
            return float(sum(4 * torch.Size(shapes[name]).numel() for name, tensor in self.state.items() if tensor.ndim > 1))
        return float(sum(self._layer(layer, shapes[layer.weight]) for layer in self.layers))

    def _layer(self, layer: _Layer, shape: tuple[int, ...]) -> float:
        if self.kind == MACS:
            return layer.positions * torch.Size(shape).numel()
        outer, inner = (shape[1], shape[0]) if layer.transposed else shape[:2]
        taps = torch.Size(shape[2:]).numel()
        return layer.positions * vectors(outer, self.lanes) * (inner * taps + _BESIDE)


def vectors(count: int, lanes: int) -> int:
    """Count the vectors that hold so many channels: whole ones, and narrower ones for the rest.

    >>> vectors(32, 16), vectors(24, 16), vectors(17, 16)
    (2, 2, 2)
    """
    return count // lanes + (count % lanes).bit_count()


def model_of(network: nn.Module, groups: Sequence[Group], arrays: Sequence[Tensor], *, kind: str, lanes: int = 1) -> Model:
    """Make the model of a network. arrays: inputs of at least one example."""
    positions: dict[str, int] = {}

    def count(name: str) -> torch.utils.hooks.RemovableHandle:
        def hook(layer: nn.Module, _: object, y: Tensor) -> None:
            outputs: Any = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
            positions[name] = positions.get(name, 0) + y.numel() // int(outputs)

        return network.get_submodule(name).register_forward_hook(hook)

    names = [name for name, part in network.named_modules() if isinstance(part, _COUNTED)]
    with hooked([count(name) for name in names]), torch.no_grad():
        network.eval()(*(array[:1] for array in arrays))
    layers = []
    for name, number in positions.items():
        part = network.get_submodule(name)
        depthwise = isinstance(part, nn.Conv1d | nn.Conv2d) and part.groups > 1 and part.weight.shape[1] == 1
        transposed = isinstance(part, nn.ConvTranspose1d | nn.ConvTranspose2d)
        layers.append(_Layer(f"{name}.weight" if name else "weight", number, transposed, depthwise))
    return Model(kind, network.state_dict(), groups, tuple(layers), lanes)


def sizes_of(size: int, lanes: int) -> list[int]:
    """Give the widths that a group may have, from the largest: in steps that kernels like, some dozen at most.

    >>> sizes_of(64, 16)
    [64, 56, 48, 40, 32, 24, 16, 8]
    """
    step = 1
    while step * 2 <= min(lanes, size // 8):
        step *= 2
    least = max(1, step)
    return sorted({size, *range(least, size, step)}, reverse=True)


def narrowing(model: Model, rankings: Sequence[Ranking]) -> list[Widths]:
    """Give widths from the whole network to the narrowest, each a step further in the group where a step is worth most.

    A step is worth the cost that it saves for each unit of error that it brings; it may be a long one.
    """
    groups = model.groups
    choices = [sizes_of(group.size, model.lanes) for group in groups]
    now = {number: group.size for number, group in enumerate(groups)}
    cost = model(now)
    path = [dict(now)]
    while True:
        best: tuple[float, int, int, float] | None = None
        for number in now:
            before = rankings[number].errors[now[number]]
            for size in (size for size in choices[number] if size < now[number]):
                saved = cost - model(now | {number: size})
                if saved <= 0:
                    continue
                price = (rankings[number].errors[size] - before) / saved
                if best is None or price < best[0]:
                    best = (price, number, size, cost - saved)
        if best is None:
            return path
        _, number, size, cost = best
        now[number] = size
        path.append(dict(now))
