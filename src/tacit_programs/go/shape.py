"""How a position of Go is laid out as a row of uint64, and the tables that belong to a size of the board."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

#: Letters of columns, as Go players write them: there is no I.
LETTERS = "ABCDEFGHJKLMNOPQRST"
SMALLEST, LARGEST = 2, 19
FREE, BLACK, WHITE = 0, 1, 2
#: Planes of `encode`.
PLANES = 6
_STEP, _FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Shape:
    """The layout of a row: word 0 holds moves (16 bits), passes in a row (16) and boards met (32); then the board, one byte per point from
    the top left (0 free, 1 black, 2 white); then a bit for each legal move, the pass last; then the keys of the boards met so far.

    mask, met: the words at which the last two begin. longest: a game has no more moves. suicide: one may take off one's own stones.
    """

    size: int
    longest: int
    suicide: bool

    @property
    def points(self) -> int:
        """Count the points of the board."""
        return self.size * self.size

    @property
    def mask(self) -> int:
        """Give the word at which the bits of legal moves begin."""
        return 1 + (self.points + 7) // 8

    @property
    def met(self) -> int:
        """Give the word at which the keys of the boards met begin."""
        return self.mask + self.points // 64 + 1

    @property
    def words(self) -> int:
        """Count the words of a row."""
        return self.met + self.longest + 1

    def as_words(self) -> np.ndarray:
        """Give int64[7], as the C takes it."""
        return np.array([self.size, self.points, self.words, self.mask, self.met, self.longest, self.suicide], np.int64)

    def board(self, rows: np.ndarray) -> np.ndarray:
        """Give uint8[position, point] of rows, to be written to as well."""
        seen: np.ndarray = rows.view(np.uint8).reshape(len(rows), -1)[:, 8 : 8 + self.points]
        return seen


def mixed(state: np.ndarray) -> np.ndarray:
    """Scramble uint64 numbers: the output function of splitmix64 (Steele, Lea and Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    scrambled: np.ndarray = state ^ (state >> np.uint64(31))
    return scrambled


def stepped(state: np.ndarray) -> np.ndarray:
    """Give the next states of splitmix64, uint64."""
    after: np.ndarray = state + _STEP
    return after


@cache
def keys_of(size: int) -> np.ndarray:
    """Give the keys of stones, uint64[point, colour], always the same ones."""
    return mixed(np.arange(1, 2 * size * size + 1, dtype=np.uint64) * _STEP).reshape(-1, 2)


@cache
def beside(size: int) -> np.ndarray:
    """Give the points above, left, right and below each point, int64[point, 4]; size * size for beyond the edge."""
    return _neighbours(size, ((-1, 0), (0, -1), (0, 1), (1, 0)))


@cache
def across(size: int) -> np.ndarray:
    """Give the points across the corners of each point, int64[point, 4]; size * size for beyond the edge."""
    return _neighbours(size, ((-1, -1), (-1, 1), (1, -1), (1, 1)))


def _neighbours(size: int, steps: tuple[tuple[int, int], ...]) -> np.ndarray:
    rows, columns = np.divmod(np.arange(size * size), size)
    found = []
    for down, right in steps:
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < size) & (column >= 0) & (column < size)
        found.append(np.where(inside, row * size + column, size * size))
    return np.stack(found, axis=1)


@cache
def names_of(size: int) -> tuple[str, ...]:
    """Give the names of the moves: the points from the top left, and the pass.

    >>> names_of(2)
    ('A2', 'B2', 'A1', 'B1', 'pass')
    """
    return (*(f"{LETTERS[column]}{size - row}" for row in range(size) for column in range(size)), "pass")


@cache
def symmetries_of(size: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Give the seven ways to turn and mirror a board, besides leaving it, as points int64[point] and moves int64[point + 1]."""
    board = np.arange(size * size).reshape(size, size)
    turned = [np.rot90(side, quarter).reshape(-1) for side in (board, board.T) for quarter in range(4)][1:]
    return tuple((points, np.append(points, size * size)) for points in turned)
