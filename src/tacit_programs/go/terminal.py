"""Go in a terminal: the board drawn, moves as D4, pass, undo, resign; what the other side thinks is shown when asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

import tacit
from tacit_programs.go.gtp import MakePlayer, Player
from tacit_programs.go.rules import Go, show
from tacit_programs.go.session import COLOURS, Session, move_of
from tacit_programs.go.sgf import record_of, save_sgf
from tacit_programs.go.shape import names_of

HELP = "a point such as C3, pass, undo, hint, think, save FILE.sgf, resign, quit"
#: So many moves are named where it says what it thinks.
_NAMED = 4


class Table:
    """One game at the terminal. person: the colour of the person, 0 for black."""

    def __init__(self, game: Go, make_player: MakePlayer, output: IO[str], *, person: int = 0, thinking: bool = False) -> None:
        self.session, self.person, self.thinking = Session(game), person, thinking
        self._player, self._output = make_player(game), output

    def play(self, lines: Iterable[str]) -> int:
        """Play until the game is over or the lines are; give the exit code."""
        source = iter(lines)
        self._say(f"You are {COLOURS[self.person]}. Type {HELP}.")
        self._draw()
        while not self.session.ended:
            if self.session.turn != self.person:
                self._answer()
                continue
            self._output.write(f"{COLOURS[self.person]}> ")
            self._output.flush()
            line = next(source, None)
            if line is None or not self._heard(line.strip()):
                self._say("")
                return 0
        self._say(f"The game is over: {self.session.result()}.")
        return 0

    def _heard(self, line: str) -> bool:
        """Do what a person typed; False ends the game."""
        word, _, rest = line.partition(" ")
        word = word.lower()
        try:
            if word in ("quit", "exit"):
                return False
            if word == "resign":
                self._say(f"{COLOURS[1 - self.person]} wins: {'BW'[1 - self.person]}+R.")
                return False
            if word in ("", "help", "?"):
                self._say(HELP)
            elif word == "undo":
                self._undo()
            elif word == "hint":
                self._say(thoughts(self._player, self.session) or f"I would play {self._name(self._choice())}.")
            elif word == "think":
                self.thinking = not self.thinking
                self._say(f"I {'say' if self.thinking else 'keep to myself'} what I think.")
            elif word == "save":
                save_sgf(record_of(self.session), Path(rest.strip() or "game.sgf"))
                self._say(f"saved as {rest.strip() or 'game.sgf'}")
            else:
                self.session.play(self.person, move_of(self.session.game.size, line))
                self._draw()
        except tacit.TacitError as error:
            self._say(str(error))
        return True

    def _undo(self) -> None:
        """Take back to the person's own last move."""
        taken = 0
        while self.session.moves and not (taken and self.session.turn == self.person):
            self.session.undo()
            taken += 1
        if not taken:
            self._say("There is nothing to take back.")
        self._draw()

    def _answer(self) -> None:
        if self.thinking and (said := thoughts(self._player, self.session)):
            self._say(said)
        move = self._choice()
        self.session.play(self.session.turn, move)
        self._say(f"{COLOURS[1 - self.person]} plays {self._name(move)}")
        self._draw()

    def _choice(self) -> int:
        return int(self._player(self.session.position)[0])

    def _name(self, move: int) -> str:
        return names_of(self.session.game.size)[move]

    def _draw(self) -> None:
        last = self.session.moves[-1][1] if self.session.moves else None
        self._say(show(self.session.game, self.session.position[0], last=last))

    def _say(self, text: str) -> None:
        self._output.write(text + "\n")
        self._output.flush()


def thoughts(player: Player, session: Session) -> str:
    """Say which moves a player weighs and what it expects, "" for one that can't tell."""
    think: Any = getattr(player, "think", None)
    if think is None:
        return ""
    found = think(session.position)
    visits, names = found.visits[0], names_of(session.game.size)
    best = np.argsort(-visits, kind="stable")[:_NAMED]
    weighed = ", ".join(f"{names[move]} {visits[move] / visits.sum():.0%}" for move in best if visits[move])
    return f"{COLOURS[session.turn]} thinks of {weighed}; expects {100 * float(found.worth[0]):+.0f} of 100"


def typed(source: IO[str]) -> Iterator[str]:
    """Give the lines of a terminal as they are typed."""
    while line := source.readline():
        yield line
