"""`tacit new DIR --from PATH`: a program directory from what you have."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say
from tacit.ground.tables import resolve


def command(
    directory: Annotated[Path, typer.Argument(help="The program directory to make.", metavar="DIR")],
    source: Annotated[
        Path, typer.Option("--from", help="What you have: a folder or zip with a folder per class, CSV, Parquet, JSONL, .npz.")
    ],
    label: Annotated[str | None, typer.Option(help="The column or array that holds the labels.")] = None,
    group: Annotated[str | None, typer.Option(help="A column whose values never straddle a split (a person, a machine ...).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Make a program directory from what you have."""
    with resolve("tacit.cli.progress:watch")() as reporter:
        reporter.phase("reading")
        made = resolve("tacit.directory.making:new_program")(directory, source=source, label=label, group=group, reporter=reporter)
        try:
            program = resolve("tacit.directory.reading:read_program")(made, reporter=reporter)
        except BaseException:  # after an error there is nothing
            shutil.rmtree(made, ignore_errors=True)
            raise
    counts = {split: len(program.examples.split(split)) for split in ("train", "validation", "test")}
    if as_json:
        emit({"directory": str(made), "name": program.name, "signature": program.signature.to_json(), "examples": counts})
        return 0
    say(f"what was inferred stands in {made / 'tacit.toml'}, with comments; then: tacit compile {made}")
    print(made)
    return 0
