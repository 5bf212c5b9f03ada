"""A goal: a score that can be measured again and again, with a threshold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """`metric` (a name in `tacit.goals.METRICS`) on `split` must be at least `threshold` (at most, when lower is better).

    `threshold` None: the metric is reported and optimised, nothing is required. `label`: one class only (per-class goals).
    """

    metric: str
    threshold: float | None = None
    split: str = "test"
    label: str | None = None
