"""Go by the rules of Tromp and Taylor, for many games at once: area scoring, positional superko, suicide where it is allowed.

Source: https://tromp.github.io/go.html. A position is uint64[word] as `tacit_programs.go.shape.Shape` lays it out; the rules themselves are
C (`board.c`) where there is a compiler, and NumPy (`boards.py`) with the same answers elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tacit_programs.go.boards import PlainBoards
from tacit_programs.go.native import NativeBoards, boards_of
from tacit_programs.go.shape import BLACK, LARGEST, PLANES, SMALLEST, WHITE, Shape, keys_of, names_of, symmetries_of

#: A game of n * n points ends after so many times n * n moves, whatever stands on the board.
_LENGTH = 3


@dataclass(frozen=True)
class Go:
    """The rules. komi: points that white gets for beginning second. suicide: whether one may take off one's own stones (Tromp and Taylor
    allow it, Chinese rules and GNU Go don't). margin: share of the outcome that tells by how much one won, so that a winner goes on to
    win by more and a loser by less. compiled: use the C where there is a compiler."""

    size: int = 5
    komi: float = 0.5
    suicide: bool = True
    margin: float = 0.3
    compiled: bool = True

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise ValueError(f"expected a board of {SMALLEST} to {LARGEST} lines, got {self.size}")

    @property
    def name(self) -> str:
        """Say the game and the size of its board."""
        return f"go-{self.size}"

    @property
    def moves(self) -> Sequence[str]:
        """Give the points from the top left, A5 B5 ..., and the pass."""
        return names_of(self.size)

    @property
    def planes(self) -> tuple[int, int, int]:
        """Give the shape of `encode`."""
        return PLANES, self.size, self.size

    @property
    def longest(self) -> int:
        """Give the moves after which a game ends as it stands."""
        return _LENGTH * self.size * self.size

    @property
    def symmetries(self) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """Give the seven turns and mirrors of a square."""
        return symmetries_of(self.size)

    @property
    def shape(self) -> Shape:
        """Give the layout of a position."""
        return Shape(self.size, self.longest, self.suicide)

    @property
    def _boards(self) -> PlainBoards | NativeBoards:
        return boards_of(self.shape, compiled=self.compiled)

    def start(self, count: int) -> np.ndarray:
        """Give uint64[game, word]: empty boards, black to move."""
        return np.repeat(self.placed(), count, axis=0)

    def placed(self, black: Iterable[int] = (), white: Iterable[int] = (), *, turn: int = 0) -> np.ndarray:
        """Give uint64[1, word]: a game that begins with stones on some points. turn: 0, black moves; 1, white does."""
        shape = self.shape
        row = np.zeros((1, shape.words), np.uint64)
        key = np.uint64(0)
        for colour, points in ((BLACK, black), (WHITE, white)):
            for point in points:
                shape.board(row)[0, point] = colour
                key ^= keys_of(self.size)[point, colour - 1]
        row[0, 0], row[0, shape.met] = np.uint64(turn | 1 << 32), key
        self._boards.mark(row)
        return row

    def passed_over(self, positions: np.ndarray) -> np.ndarray:
        """Give positions in which it is the other's turn; that is no pass, and no move is counted but for the turn's sake."""
        after = positions.copy()
        after[:, 0] = (after[:, 0] & ~np.uint64(0xFFFF0000)) + np.uint64(1)
        self._boards.mark(after)
        return after

    def marked(self, positions: np.ndarray) -> np.ndarray:
        """Give positions of a game with other rules on the same board as they are by these."""
        after = positions.copy()
        self._boards.mark(after)
        return after

    def turn(self, positions: np.ndarray) -> np.ndarray:
        """Give int64[game]: 0 for black."""
        return (positions[:, 0] & np.uint64(1)).astype(np.int64)

    def legal(self, positions: np.ndarray) -> np.ndarray:
        """Give bool[game, move]; passing always is."""
        return self._boards.legal(positions)

    def play(self, positions: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Put a stone each, or pass."""
        return self._boards.play(positions, np.asarray(moves))

    def ended(self, positions: np.ndarray) -> np.ndarray:
        """Give bool[game]: both have passed, or the longest game is over."""
        over: np.ndarray = (self.passes(positions) >= 2) | ((positions[:, 0] & np.uint64(0xFFFF)) >= self.longest)
        return over

    def passes(self, positions: np.ndarray) -> np.ndarray:
        """Count the passes since the last stone, uint64[game]."""
        counted: np.ndarray = (positions[:, 0] >> np.uint64(16)) & np.uint64(0xFFFF)
        return counted

    def outcome(self, positions: np.ndarray) -> np.ndarray:
        """Give float32[game] for black: mostly who won, and a little by how much."""
        outcome = np.full(len(positions), np.nan, np.float32)
        over = np.flatnonzero(self.ended(positions))
        if len(over):
            outcome[over] = self._worth(self._boards.area(positions[over]))
        return outcome

    def score(self, positions: np.ndarray) -> np.ndarray:
        """Give float64[game]: black's area less white's and the komi, all stones taken as alive."""
        scores: np.ndarray = self._boards.area(positions) - self.komi
        return scores

    def _worth(self, area: np.ndarray) -> np.ndarray:
        ahead = area - self.komi
        worth = (1.0 - self.margin) * np.sign(ahead) + self.margin * ahead / (self.size * self.size)
        clipped: np.ndarray = np.clip(worth, -1.0, 1.0).astype(np.float32)
        return clipped

    def encode(self, positions: np.ndarray) -> np.ndarray:
        """Give float32[game, plane, row, column]."""
        return self._boards.encode(positions).reshape(len(positions), *self.planes)

    def playouts(self, positions: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Give float32[game] for black: how a random game ends from each position on. seeds: uint64[game]."""
        return self._worth(self._boards.playouts(positions, seeds))


@dataclass(frozen=True)
class Go5(Go):
    """Go on 5x5."""


@dataclass(frozen=True)
class Go7(Go):
    """Go on 7x7; perfect play is believed to give black 9 points."""

    size: int = 7
    komi: float = 8.5


@dataclass(frozen=True)
class Go9(Go):
    """Go on 9x9."""

    size: int = 9
    komi: float = 6.5


def show(game: Go, position: np.ndarray, *, last: int | None = None) -> str:
    """Draw a position, uint64[word], as text: ``X`` is black, ``O`` white; brackets stand around the last move.

    >>> print(show(Go(2), Go(2).play(Go(2).start(1), np.array([1]))[0], last=1))
       A B
     2 .(X)
     1 . .
    """
    size, letters = game.size, names_of(game.size)
    board = game.shape.board(position[None])[0].reshape(size, size)
    lines = ["  " + "".join(f" {letters[column][0]}" for column in range(size))]
    for row in range(size):
        line = f"{size - row:2d} "
        for column in range(size):
            line += ".XO"[board[row, column]]
            if column + 1 < size:
                line += " "
        if last is not None and last // size == row and last < size * size:
            place = 3 + 2 * (last % size)
            line = f"{line[: place - 1]}({line[place]}){line[place + 2 :]}"
        lines.append(line)
    return "\n".join(lines)
