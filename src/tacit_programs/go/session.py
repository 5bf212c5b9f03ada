"""One game of Go as people play it: moves by name, taken back, scored, refused where the rules forbid them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

import tacit
from tacit_programs.go.rules import Go
from tacit_programs.go.shape import LETTERS, names_of

#: Colours by their place: who begins is first.
COLOURS = ("black", "white")


class IllegalMove(tacit.TacitError):
    """A move that the rules forbid; `reason` is a word or two."""

    def __init__(self, name: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"expected a legal move, got {name}: {reason}", fix="another point, or pass")


def move_of(size: int, text: str) -> int:
    """Give the move of a name such as ``D4`` or ``pass``, any case. Raises: TacitError for anything else.

    >>> move_of(5, "a5"), move_of(5, "PASS")
    (0, 25)
    """
    name = text.strip().upper()
    if name == "PASS":
        return size * size
    column, row = LETTERS[:size].find(name[:1]) if name else -1, name[1:]
    if column < 0 or not row.isascii() or not row.isdigit() or not 1 <= int(row[:4]) <= size or len(row) > 2:
        raise tacit.TacitError(
            f"expected a point from A1 to {LETTERS[size - 1]}{size} or `pass`, got `{text.strip()[:20]}`", fix="A1, or pass"
        )
    return (size - int(row)) * size + column


@dataclass
class Session:
    """A game from `begun` (uint64[1, word]) on. moves: (colour, move) each, colour 0 for black."""

    game: Go
    begun: np.ndarray = field(default_factory=lambda: np.zeros(0))
    moves: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not len(self.begun):
            self.begun = self.game.start(1)
        self._positions = [self.begun]

    @property
    def position(self) -> np.ndarray:
        """Give the position as it is, uint64[1, word]."""
        return self._positions[-1]

    @property
    def turn(self) -> int:
        """Say whose turn it is: 0 for black."""
        return int(self.game.turn(self.position)[0])

    @property
    def ended(self) -> bool:
        """Tell whether the game is over."""
        return bool(self.game.ended(self.position)[0])

    def play(self, colour: int, move: int) -> None:
        """Play; where it is the other's turn, that one is passed over, as GTP allows. Raises: IllegalMove."""
        position, name = self.position, names_of(self.game.size)[move]
        if self.turn != colour:
            position = self.game.passed_over(position)
        if self.ended and int(position[0, 0] & np.uint64(0xFFFF)) >= self.game.longest:
            raise IllegalMove(name, f"the game is over after {self.game.longest} moves")
        if not self.game.legal(position)[0, move]:
            raise IllegalMove(name, self._why(position, move))
        self._positions.append(self.game.play(position, np.array([move])))
        self.moves.append((colour, move))

    def _why(self, position: np.ndarray, move: int) -> str:
        if self.game.shape.board(position)[0, move]:
            return "there is a stone"
        free = Go(self.game.size, self.game.komi, suicide=True)
        return "suicide" if not self.game.suicide and free.legal(free.marked(position))[0, move] else "the board was so before"

    def undo(self) -> bool:
        """Take the last move back; tell whether there was one."""
        if not self.moves:
            return False
        self.moves.pop()
        self._positions.pop()
        return True

    def with_komi(self, komi: float) -> None:
        """Play on with other points for white."""
        self.game = Go(self.game.size, komi, self.game.suicide, self.game.margin, self.game.compiled)

    def result(self) -> str:
        """Give the result as the board stands, all stones alive: ``B+3.5``, ``W+0.5``, ``0``."""
        return result_of(float(self.game.score(self.position)[0]))


def result_of(score: float) -> str:
    """Write black's score less white's as people do.

    >>> result_of(-3.5), result_of(0.0)
    ('W+3.5', '0')
    """
    return "0" if score == 0 else f"{'B' if score > 0 else 'W'}+{abs(score):g}"
