"""The evidence of one split: every metric that applies, per class and over all; and goals held against it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric, confusion_counts, edits_of, hits_and_misses, share
from tacit.goals.own import asks_for
from tacit.goals.table import METRICS, metric_of
from tacit.ground.errors import ConfigError, InputError, TacitError, UnknownName, raise_all
from tacit.signature.base import Joint, OutputType
from tacit.signature.outputs import Class, Labels
from tacit.signature.symbols import Symbols

#: Beyond this many classes the confusion table is left out: it would be larger than the weights.
MOST_CONFUSED = 100


def evaluate_scores(output: OutputType, scores: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Give the evidence block of scores float32[example, width] against targets, as JSON values.

    ``{"count": n, metric: value, ..., "per_class": {name: {"precision", "recall", "f1", "count"}}, "confusion": [[...]]}``;
    confusion is [true][predicted], for `Class` alone; `Symbols` has ``"edits": {"substitutions", "deletions", "insertions", "names"}``.
    A metric that is not defined is None. A joint output adds
    ``"parts": {name: block}``. Errors of a `Number` are in its own unit.
    Raises: InputError for scores that are not finite, or for unequal lengths.
    """
    scores, targets = np.asarray(scores), np.asarray(targets)
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).reshape(len(scores), -1).any(axis=1).sum())
        raise InputError(f"expected finite scores, got NaN or infinity in {bad} of {len(scores)} examples", fix="a smaller learning rate")
    block: dict[str, Any] = {"count": len(scores)}
    for name in METRICS:
        metric: Metric = METRICS.get(name)
        if applies(metric, output):
            block[name] = _json(metric(scores, targets, output))
    if isinstance(output, Class | Labels):
        block["per_class"] = _per_class(output, scores, targets)
    if isinstance(output, Class) and output.width <= MOST_CONFUSED:
        block["confusion"] = confusion_counts(scores, targets).tolist()
    if isinstance(output, Symbols):
        counted = np.array(edits_of(scores, targets, output)).reshape(len(scores), 3).sum(axis=0).tolist()
        block["edits"] = dict(zip(("substitutions", "deletions", "insertions"), counted, strict=True)) | {
            "names": int((targets >= 0).sum())
        }
    if isinstance(output, Joint):
        pieces = zip(output.names, output.parts, output.divide_scores(scores), output.divide_targets(targets), strict=True)
        block["parts"] = {name: evaluate_scores(part, own, true) for name, part, own, true in pieces}
    return block


def applies(metric: Metric, output: OutputType) -> bool:
    """Tell whether a metric is for an output as a whole (not for one class of it)."""
    if metric.of_label:
        return False
    try:
        metric.check(output)
    except ConfigError:
        return False
    return True


def check_goals_fit(goals: Sequence[Goal], output: OutputType) -> None:
    """Refuse goals that can't be measured on an output. Raises: ConfigError that names every such goal."""
    problems = []
    for place, goal in enumerate(goals):
        try:
            metric_of(goal).check(output)
            if goal.score is not None:
                _check_own(goal)
        except (ConfigError, UnknownName) as error:
            problems.append(f"goal {place + 1}: {error.message}{f'; {error.fix}' if error.fix else ''}")
    raise_all(problems, heading="expected goals that this program's output can meet", error=ConfigError)


def _check_own(goal: Goal) -> None:
    """Refuse a score of one's own that is not one. Raises: ConfigError."""
    if goal.metric in METRICS.rows():
        raise ConfigError(f"expected a name of its own for a score, got that of the metric `{goal.metric}`", fix="rename the function")
    if goal.label is not None:
        raise ConfigError(f"expected no class beside a score of your own, got `{goal.label}` - at `{goal.metric}`")
    asks_for(goal)


def check_goals(goals: Sequence[Goal], scores: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Hold goals against ``{split: block of evaluate_scores}``.

    Gives one ``{"metric", "threshold", "split", "label", "value", "met"}`` per goal. A goal without a threshold is met; one
    whose value is not defined or whose split was not measured is not met (value None).
    Raises: TacitError when a measured block lacks the goal's metric or class.
    """
    verdicts = []
    for goal in goals:
        metric = metric_of(goal)
        value = _value(goal, scores.get(goal.split))
        met = goal.threshold is None or metric.met(value, goal.threshold)
        verdicts.append(
            {"metric": goal.metric, "threshold": goal.threshold, "split": goal.split, "label": goal.label, "value": value, "met": met}
        )
    return verdicts


def _value(goal: Goal, block: Mapping[str, Any] | None) -> float | None:
    if block is None or (goal.score is None and not block["count"]):
        return None
    if goal.score is not None and goal.metric not in block:
        return None  # a score of no examples, or of a binary that was measured elsewhere
    row: Mapping[str, Any] = block
    if goal.label is not None:
        row = block.get("per_class", {}).get(goal.label, {})
    if goal.metric not in row:
        of_class = f" of the class `{goal.label}`" if goal.label is not None else ""
        raise TacitError(f"expected the metric `{goal.metric}`{of_class} in the evidence of `{goal.split}`, got none")
    value: float | None = row[goal.metric]
    return value


def _per_class(output: Class | Labels, scores: np.ndarray, targets: np.ndarray) -> dict[str, dict[str, float | int]]:
    right, wrong, missed = hits_and_misses(scores, targets, output)
    columns = {
        "precision": share(right, right + wrong),
        "recall": share(right, right + missed),
        "f1": share(2 * right, 2 * right + wrong + missed),
    }
    return {
        name: {**{metric: float(values[place]) for metric, values in columns.items()}, "count": int(right[place] + missed[place])}
        for place, name in enumerate(output.names)
    }


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None
