"""Shrink: the same program with fewer channels, as fast or as small as asked, and taught by the one that it was."""

from __future__ import annotations

from contextlib import ExitStack
from os import PathLike
from pathlib import Path

from tacit.binary.binary import Binary
from tacit.ground.errors import ConfigError, MissingPackage, raise_all
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.resizing.making import Run
from tacit.resizing.original import original_of
from tacit.resizing.outcome import Resized
from tacit.resizing.racing import Track
from tacit.resizing.wishes import FASTER, Wish, wish_of
from tacit.search.interrupts import first_interrupt_asks


def shrink(
    binary: Binary | str | PathLike[str],
    *,
    faster: float | None = None,
    smaller: float | None = None,
    macs: float | None = None,
    latency: str | float | None = None,
    keep_goal: bool = False,
    pareto: bool = False,
    program: Program | str | PathLike[str] | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Resized:
    """Give a program with fewer channels that is `faster` or `smaller` by a ratio, has at most so many `macs`, or takes at most `latency`.

    binary: in memory, its file, or the program directory that it was compiled in. faster: measured in C on this machine, one example at
    a time. latency: ``0.5ms@c`` or ``80us@c-int8``. keep_goal: go only as far as the program's goals hold on validation examples
    (without a size: as far as they do). pareto: also a family of sizes. program: default: the directory that the file lies in or
    beside. minutes or steps: of training after the cut (default: half of the steps that the original took), for each size.
    resume: go on with an unfinished run of the same resizing. Nothing is written but the run folder and the kept state.
    Raises: ConfigError, InputError, BudgetError (with the nearest size possible), MissingPackage, LoweringError; GoalNotMet.
    """
    reporter = reporter or Reporter()
    wish = wish_of(faster=faster, smaller=smaller, macs=macs, latency=latency)
    _check(wish, keep_goal=keep_goal, pareto=pareto, minutes=minutes, steps=steps)
    with ExitStack() as stack:
        track = _track(wish, stack)
        original = original_of(binary, program, reporter=reporter)
        run = Run(original, track, minutes=minutes, steps=steps, seed=seed, device=device, resume=resume, reporter=reporter)
        run.folder, run.started = run_directory, started
        stop = stack.enter_context(first_interrupt_asks())
        if keep_goal:
            return run.as_far_as_goals(wish, stop)
        if pareto:
            return run.family(wish, stop)
        return run.to(wish or Wish(FASTER, 2.0), stop)


def _check(wish: Wish | None, *, keep_goal: bool, pareto: bool, minutes: float | None, steps: int | None) -> None:
    problems = []
    if wish is None and not keep_goal and not pareto:
        problems.append("no size: how fast or how small?")
    if keep_goal and pareto:
        problems.append("`keep_goal` and `pareto` at once: a family has sizes that don't hold the goals")
    if minutes is not None and steps is not None:
        problems.append("`minutes` and `steps` at once: one of them ends the training")
    if minutes is not None and not minutes > 0:
        problems.append(f"`minutes` is {minutes:g}, expected more than 0")
    if steps is not None and steps < 0:
        problems.append(f"`steps` is {steps}, expected at least 0")
    fix = "--faster 2, --smaller 4, --macs 1e6 or --latency 0.5ms@c"
    raise_all(problems, heading="expected to know what to make", fix=fix, error=ConfigError)


def _track(wish: Wish | None, stack: ExitStack) -> Track | None:
    """Give where programs are timed, None without a C compiler where none is needed."""
    try:
        return stack.enter_context(Track())
    except MissingPackage:
        if wish is not None and wish.timed:
            raise
        return None
