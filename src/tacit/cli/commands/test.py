"""`tacit test DIR|FILE`: goals, pinned examples and invariances; exit code 1 when one is not met."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, show
from tacit.ground.tables import resolve


def command(
    target: Annotated[Path, typer.Argument(help="A program directory or a `.tacit` file.", metavar="DIR|FILE")] = Path("."),
    against: Annotated[Path | None, typer.Option("--in", help="The program directory whose examples and tests a FILE is held to.")] = None,
    native: Annotated[
        bool | None,
        typer.Option("--native/--interpreted", help="Run machine code, or the interpreter; by default what is faster in all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Check goals, pinned examples and invariances."""
    verdict = resolve("tacit.instruments.testing:test")(target, against=against, native=native)
    if as_json:
        emit(verdict.to_json())
    else:
        show(verdict.parts())
    return 0 if verdict.met else 1
