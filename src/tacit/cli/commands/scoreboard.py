"""`tacit scoreboard [NAME ...]`: domain programs beside their predecessors on the same test data; exit code 1 when one failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.commands.compile import writable
from tacit.cli.output import emit, say, show
from tacit.cli.settings import parse_settings
from tacit.ground.tables import resolve


def command(
    names: Annotated[list[str] | None, typer.Argument(help="Domain programs, NAME or NAME:SET (default: all).", metavar="NAME")] = None,
    data: Annotated[str | None, typer.Option(help="The data set of those that name none (default: the embedded).", metavar="SET")] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget of each program (default: its own).")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Budget of each program in steps.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Keep the rows here; those with the same settings are not made again.", metavar="FILE")
    ] = Path("scoreboard.json"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Run domain programs beside their predecessors, in one table."""
    parse_settings([], minutes=minutes, steps=None if steps is None else str(steps))
    with resolve("tacit.cli.progress:watch")() as reporter:
        board = resolve("tacit.domains.scoring:scoreboard")(
            list(names or []), data=data, minutes=minutes, steps=steps, seed=seed, output=writable(output), reporter=reporter
        )
    if as_json:
        emit(board.to_json())
    else:
        show(board.parts())
        say(f"every row, with machine and versions: {output}")
    return 0 if board.complete else 1
