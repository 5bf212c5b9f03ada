"""Successive halving over the open choices of a skeleton (Jamieson and Talwalkar 2016), inside the budget of the run.

Every rung costs the same: half as many candidates, each trained twice as long from the start with a whole schedule, so that the
scores of a rung compare finished runs. A trial is one record in `trials.jsonl`; a run that is continued skips what is recorded.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tacit.ground.errors import TacitError
from tacit.ground.files import append_line
from tacit.ground.progress import Reporter
from tacit.search.running import Clock, Outcome, Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import Training

#: The part of a budget that is spent on choosing; the winner is then trained with the rest.
SHARE = 0.4
MOST_CANDIDATES = 16


Finished = Callable[[dict[str, Any], Training, Outcome], None]


@dataclass(frozen=True)
class Trial:
    """One candidate trained in one rung: its settings, its plan of steps, its validation score (or why it failed)."""

    rung: int
    settings: dict[str, Any]
    plan: list[tuple[int, int]]
    seconds: float
    validation: float | None
    failure: str | None = None


class Records:
    """Trials on disk, one JSON line each, flushed at once; a torn last line (a kill while writing) is left out."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.trials: list[Trial] = []
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                try:
                    self.trials.append(Trial(**json.loads(line)))
                except (ValueError, TypeError):
                    continue

    def find(self, rung: int, settings: Mapping[str, Any]) -> Trial | None:
        """Give the record of a trial if it has been run."""
        return next((trial for trial in self.trials if trial.rung == rung and trial.settings == dict(settings)), None)

    def add(self, trial: Trial) -> None:
        """Append a record."""
        self.trials.append(trial)
        if self.path is not None:
            append_line(self.path, json.dumps(asdict(trial)))


def sample(candidates: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Take at most `MOST_CANDIDATES` of the candidates, in their order, by the seed."""
    if len(candidates) <= MOST_CANDIDATES:
        return list(candidates)
    chosen = sorted(random.Random(seed).sample(range(len(candidates)), MOST_CANDIDATES))
    return [candidates[place] for place in chosen]


def halve(
    candidates: Sequence[dict[str, Any]],
    training_of: Callable[[Mapping[str, Any], Progress], Training],
    *,
    seconds: float | None,
    steps: int,
    meter: Callable[[], float],
    records: Records,
    reporter: Reporter,
    stop: Stop,
    finished: Finished,
) -> dict[str, Any]:
    """Give the winner. Each trial has `seconds` of its share by the clock, or `steps` of its share when seconds is None.

    meter: seconds since some start (monotonic). finished: is told every trial that ran, a stopped one
    included. Raises: nothing of its own; a trial that fails is recorded and loses.
    """
    left = list(candidates)
    rungs = max(1, math.ceil(math.log2(len(left))))
    for rung in range(rungs):
        scored: list[tuple[float, int, dict[str, Any]]] = []
        for place, settings in enumerate(left):
            trial = records.find(rung, settings)
            if trial is None and not stop.asked:
                share = 1.0 / (rungs * len(left))
                label = f"trial {place + 1} of {len(left)}, rung {rung + 1} of {rungs}:"
                trial = _run(settings, training_of, share, rung, seconds, steps, meter, reporter, stop, label, finished)
                if not stop.asked:
                    records.add(trial)
            if trial is not None and trial.validation is not None:
                scored.append((-trial.validation, place, settings))
        if not scored:
            return left[0]
        scored.sort(key=lambda entry: entry[:2])
        left = [settings for _, _, settings in scored[: max(1, len(left) // 2)]]
        if len(left) == 1:
            break
    return left[0]


def _run(
    settings: dict[str, Any],
    training_of: Callable[[Mapping[str, Any], Progress], Training],
    share: float,
    rung: int,
    seconds: float | None,
    steps: int,
    meter: Callable[[], float],
    reporter: Reporter,
    stop: Stop,
    label: str,
    finished: Finished,
) -> Trial:
    begun = meter()
    # By the clock the first steps tell the pace, and the plan follows.
    progress = Progress([(0, 1000 if seconds is not None else max(8, round(steps * share)))])
    try:
        training = training_of(settings, progress)
        clock = None
        if seconds is not None:
            clock = Clock(lambda: seconds * share - (meter() - begun), training.order.steps * training.recipe.epochs)
        outcome = Runner(training, reporter=reporter, stop=stop, clock=clock, label=label).finish()
    except (RuntimeError, MemoryError, ArithmeticError, TypeError, ValueError, TacitError) as error:
        return Trial(rung, settings, [], meter() - begun, None, f"{type(error).__name__}: {error}")
    finished(settings, training, outcome)
    return Trial(rung, settings, training.progress.plan, meter() - begun, outcome.score)
