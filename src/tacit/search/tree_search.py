"""Tree search over many games at once, with a fixed number of evaluations per move: every tree is a slice of the same arrays.

In each simulation every tree goes down to one new position; the new positions of all the trees are evaluated in one batch. Source:
Silver et al. 2018 (AlphaZero), "Search"; for plain UCT: Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo Planning".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tacit.environments.game import Game, HasPlayouts, random_moves, to_mover
from tacit.search.walking import PRIOR, VISITS, WINS, Puct, Rule, Walk, walk_by

#: Planes float32[game, plane, row, column] -> scores float32[game, move] of moves, and worth float32[game] (-1 to 1) to who moves.
Network = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class Evaluate(Protocol):
    """Judge new positions: log priors float32[game, move] (any that are not legal are left out), and worth float32[game]."""

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judge positions [game, ...] that go on."""


@dataclass(frozen=True, eq=False)
class ByNetwork:
    """Judge positions by a network."""

    game: Game
    network: Network

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ask the network."""
        return self.network(self.game.encode(positions))


@dataclass(frozen=True, eq=False)
class ByPlayouts:
    """Judge positions by one random game each from there on, the game's own kind where it has one; all moves are alike beforehand."""

    game: Game
    random: np.random.Generator

    def __call__(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Play to the end."""
        known = np.zeros((len(positions), len(self.game.moves)), np.float32)
        if isinstance(self.game, HasPlayouts):
            seeds = self.random.integers(0, 2**63, len(positions)).astype(np.uint64)
            return known, to_mover(self.game, positions, self.game.playouts(positions, seeds))
        worth, going, now = np.zeros(len(positions), np.float32), np.arange(len(positions)), positions
        while len(going):
            now = self.game.play(now, random_moves(self.game, now, self.random))
            outcome = self.game.outcome(now)
            ended = ~np.isnan(outcome)
            worth[going[ended]] = outcome[ended]
            now, going = now[~ended], going[~ended]
        return known, to_mover(self.game, positions, worth)


@dataclass(frozen=True, eq=False)
class Ucb1:
    """The mean worth plus what its count leaves open (Auer et al. 2002); moves that were never tried come first, in random order."""

    random: np.random.Generator
    explore: float = 1.0

    def __call__(self, edges: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Give the moves with the greatest upper bound."""
        visits = edges[:, VISITS]
        tried = np.maximum(visits, 1.0)
        bound = edges[:, WINS] / tried + self.explore * np.sqrt(np.log(visits.sum(axis=1) + 1.0)[:, None] / tried)
        fresh = 1e6 + self.random.random(visits.shape, np.float32)
        bound = np.where(np.isneginf(edges[:, PRIOR]), -np.inf, np.where(visits > 0, bound, fresh))
        chosen: np.ndarray = bound.argmax(axis=1)
        return chosen


@dataclass(frozen=True)
class Noise:
    """Dirichlet noise on the priors of the roots, so that every move is tried now and then. weight: its share. total: of its parameters."""

    weight: float = 0.25
    total: float = 10.0


@dataclass(frozen=True, eq=False)
class Searched:
    """visits: float32[game, move]. worth: float32[game], of the root to who moves there, by the search. prior: float32[game, move]."""

    visits: np.ndarray
    worth: np.ndarray
    prior: np.ndarray


class Forest:
    """The trees of many games. A node is a row; the nodes of game g are rows g * size to (g + 1) * size, the root first.

    edges: float32[node, 3, move]. below: int64[node, move], the row of the node that a move leads to, -1 for none. worth: float32[node],
    to who moves there; of an ended game, its outcome. positions: [node, ...].
    """

    def __init__(self, game: Game, roots: np.ndarray, size: int) -> None:
        count, moves = len(roots), len(game.moves)
        self.game, self.size, self.count = game, size, count
        self.edges = np.zeros((count * size, 3, moves), np.float32)
        self.below = np.full((count * size, moves), -1, np.int64)
        self.worth = np.zeros(count * size, np.float32)
        self.ended = np.zeros(count * size, bool)
        self.positions = np.zeros((count * size, *roots.shape[1:]), roots.dtype)
        self.roots = np.arange(count) * size
        self._free = self.roots.copy()

    def add(self, games: np.ndarray, positions: np.ndarray, evaluate: Evaluate) -> np.ndarray:
        """Add a node to some trees, int64[some]; give their rows. What has ended is worth its outcome and is not evaluated."""
        rows: np.ndarray = self._free[games].copy()
        self._free[games] += 1
        outcome = self.game.outcome(positions)
        ended = ~np.isnan(outcome)
        self.positions[rows], self.ended[rows] = positions, ended
        going = rows
        if ended.any():
            self.worth[rows[ended]] = to_mover(self.game, positions[ended], outcome[ended])
            going, positions = rows[~ended], positions[~ended]
        if len(going):
            scores, self.worth[going] = evaluate(positions)
            self.edges[going, PRIOR] = _softmax(scores, self.game.legal(positions))
        return rows

    def simulate(self, walk: Walk, evaluate: Evaluate) -> None:
        """Go down every tree once, add what is new there, and tell the nodes on the way what it is worth."""
        last, move = walk.down(self)
        leaves = self.below[last, move]
        new = np.flatnonzero(leaves < 0)
        if len(new):
            leaves[new] = self.add(new, self.game.play(self.positions[last[new]], move[new]), evaluate)
            self.below[last[new], move[new]] = leaves[new]
        walk.up(self, leaves)


def search(
    game: Game,
    positions: np.ndarray,
    evaluate: Evaluate,
    *,
    evaluations: int,
    rule: Rule | None = None,
    noise: Noise | None = None,
    random: np.random.Generator | None = None,
) -> Searched:
    """Search from positions [game, ...] that go on; `evaluations` positions are judged per game, the root included.

    noise: needs `random`. Cost: `evaluations` calls of `evaluate`, and some twenty array operations per level of the trees.
    """
    forest = Forest(game, positions, max(2, evaluations))
    forest.add(np.arange(len(positions)), positions, evaluate)
    roots = forest.roots
    prior = forest.edges[roots, PRIOR]
    if noise is not None and random is not None:
        forest.edges[roots, PRIOR] = _noisy(prior, noise, random)
    walk = walk_by(rule or Puct())
    for _ in range(max(1, evaluations - 1)):
        forest.simulate(walk, evaluate)
    visits, wins = forest.edges[roots, VISITS], forest.edges[roots, WINS]
    return Searched(visits, wins.sum(axis=1) / np.maximum(visits.sum(axis=1), 1.0), np.where(np.isneginf(prior), 0.0, prior))


def _softmax(scores: np.ndarray, legal: np.ndarray) -> np.ndarray:
    """Turn scores float32[node, move] into priors that sum to 1 over the legal moves; -inf for the others."""
    open_scores = np.where(legal, scores, -np.inf)
    powers = np.exp(open_scores - open_scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return np.where(legal, powers, -np.inf).astype(np.float32)


def _noisy(prior: np.ndarray, noise: Noise, random: np.random.Generator) -> np.ndarray:
    """Mix Dirichlet noise over the legal moves into priors float32[game, move]."""
    legal = ~np.isneginf(prior)
    drawn = random.standard_gamma(noise.total / legal.sum(axis=1, keepdims=True) * np.ones(prior.shape)) * legal
    drawn /= np.maximum(drawn.sum(axis=1, keepdims=True), 1e-30)
    return np.where(legal, (1.0 - noise.weight) * prior + noise.weight * drawn, -np.inf).astype(np.float32)
