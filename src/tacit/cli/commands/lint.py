"""`tacit lint [DIR]`: what is wrong with the examples; exit code 1 when an error (or what `--fail-on` says) remains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say, show
from tacit.ground.tables import resolve


def command(
    directory: Annotated[Path, typer.Argument(help="A program directory.", metavar="[DIR]")] = Path("."),
    select: Annotated[list[str] | None, typer.Option("--select", help="Only these codes: TL101, TL1, near-duplicate ...")] = None,
    ignore: Annotated[list[str] | None, typer.Option("--ignore", help="Not these codes.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only examples whose label changed since a git revision.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what needs no decision, and say what was done.")] = False,
    baseline: Annotated[Path | None, typer.Option("--baseline", help="A file of known findings that are not reported again.")] = None,
    write: Annotated[Path | None, typer.Option("--write-baseline", help="Write all findings to a file, as known.")] = None,
    fail_on: Annotated[str, typer.Option("--fail-on", help="Exit with 1 from this severity on: note, warning or error.")] = "error",
    cross_validate: Annotated[
        int, typer.Option("--cross-validate", min=0, help="Look for label errors by so many folds, not from one training run.", metavar="K")
    ] = 0,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="For training, where no compiled program can be gone by; 0: don't train.")
    ] = 1.0,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Also write a SARIF file, for GitHub.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a comment for a pull request.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Look for what is wrong with the examples."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        report = resolve("tacit.instruments.linting.running:lint")(
            directory,
            select=select or (),
            ignore=ignore or (),
            since=since,
            fix=fix,
            baseline=None if write is not None else baseline,
            fail_on=fail_on,
            options=resolve("tacit.instruments.linting.context:Options")(cross_validate=cross_validate, minutes=minutes),
            reporter=reporter,
        )
    if sarif is not None:
        resolve("tacit.instruments.linting.sarif:write_sarif")(sarif, report, directory, version=resolve("tacit:__version__"))
    if write is not None:
        count = resolve("tacit.instruments.linting.baseline:write_baseline")(write, report.findings)
        say(f"{count:,} findings are now known: tacit lint {directory} --baseline {write}")
    if as_json:
        emit(report.to_json())
    elif markdown:
        print(report.markdown(), end="")
    else:
        show(report.parts())
    return 1 if report.failed and write is None else 0
