"""`tacit inspect FILE`: the disassembler."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, show
from tacit.ground.tables import resolve


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file.", metavar="FILE")],
    text: Annotated[bool, typer.Option("--text", help="Print the instructions in the text form.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Print the model card, made from the evidence.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """List the instructions of a program and what they cost."""
    binary = resolve("tacit.binary.loading:load")(file)
    inspection = resolve("tacit.instruments.inspection:inspect")(binary)
    if as_json:
        document = {**inspection.to_json(), "evidence": binary.evidence}
        if text:
            document["text"] = resolve("tacit.instruments.inspection:disassemble")(binary)
        emit(document)
    elif text:
        print(resolve("tacit.instruments.inspection:disassemble")(binary), end="")
    elif card:
        print(resolve("tacit.instruments.model_card:card")(binary), end="")
    else:
        show(inspection.parts())
    return 0
