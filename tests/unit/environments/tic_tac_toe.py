"""The smallest game worth a search: three in a row on nine squares. With best play on both sides it is drawn."""

from __future__ import annotations

import numpy as np

_SQUARES = np.arange(9).reshape(3, 3)
_LINES = np.array([*_SQUARES, *_SQUARES.T, np.diag(_SQUARES), np.diag(_SQUARES[:, ::-1])])


def _all_turns():
    for turns in range(4):
        for board in (np.rot90(_SQUARES, turns), np.rot90(_SQUARES, turns)[:, ::-1]):
            if not np.array_equal(board, _SQUARES):
                yield board.reshape(-1), board.reshape(-1)


class TicTacToe:
    """Positions are int8[game, 9]: 1 for the player who began, -1 for the other."""

    name = "tic-tac-toe"
    moves = tuple("abcdefghi")
    planes = (2, 3, 3)
    longest = 9
    symmetries = tuple(_all_turns())

    def start(self, count):
        return np.zeros((count, 9), np.int8)

    def turn(self, positions):
        return (positions != 0).sum(axis=1) % 2

    def legal(self, positions):
        return positions == 0

    def play(self, positions, moves):
        after = positions.copy()
        after[np.arange(len(moves)), moves] = 1 - 2 * self.turn(positions)
        return after

    def outcome(self, positions):
        sums = positions[:, _LINES].sum(axis=2)
        drawn = np.where((positions != 0).all(axis=1), 0.0, np.nan)
        return np.where((sums == 3).any(axis=1), 1.0, np.where((sums == -3).any(axis=1), -1.0, drawn)).astype(np.float32)

    def encode(self, positions):
        mine = positions * (1 - 2 * self.turn(positions))[:, None]
        return np.stack([mine == 1, mine == -1], axis=1).astype(np.float32).reshape(-1, 2, 3, 3)


def after(*names):
    """Give the position after some moves, int8[1, 9]."""
    game = TicTacToe()
    positions = game.start(1)
    for name in names:
        positions = game.play(positions, np.array([game.moves.index(name)]))
    return positions
