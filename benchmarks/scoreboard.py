"""The domain programs beside their predecessors: `tacit scoreboard` as it stands, recorded.

    python benchmarks/scoreboard.py [NAME[:SET] ...] [--minutes M] [--steps N] [--seed S] [--cache DIR]

Without names: every program with its embedded data and its own budget. Rows are kept in the cache as they come, and what is there with
the same settings, machine and versions is not made again; all that is there is recorded, whatever was named. One thread; times are
seconds of the processor. What a program is to reach, and on which public data, is measured by the benchmark of its name.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import harness

import tacit
from tacit.cli.progress import Lines
from tacit.domains.board import Scoreboard, Section, read_scoreboard


def rows_of(board: Scoreboard) -> list[dict[str, Any]]:
    """Give a row for each contestant, each with the settings of its section."""
    return [
        {"program": section.program, "data": section.data, **row.to_json(), "settings": dict(section.settings)}
        for section in board.sections
        if not section.error
        for row in section.standings
    ]


def figures_of(board: Scoreboard) -> dict[str, float]:
    """Give the scores by name, and how far each program is ahead of the best of its predecessors (in points of the score)."""
    figures: dict[str, float] = {}
    for section in board.sections:
        for row in section.standings if not section.error else ():
            figures[f"{section.named}: {row.contestant}, {row.metric}"] = row.score
        if (ahead := ahead_of(section)) is not None:
            figures[f"{section.named}: ahead of the predecessor"] = ahead
    return figures


def ahead_of(section: Section) -> float | None:
    """Give the program's score less the best predecessor's, positive when the program is better; None when they are of unlike metrics."""
    programs = [row for row in section.standings if row.kind == "program"]
    before = [row for row in section.standings if row.kind == "predecessor"]
    if section.error or not programs or not before or {row.metric for row in before} != {programs[0].metric}:
        return None
    sign = 1.0 if programs[0].higher_is_better else -1.0
    return max(sign * row.score for row in programs) - max(sign * row.score for row in before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="NAME or NAME:SET; default: all with their embedded data")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, default=harness.ROOT / "build" / "scoreboard")
    options = parser.parse_args()
    os.environ.setdefault("TACIT_DATA", str(harness.data_folder()))
    options.cache.mkdir(parents=True, exist_ok=True)
    file = options.cache / "scoreboard.json"
    board = tacit.scoreboard(
        options.names, minutes=options.minutes, steps=options.steps, seed=options.seed, output=file, reporter=Lines(sys.stderr)
    )
    kept = read_scoreboard(file)
    harness.record("scoreboard", figures_of(kept), command=harness.command_line(), runs=rows_of(kept), notes=__doc__.split("\n\n")[2])
    raise SystemExit(0 if board.complete else 1)


if __name__ == "__main__":
    main()
