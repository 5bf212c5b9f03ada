"""A goal: a score that can be measured again and again, with a threshold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tacit.ground.errors import ConfigError


@dataclass(frozen=True)
class Goal:
    """`metric` (a name in `tacit.goals.METRICS`) on `split` must be at least `threshold` (at most, when lower is better).

    `threshold` None: the metric is reported and optimised, nothing is required. `label`: one class only (per-class goals).
    `score`: a function of one's own in place of a metric of the table, see `tacit.goals.own`; `metric` is then its name (without one,
    that of the function). `lower_is_better` is said of such a score alone, for a metric knows it.

    >>> Goal(score=lambda binary: 1.0, metric="profit").metric
    'profit'

    Raises: ConfigError when there is neither a metric nor a score.
    """

    metric: str = ""
    threshold: float | None = None
    split: str = "test"
    label: str | None = None
    score: Callable[..., Any] | None = field(default=None, repr=False)
    lower_is_better: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.score is not None and not callable(self.score):
            raise ConfigError(f"expected a function as the score of a goal, got {self.score!r}", fix="Goal(score=function)")
        if not self.metric:
            if self.score is None:
                raise ConfigError("expected a metric or a score of your own, got neither", fix='Goal("accuracy") or Goal(score=function)')
            name = str(getattr(self.score, "__name__", type(self.score).__name__))
            object.__setattr__(self, "metric", "score" if name == "<lambda>" else name)
