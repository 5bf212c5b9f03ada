"""What an answer costs: the same clock for a program and for what it stands beside."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tacit.binary.binary import Binary
from tacit.binary.probes import probe_inputs
from tacit.domains.standing import Standing
from tacit.goals.goal import Goal
from tacit.goals.table import metric_of
from tacit.ground.errors import InputError
from tacit.ground.tables import resolve

#: Reached on use: without a C compiler the interpreter serves.
ACCELERATE = "tacit.binary.native:accelerate"
_ROUNDS = 5


def time_per_answer(answer: Callable[[], object], *, seconds: float = 0.5) -> float:
    """Give the processor's microseconds per call of `answer`: the median of five rounds that take `seconds` in all.

    Threads that `answer` starts are counted with it, so several of them make it no faster. What it does first, such as filling caches,
    is left out.
    """
    answer()
    calls, spent = 1, 0.0
    while spent < seconds / (4 * _ROUNDS):
        calls *= 2
        spent = _spent(answer, calls)
    calls = max(1, round(calls * seconds / _ROUNDS / spent))
    return statistics.median(_spent(answer, calls) for _ in range(_ROUNDS)) / calls * 1e6


def _spent(answer: Callable[[], object], calls: int) -> float:
    begun = time.process_time()
    for _ in range(calls):
        answer()
    return time.process_time() - begun


def standing_of(
    binary: Binary,
    *,
    contestant: str,
    metric: str,
    score: float | None = None,
    higher_is_better: bool = True,
    made_in: float | None = None,
    note: str = "",
) -> Standing:
    """Give the row of a compiled program; its time is that of one call from arrays to scores, as native code where there is a compiler.

    It is timed on the inputs that the file carries. score: measured elsewhere, such as in a match; else what the evidence says of the test
    split by `metric`. made_in: seconds of the processor. Raises: InputError for a binary that was not measured by `metric` on a test split.
    """
    if score is None:
        score, higher_is_better = _measured(binary, metric), metric_of(Goal(metric)).higher_is_better
    return Standing(
        contestant=contestant,
        kind="program",
        metric=metric,
        score=score,
        higher_is_better=higher_is_better,
        made_in=made_in,
        microseconds=_time(binary),
        bytes=len(binary.to_bytes()),
        macs=(binary.evidence.get("costs") or {}).get("macs"),
        note=note,
    )


def _measured(binary: Binary, metric: str) -> float:
    measured = (binary.evidence.get("scores") or {}).get("test") or {}
    if isinstance(measured.get(metric), int | float):
        return float(measured[metric])
    known = [name for name, value in measured.items() if isinstance(value, int | float)]
    raise InputError(f"expected `{metric}` measured on a test split, got {', '.join(known) or 'nothing'} - in the evidence of {binary!r}")


def _time(binary: Binary) -> float | None:
    inputs = probe_inputs(binary)
    if not inputs:
        return None
    resolve(ACCELERATE)(binary)
    entry, one = binary.entry("main"), [array[:1] for array in inputs]
    return time_per_answer(lambda: entry(one))
