"""Players of a game, and matches between two of them: from the same random openings, each beginning half of the games."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tacit.environments.game import Game, random_moves
from tacit.search.tree_search import ByNetwork, ByPlayouts, Network, Searched, Ucb1, search
from tacit.search.walking import Puct

#: Positions [game, ...] that go on -> a legal move each, int64[game].
Player = Callable[[np.ndarray], np.ndarray]

#: So many random moves begin a game, so that two players who always play alike don't play one game again and again.
OPENING = 2
#: So many games side by side: beyond it, the arrays of the trees leave the caches.
TOGETHER = 128


@dataclass(frozen=True, eq=False)
class RandomPlayer:
    """Any legal move."""

    game: Game
    random: np.random.Generator

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Choose."""
        return random_moves(self.game, positions, self.random)


@dataclass(frozen=True, eq=False)
class UctPlayer:
    """Plain UCT: a tree by upper confidence bounds, each new position judged by one random game."""

    game: Game
    evaluations: int
    random: np.random.Generator
    explore: float = 1.0

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Choose what was visited most."""
        judge = ByPlayouts(self.game, self.random)
        rule = Ucb1(self.random, self.explore)
        chosen: np.ndarray = search(self.game, positions, judge, evaluations=self.evaluations, rule=rule).visits.argmax(axis=1)
        return chosen


@dataclass(frozen=True, eq=False)
class SearchingPlayer:
    """A network with a tree search around it; with one evaluation, the network's own best move."""

    game: Game
    network: Network
    evaluations: int

    def __call__(self, positions: np.ndarray) -> np.ndarray:
        """Choose what was visited most; of equals, what the network prefers."""
        if self.evaluations < 2:
            scores, _ = self.network(self.game.encode(positions))
            best: np.ndarray = np.where(self.game.legal(positions), scores, -np.inf).argmax(axis=1)
            return best
        found = self.think(positions)
        chosen: np.ndarray = (found.visits + 0.5 * found.prior).argmax(axis=1)
        return chosen

    def think(self, positions: np.ndarray) -> Searched:
        """Search: give how often each move was tried, what the position is worth to who moves, and what the network prefers at once."""
        return search(self.game, positions, ByNetwork(self.game, self.network), evaluations=max(2, self.evaluations), rule=Puct())


def random_opponent(game: Game, evaluations: int, seed: int) -> Player:
    """Make the player that moves at random."""
    return RandomPlayer(game, np.random.default_rng(seed))


def uct_opponent(game: Game, evaluations: int, seed: int) -> Player:
    """Make the player of plain UCT with as many evaluations."""
    return UctPlayer(game, evaluations, np.random.default_rng(seed))


@dataclass(frozen=True, eq=False)
class Match:
    """outcomes: float32[game], 1 where the first of the two players won, -1 lost. began: bool[game], whether that player began."""

    outcomes: np.ndarray
    began: np.ndarray


def match(game: Game, player: Player, opponent: Player, games: int, seed: int, *, opening: int = OPENING) -> Match:
    """Play `games` games (an even number), two from each opening, with the sides exchanged."""
    parts = [
        _together(game, player, opponent, min(TOGETHER, games - start), np.random.default_rng([seed, start]), opening)
        for start in range(0, games, TOGETHER)
    ]
    return Match(np.concatenate([part.outcomes for part in parts]), np.concatenate([part.began for part in parts]))


def _together(game: Game, player: Player, opponent: Player, games: int, random: np.random.Generator, opening: int) -> Match:
    pairs = (games + 1) // 2
    positions = _opened(game, pairs, random, opening).repeat(2, axis=0)[:games]
    # Who began is told from the first move of all, those of the opening included.
    began = np.arange(games) % 2 == 0
    outcomes = np.zeros(games, np.float32)
    going = np.arange(games)
    while len(going):
        mine = (game.turn(positions[going]) == 0) == began[going]
        moves = np.zeros(len(going), np.int64)
        for who, rows in ((player, np.flatnonzero(mine)), (opponent, np.flatnonzero(~mine))):
            if len(rows):
                moves[rows] = who(positions[going[rows]])
        positions[going] = game.play(positions[going], moves)
        outcome = game.outcome(positions[going])
        ended = ~np.isnan(outcome)
        outcomes[going[ended]] = np.where(began[going[ended]], outcome[ended], -outcome[ended])
        going = going[~ended]
    return Match(outcomes, began)


def _opened(game: Game, count: int, random: np.random.Generator, opening: int) -> np.ndarray:
    """Give positions after some random moves, none of which has ended; a game that ended on the way begins again."""
    positions = game.start(count)
    for _ in range(opening):
        positions = game.play(positions, random_moves(game, positions, random))
        over = ~np.isnan(game.outcome(positions))
        if over.any():
            return _opened(game, count, random, max(0, opening - 1))
    return positions
