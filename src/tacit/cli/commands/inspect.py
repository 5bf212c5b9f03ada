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
    cost: Annotated[bool, typer.Option("--cost", help="Measure what a run costs here, kernel by kernel; count its instructions.")] = False,
    int8: Annotated[bool, typer.Option("--int8", help="With --cost: in 8-bit integers, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """List the instructions of a program and what they cost."""
    binary = resolve("tacit.binary.loading:load")(file)
    if int8 and not cost:
        raise resolve("tacit.ground.errors:ConfigError")("expected --cost with --int8", fix="tacit inspect FILE --cost --int8")
    if cost:
        with resolve("tacit.cli.progress:watch")() as reporter:
            report = resolve("tacit.instruments.costing:cost_of")(binary, int8=int8, reporter=reporter)
        if as_json:
            emit(report.to_json())
        else:
            show(report.parts())
        return 0
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
