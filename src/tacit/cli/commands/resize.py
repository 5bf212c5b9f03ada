"""`tacit resize FILE --faster 2`: the same program with fewer channels, or with more (`--grow 2`).

Exit codes: 0 when it was written, is as fast or as small as asked (measured) and meets its goals; 1 when it was written and is not, or
does not, after a first Ctrl-C, which ends the training and keeps the best so far, and when a larger program was not better, so that
the old weights stay; 2 when nothing was written.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

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
    grow: Annotated[
        float | None, typer.Option(help="So many times the channels, trained on with the examples as they are now.", metavar="RATIO")
    ] = None,
    deeper: Annotated[int, typer.Option(help="With --grow: so many more blocks per stage.", metavar="COUNT")] = 0,
    inside: Annotated[Path | None, typer.Option("--in", help="The program directory whose examples teach it.", metavar="DIR")] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall-clock budget of each size.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training after the cut (default: half of the original's).")] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from where the same command was stopped.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write the binary.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Make a program faster, smaller or larger, and train it on."""
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
            grow=grow,
            deeper=deeper,
            program=inside,
            minutes=minutes,
            steps=steps,
            seed=seed,
            device=device,
            resume=resume,
            reporter=reporter,
            started=started,
        )
    if grow is not None or deeper:
        return _grown(resized, path or _beside(file, "grown"), as_json=as_json)
    written = [] if pareto is None else resolve("tacit.instruments.resize_family:write_family")(resized, pareto)
    path = path or (None if pareto is not None else _beside(file, "resized"))
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


def _grown(grown: Any, path: Path, *, as_json: bool) -> int:
    """Write a grown program and show it; where the old weights stay there is nothing to write."""
    if grown.grew:
        grown.binary.save(path)
    card = resolve("tacit.instruments.model_card:write_card")(grown.binary, path) if grown.grew else None
    if as_json:
        emit({**grown.to_json(), "path": str(path) if grown.grew else None, "card": None if card is None else str(card)})
        return 0 if grown.met else 1
    show(resolve("tacit.instruments.grow_report:parts")(grown))
    if grown.grew:
        say(f"model card: {card}")
        print(path)
    return 0 if grown.met else 1


def _beside(file: Path, what: str) -> Path:
    """Give a path beside the original, such as ``NAME.resized.tacit``; the original is never written over."""
    folder = file if file.is_dir() else file.parent
    stem = file.resolve().name.removesuffix(".program") if file.is_dir() else file.stem
    return writable(folder / f"{stem}.{what}.tacit")
