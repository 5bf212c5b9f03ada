"""Successive halving over the open choices of a skeleton (Jamieson and Talwalkar 2016), inside the budget of the run.

Every rung costs the same: half as many candidates, each trained twice as long from the start with a whole schedule, so that the
scores of a rung compare finished runs. A trial is one record in `trials.jsonl`; a run that is continued skips what is recorded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from tacit.search.running import Stop
from tacit.search.trials import Order, Ran, Records, run_all
from tacit.search.workers import Workers

#: The part of a budget that is spent on choosing; the winner is then trained with the rest.
SHARE = 0.4
MOST_CANDIDATES = 16
#: A trial takes at least so many steps.
LEAST_STEPS = 8


def sample(candidates: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Take at most `MOST_CANDIDATES` of the candidates, in their order, by the seed."""
    if len(candidates) <= MOST_CANDIDATES:
        return list(candidates)
    chosen = sorted(random.Random(seed).sample(range(len(candidates)), MOST_CANDIDATES))
    return [candidates[place] for place in chosen]


def rung_counts(count: int) -> list[tuple[int, float]]:
    """Give, rung by rung, how many candidates there are and which share of all choosing each of them has.

    >>> rung_counts(4)
    [(4, 0.125), (2, 0.25)]
    """
    rungs = max(1, math.ceil(math.log2(count)))
    found: list[tuple[int, float]] = []
    while len(found) < rungs and (count > 1 or not found):
        found.append((count, 1.0 / (rungs * count)))
        count = max(1, count // 2)
    return found


def halve(
    candidates: Sequence[dict[str, Any]],
    work: Callable[[Order], Ran],
    *,
    seconds: float | None,
    steps: int,
    workers: Workers,
    records: Records,
    stop: Stop,
    ended: Callable[[Ran], None] = lambda _: None,
) -> dict[str, Any]:
    """Give the winner. Each trial has `seconds` of its share by the clock, or `steps` of its share when seconds is None.

    ended: is told every trial that ran, a stopped one included. Raises: nothing of its own; a trial that fails is recorded and loses.
    """
    left = list(enumerate(candidates))
    rungs = max(1, math.ceil(math.log2(len(left))))
    for rung in range(rungs):
        share = 1.0 / (rungs * len(left))
        together = min(workers.count, len(left))
        orders = [
            Order(
                number=number,
                rung=rung,
                settings=settings,
                steps=None if seconds is not None else max(LEAST_STEPS, round(steps * share)),
                seconds=None if seconds is None else seconds * share * together,
                label=f"trial {place + 1} of {len(left)}, rung {rung + 1} of {rungs}:",
                before=rung / rungs + place * share,
                share=share,
            )
            for place, (number, settings) in enumerate(left)
        ]
        results = run_all(work, orders, workers=workers, records=records, stop=stop, ended=ended)
        scored = [(-ran.trial.validation, place) for place, ran in _placed(left, results) if ran.trial.validation is not None]
        if not scored:
            return left[0][1]
        left = [left[place] for _, place in sorted(scored)[: max(1, len(left) // 2)]]
        if len(left) == 1:
            break
    return left[0][1]


def _placed(left: Sequence[tuple[int, dict[str, Any]]], results: Sequence[Ran]) -> list[tuple[int, Ran]]:
    """Give the results by the place of their settings in a rung (after a stop there may be fewer)."""
    found = []
    for place, (_, settings) in enumerate(left):
        ran = next((ran for ran in results if ran.trial.settings == settings), None)
        if ran is not None:
            found.append((place, ran))
    return found
