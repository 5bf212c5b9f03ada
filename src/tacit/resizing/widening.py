"""Widen a network without changing what it computes: new channels are random, and what was there before doesn't read them yet.

A reader's weights from a new channel to its old outputs begin at 0; those into new channels, from old and new ones, are drawn. So the
scores stay as they are, in training, too, and the first step already moves the zeros. Source: Evci et al. 2022, "GradMax: Growing Neural
Networks using Gradient Information", section 3. Copies of channels, whose readers' weights are divided unevenly among them (Chen et al.
2016, "Net2Net", section 2.2), did as well and not better for the same steps; new channels are the simpler of the two.
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
from tacit.resizing.atoms import CONSUMER
from tacit.resizing.channels import Group, Place, groups_of
from tacit.search.columns import seed_of
from tacit.signature.base import ArraySpec
from tacit.skeletons.reshaping import fit_shapes

#: A grown network is right when its scores differ by less than this from those before, relative to the greatest.
TOLERANCE = 1e-4
_BATCH = 4


def widened(network: nn.Module, specs: Sequence[ArraySpec], factor: float, *, seed: int = 0) -> nn.Module:
    """Give a network with `factor` times the channels (rounded) wherever that changes nothing of what it computes.

    specs: what the forward takes, batch first. The network is left as it is. Raises: ConfigError when nothing can be widened;
    LoweringError when it can't be traced.
    """
    arrays, groups = sample_arrays(specs, batch=_BATCH), groups_of(network, specs)
    counts = [_counts(group, round(group.size * factor)) for group in groups]

    def tried(numbers: Sequence[int]) -> nn.Module | None:
        generator = torch.Generator().manual_seed(seed_of(seed, "widening") % 2**31)
        made = _with_new(network, {number: (groups[number], counts[number]) for number in numbers}, generator)
        return made if made is not None and difference(made, network, arrays) <= TOLERANCE else None

    grown = tried(range(len(groups))) if groups else None
    if grown is None:  # some are read in a way that new ones disturb
        alone = [number for number in range(len(groups)) if tried([number]) is not None]
        grown = tried(alone) if alone else None
    if grown is None:
        raise ConfigError(
            "expected a network with channels to which others can be added, found none", fix="give its skeleton a larger width and compile"
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


def _counts(group: Group, wanted: int) -> np.ndarray:
    """Give int64[channel], how many there shall be in place of each: itself, and new ones behind it, spread evenly."""
    ends = np.linspace(0, max(wanted, group.size), group.size + 1).round().astype(np.int64)
    return np.maximum(np.diff(ends), 1)


def _with_new(network: nn.Module, chosen: Mapping[int, tuple[Group, np.ndarray]], generator: torch.Generator) -> nn.Module | None:
    """Give a copy of a network with new channels in some groups, or None when its layers don't take them."""
    state = dict(network.state_dict())
    for name, axes in _by_tensor(chosen).items():
        wide = state[name].detach()
        for axis, (spread, _) in axes.items():
            wide = wide.index_select(axis, torch.from_numpy(spread.source).to(wide.device))
        fresh = torch.zeros(wide.shape, dtype=torch.bool)
        unread = torch.zeros(wide.shape, dtype=torch.bool)
        for axis, (spread, reads) in axes.items():
            along = torch.from_numpy(spread.new).reshape([-1 if place == axis else 1 for place in range(wide.ndim)])
            fresh, unread = (fresh, unread | along) if reads else (fresh | along, unread)
        state[name] = torch.where(
            fresh.to(wide.device), _drawn(state[name], wide, generator), wide.masked_fill(unread.to(wide.device), 0.0)
        )
    try:
        return fit_shapes(copy.deepcopy(network), state)
    except (RuntimeError, ValueError, ConfigError):
        return None


def _drawn(before: Tensor, wide: Tensor, generator: torch.Generator) -> Tensor:
    """Give what stands at new places: weights as large as the others, and of what has one number per channel the mean."""
    if before.ndim == 1:
        return torch.full_like(wide, float(before.mean()))
    return torch.randn(wide.shape, generator=generator).to(wide) * float(before.std())


def _by_tensor(chosen: Mapping[int, tuple[Group, np.ndarray]]) -> dict[str, dict[int, tuple[_Spread, bool]]]:
    """Give for each tensor how its axes are widened, and whether it reads what lies along them."""
    found: dict[tuple[str, int], list[tuple[Place, np.ndarray]]] = {}
    for group, counts in chosen.values():
        for place in group.places:
            found.setdefault((place.tensor, place.axis), []).append((place, counts))
    tensors: dict[str, dict[int, tuple[_Spread, bool]]] = {}
    for (name, axis), places in found.items():
        tensors.setdefault(name, {})[axis] = (_Spread.of(places), any(place.role == CONSUMER for place, _ in places))
    return tensors


@dataclass(frozen=True, eq=False)
class _Spread:
    """A widened axis. source: int64[position], a position before. new: bool[position], whether that is only what it lies behind."""

    source: np.ndarray
    new: np.ndarray

    @classmethod
    def of(cls, places: Sequence[tuple[Place, np.ndarray]]) -> _Spread:
        """Lay new channels right behind old ones: so they stay in place however channels are flattened, sliced or concatenated.

        Positions next to each other of one channel (those of a flattened picture) stay together. Several places on one axis are of
        groups that are concatenated there.
        """
        length = len(places[0][0].channels)
        label, many, first = -np.arange(1, length + 1), np.ones(length, np.int64), 0
        for place, counts in places:
            of_channel = place.channels >= 0
            label[of_channel] = first + place.channels[of_channel]
            many[of_channel] = counts[place.channels[of_channel]]
            first += len(counts)
        runs = np.split(np.arange(length), np.flatnonzero(np.diff(label)) + 1)
        source = [np.tile(run, many[run[0]]) for run in runs]
        new = [np.arange(len(each)) >= len(run) for run, each in zip(runs, source, strict=True)]
        return cls(np.concatenate(source), np.concatenate(new))
