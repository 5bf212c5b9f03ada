"""`tacit new DIR --from PATH`: a program directory from what you have; `--like NAME`: one like a domain program."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, say
from tacit.ground.errors import ConfigError
from tacit.ground.tables import resolve


def command(
    directory: Annotated[Path, typer.Argument(help="The program directory to make.", metavar="DIR")],
    source: Annotated[
        Path | None, typer.Option("--from", help="What you have: a folder or zip with a folder per class, CSV, Parquet, JSONL, .npz.")
    ] = None,
    like: Annotated[str | None, typer.Option(help="Begin like this domain program.", metavar="NAME")] = None,
    data: Annotated[str | None, typer.Option(help="With --like: a data set that the program knows.", metavar="SET")] = None,
    label: Annotated[str | None, typer.Option(help="The column or array that holds the labels.")] = None,
    group: Annotated[str | None, typer.Option(help="A column whose values never straddle a split (a person, a machine ...).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Make a program directory from what you have or know by name."""
    if (source is None) == (like is None):
        given = "neither" if like is None else "both"
        raise ConfigError(f"expected --from or --like, got {given}", fix=f"tacit new {directory} --from PATH")
    if like is not None:
        return new_like(directory, like, data, others={"--label": label, "--group": group}, as_json=as_json)
    if data is not None:
        raise ConfigError("expected --data with --like, got it with --from", fix=f"tacit new {directory} --from {source}")
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


def new_like(directory: Path, like: str, data: str | None, *, others: dict[str, str | None], as_json: bool) -> int:
    """Make a directory like a domain program. Raises: TacitError, ConfigError for options that go with what a person has."""
    if named := [option for option, value in others.items() if value is not None]:
        fix = f"tacit new {directory} --like {like}"
        raise ConfigError(f"expected {' and '.join(named)} with --from, got {'them' if named[1:] else 'it'} with --like", fix=fix)
    with resolve("tacit.cli.progress:watch")() as reporter:
        begun = resolve("tacit.domains.making:begin_like")(directory, like, data=data, reporter=reporter)
    if as_json:
        emit({"directory": str(directory), "like": begun.program.name, "data": begun.data})
        return 0
    # its own way of compiling is found by its name, so the name is said again
    say(f"{begun.program.title}; data: {begun.data}. Then: tacit compile {directory} --like {begun.program.name}")
    print(directory)
    return 0
