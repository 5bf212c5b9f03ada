"""Play against any Go program that speaks GTP: both colours, from forced different openings, counted with intervals."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

import tacit
from tacit_programs.go.gtp import Player
from tacit_programs.go.rules import Go
from tacit_programs.go.session import COLOURS, IllegalMove, Session, move_of
from tacit_programs.go.shape import names_of

#: How a game ended, beside by its score.
BY_SCORE, BY_RESIGNING, BY_FAULT = "score", "resignation", "illegal move"


class GtpProgram:
    """Another program at the other end of two pipes. Raises: TacitError when it can't be started, ends or makes no sense."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                bufsize=1,
            )
        except OSError as error:
            raise tacit.TacitError(f"could not start `{shlex.join(self.command)}`", cause=str(error.strerror)) from error

    def ask(self, line: str) -> str:
        """Send a command and give what it answered. Raises: TacitError for ``? ...`` and for a program that has ended."""
        said = self.said(line)
        if not said.startswith("="):
            raise tacit.TacitError(f"expected `{self.command[0]}` to accept `{line}`, got `{said.strip()}`")
        return said[1:].strip()

    def said(self, line: str) -> str:
        """Send a command and give the whole answer, ``= ...`` or ``? ...``. Raises: TacitError for a program that has ended."""
        source, sink = self._process.stdout, self._process.stdin
        parts: list[str] = []
        try:
            if source is None or sink is None:
                raise BrokenPipeError
            sink.write(line + "\n")
            sink.flush()
            while True:
                got = source.readline()
                if not got:
                    raise BrokenPipeError
                if not got.strip():
                    if parts:
                        return "".join(parts)
                    continue
                parts.append(got)
        except (OSError, ValueError) as error:  # ValueError: the pipe is closed
            raise tacit.TacitError(f"expected `{self.command[0]}` to answer `{line}`, it has ended") from error

    def close(self) -> None:
        """End the program."""
        with contextlib.suppress(tacit.TacitError):
            self.said("quit")
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> GtpProgram:
        return self

    def __exit__(self, *rest: object) -> None:
        self.close()


@dataclass(frozen=True)
class Played:
    """One game: our colour (0 for black), the moves of the opening and of the game by name, black's score, and how it ended.

    won: 1 ours, -1 theirs, 0 neither.
    """

    colour: int
    opening: tuple[str, ...]
    moves: tuple[str, ...]
    score: float
    how: str
    won: int


@dataclass(frozen=True)
class Tally:
    """The games of a match."""

    games: tuple[Played, ...] = field(default=())

    def shares(self) -> dict[str, object]:
        """Count: both colours together and apart, with 95 % intervals (Wilson), and how games ended."""
        found: dict[str, object] = {"all": _counted(self.games)}
        for colour, name in enumerate(COLOURS):
            found[f"as {name}"] = _counted([game for game in self.games if game.colour == colour])
        found["ended by"] = {how: sum(game.how == how for game in self.games) for how in (BY_SCORE, BY_RESIGNING, BY_FAULT)}
        return found


def _counted(games: Sequence[Played]) -> dict[str, object]:
    wins, draws, count = sum(game.won > 0 for game in games), sum(game.won == 0 for game in games), len(games)
    interval = wilson(wins, count) if count else (0.0, 1.0)
    return {"games": count, "wins": wins, "draws": draws, "win rate": wins / count if count else 0.0, "interval": list(interval)}


def wilson(wins: int, count: int) -> tuple[float, float]:
    """Give the 95 % interval of a share (Wilson 1927).

    >>> [round(end, 3) for end in wilson(50, 100)]
    [0.404, 0.596]
    """
    share, square = wins / count, 1.96**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = 1.96 / (1 + square / count) * float(np.sqrt(share * (1 - share) / count + square / (4 * count**2)))
    return max(0.0, middle - half), min(1.0, middle + half)


def openings(game: Go, count: int, *, moves: int = 2, seed: int = 0) -> list[tuple[int, ...]]:
    """Draw different openings of so many moves each, no two of which are the same board turned. Raises: TacitError for too many."""
    random = np.random.default_rng(seed)
    found: dict[bytes, tuple[int, ...]] = {}
    for _ in range(50 * count + 50):
        position, played = game.start(1), []
        for _ in range(moves):
            legal = np.flatnonzero(game.legal(position)[0, :-1])
            played.append(int(random.choice(legal)))
            position = game.play(position, np.array([played[-1]]))
        board = game.shape.board(position)[0]
        sides = [board, *(board[points] for points, _ in game.symmetries)]
        found.setdefault(min(side.tobytes() for side in sides), tuple(played))
        if len(found) == count:
            return list(found.values())
    raise tacit.TacitError(
        f"expected {count} different openings of {moves} moves, there are but {len(found)}", fix="more moves, or fewer games"
    )


def play_match(
    game: Go,
    player: Player,
    command: Sequence[str],
    *,
    games: int = 100,
    moves: int = 2,
    seed: int = 0,
    told: Callable[[Tally], None] = lambda tally: None,
    start: int = 0,
) -> Tally:
    """Play a match of two games from each opening, with the colours exchanged. told: hears of each game. start: leave out earlier ones."""
    found: list[Played] = []
    with GtpProgram(command) as other:
        for number, opening in enumerate(openings(game, (games + 1) // 2, moves=moves, seed=seed)):
            for colour in (0, 1):
                if start <= 2 * number + colour < games:
                    found.append(play_game(game, player, other, opening, colour))
                    told(Tally(tuple(found)))
    return Tally(tuple(found))


def play_game(game: Go, player: Player, other: GtpProgram, opening: Sequence[int], colour: int) -> Played:
    """Play one game. An illegal move loses it, as resigning does. Raises: TacitError when the program ends."""
    names = names_of(game.size)
    for line in (f"boardsize {game.size}", "clear_board", f"komi {game.komi:g}"):
        other.ask(line)
    session = Session(game)
    for move in opening:
        other.ask(f"play {COLOURS[session.turn]} {names[move]}")
        session.play(session.turn, move)
    how, won = BY_SCORE, 0
    while not session.ended and how == BY_SCORE:
        turn = session.turn
        if turn == colour:
            move = int(player(session.position)[0])
            session.play(turn, move)
            if not other.said(f"play {COLOURS[turn]} {names[move]}").startswith("="):
                how, won = BY_FAULT, -1  # the other's rules forbid it
        else:
            said = other.ask(f"genmove {COLOURS[turn]}")
            if said.lower() == "resign":
                how, won = BY_RESIGNING, 1
                break
            try:
                session.play(turn, move_of(game.size, said))
            except IllegalMove:
                how, won = BY_FAULT, 1
    score = float(game.score(session.position)[0])
    if how == BY_SCORE:
        won = int(np.sign(score)) * (1 if colour == 0 else -1)
    played = [names[move] for _, move in session.moves]
    return Played(colour, tuple(played[: len(opening)]), tuple(played[len(opening) :]), score, how, won)


def sgf_name(number: int, played: Played) -> str:
    """Give a file name for a game of a match."""
    return f"game-{number + 1:03d}-{COLOURS[played.colour]}.sgf"


def moves_of(game: Go, played: Played) -> Iterator[tuple[int, int]]:
    """Give the moves of a game as (colour, move)."""
    for number, name in enumerate([*played.opening, *played.moves]):
        yield number % 2, move_of(game.size, name)
