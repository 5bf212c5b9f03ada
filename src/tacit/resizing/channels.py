"""The groups of channels of a network that have to be removed together, and the network without some of them.

A channel is made by some layers (producers: a row of their weights), read by others (consumers: a column), and goes through what acts
on it alone (followers: batch norms, biases, depthwise filters). A residual sum makes its summands one group. What is not understood is
in no group, and no group is given out that was not tried: taking channels away must give what reading them as 0 gives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.errors import TacitError
from tacit.lowering.export import as_tuple, sample_arrays, trace
from tacit.resizing.atoms import CONSUMER, FOLLOWER, PRODUCER, Marked
from tacit.signature.base import ArraySpec
from tacit.skeletons.reshaping import fit_shapes

#: A cut network is right when its scores differ by less than this from those of the whole one that reads zeros, relative to the greatest.
_TOLERANCE = 1e-4
_BATCH = 2


@dataclass(frozen=True, eq=False)
class Place:
    """Where the channels of a group stand in a tensor of the state.

    channels: int64[length of the axis], the channel at each position, -1 where it is of none. role: `producer`, `consumer`, `follower`.
    """

    tensor: str
    axis: int
    channels: np.ndarray
    role: str


@dataclass(frozen=True, eq=False)
class Group:
    """Channels 0 to `size` - 1, any of which can be removed without the others. name: of the first layer that makes them."""

    name: str
    size: int
    places: tuple[Place, ...]

    @property
    def producers(self) -> tuple[Place, ...]:
        """The weights that make the channels."""
        return tuple(place for place in self.places if place.role == PRODUCER)

    @property
    def consumers(self) -> tuple[Place, ...]:
        """The weights that read the channels."""
        return tuple(place for place in self.places if place.role == CONSUMER)

    @property
    def followers(self) -> tuple[Place, ...]:
        """What else has an entry per channel."""
        return tuple(place for place in self.places if place.role == FOLLOWER)


#: Place of a group in a sequence of groups -> int64[kept], the channels that stay, rising.
Kept = Mapping[int, np.ndarray]


def groups_of(network: nn.Module, specs: Sequence[ArraySpec]) -> tuple[Group, ...]:
    """Find the groups of channels of a network, in the order of its layers; each was tried.

    specs: what the forward takes, batch first. The network is left as it is. Raises: LoweringError when it can't be traced.
    """
    own = copy.deepcopy(network).cpu().eval()
    marked = Marked(trace(own, specs), free=_untied(own).__contains__)
    groups = _grouped(marked, own)
    arrays = sample_arrays(specs, batch=_BATCH)
    if _right(own, groups, range(len(groups)), arrays):
        return groups
    return tuple(group for place, group in enumerate(groups) if _right(own, groups, [place], arrays))


def cut(network: nn.Module, groups: Sequence[Group], kept: Kept) -> nn.Module:
    """Give a copy of a network that has the kept channels of some groups alone; nothing makes up for what is gone."""
    return fit_shapes(copy.deepcopy(network), cut_state(network.state_dict(), groups, kept))


def cut_state(state: Mapping[str, Tensor], groups: Sequence[Group], kept: Kept) -> dict[str, Tensor]:
    """Give a state without the channels that are not kept."""
    made = dict(state)
    for (tensor, axis), places in positions(groups, kept).items():
        made[tensor] = made[tensor].index_select(axis, torch.from_numpy(places).to(made[tensor].device))
    return made


def positions(groups: Sequence[Group], kept: Kept) -> dict[tuple[str, int], np.ndarray]:
    """Give (tensor, axis) -> int64[position], what stays there."""
    stays: dict[tuple[str, int], np.ndarray] = {}
    for number, channels in kept.items():
        for place in groups[number].places:
            here = (place.channels < 0) | np.isin(place.channels, channels)
            before = stays.get((place.tensor, place.axis))
            stays[place.tensor, place.axis] = here if before is None else before & here
    return {key: np.flatnonzero(here) for key, here in stays.items()}


def widths(state: Mapping[str, Tensor], groups: Sequence[Group], kept: Mapping[int, int]) -> dict[str, tuple[int, ...]]:
    """Give the shapes of the state's tensors when groups have so many channels, as if each channel took equally many positions."""
    shapes = {name: list(tensor.shape) for name, tensor in state.items()}
    for number, count in kept.items():
        group = groups[number]
        for place in group.places:
            here = int((place.channels >= 0).sum())
            shapes[place.tensor][place.axis] += here // group.size * count - here
    return {name: tuple(shape) for name, shape in shapes.items()}


def _untied(network: nn.Module) -> frozenset[str]:
    """Name the parameters that stand in one place only."""
    names: dict[int, list[str]] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return frozenset(found[0] for found in names.values() if len(found) == 1)


def _grouped(marked: Marked, network: nn.Module) -> tuple[Group, ...]:
    """Make groups of atoms: those that one producer makes belong to one group."""
    atoms = marked.atoms
    order = {name: place for place, name in enumerate(network.state_dict())}
    axes = {(name, axis): atoms.roots(each) for name, found in marked.states.items() for axis, each in enumerate(found)}
    axes = {key: roots for key, roots in axes.items() if roots.any()}
    group_of: dict[int, int] = {}  # root -> the root of the group's first channel
    members: dict[int, list[int]] = {}
    for key in sorted(axes, key=lambda key: order[key[0]]):
        if marked.roles.get(key) != PRODUCER:
            continue
        roots = list(dict.fromkeys(int(root) for root in axes[key] if root))
        known = sorted({group_of[root] for root in roots if root in group_of})
        first = known[0] if known else roots[0]
        for other in known[1:]:
            members[first] = members[first] + members.pop(other)
        members.setdefault(first, [])
        members[first] += [root for root in roots if root not in group_of]
        group_of.update(dict.fromkeys(members[first], first))
    groups = []
    for roots in members.values():
        number = {root: place for place, root in enumerate(roots)}
        places = []
        for (name, axis), found in axes.items():
            channels = np.array([number.get(int(root), -1) for root in found], np.int64)
            if (channels >= 0).any():
                places.append(Place(name, axis, channels, marked.roles.get((name, axis), FOLLOWER)))
        names = [place.tensor for place in places if place.role == PRODUCER]
        group = Group(min(names, key=order.__getitem__).rpartition(".")[0], len(roots), tuple(places))
        if group.size > 1 and group.consumers:
            groups.append(group)
    return tuple(groups)


def _right(network: nn.Module, groups: Sequence[Group], chosen: Sequence[int], arrays: tuple[Tensor, ...]) -> bool:
    """Tell whether a network without some channels gives what it gives when it reads them as 0."""
    chance = np.random.default_rng(0)
    kept = {number: np.sort(chance.permutation(groups[number].size)[: (groups[number].size + 1) // 2]) for number in chosen}
    blind = copy.deepcopy(network)
    state = blind.state_dict()
    for number, channels in kept.items():
        for place in groups[number].consumers:
            gone = np.flatnonzero((place.channels >= 0) & ~np.isin(place.channels, channels))
            state[place.tensor].index_fill_(place.axis, torch.from_numpy(gone), 0.0)
    with torch.no_grad():
        wanted = as_tuple(blind.eval()(*arrays))
        try:
            got = as_tuple(cut(network, groups, kept).eval()(*arrays))
        except (RuntimeError, ValueError, IndexError, TypeError, TacitError):
            return False
    return all(_close(one, other) for one, other in zip(got, wanted, strict=True))


def _close(got: Tensor, wanted: Tensor) -> bool:
    return got.shape == wanted.shape and float((got - wanted).abs().max()) <= _TOLERANCE * max(float(wanted.abs().max()), 1e-6)
