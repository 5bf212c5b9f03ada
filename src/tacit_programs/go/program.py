"""Go as a domain program: it needs no data at all, for it plays against itself; it plays in a terminal and over GTP."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

import tacit
from tacit_programs.go.gtp import Engine, serve
from tacit_programs.go.players import EMBEDDED, EVALUATIONS, PLAYOUTS, Players, size_of
from tacit_programs.go.predecessor import plain_uct
from tacit_programs.go.rules import Go, Go5, Go7, Go9
from tacit_programs.go.session import Session
from tacit_programs.go.terminal import Table, typed

_HERE = Path(__file__).parent
#: By which both contestants are measured, against plain UCT with as many random games a move.
GAMES, METRIC = 40, "share of games won against UCT"
#: The settings for each board.
_SETTINGS = {"5x5": "tacit.toml", "7x7": "seven.toml", "9x9": "nine.toml"}
_OPTIONS = {
    "file": f"A compiled network, FILE.tacit; else the embedded one of 5x5 where there is one, and plain UCT with {PLAYOUTS} games a move.",
    "size": "The side of the board, 2 to 19; by default that of the network.",
    "komi": "Points that white gets for beginning second (0.5 on 5x5, 8.5 on 7x7, 6.5 on 9x9, else 7.5).",
    "evaluations": f"Positions that a move is thought about with ({EVALUATIONS}, or {PLAYOUTS} random games).",
    "colour": "Your own: black or white.",
    "thinking": "Say what the other side thinks.",
    "gtp": "Talk GTP 2 on stdin and stdout, for other programs and boards on a screen.",
}


class GoProgram:
    """A player of Go."""

    name = "go"
    title = "Go, learnt by playing against itself"
    sets: Mapping[str, tacit.DataSource | None] = {"5x5": None, "7x7": None, "9x9": None}
    play_options: Mapping[str, str] = _OPTIONS

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Write the settings for a board, which name the rules. Raises: TacitError when something is there already."""
        if directory.exists() and any(directory.iterdir()):
            raise tacit.TacitError(f"expected an empty folder or none, got one that holds something - at `{directory}`", fix="another name")
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_HERE / _SETTINGS[data], directory / "tacit.toml")
        shutil.copyfile(_HERE / "README.md", directory / "README.md")
        return directory

    def standings(
        self, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: tacit.Reporter
    ) -> Iterator[tacit.Standing]:
        """Let plain UCT meet itself, then the program meet it in the same openings; give a row each."""
        directory = folder / f"go-{data}"
        program = tacit.read(directory if directory.exists() else self.write(directory, data, reporter=reporter))
        game = program.game
        reporter.phase("plain UCT")
        rival = plain_uct(game, PLAYOUTS, seed=seed)
        mine = plain_uct(game, PLAYOUTS, seed=seed + 1)
        even = tacit.match(game, mine, rival, games=GAMES, seed=seed)
        note = f"{PLAYOUTS} random games a move, against itself"
        took = _microseconds(game, mine)
        yield tacit.Standing("plain UCT", "predecessor", METRIC, float(even["win_rate"]), made_in=0.0, microseconds=took, note=note)
        if minutes is not None or steps is not None:
            program = replace(program, budget=tacit.Budget(minutes=minutes, steps=steps))
        begun = time.process_time()
        binary = tacit.compile(program, seed=seed, reporter=reporter)
        made_in = time.process_time() - begun
        reporter.phase("playing against UCT")
        player = tacit.player(binary, game, EVALUATIONS)
        won = tacit.match(game, player, plain_uct(game, PLAYOUTS, seed=seed), games=GAMES, seed=seed)
        note = f"{EVALUATIONS} evaluations a move; the time is that of a move, with the search"
        row = tacit.standing_of(binary, contestant="go", metric=METRIC, score=float(won["win_rate"]), made_in=made_in, note=note)
        yield replace(row, microseconds=_microseconds(game, player))

    def play(self, options: Mapping[str, str], *, reporter: tacit.Reporter) -> int:
        """Play in the terminal, or over GTP. Raises: TacitError for options that are not understood."""
        file = Path(options["file"]) if options.get("file") else None
        players = Players(file, _whole(options, "evaluations", EVALUATIONS, 1, 1_000_000) if "evaluations" in options else None)
        binary = players.binary()
        size = _whole(options, "size", 5 if binary is None else size_of(binary), 2, 19)
        game = Go(size, _komi(options, size))
        players(game)  # a network for another board is refused now
        if "gtp" in options:
            serve(Engine(players, Session(game)), typed(sys.stdin), sys.stdout)
            return 0
        colour = options.get("colour") or "black"
        if colour.lower() not in ("black", "white", "b", "w"):
            raise tacit.TacitError(f"expected black or white, got `{colour}` - at `--colour`", fix="--colour white")
        print(f"You play against {players.describe(game)}; komi {game.komi:g}.")
        table = Table(game, players, sys.stdout, person=int(colour.lower().startswith("w")), thinking="thinking" in options)
        return table.play(typed(sys.stdin))


def _komi(options: Mapping[str, str], size: int) -> float:
    text = options.get("komi") or str({5: Go5.komi, 7: Go7.komi, 9: Go9.komi}.get(size, 7.5))
    try:
        komi = float(text)
    except ValueError:
        komi = float("nan")
    if not abs(komi) <= 400:
        raise tacit.TacitError(f"expected points such as 0.5, got `{text}` - at `--komi`", fix="--komi 0.5")
    return komi


def _whole(options: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    text = options.get(name) or str(usual)
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= most:
        raise tacit.TacitError(f"expected a whole number from {least} to {most}, got `{text}` - at `--{name}`", fix=f"--{name} {usual}")
    return int(text)


def _microseconds(game: Go, player: object) -> float:
    """Time a move on the empty board."""
    begun = game.start(1)
    return tacit.time_per_answer(lambda: np.asarray(player(begun)))  # type: ignore[operator]


PROGRAM = GoProgram()

__all__ = ["EMBEDDED", "PROGRAM", "GoProgram"]
