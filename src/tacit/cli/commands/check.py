"""`tacit check`: the doctor."""

from __future__ import annotations

from typing import Annotated

import typer

from tacit.cli.output import emit, show
from tacit.ground.tables import resolve


def command(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> int:
    """Say what is missing, and train for seconds as a trial."""
    diagnosis = resolve("tacit.instruments.doctor:check")()
    if as_json:
        emit(diagnosis.to_json())
    else:
        show(diagnosis.parts())
    return 0 if diagnosis.met else 1
