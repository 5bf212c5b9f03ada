"""`tacit resize FILE --faster 2`: the same program with fewer channels.

Exit codes: 0 when it was written, is as fast or as small as asked (measured) and meets its goals; 1 when it was written and is not, or
does not, and after a first Ctrl-C, which ends the training and keeps the best so far; 2 when nothing was written.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from tacit.cli.commands.compile import writable
from tacit.cli.output import emit, say, show
from tacit.ground.tables import resolve


def command(
    file: Annotated[Path, typer.Argument(help="A `.tacit` file, or a program directory with one.", metavar="FILE|DIR")],
    faster: Annotated[float | None, typer.Option(help="So many times as fast, measured in C on this machine.", metavar="RATIO")] = None,
    smaller: Annotated[float | None, typer.Option(help="So many times fewer bytes of weights.", metavar="RATIO")] = None,
    macs: Annotated[float | None, typer.Option(help="At most so many multiply-accumulates, such as 1e6.", metavar="COUNT")] = None,
    latency: Annotated[
        str | None, typer.Option(help="At most so long for one example: 0.5ms@c, 80us@c-int8.", metavar="TIME@TARGET")
    ] = None,
    keep_goal: Annotated[
        bool, typer.Option("--keep-goal", help="Go only as far as the goals hold on validation examples; without a size, that far.")
    ] = False,
    pareto: Annotated[
        Path | None, typer.Option(help="Write a family of sizes, a table and a plot of score against time.", metavar="DIR")
    ] = None,
    inside: Annotated[Path | None, typer.Option("--in", help="The program directory whose examples teach it.", metavar="DIR")] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget of each size.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training after the cut (default: 30 % of the original's).")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the same command was stopped.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the binary.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Remove channels until a program is as fast or as small as asked, and train it on."""
    started = time.monotonic()
    path = None if output is None else writable(output)
    if pareto is not None:
        resolve("tacit.instruments.resize_family:check_family_folder")(pareto)
    with resolve("tacit.cli.progress:watch")() as reporter:
        resized = resolve("tacit.resizing.resize:resize")(
            file,
            faster=faster,
            smaller=smaller,
            macs=macs,
            latency=latency,
            keep_goal=keep_goal,
            pareto=pareto is not None,
            program=inside,
            minutes=minutes,
            steps=steps,
            seed=seed,
            device=device,
            resume=resume,
            reporter=reporter,
            started=started,
        )
    written = [] if pareto is None else resolve("tacit.instruments.resize_family:write_family")(resized, pareto)
    path = path or (None if pareto is not None else _beside(file, resized.binary.digest))
    card = None
    if path is not None:
        resized.binary.save(path)
        card = resolve("tacit.instruments.model_card:write_card")(resized.binary, path)
    if as_json:
        files = {"path": None if path is None else str(path), "card": None if card is None else str(card)}
        emit({**resized.to_json(), **files, "written": [str(one) for one in written]})
    else:
        show(resolve("tacit.instruments.resize_report:parts")(resized))
        for one in [*([] if card is None else [f"model card: {card}"]), *map(str, written)]:
            say(one)
        if path is not None:
            print(path)
    interrupted = bool((resized.binary.evidence.get("run") or {}).get("interrupted"))
    return 0 if resized.met and not interrupted else 1


def _beside(file: Path, digest: str) -> Path:
    """Give a path beside the original: ``NAME.resized.tacit``; the original is never written over."""
    folder = file if file.is_dir() else file.absolute().parent
    stem = file.resolve().name.removesuffix(".program") if file.is_dir() else file.stem
    return writable(folder / f"{stem}.resized.tacit")
