"""`tacit meld A B ... --in DIR -o FILE`: programs joined where their types fit, trained as one; `--split FILE` takes one apart.

Exit codes: 0 when a binary was written and every goal with a threshold is met, 1 when it was written and one is not; so too after a
first Ctrl-C, which ends the training and keeps the best so far. 130 when a second Ctrl-C left nothing written.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.commands.compile import writable
from tacit.cli.output import emit, show_made
from tacit.cli.settings import parse_settings
from tacit.ground.errors import InputError, TacitError
from tacit.ground.tables import resolve


def command(
    files: Annotated[list[Path] | None, typer.Argument(help="`.tacit` files, or program directories with one.", metavar="FILE...")] = None,
    inside: Annotated[Path | None, typer.Option("--in", help="The program directory with the joint examples.", metavar="DIR")] = None,
    through: Annotated[
        str | None, typer.Option(help="The metric to train for (default: the joint program's goal).", metavar="GOAL")
    ] = None,
    own: Annotated[
        float | None, typer.Option(min=0.0, help="Weight of the parts' own goals beside the joint one (default: tried on validation).")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget for the whole command.")] = None,
    steps: Annotated[str | None, typer.Option(help="Budget in gradient steps: same seed, same bytes.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the same command was stopped.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override a line of the joint tacit.toml; may be given again.", metavar="KEY=VALUE")
    ] = None,
    split: Annotated[
        Path | None, typer.Option(help="Write the parts of this melded program into a folder (-o) instead.", metavar="FILE")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the binary, or the parts.", metavar="PATH")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Join programs into one and train it as a whole."""
    if split is not None:
        return _split(split, files or [], output, as_json=as_json)
    started = time.monotonic()
    if not files or len(files) < 2:
        raise InputError(
            f"expected at least two programs to meld, got {len(files or [])}", fix="tacit meld A.tacit B.tacit --in DIR -o FILE"
        )
    if inside is None:
        raise InputError(
            "expected the program directory with the joint examples, got none",
            cause="what passes between programs is learnt from examples of what goes into the first and what the last should say",
            fix="tacit meld A.tacit B.tacit --in DIR -o FILE; tacit new DIR --from PATH makes such a directory",
        )
    overrides = parse_settings(list(settings or []), minutes=minutes, steps=steps)
    plan = resolve("tacit.search.schedule:parse_plan")(steps) if steps is not None else None
    with resolve("tacit.cli.progress:watch")() as reporter:
        reporter.phase("reading")
        program = resolve("tacit.directory.reading:read_program")(inside, overrides=overrides, reporter=reporter)
        path = writable(output or inside / f"{program.name}.tacit")
        binary = resolve("tacit.melding.meld:meld")(
            *files,
            program=program,
            through=through,
            own=own,
            seed=seed,
            device=device,
            resume=resume,
            plan=plan,
            reporter=reporter,
            started=started,
        )
        binary.save(path)
        card = resolve("tacit.instruments.model_card:write_card")(binary, path)
    report = resolve("tacit.instruments.meld_report:meld_report")(binary)
    show_made(report, path=path, card=card, as_json=as_json)
    return 0 if report.met and not binary.evidence["run"]["interrupted"] else 1


def _split(file: Path, others: list[Path], output: Path | None, *, as_json: bool) -> int:
    """Write every part of a melded program as a file of its own."""
    if others:
        raise InputError(f"expected no other programs with --split, got `{others[0]}`", fix=f"tacit meld --split {file} -o FOLDER")
    folder = output or file.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise TacitError(f"expected a folder to write the parts into, got a file - at `{folder}`", fix="-o FOLDER")
    parts = resolve("tacit.melding.splitting:split")(file)
    written = {}
    for name, binary in parts.items():
        path = writable(folder / f"{name}.tacit")
        path.parent.mkdir(parents=True, exist_ok=True)
        written[name] = str(binary.save(path))
    if as_json:
        emit(
            {name: {"path": path, "digest": parts[name].digest, "signature": str(parts[name].signature)} for name, path in written.items()}
        )
    else:
        for place in written.values():
            print(place)
    return 0
