"""What a game is here: two players who move in turn, nothing hidden, nothing left to chance; what one wins the other loses.

Everything works on many positions at once, as arrays with the axis `game` first, so that a search over hundreds of games is a few calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from tacit.signature.base import Signature
from tacit.signature.board import Board
from tacit.signature.outputs import Class

#: (int64[square], int64[move]): the turned board shows at square k what stood at squares[k], and its move k is what moves[k] was.
Symmetry = tuple[np.ndarray, np.ndarray]


@runtime_checkable
class Game(Protocol):
    """The rules of a game. An object with these needs no package but NumPy; it pickles, so that workers elsewhere can play.

    Positions are one array [game, ...] of any dtype and shape; what stands in it is the game's own business.
    """

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def moves(self) -> Sequence[str]:
        """The names of all the moves that there ever are, in the order of scores; passing is one of them where it is allowed."""

    @property
    def planes(self) -> tuple[int, int, int]:
        """The shape (plane, row, column) of what `encode` gives for a position."""

    @property
    def longest(self) -> int:
        """No game takes more moves than this."""

    @property
    def symmetries(self) -> Sequence[Symmetry]:
        """What can be done to the board without changing the game, leaving it as it is not included; empty where there is nothing."""

    def start(self, count: int) -> np.ndarray:
        """Give `count` positions before the first move, [game, ...]."""

    def turn(self, positions: np.ndarray) -> np.ndarray:
        """Say whose turn it is: int64[game], 0 for the player who began, 1 for the other."""

    def legal(self, positions: np.ndarray) -> np.ndarray:
        """Say what may be played: bool[game, move]. At least one move in every position that goes on."""

    def play(self, positions: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Give the positions after one legal move each, int64[game]; those given stay as they are."""

    def outcome(self, positions: np.ndarray) -> np.ndarray:
        """Say how it ended for the player who began: float32[game], 1 won, -1 lost, in between shared, NaN while it goes on."""

    def encode(self, positions: np.ndarray) -> np.ndarray:
        """Show positions to a network as the player whose turn it is sees them: float32[game, plane, row, column]."""


@runtime_checkable
class HasPlayouts(Protocol):
    """What a game may have besides: random games of its own, fast or more sensible than any legal move, for searches without a network."""

    def playouts(self, positions: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Give float32[game], how a random game from each position on ends for the player who began. seeds: uint64[game] decide it all."""


def signature_of_game(game: Game) -> Signature:
    """Give the types of a game: its planes in, one score per move out."""
    return Board(*game.planes) >> Class(tuple(game.moves))


def turned(planes: np.ndarray, symmetry: Symmetry) -> np.ndarray:
    """Give float32[game, plane, row, column] as a symmetry shows them."""
    shape = planes.shape
    flat: np.ndarray = planes.reshape(*shape[:2], -1)[:, :, symmetry[0]]
    return flat.reshape(shape)


def to_mover(game: Game, positions: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Turn what the player who began gets, float32[game], into what the player whose turn it is gets."""
    return outcome * (1 - 2 * game.turn(positions)).astype(np.float32)


def random_moves(game: Game, positions: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draw one legal move each, all equally likely: int64[game]."""
    legal = game.legal(positions)
    chosen: np.ndarray = (random.random(legal.shape, np.float32) * legal + legal).argmax(axis=1)
    return chosen


def opened(game: Game, count: int, random: np.random.Generator, most: int) -> np.ndarray:
    """Give positions after 0 to `most` random moves each, none of which has ended; a game that would end on the way stays before that."""
    positions = game.start(count)
    left = random.integers(0, most + 1, count) if most else np.zeros(count, np.int64)
    while (rows := np.flatnonzero(left > 0)).size:
        after = game.play(positions[rows], random_moves(game, positions[rows], random))
        going = np.isnan(game.outcome(after))
        positions[rows[going]] = after[going]
        left[rows] = np.where(going, left[rows] - 1, 0)
    return positions
