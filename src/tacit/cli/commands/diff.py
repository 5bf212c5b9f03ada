"""`tacit diff A.tacit B.tacit`: what broke and got fixed; exit code 1 when more broke than `--fail-on-broken` allows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say, show
from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.ground.tables import resolve

_LIMIT = re.compile(r"\d+|\d+(\.\d+)?%")


def command(
    first: Annotated[Path, typer.Argument(help="The program as it was.", metavar="A.tacit")],
    second: Annotated[Path, typer.Argument(help="The program as it is.", metavar="B.tacit")],
    against: Annotated[Path | None, typer.Option("--in", help="The program directory whose examples they are compared on.")] = None,
    splits: Annotated[list[str] | None, typer.Option("--split", help="train, validation or test; may be given again.")] = None,
    within: Annotated[float | None, typer.Option(help="For numbers: an answer at most so far off counts as right.")] = None,
    most: Annotated[int, typer.Option(min=0, help="List at most so many examples of each kind.")] = 20,
    markdown: Annotated[bool, typer.Option("--markdown", help="Write Markdown, for a pull request.")] = False,
    sheet: Annotated[Path | None, typer.Option(help="Draw what broke and what got fixed on one picture.", metavar="FILE.png")] = None,
    limit: Annotated[str | None, typer.Option("--fail-on-broken", help="Exit with 1 when more examples broke.", metavar="N|N%")] = None,
    timed: Annotated[bool, typer.Option("--time/--no-time", help="Measure the time of a call.")] = True,
    native: Annotated[
        bool | None,
        typer.Option("--native/--interpreted", help="Run machine code, or the interpreter; by default what is faster in all."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Say what an edit did to a program: what broke, what got fixed."""
    if limit is not None and not _LIMIT.fullmatch(limit):
        raise ConfigError(
            f"expected a number of examples or a share of them, got `{limit}` - at `--fail-on-broken`", fix="--fail-on-broken 1%"
        )
    options = {"splits": splits} if splits else {}
    with resolve("tacit.cli.progress:watch")() as reporter:
        found = resolve("tacit.instruments.behaviour.comparing:diff")(
            first, second, against=against, within=within, native=native, timed=timed, reporter=reporter, **options
        )
    if sheet is not None:
        write_atomic(sheet, resolve("tacit.instruments.behaviour.report:sheet")(found))
        say(f"contact sheet: {sheet}")
    if as_json:
        emit(found.to_json())
    elif markdown:
        print(resolve("tacit.instruments.behaviour.report:markdown")(found, most=most), end="")
    else:
        show(resolve("tacit.instruments.behaviour.report:parts")(found, most=most))
    if limit is not None and found.breaks_more_than(limit):
        say(f"{found.main.broke} of {found.main.count} {found.headline} examples broke, more than {limit}")
        return 1
    return 0
