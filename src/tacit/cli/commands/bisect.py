"""`tacit bisect GOOD [BAD]`: find the label commit that broke a goal, or the answer on an example."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.output import emit, show
from tacit.cli.settings import parse_settings
from tacit.ground.tables import resolve


def command(
    good: Annotated[str, typer.Argument(help="A commit whose labels were good.", metavar="GOOD")],
    bad: Annotated[str, typer.Argument(help="A later commit whose labels are not.", metavar="BAD")] = "HEAD",
    directory: Annotated[Path, typer.Option("--in", help="The program directory.", metavar="DIR")] = Path("."),
    goal: Annotated[
        list[str] | None,
        typer.Option(help="What broke: accuracy=0.95, recall.NAME=0.9, or a metric alone; by default the goals of tacit.toml."),
    ] = None,
    example: Annotated[str | None, typer.Option(help="Instead: the answer on this example.", metavar="ID")] = None,
    expect: Annotated[str | None, typer.Option(help="With --example: the answer it should have; by default that of GOOD.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps of each compilation.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Instead: minutes of each compilation.")] = None,
    like: Annotated[Path | None, typer.Option(help="Take the steps and settings of the run that made this binary.", metavar="FILE")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a line of tacit.toml; may be given again.", metavar="KEY=VALUE")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the first run of every commit.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="Judge a commit near the border by at most so many runs.")] = 3,
    warm: Annotated[bool, typer.Option("--warm", help="Start every run from the weights at GOOD: quicker.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Find the label commit that broke a goal.

    The working tree stays as it is, and a search that was stopped goes on.
    """
    overrides = parse_settings(list(settings or []))
    with resolve("tacit.cli.progress:watch")() as reporter:
        found = resolve("tacit.instruments.bisecting.searching:bisect")(
            good,
            bad,
            directory=directory,
            goal=goal or (),
            example=example,
            expect=expect,
            steps=steps,
            minutes=minutes,
            like=like,
            settings=overrides,
            seed=seed,
            seeds=seeds,
            warm=warm,
            reporter=reporter,
        )
    if as_json:
        emit(found.to_json())
    else:
        show(found.parts())
    return 0
