"""`tacit run FILE INPUT...`: what the program says about an input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.native import serve
from tacit.cli.output import emit
from tacit.ground.tables import resolve


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file.", metavar="FILE")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Paths; text or @path; key=value pairs, a JSON object or a CSV file for rows; - for stdin.", metavar="INPUT..."
        ),
    ],
    scores: Annotated[bool, typer.Option("--scores", help="Print the numbers behind each answer as well.")] = False,
    native: Annotated[
        bool | None,
        typer.Option("--native/--interpreted", help="Run machine code, or the interpreter; by default what is faster in all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Run a program: one answer per line.

    With several inputs each answer stands after the name of its input.
    """
    binary = resolve("tacit.binary.loading:load")(file)
    given = resolve("tacit.cli.arguments:read_arguments")(inputs, binary.signature.input)
    arrays = binary.signature.input.read_all([item.value for item in given], names=[_shortened(item.name) for item in given])
    serve(binary, native=native, examples=len(given))
    answers = resolve("tacit.binary.drivers:DRIVERS").get(binary.driver)(binary, arrays)
    numbers = binary.run(arrays)[0].reshape(len(given), -1).tolist() if scores else None
    named = _names(binary.signature.output)
    if as_json:
        emit(
            [
                {"input": item.name, "answer": answer} | ({"scores": _by_name(numbers[row], named)} if numbers else {})
                for row, (item, answer) in enumerate(zip(given, answers, strict=True))
            ]
        )
        return 0
    for row, (item, answer) in enumerate(zip(given, answers, strict=True)):
        line = f"{item.name}: {_spell(answer)}" if len(given) > 1 else _spell(answer)
        print(line + ("\t" + _spell_scores(numbers[row], named) if numbers else ""))
    return 0


def _shortened(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:200]}..."


def _names(output: Any) -> tuple[str, ...] | None:
    names = getattr(output, "names", None)
    return names if names is not None and len(names) == output.width else None


def _by_name(row: list[float], names: tuple[str, ...] | None) -> Any:
    return dict(zip(names, row, strict=True)) if names else row


def _spell_scores(row: list[float], names: tuple[str, ...] | None) -> str:
    return (
        " ".join(f"{name}={value:.4g}" for name, value in zip(names, row, strict=True))
        if names
        else " ".join(f"{value:.6g}" for value in row)
    )


def _spell(answer: Any) -> str:
    if isinstance(answer, float):
        return f"{answer:.6g}"
    if isinstance(answer, list | tuple):
        return ", ".join(map(_spell, answer))
    if isinstance(answer, dict):
        return ", ".join(f"{name}={_spell(value)}" for name, value in answer.items())
    return str(answer)
