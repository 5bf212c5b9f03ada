"""`tacit blame FILE INPUT`: the training examples behind an answer; `--label-commit C`: what a commit of labels did to the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say, show
from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.ground.tables import resolve

_ID = re.compile(r"[0-9a-f]{6,24}")


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file.", metavar="FILE")],
    inputs: Annotated[
        list[str] | None, typer.Argument(help="One input, as for `tacit run`, or the id of an example.", metavar="INPUT")
    ] = None,
    commit: Annotated[str | None, typer.Option("--label-commit", help="Say what this commit of labels changed.", metavar="COMMIT")] = None,
    against: Annotated[Path | None, typer.Option("--in", help="The program directory that the file was compiled from.")] = None,
    towards: Annotated[str | None, typer.Option("--towards", help="Explain this answer instead of the program's own.")] = None,
    top: Annotated[int, typer.Option(min=1, help="List so many examples on each side.")] = 10,
    sheet: Annotated[Path | None, typer.Option(help="Draw the examples on one picture.", metavar="FILE.png")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """List the examples behind an answer, and who labelled them."""
    if (commit is None) == (not inputs):
        raise ConfigError("expected an INPUT or --label-commit, got both or neither", fix="tacit blame FILE INPUT")
    report = "tacit.instruments.blaming.report"
    if commit is not None:
        if sheet is not None or towards is not None:
            raise ConfigError(
                "expected --sheet and --towards with an INPUT, got --label-commit", fix="tacit blame FILE INPUT --sheet FILE.png"
            )
        with resolve("tacit.cli.progress:watch")() as reporter:
            told = resolve("tacit.instruments.blaming.commit:blame_commit")(file, commit, against=against, top=top, reporter=reporter)
        if as_json:
            emit(told.to_json())
        else:
            show(resolve(f"{report}:commit_parts")(told))
        return 0
    binary = resolve("tacit.binary.loading:load")(file)
    options = _question(list(inputs or []), binary.signature.input)
    with resolve("tacit.cli.progress:watch")() as reporter:
        folder = against or resolve("tacit.instruments.blaming.answer:directory_of")(file)
        found = resolve("tacit.instruments.blaming.answer:blame")(
            binary, against=folder, towards=towards, top=top, reporter=reporter, **options
        )
    if sheet is not None:
        write_atomic(sheet, resolve(f"{report}:sheet")(found, binary.signature.input))
        say(f"contact sheet: {sheet}")
    if as_json:
        emit(found.to_json())
    else:
        show(resolve(f"{report}:parts")(found))
    return 0


def _question(words: list[str], kind: object) -> dict[str, object]:
    """Turn the words into an id or one value. Raises: ConfigError when they are several values."""
    if len(words) == 1 and _ID.fullmatch(words[0]) and not Path(words[0]).exists():
        return {"example": words[0]}
    given = resolve("tacit.cli.arguments:read_arguments")(words, kind)
    if len(given) != 1:
        raise ConfigError(f"expected one input to blame, got {len(given)}", fix="one at a time: tacit blame FILE INPUT")
    return {"value": given[0].value, "name": given[0].name}
