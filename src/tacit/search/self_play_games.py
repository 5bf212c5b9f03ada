"""Games of a network against itself, many side by side: a piece of work that any worker can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from tacit.environments.game import Game, opened, to_mover
from tacit.search.game_native import native_network
from tacit.search.game_network import network_of
from tacit.search.policy_recipe import SelfPlayRecipe
from tacit.search.tree_search import ByNetwork, Noise, search

_FIELDS = ("positions", "policies", "outcomes", "worths")


@dataclass(frozen=True, eq=False)
class Share:
    """Some games of a round: everything that decides them. native: the network is evaluated by compiled code, and by no other."""

    game: Game
    network: nn.Module
    recipe: SelfPlayRecipe
    games: int
    seed: int
    native: bool = False


@dataclass(frozen=True, eq=False)
class Played:
    """Positions that were met, [position, ...], by game and move; policies: float32[position, move], the shares of the visits;
    outcomes, worths: float32[position], how it ended for who moved there, and what the search expected."""

    positions: np.ndarray
    policies: np.ndarray
    outcomes: np.ndarray
    worths: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence[Played]) -> Played:
        """Put parts one after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))

    def newest(self, count: int) -> Played:
        """Keep the last ones."""
        return Played(*(getattr(self, name)[-count:] for name in _FIELDS))

    def state(self) -> dict[str, np.ndarray]:
        """Give arrays of bytes and numbers; positions of any dtype are bytes."""
        flat = np.ascontiguousarray(self.positions)
        return {name: getattr(self, name) for name in _FIELDS[1:]} | {"positions": flat.view(np.uint8).reshape(len(flat), -1)}

    @classmethod
    def restored(cls, state: Mapping[str, np.ndarray], *, like: np.ndarray) -> Played:
        """Give what `state` was made of; like: positions of the game, for dtype and shape."""
        raw = np.ascontiguousarray(state["positions"])
        positions = raw.view(like.dtype).reshape(len(raw), *like.shape[1:])
        return cls(positions, *(state[name] for name in _FIELDS[1:]))


def play_share(share: Share) -> Played:
    """Play the games of a share, all side by side; what comes out depends on the share alone."""
    game, recipe, random = share.game, share.recipe, np.random.default_rng(share.seed)
    network = native_network(game, share.network) if share.native else network_of(share.network)
    evaluate = ByNetwork(game, network)
    positions, going = opened(game, share.games, random, recipe.opening), np.arange(share.games)
    whose: list[np.ndarray] = []
    met: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    ends = np.zeros(share.games, np.float32)
    ply = 0
    while len(going):
        learnt = np.ones(len(going), bool) if recipe.full >= 1 else random.random(len(going)) < recipe.full
        policies = np.zeros((len(going), len(game.moves)), np.float32)
        for full in (True, False):
            rows = np.flatnonzero(learnt == full)
            if not len(rows):
                continue
            noise = Noise(recipe.noise, recipe.noise_total) if full else None
            evaluations = recipe.evaluations if full else recipe.fast
            found = search(game, positions[rows], evaluate, evaluations=evaluations, noise=noise, random=random)
            policies[rows] = found.visits / found.visits.sum(axis=1, keepdims=True)
            if full:
                met.append((positions[rows], policies[rows], found.worth))
                whose.append(going[rows])
        drawn = (policies.cumsum(axis=1) > random.random((len(going), 1)) * 0.999999).argmax(axis=1)
        positions = game.play(positions, drawn if ply < recipe.explore else policies.argmax(axis=1))
        outcome = game.outcome(positions)
        ended = ~np.isnan(outcome)
        ends[going[ended]] = outcome[ended]
        positions, going = positions[~ended], going[~ended]
        ply += 1
    return _in_order(game, ends, whose, met)


def _in_order(
    game: Game, ends: np.ndarray, whose: Sequence[np.ndarray], met: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> Played:
    """Put what was met ply by ply in the order of the games, so that the newest are whole games."""
    if not met:
        nothing = np.zeros(0, np.float32)
        return Played(game.start(0), np.zeros((0, len(game.moves)), np.float32), nothing, nothing)
    order = np.argsort(np.concatenate(whose), kind="stable")
    positions, policies, worths = (np.concatenate([part[place] for part in met])[order] for place in range(3))
    outcomes = to_mover(game, positions, ends[np.concatenate(whose)[order]])
    return Played(positions, policies, outcomes, worths.astype(np.float32))
