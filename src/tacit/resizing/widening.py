"""Widen a network without changing what it computes: channels are copied, and whoever reads them takes a part from each copy.

The copies are exact, so what is computed stays the same in training, too; that they part ways is left to the readers. They divide a
weight w among k copies as ``w / k + d_i`` with random ``d_i`` that add up to zero, so that each copy gets a gradient of its own at once.
Source of the copying: Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge Transfer", section 2.2; of parts that differ:
Yuan et al. 2021, "Growing Efficient Deep Networks by Structured Continuous Sparsification", and `benchmarks/grow.py` for how much.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.lowering.export import as_tuple, sample_arrays
from tacit.resizing.channels import Group, Place, groups_of
from tacit.resizing.labelling import CONSUMER
from tacit.search.columns import seed_of
from tacit.signature.base import ArraySpec
from tacit.skeletons.reshaping import fit_shapes

#: How far apart the parts of a weight are, in standard deviations of the tensor that it stands in.
APART = 0.5
#: A grown network is right when its scores differ by less than this from those before, relative to the greatest.
TOLERANCE = 1e-4
_BATCH = 4


def widened(network: nn.Module, specs: Sequence[ArraySpec], factor: float, *, seed: int = 0, apart: float = APART) -> nn.Module:
    """Give a network with `factor` times the channels (rounded) wherever that changes nothing of what it computes.

    specs: what the forward takes, batch first. The network is left as it is. Raises: ConfigError when nothing can be widened;
    LoweringError when it can't be traced.
    """
    arrays, groups = sample_arrays(specs, batch=_BATCH), groups_of(network, specs)
    state = network.state_dict()
    counts = [_copies(state, group, round(group.size * factor)) for group in groups]

    def tried(numbers: Sequence[int]) -> nn.Module | None:
        generator = torch.Generator().manual_seed(seed_of(seed, "widening") % 2**31)
        made = _copied(network, {number: (groups[number], counts[number]) for number in numbers}, generator, apart)
        return made if made is not None and difference(made, network, arrays) <= TOLERANCE else None

    grown = tried(range(len(groups))) if groups else None
    if grown is None:  # some are read in a way that copies disturb
        alone = [number for number in range(len(groups)) if tried([number]) is not None]
        grown = tried(alone) if alone else None
    if grown is None:
        raise ConfigError(
            "expected a network with channels that can be copied, found none", fix="give its skeleton a larger width and compile"
        )
    return grown


def difference(network: nn.Module, other: nn.Module, arrays: tuple[Tensor, ...]) -> float:
    """Give the greatest difference between the outputs of two networks in evaluation mode, relative to the other's greatest."""
    with torch.no_grad():
        got = as_tuple(copy.deepcopy(network).cpu().eval()(*arrays))
        wanted = as_tuple(copy.deepcopy(other).cpu().eval()(*arrays))
    if any(one.shape != two.shape for one, two in zip(got, wanted, strict=True)):
        return float("inf")
    return max(
        float((one - two).abs().max()) / max(float(two.abs().max()), 1e-6) for one, two in zip(got, wanted, strict=True) if two.numel()
    )


def _copies(state: Mapping[str, Tensor], group: Group, wanted: int) -> np.ndarray:
    """Give int64[channel], how many there shall be of each: as equal as can be, more of those whose readers have the greater weights."""
    weights = np.zeros(group.size)
    for place in group.consumers:
        tensor = state[place.tensor].detach().cpu().movedim(place.axis, 0).flatten(1)
        of_channel = place.channels >= 0
        np.add.at(weights, place.channels[of_channel], tensor.square().sum(1).numpy()[of_channel])
    each, more = divmod(max(wanted, group.size), group.size)
    counts = np.full(group.size, each, np.int64)
    counts[np.argsort(-weights, kind="stable")[:more]] += 1
    return counts


def _copied(
    network: nn.Module, chosen: Mapping[int, tuple[Group, np.ndarray]], generator: torch.Generator, apart: float
) -> nn.Module | None:
    """Give a copy of a network with so many copies of the channels of some groups, or None when its layers don't take them."""
    state = dict(network.state_dict())
    for (name, axis), places in _by_axis(chosen).items():
        spread = _Spread.of(places)
        wide = state[name].index_select(axis, torch.from_numpy(spread.source).to(state[name].device))
        reads = any(place.role == CONSUMER for place, _ in places)
        state[name] = spread.divided(wide, axis, generator, apart) if reads else wide
    try:
        return fit_shapes(copy.deepcopy(network), state)
    except (RuntimeError, ValueError, ConfigError):
        return None


def _by_axis(chosen: Mapping[int, tuple[Group, np.ndarray]]) -> dict[tuple[str, int], list[tuple[Place, np.ndarray]]]:
    """Give the places on each axis of each tensor, with the numbers of copies; where channels are concatenated there are several."""
    found: dict[tuple[str, int], list[tuple[Place, np.ndarray]]] = {}
    for group, counts in chosen.values():
        for place in group.places:
            found.setdefault((place.tensor, place.axis), []).append((place, counts))
    return found


@dataclass(frozen=True, eq=False)
class _Spread:
    """A widened axis. source: int64[position], the position before. many: int64[position], of how many copies it is one."""

    source: np.ndarray
    many: np.ndarray

    @classmethod
    def of(cls, places: Sequence[tuple[Place, np.ndarray]]) -> _Spread:
        """Lay every copy right behind its channel: so it stays in place however channels were flattened, sliced or concatenated.

        Positions next to each other of one channel (those of a flattened picture) are copied together.
        """
        length = len(places[0][0].channels)
        label, many, first = -np.arange(1, length + 1), np.ones(length, np.int64), 0
        for place, counts in places:
            of_channel = place.channels >= 0
            label[of_channel] = first + place.channels[of_channel]
            many[of_channel] = counts[place.channels[of_channel]]
            first += len(counts)
        runs = np.split(np.arange(length), np.flatnonzero(np.diff(label)) + 1)
        source = np.concatenate([np.tile(run, many[run[0]]) for run in runs])
        return cls(source, many[source])

    def divided(self, wide: Tensor, axis: int, generator: torch.Generator, apart: float) -> Tensor:
        """Divide what the readers take from a channel among its copies; wide: their weights, copied."""
        lines = wide.detach().movedim(axis, 0)
        shape = (-1, *[1] * (wide.ndim - 1))
        many = torch.from_numpy(self.many).to(lines).reshape(shape)
        noise = torch.randn(lines.shape, generator=generator).to(lines) * (apart * float(lines.std()))
        places = torch.from_numpy(self.source).to(lines.device)
        sums = torch.zeros((int(self.source.max()) + 1, *lines.shape[1:])).to(lines).index_add_(0, places, noise)
        return (lines / many + noise - sums[places] / many).movedim(0, axis)
