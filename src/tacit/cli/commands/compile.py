"""`tacit compile [DIR|PATH]`: examples and a goal in, a binary out.

Exit codes: 0 when a binary was written and every goal with a threshold is met, 1 when it was written and one is not; so
too after a first Ctrl-C, which ends the search and keeps the best so far. 130 when a second Ctrl-C left nothing written.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from tacit.cli.output import emit, show, show_made
from tacit.cli.settings import parse_settings
from tacit.ground.errors import TacitError
from tacit.ground.tables import resolve


def command(
    source: Annotated[Path, typer.Argument(help="A program directory, or a folder or table to infer one from.", metavar="DIR|PATH")] = Path(
        "."
    ),
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget for the whole command.")] = None,
    steps: Annotated[str | None, typer.Option(help="Budget in gradient steps: same seed, same bytes.")] = None,
    generations: Annotated[str | None, typer.Option(help="Budget of evolution, for a goal without a gradient.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where an earlier run was stopped.")] = False,
    warm: Annotated[bool, typer.Option("--warm", help="After an edit of the labels: go on from the newest run, in few steps.")] = False,
    warm_from: Annotated[
        str | None, typer.Option(help="As --warm, but from the run that made this binary (or its digest).", metavar="FILE")
    ] = None,
    repeat: Annotated[
        Path | None, typer.Option(help="Take the steps, seed and settings of the run that made this binary.", metavar="FILE")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a line of tacit.toml; may be given again.", metavar="KEY=VALUE")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Say what the budget will buy; nothing is trained or written.")] = False,
    features: Annotated[
        bool, typer.Option("--features", help="Also write what `tacit blame` needs to answer at once; takes some minutes for large sets.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    on: Annotated[
        str | None, typer.Option(help="Run trials elsewhere: ray, ray:4 (workers), ray://HOST:6379 (a cluster).", metavar="PLACE")
    ] = None,
    label: Annotated[str | None, typer.Option(help="For a table: the column that holds the labels.")] = None,
    group: Annotated[str | None, typer.Option(help="For a table: a column whose values never straddle a split.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the binary.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Find a program that meets the goal and write it as one file."""
    started = time.monotonic()
    given = list(settings or [])
    origin = warm_from or ("auto" if warm else None)
    if repeat is not None:
        steps, seed, chosen, earlier = run_of(repeat, minutes=minutes, steps=steps)
        generations = generations or generations_of(repeat)
        given, origin = chosen + given, origin or earlier
    overrides = parse_settings(given, minutes=minutes, steps=steps)
    parse = resolve("tacit.search.schedule:parse_plan")
    plan = parse(steps) if steps is not None else None
    evolution = parse(generations, option="--generations") if generations is not None else None
    if preview:
        return show_preview(source, overrides, seed=seed, device=device, plan=plan, on=on, label=label, group=group, as_json=as_json)
    with resolve("tacit.cli.progress:watch")() as reporter:
        reporter.phase("reading")
        program = resolve("tacit.cli.programs:open_program")(source, label=label, group=group, overrides=overrides, reporter=reporter)
        if features:
            program.need_examples("--features")
        path = writable(output or (program.directory or Path()) / f"{program.name}.tacit")
        binary = resolve("tacit.compiler:compile")(
            program,
            seed=seed,
            device=device,
            resume=resume,
            warm=origin,
            plan=plan,
            generations=evolution,
            on=on,
            reporter=reporter,
            started=started,
        )
        binary.save(path)
        card = resolve("tacit.instruments.model_card:write_card")(binary, path)
        if features:
            resolve("tacit.attribution.making:write_features")(program, binary, reporter=reporter)
    report = resolve("tacit.instruments.compile_report:report")(binary)
    show_made(report, path=path, card=card, as_json=as_json)
    return 0 if report.met else 1


def show_preview(
    source: Path,
    overrides: dict[str, str],
    *,
    seed: int,
    device: str,
    plan: Any,
    on: str | None,
    label: str | None,
    group: str | None,
    as_json: bool,
) -> int:
    """Show what the budget will buy. A folder or table of examples is made a program in a folder that is removed again."""
    count = (on or "").rpartition(":")[2]
    workers = int(count) if count.isdigit() and not (on or "").startswith("ray://") else 1
    with resolve("tacit.cli.progress:watch")() as reporter, tempfile.TemporaryDirectory() as place:
        reporter.phase("reading")
        program = resolve("tacit.cli.programs:open_program")(
            source, label=label, group=group, overrides=overrides, reporter=reporter, beside=Path(place)
        )
        forecast = resolve("tacit.instruments.forecasting:preview")(
            program, seed=seed, device=device, plan=plan, workers=workers, reporter=reporter
        )
    if as_json:
        emit(forecast.to_json())
    else:
        show(forecast.parts())
    return 0


def run_of(path: Path, *, minutes: float | None, steps: str | None) -> tuple[str, int, list[str], str | None]:
    """Give the plan of steps, the seed, the ``KEY=VALUE`` settings and the run gone on from, by which a binary was made.

    Raises: TacitError.
    """
    if minutes is not None or steps is not None:
        raise TacitError("expected --repeat, or --minutes or --steps, got both", fix="--repeat FILE alone takes the steps of that run")
    run = resolve("tacit.binary.loading:load")(path).evidence.get("run") or {}
    if run.get("interrupted") or not run.get("plan"):
        cause = "it was interrupted" if run.get("interrupted") else "the binary carries no plan"
        raise TacitError(f"expected a binary of a finished run - at `{path}`", cause=cause, fix="compile with --steps and --seed")
    chosen = [
        f"{section}.{name}={json.dumps(value)}"
        for section, key in (("skeleton", "settings"), ("train", "overrides"))
        for name, value in (run.get(key) or {}).items()
    ]
    chosen += ["search.trials=0"] if run.get("search") else []  # what was found is taken, not searched again
    return str(run["plan"]), int(run["seed"]), chosen, (run.get("warm") or {}).get("from")


def generations_of(path: Path) -> str | None:
    """Give the plan of the generations by which a binary was made, None where it was not searched by evolution."""
    evolution = resolve("tacit.binary.loading:load")(path).evidence.get("evolution") or {}
    plan = evolution.get("plan")
    return None if plan is None else str(plan)


def writable(path: Path) -> Path:
    """Give `path` when a file can be written there, before minutes are spent on what goes into it. Raises: TacitError."""
    folder = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        cause = "it is a folder" if path.is_dir() else f"`{folder}` can't be written to"
        raise TacitError(f"expected a path to write the binary to - at `{path}`", cause=cause, fix="-o FILE.tacit")
    return path
