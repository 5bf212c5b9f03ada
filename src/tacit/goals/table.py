"""The table of metrics."""

from __future__ import annotations

import dataclasses

from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric
from tacit.goals.own import own_metric
from tacit.ground.tables import Table

METRICS = Table(
    "metric",
    {
        name: f"tacit.goals.metrics:{name}"
        for name in (
            "accuracy",
            "balanced_accuracy",
            "exact_match",
            "f1",
            "joint",
            "log_loss",
            "macro_f1",
            "mean_absolute_error",
            "micro_f1",
            "precision",
            "r2",
            "recall",
            "roc_auc",
            "root_mean_square_error",
            "symbol_error_rate",
        )
    }
    | {"return": "tacit.goals.acting:mean_return"}
    | {name: f"tacit.goals.acting:{name}" for name in ("non_loss_rate", "win_rate")},
    group="tacit.metrics",
)


def metric_of(goal: Goal) -> Metric:
    """Give the metric of a goal, about the goal's class where it names one, or its own score. Raises: UnknownName.

    >>> metric_of(Goal("f1", 0.9, label="dog")).label
    'dog'
    """
    if goal.score is not None:
        return own_metric(goal)
    metric: Metric = METRICS.get(goal.metric)
    return dataclasses.replace(metric, label=goal.label)
