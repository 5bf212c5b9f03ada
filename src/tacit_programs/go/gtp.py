"""Go over GTP, version 2: any Go program or board on a screen can play with a network through two pipes.

Source: Farnebäck, "Specification of the Go Text Protocol, version 2, draft 2", https://www.lysator.liu.se/~gunnar/gtp/. A line that makes
no sense is answered by ``? ...``, whatever it is; only `quit` and the end of the input end the engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

import tacit
from tacit_programs.go.rules import Go, show
from tacit_programs.go.session import COLOURS, IllegalMove, Session, move_of
from tacit_programs.go.sgf import load_sgf, record_of, save_sgf, write_sgf
from tacit_programs.go.shape import LARGEST, SMALLEST, names_of

NAME, PROTOCOL = "tacit", "2"
#: Lines that are longer are refused unread.
_LONGEST_LINE = 4096


#: Positions uint64[game, word] -> a legal move each, int64[game].
Player = Callable[[np.ndarray], np.ndarray]
#: Gives a player for the rules of a game. Raises: TacitError for a board that it can't play on.
MakePlayer = Callable[[Go], Player]


class Refused(Exception):
    """What GTP answers with a question mark."""


@dataclass
class Engine:
    """The state of an engine: a game, and who thinks. `answer` is all that a driver needs."""

    make_player: MakePlayer
    session: Session
    version: str = tacit.__version__

    def __post_init__(self) -> None:
        self.quitting = False
        self._player: tuple[Go, Player] | None = None
        self._commands: dict[str, tuple[Callable[..., str], int, int]] = {
            "protocol_version": (lambda: PROTOCOL, 0, 0),
            "name": (lambda: NAME, 0, 0),
            "version": (lambda: self.version, 0, 0),
            "known_command": (lambda name: str(name in self._commands).lower(), 1, 1),
            "list_commands": (lambda: "\n".join(self._commands), 0, 0),
            "quit": (self._quit, 0, 0),
            "boardsize": (self._boardsize, 1, 1),
            "clear_board": (self._clear_board, 0, 0),
            "komi": (self._komi, 1, 1),
            "play": (self._play, 2, 2),
            "genmove": (self._genmove, 1, 1),
            "reg_genmove": (self._reg_genmove, 1, 1),
            "undo": (self._undo, 0, 0),
            "showboard": (self._showboard, 0, 0),
            "final_score": (lambda: self.session.result(), 0, 0),
            "final_status_list": (self._final_status_list, 1, 1),
            "time_settings": (self._times, 3, 3),
            "time_left": (self._times, 3, 3),
            "fixed_handicap": (self._fixed_handicap, 1, 1),
            "place_free_handicap": (self._fixed_handicap, 1, 1),
            "set_free_handicap": (self._set_free_handicap, 2, 400),
            "loadsgf": (self._loadsgf, 1, 2),
            "printsgf": (self._printsgf, 0, 1),
        }

    def answer(self, line: str) -> str:
        """Answer a line; "" for an empty one and for a comment."""
        if len(line) > _LONGEST_LINE:
            return "? line too long\n\n"
        line = "".join(letter for letter in line.partition("#")[0].replace("\t", " ") if letter.isprintable()).strip()
        if not line:
            return ""
        words = line.split()
        number = words.pop(0) if words[0].isascii() and words[0].isdigit() else ""
        if not words:
            return f"?{number} empty command\n\n"
        name, *arguments = words
        try:
            return f"={number} {self._run(name, arguments)}".rstrip(" ") + "\n\n"
        except Refused as refused:
            return f"?{number} {refused}\n\n"
        except tacit.TacitError as error:
            return f"?{number} {error.message}\n\n"
        except Exception as error:  # an engine that ends loses the game: whatever it is, it is said
            return f"?{number} internal error: {type(error).__name__}: {' '.join(str(error).split())[:200]}\n\n"

    def _run(self, name: str, arguments: Sequence[str]) -> str:
        if name not in self._commands:
            raise Refused("unknown command")
        command, least, most = self._commands[name]
        if not least <= len(arguments) <= most:
            raise Refused("syntax error")
        return command(*arguments)

    def _quit(self) -> str:
        self.quitting = True
        return ""

    def _boardsize(self, text: str) -> str:
        size = _whole(text)
        if not SMALLEST <= size <= LARGEST:
            raise Refused("unacceptable size")
        game = Go(size, self.session.game.komi, self.session.game.suicide)
        try:
            self._player = game, self.make_player(game)
        except tacit.TacitError as error:
            raise Refused("unacceptable size") from error
        self.session = Session(game)
        return ""

    def _clear_board(self) -> str:
        self.session = Session(self.session.game)
        return ""

    def _komi(self, text: str) -> str:
        try:
            komi = float(text)
        except ValueError:
            komi = math.nan
        if not math.isfinite(komi) or abs(komi) > 1000:
            raise Refused("syntax error")
        self.session.with_komi(komi)
        return ""

    def _play(self, colour: str, vertex: str) -> str:
        side = _colour(colour)
        try:
            move = move_of(self.session.game.size, vertex)
        except tacit.TacitError:
            raise Refused("syntax error" if not re.fullmatch(r"[A-Za-z]\d+", vertex) else "illegal move") from None
        try:
            self.session.play(side, move)
        except IllegalMove:
            raise Refused("illegal move") from None
        return ""

    def _genmove(self, colour: str) -> str:
        side, move = _colour(colour), self._think(_colour(colour))
        self.session.play(side, move)
        return names_of(self.session.game.size)[move]

    def _reg_genmove(self, colour: str) -> str:
        return names_of(self.session.game.size)[self._think(_colour(colour))]

    def _think(self, side: int) -> int:
        game, position = self.session.game, self.session.position
        if self.session.turn != side:
            position = game.passed_over(position)
        if game.ended(position)[0]:
            return game.size * game.size
        if self._player is None or self._player[0] != game:
            self._player = game, self.make_player(game)
        return int(self._player[1](position)[0])

    def _undo(self) -> str:
        if not self.session.undo():
            raise Refused("cannot undo")
        return ""

    def _showboard(self) -> str:
        session = self.session
        last = session.moves[-1][1] if session.moves else None
        turn = f"{COLOURS[session.turn]} to move, komi {session.game.komi:g}, {len(session.moves)} moves"
        return "\n" + show(session.game, session.position[0], last=last) + "\n" + turn

    def _final_status_list(self, status: str) -> str:
        if status not in ("alive", "dead", "seki"):
            raise Refused("syntax error")
        board = self.session.game.shape.board(self.session.position)[0]
        return "\n".join(names_of(self.session.game.size)[point] for point in board.nonzero()[0]) if status == "alive" else ""

    def _times(self, *numbers: str) -> str:
        """Take note of nothing: a move takes as many evaluations as it takes."""
        for text in numbers if numbers[0][:1].isdigit() or numbers[0][:1] == "-" else numbers[1:]:
            _whole(text)
        return ""

    def _fixed_handicap(self, text: str) -> str:
        count, size = _whole(text), self.session.game.size
        points = handicap_points(size)[:count] if 2 <= count <= len(handicap_points(size)) else []
        if not points:
            raise Refused("invalid number of stones")
        if count in (5, 7) and size % 2:
            points = [*handicap_points(size)[: count - 1], size * size // 2]
        return self._handicap(points)

    def _set_free_handicap(self, *vertices: str) -> str:
        try:
            points = [move_of(self.session.game.size, vertex) for vertex in vertices]
        except tacit.TacitError:
            raise Refused("bad vertex list") from None
        size = self.session.game.size
        if len(set(points)) < len(points) or any(point >= size * size for point in points) or len(points) >= size * size:
            raise Refused("bad vertex list")
        return self._handicap(points)

    def _handicap(self, points: Sequence[int]) -> str:
        if self.session.moves or self.session.game.shape.board(self.session.position).any():
            raise Refused("board not empty")
        game = self.session.game
        self.session = Session(game, game.placed(points, turn=1))
        return " ".join(names_of(game.size)[point] for point in points)

    def _loadsgf(self, path: str, number: str = "") -> str:
        record = load_sgf(Path(path))
        moves = record.moves[: max(0, _whole(number) - 1)] if number else record.moves
        self._boardsize(str(record.size))
        game = Go(record.size, record.komi, self.session.game.suicide)
        session = Session(game, game.placed(record.black, record.white, turn=record.turn))
        for colour, move in moves:
            session.play(colour, move)
        self.session = session
        return ""

    def _printsgf(self, path: str = "") -> str:
        record = record_of(self.session, RE=self.session.result()) if self.session.ended else record_of(self.session)
        if path:
            save_sgf(record, Path(path))
            return ""
        return write_sgf(record).strip()


def handicap_points(size: int) -> list[int]:
    """Give the points of handicap stones as GTP fixes them: corners, sides, centre; fewer on small boards."""
    if size < 7:
        return []
    edge = 2 if size < 13 else 3
    low, middle, high = edge, size // 2, size - 1 - edge
    # Lower left, upper right, lower right, upper left, then the sides; the centre is added for 5 and 7 and is the last of 9.
    corners = [(high, low), (low, high), (high, high), (low, low)]
    sides = [(middle, low), (middle, high), (high, middle), (low, middle), (middle, middle)] if size % 2 and size > 7 else []
    return [row * size + column for row, column in [*corners, *sides]]


def serve(engine: Engine, lines: Iterable[str], output: IO[str]) -> None:
    """Answer lines until `quit` or their end; a driver on the other side that has gone away ends it too."""
    for line in lines:
        try:
            output.write(engine.answer(line))
            output.flush()
        except BrokenPipeError:
            return
        if engine.quitting:
            return


def _whole(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise Refused("syntax error")
    return int(text)


def _colour(text: str) -> int:
    name = text.lower()
    if name in ("b", "black"):
        return 0
    if name in ("w", "white"):
        return 1
    raise Refused("syntax error")
