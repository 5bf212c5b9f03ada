"""Goals of programs that act: the mean return of episodes, and shares of the games against an opponent that has a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric
from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import Table, did_you_mean
from tacit.signature.base import OutputType

#: Whom a game is played against. A row makes a player of (game, evaluations per move).
OPPONENTS = Table(
    "opponent",
    {"random": "tacit.search.players:random_opponent", "uct": "tacit.search.players:uct_opponent"},
    group="tacit.opponents",
)
#: The opponent of a goal that names none.
USUAL_OPPONENT = "uct"

RETURN = "return"
GAME_METRICS = ("win_rate", "non_loss_rate")
#: What an output would have to be for these metrics: nothing is, since they are measured by acting and not on examples.
_ACTING = ("acting in an environment or a game",)


def _by_acting(scores: np.ndarray, targets: np.ndarray, output: OutputType, label: str | None) -> float:
    raise ConfigError("expected examples for a metric of scores, got a goal that is measured by acting")


mean_return = Metric(RETURN, _by_acting, _ACTING)
win_rate = Metric("win_rate", _by_acting, _ACTING)
non_loss_rate = Metric("non_loss_rate", _by_acting, _ACTING)


def acting_faults(goals: Sequence[Goal], *, game: bool) -> list[str]:
    """List the goals that a program that acts (in a game, or in an environment) can't be held to."""
    known = GAME_METRICS if game else (RETURN,)
    problems = []
    for goal in goals:
        if goal.score is not None:
            continue
        if goal.metric not in known:
            what = "a game" if game else "an environment"
            problems.append(f"`{goal.metric}` is not measured in {what}, {did_you_mean(goal.metric, list(known))}")
        if game and goal.label is not None and goal.label not in OPPONENTS.rows():
            problems.append(f"expected a known opponent, got `{goal.label}`; {did_you_mean(goal.label, list(OPPONENTS))}")
        if not game and goal.label is not None:
            problems.append(f"expected no opponent in an environment, got `{goal.label}` - at `{goal.metric}`")
    return problems


def check_acting_goals(goals: Sequence[Goal], *, game: bool) -> None:
    """Refuse goals that can't be measured by acting. Raises: ConfigError that names all of them."""
    raise_all(acting_faults(goals, game=game), heading="expected goals that are measured by acting", error=ConfigError)


def opponents_of(goals: Sequence[Goal]) -> list[str]:
    """Name the opponents to play against: those of the goals, and always the two of this package."""
    named = [goal.label or USUAL_OPPONENT for goal in goals if goal.metric in GAME_METRICS]
    return list(dict.fromkeys([*named, "random", "uct"]))


def hold_acting(goals: Sequence[Goal], block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Hold goals against a block of `tacit.acting.measuring`; rows as `tacit.goals.evidence.check_goals` gives them."""
    rows = []
    for goal in goals:
        label = (goal.label or USUAL_OPPONENT) if goal.metric in GAME_METRICS else None
        row = block if label is None else block.get("against", {}).get(label, {})
        value = row.get(goal.metric)
        good = value is not None and (value <= (goal.threshold or 0.0) if goal.lower_is_better else value >= (goal.threshold or 0.0))
        rows.append(
            {
                "metric": goal.metric,
                "threshold": goal.threshold,
                "split": "test",
                "label": label,
                "value": value,
                "met": goal.threshold is None or good,
            }
        )
    return rows
