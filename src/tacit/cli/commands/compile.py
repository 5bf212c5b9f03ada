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

from tacit.cli.output import emit, say, show, show_made
from tacit.cli.settings import parse_settings
from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.tables import resolve

#: What `tacit new --like` leaves in a directory: a program that compiles in its own way is known by it.
LIKE_NOTE = ".tacit/like.json"


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
    like: Annotated[
        str | None, typer.Option(help="Begin DIR like this domain program (default: ./NAME), or go on with it.", metavar="NAME")
    ] = None,
    data: Annotated[str | None, typer.Option(help="With --like: a data set that the program knows.", metavar="SET")] = None,
    label: Annotated[str | None, typer.Option(help="For a table: the column that holds the labels.")] = None,
    group: Annotated[str | None, typer.Option(help="For a table: a column whose values never straddle a split.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the binary.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Find a program that meets the goal and write it as one file."""
    started = time.monotonic()
    given = list(settings or [])
    if like is not None or data is not None or (source / LIKE_NOTE).is_file():
        source, own = begin(source, like, data, label=label, group=group)
        if own is not None:
            others = {"--generations": generations, "--warm": warm, "--warm-from": warm_from, "--repeat": repeat, "--set": settings}
            others |= {"--preview": preview, "--features": features, "--on": on, "--device": None if device == "auto" else device}
            budget = {"minutes": minutes, "steps": steps, "seed": seed, "resume": resume, "output": output}
            return compile_own(own, budget, others=others, as_json=as_json)
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


def begin(source: Path, like: str | None, data: str | None, *, label: str | None, group: str | None) -> tuple[Path, Any]:
    """Make the directory like a domain program, or find it; give it, and what was begun where the program compiles in its own way.

    Raises: TacitError; ConfigError for options that don't go together.
    """
    if like is None:
        if data is not None:
            raise ConfigError("expected --data with --like, got it alone", fix="tacit compile --like NAME --data SET")
        return source, own_way(resolve("tacit.domains.making:found_like")(source))
    if label is not None or group is not None:
        raise ConfigError("expected --label and --group for a table, got them with --like", fix=f"tacit compile --like {like}")
    directory = Path(like.replace("_", "-")) if source == Path(".") else source
    with resolve("tacit.cli.progress:watch")() as reporter:
        begun = resolve("tacit.domains.making:go_on_like")(directory, like, data=data, reporter=reporter)
    done = "going on with" if begun.found else "made"
    say(f"{done} {directory}, like {begun.program.name} with {begun.data}: {begun.program.title}")
    return directory, own_way(begun)


def own_way(begun: Any) -> Any:
    """Give what was begun where its program compiles in its own way, else None."""
    return begun if begun is not None and hasattr(begun.program, "compile") else None


def compile_own(begun: Any, budget: dict[str, Any], *, others: dict[str, Any], as_json: bool) -> int:
    """Compile in the way of a domain program. Raises: ConfigError for options that only `tacit.compile` knows."""
    name = begun.program.name
    if named := [option for option, value in others.items() if value]:
        fix = f"tacit compile {begun.directory} --like {name}"
        raise ConfigError(f"expected --minutes, --steps, --seed, --resume or -o for {name}, got {', '.join(named)}", fix=fix)
    if budget["steps"] is not None and not str(budget["steps"]).isdigit():
        raise ConfigError(f"expected a number of steps for {name}, got `{budget['steps']}`", fix="--steps 100")
    parse_settings([], minutes=budget["minutes"], steps=budget["steps"])
    steps = None if budget["steps"] is None else int(budget["steps"])
    with resolve("tacit.cli.progress:watch")() as reporter:
        path = resolve("tacit.domains.making:compile_like")(begun, **{**budget, "steps": steps}, reporter=reporter)
    if as_json:
        emit({"like": name, "data": begun.data, "directory": str(begun.directory), "path": str(path)})
    else:
        print(path)
    return 0


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
