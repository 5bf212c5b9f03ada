"""`tacit.resize`: one verb, whether a program is to become smaller or larger."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import overload

from tacit.binary.binary import Binary
from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.resizing.growing import Grown
from tacit.resizing.growing import grow as grown
from tacit.resizing.outcome import Resized
from tacit.resizing.shrinking import shrink


@overload
def resize(
    binary: Binary | str | PathLike[str],
    *,
    grow: float,
    deeper: int = ...,
    program: Program | str | PathLike[str] | None = ...,
    minutes: float | None = ...,
    steps: int | None = ...,
    seed: int = ...,
    device: str = ...,
    reporter: Reporter | None = ...,
    started: float | None = ...,
) -> Grown: ...


@overload
def resize(
    binary: Binary | str | PathLike[str],
    *,
    faster: float | None = ...,
    smaller: float | None = ...,
    macs: float | None = ...,
    latency: str | float | None = ...,
    keep_goal: bool = ...,
    pareto: bool = ...,
    program: Program | str | PathLike[str] | None = ...,
    minutes: float | None = ...,
    steps: int | None = ...,
    seed: int = ...,
    device: str = ...,
    resume: bool = ...,
    run_directory: Path | None = ...,
    reporter: Reporter | None = ...,
    started: float | None = ...,
) -> Resized: ...


def resize(
    binary: Binary | str | PathLike[str],
    *,
    faster: float | None = None,
    smaller: float | None = None,
    macs: float | None = None,
    latency: str | float | None = None,
    keep_goal: bool = False,
    pareto: bool = False,
    grow: float | None = None,
    deeper: int = 0,
    program: Program | str | PathLike[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Resized | Grown:
    """Give a program with fewer channels, as fast or as small as asked (see `tacit.resizing.shrinking.shrink`), or with more of them.

    grow: so many times the channels, trained on with the examples as they are now; deeper: more blocks per stage (see
    `tacit.resizing.growing.grow`; ``grow=1`` adds blocks alone). The rest is for what becomes smaller.
    Raises: ConfigError where both are asked for, and what the two raise.
    """
    if grow is None and not deeper:
        return shrink(
            binary,
            faster=faster,
            smaller=smaller,
            macs=macs,
            latency=latency,
            keep_goal=keep_goal,
            pareto=pareto,
            program=program,
            minutes=minutes,
            steps=steps,
            seed=seed,
            device=device,
            resume=resume,
            run_directory=run_directory,
            reporter=reporter,
            started=started,
        )
    given: dict[str, object] = {"faster": faster, "smaller": smaller, "macs": macs, "latency": latency, "keep_goal": keep_goal or None}
    given |= {"pareto": pareto or None, "resume": resume or None, "run_directory": run_directory}
    problems = [f"`{name}` is for a program that becomes smaller" for name, value in given.items() if value is not None]
    raise_all(problems, heading="expected a program to become smaller or larger, got both", fix="--grow 2 alone", error=ConfigError)
    return grown(
        binary,
        program=program,
        factor=1.0 if grow is None else grow,
        deeper=deeper,
        seed=seed,
        device=device,
        minutes=minutes,
        steps=steps,
        reporter=reporter,
        started=started,
    )
