"""The weights that evolution moves, as one vector, and how far a step of length 1 goes for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.ground.tables import did_you_mean
from tacit.search.columns import seed_of

#: Which weights may move: all, those of the last layer, or that layer with the biases and scales of all others.
KINDS = ("all", "last", "outer")
#: Above so many weights only the outer ones are moved: what a generation tells grows with its members, not with the weights.
MOST_AT_ONCE = 200_000
#: A bias or a scale moves at least as far as a weight of this size does; many of them begin at 0.
LEAST_SCALE = 0.05


@dataclass(frozen=True, eq=False)
class Space:
    """Names and shapes of the parameters that move; origin and scale are float32[weight], on the CPU."""

    names: tuple[str, ...]
    shapes: tuple[torch.Size, ...]
    origin: Tensor
    scale: Tensor

    def __len__(self) -> int:
        return len(self.origin)

    def weights(self, moves: Tensor) -> Tensor:
        """Turn moves, float32[..., weight] in units of the scale, into weights, float32[..., weight]."""
        return self.origin + moves * self.scale

    def tensors(self, weights: Tensor) -> dict[str, Tensor]:
        """Divide float32[..., weight] into the parameters by name, [..., *shape] each."""
        sizes = [shape.numel() for shape in self.shapes]
        parts = torch.split(weights, sizes, dim=-1)
        return {name: part.reshape(*weights.shape[:-1], *shape) for name, shape, part in zip(self.names, self.shapes, parts, strict=True)}

    def load(self, network: nn.Module, weights: Tensor) -> None:
        """Write weights, float32[weight], into a network in place."""
        own = dict(network.named_parameters())
        with torch.no_grad():
            for name, tensor in self.tensors(weights).items():
                own[name].copy_(tensor)


def space_of(network: nn.Module, which: str | None = None) -> Space:
    """Give the space of a network's weights as they are now. which: see `KINDS` (None: all, or the outer ones of a large network).

    The scale of a weight is the root mean square of its tensor, so that a step means as much in each layer (as in Plappert et al.
    2018, "Parameter Space Noise for Exploration", section 3, where layers are normalised for the same reason).
    Raises: ConfigError when nothing can move.
    """
    if which is not None and which not in KINDS:
        raise ConfigError(f"expected weights to move: {', '.join(KINDS)}, got `{which}`", fix=did_you_mean(which, list(KINDS)))
    parameters = {name: parameter.detach().cpu() for name, parameter in network.named_parameters() if parameter.requires_grad}
    if which is None:
        which = "all" if sum(parameter.numel() for parameter in parameters.values()) <= MOST_AT_ONCE else "outer"
    chosen = {name: parameter for name, parameter in parameters.items() if which == "all" or _outer(name, parameters, which)}
    if not chosen:
        raise ConfigError("expected a network with weights to search, got one without")
    origin = torch.cat([parameter.float().flatten() for parameter in chosen.values()])
    scale = torch.cat([_scale(parameter).expand(parameter.numel()) for parameter in chosen.values()])
    return Space(tuple(chosen), tuple(parameter.shape for parameter in chosen.values()), origin, scale)


def noise(seed: int, generation: int, pair: int, count: int) -> Tensor:
    """Give the noise of one pair of a generation, float32[count]: a function of these alone, whoever computes it and when."""
    generator = torch.Generator().manual_seed(seed_of(seed, "evolution", generation, pair))
    return torch.randn(count, generator=generator)


def _outer(name: str, parameters: Mapping[str, Tensor], which: str) -> bool:
    last = [other for other, parameter in parameters.items() if parameter.ndim > 1][-1:]
    of_last = bool(last) and name.rpartition(".")[0] == last[0].rpartition(".")[0]
    return of_last or (which == "outer" and parameters[name].ndim <= 1)


def _scale(parameter: Tensor) -> Tensor:
    return parameter.float().square().mean().sqrt().clamp(min=LEAST_SCALE)
