"""Connect Four: stones fall into seven columns of six; four in a row, in any direction, win.

A position is uint64[3]: the squares of the player who began, those of the other, and how many moves were made. A column takes seven
bits, the lowest row first; its seventh bit stays free, so that a row that goes on over the edge of the board is none.
"""

from __future__ import annotations

import numpy as np

ROWS, COLUMNS = 6, 7
_HEIGHT = ROWS + 1
_BOTTOM = np.array([1 << (column * _HEIGHT) for column in range(COLUMNS)], np.uint64)
_TOP = np.array([1 << (column * _HEIGHT + ROWS - 1) for column in range(COLUMNS)], np.uint64)
_COLUMN = np.array([((1 << ROWS) - 1) << (column * _HEIGHT) for column in range(COLUMNS)], np.uint64)
#: The bit of each square, [row, column], the highest row first as on the page.
_SQUARES = np.array([[column * _HEIGHT + ROWS - 1 - row for column in range(COLUMNS)] for row in range(ROWS)], np.uint64)
_ONE = np.uint64(1)
#: Up, to the right, and along the two diagonals.
_DIRECTIONS = tuple(np.uint64(step) for step in (1, _HEIGHT, _HEIGHT - 1, _HEIGHT + 1))


class ConnectFour:
    """The rules, for many games at once."""

    name = "connect-four"
    moves = tuple(str(column + 1) for column in range(COLUMNS))
    planes = (2, ROWS, COLUMNS)
    longest = ROWS * COLUMNS
    #: Left and right exchanged.
    symmetries = ((np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)[:, ::-1].reshape(-1), np.arange(COLUMNS)[::-1]),)

    def start(self, count: int) -> np.ndarray:
        """Give uint64[game, 3]: empty boards."""
        return np.zeros((count, 3), np.uint64)

    def turn(self, positions: np.ndarray) -> np.ndarray:
        """Give int64[game]: 0 for the player who began."""
        return (positions[:, 2] & _ONE).astype(np.int64)

    def legal(self, positions: np.ndarray) -> np.ndarray:
        """Give bool[game, move]: the columns that aren't full."""
        taken = positions[:, 0] | positions[:, 1]
        free: np.ndarray = (taken[:, None] & _TOP) == 0
        return free

    def play(self, positions: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Let a stone fall into a column each: one more than what stands there is the lowest free square."""
        taken = positions[:, 0] | positions[:, 1]
        stone = (taken + _BOTTOM[moves]) & _COLUMN[moves] & ~taken
        after = positions.copy()
        after[np.arange(len(moves)), self.turn(positions)] |= stone
        after[:, 2] += _ONE
        return after

    def outcome(self, positions: np.ndarray) -> np.ndarray:
        """Give float32[game]: only the player who moved last can have made a row."""
        last = 1 - self.turn(positions)
        squares = positions[np.arange(len(positions)), last]
        won = np.zeros(len(positions), bool)
        for step in _DIRECTIONS:
            pairs = squares & (squares >> step)
            won |= (pairs & (pairs >> (step + step))) != 0
        drawn = np.where(positions[:, 2] >= ROWS * COLUMNS, 0.0, np.nan)
        return np.where(won, 1.0 - 2.0 * last, drawn).astype(np.float32)

    def encode(self, positions: np.ndarray) -> np.ndarray:
        """Give float32[game, plane, row, column]: one's own squares, the other's."""
        turn, rows = self.turn(positions), np.arange(len(positions))
        both = np.stack([positions[rows, turn], positions[rows, 1 - turn]], axis=1)
        return ((both[:, :, None, None] >> _SQUARES) & _ONE).astype(np.float32)


def show(position: np.ndarray) -> str:
    """Draw a position, uint64[3], as text: ``x`` began.

    >>> print(show(ConnectFour().play(ConnectFour().start(1), np.array([3]))[0]).splitlines()[-2])
    . . . x . . .
    """
    first, second = (((position[player] >> _SQUARES) & _ONE).astype(bool) for player in (0, 1))
    signs = np.where(first, "x", np.where(second, "o", "."))
    return "\n".join([*(" ".join(row) for row in signs), " ".join(ConnectFour.moves)])
