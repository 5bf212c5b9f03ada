"""Connect Four as a domain program: it needs no data at all, for it plays against itself."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import tacit
from tacit_programs.connect_four.predecessor import EVALUATIONS, METRIC, points, predecessor, time_per_move
from tacit_programs.connect_four.rules import ConnectFour

_HERE = Path(__file__).parent
#: By which both contestants are measured; so many take UCT half a minute.
GAMES = 100


class ConnectFourProgram:
    """A player of Connect Four."""

    name = "connect-four"
    title = "Connect Four, learnt by playing against itself"
    sets: Mapping[str, tacit.DataSource | None] = {"rules": None}

    def write(self, directory: Path, data: str, *, reporter: tacit.Reporter) -> Path:
        """Write the settings, which name the rules. Raises: OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("tacit.toml", "README.md"):
            shutil.copyfile(_HERE / name, directory / name)
        return directory

    def standings(
        self, data: str, *, minutes: float | None, steps: int | None, seed: int, folder: Path, reporter: tacit.Reporter
    ) -> Iterator[tacit.Standing]:
        """Let plain UCT and the program meet the same stronger opponent in the same openings; give a row each."""
        reporter.phase("plain UCT")
        yield predecessor(games=GAMES, seed=seed)
        program = tacit.read(self.write(folder / "connect-four", data, reporter=reporter))
        if minutes is not None or steps is not None:
            program = replace(program, budget=tacit.Budget(minutes=minutes, steps=steps))
        begun = time.process_time()
        binary = tacit.compile(program, seed=seed, reporter=reporter)
        made_in = time.process_time() - begun
        reporter.phase("playing against stronger UCT")
        player = tacit.player(binary, ConnectFour(), EVALUATIONS)
        score = points(player, games=GAMES, seed=seed)
        note = f"{EVALUATIONS} evaluations; the time is that of a move, with the search"
        row = tacit.standing_of(binary, contestant="connect-four", metric=METRIC, score=score, made_in=made_in, note=note)
        yield replace(row, microseconds=time_per_move(player))


PROGRAM = ConnectFourProgram()
