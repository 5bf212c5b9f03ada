"""How open choices are decided: what `[search]` in `tacit.toml` may set, and what each setting is when it is left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.search.halving import SHARE
from tacit.search.samplers import PRUNERS, SAMPLERS, STUDIES

#: What a candidate costs, exact before it is trained; the names of `tacit.evidence.costs_of`, and the latency that is predicted.
COSTS = ("macs", "weight_bytes", "arena_bytes", "latency")


@dataclass(frozen=True)
class Choosing:
    """How a search suggests and judges candidates.

    trials: how many candidates are trained; one that is over a limit of the budget is not one of them. sampler, pruner: rows of
    `tacit.search.samplers`. objectives: the metric of the first goal, then what is to be small; more than one gives a front. share: of
    the budget for choosing, the rest trains the winner. batch: candidates suggested at once, whatever the number of workers, so that
    one process and a cluster try the same ones. rungs, factor: a candidate that is not pruned is trained again, `factor` times as
    long, at most `rungs` times in all. fit: whether every candidate is made as wide as the limits of the budget allow (None: when there
    is one objective, a limit, and the width is open).
    """

    trials: int = 16
    sampler: str = "tpe"
    pruner: str = "halving"
    objectives: tuple[str, ...] = ()
    share: float = SHARE
    batch: int = 8
    rungs: int = 3
    factor: int = 2
    fit: bool | None = None

    @property
    def costs(self) -> tuple[str, ...]:
        """Give the objectives that are costs."""
        return tuple(name for name in self.objectives if name in COSTS)


def choosing_for(given: Mapping[str, Any], goal: Goal) -> Choosing | None:
    """Give how to search, or None when nothing was said, or 0 trials. Raises: ConfigError naming everything that is wrong."""
    if not given or given.get("trials") == 0:
        return None
    fields = {field.name: field for field in dataclasses.fields(Choosing)}
    problems = [f"`search.{name}` is not known: {did_you_mean(name, list(fields))}" for name in given if name not in fields]
    for name in ("trials", "batch", "rungs"):
        problems += _unless(name, given, lambda value: isinstance(value, int) and value >= 1, "a whole number above 0")
    problems += _unless("factor", given, lambda value: isinstance(value, int) and value >= 2, "a whole number from 2")
    problems += _unless("share", given, lambda value: isinstance(value, int | float) and 0 < value < 1, "a fraction between 0 and 1")
    problems += _unless("fit", given, lambda value: isinstance(value, bool), "true or false")
    for name, known in (("sampler", {**SAMPLERS.rows(), **STUDIES.rows()}), ("pruner", PRUNERS.rows())):
        if name in given and given[name] not in known:
            problems.append(f"`search.{name}` is {given[name]!r}: {did_you_mean(str(given[name]), list(known))}")
    if given.get("sampler") in STUDIES.rows() and given.get("pruner", "none") not in ("none", "halving"):
        problems.append(f"`search.pruner` = {given['pruner']!r} is Optuna's; `{given['sampler']}` goes with none and with halving")
    problems += _objective_problems(given, goal)
    fix = "look at [search] in tacit.toml; `tacit compile --preview` shows what is searched"
    raise_all(problems, heading="expected a search that is understood", fix=fix, error=ConfigError)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Choosing(**values)


def _unless(name: str, given: Mapping[str, Any], good: Any, wanted: str) -> list[str]:
    value = given.get(name)
    if name not in given or (good(value) and (name == "fit" or not isinstance(value, bool))):
        return []
    return [f"`search.{name}` must be {wanted}, got {value!r}"]


def _objective_problems(given: Mapping[str, Any], goal: Goal) -> list[str]:
    names = given.get("objectives", ())
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        return [f'`search.objectives` must be a list of names such as ["{goal.metric}", "macs"], got {names!r}']
    if not names:
        return []
    problems = []
    if names[0] != goal.metric:
        problems.append(f"`search.objectives` begins with the metric of the first goal, `{goal.metric}`, got `{names[0]}`")
    known = [name for name in names[1:] if name not in COSTS]
    problems += [f"`search.objectives`: `{name}` is no cost; {did_you_mean(name, list(COSTS))}" for name in known]
    if len(set(names)) < len(names):
        problems.append("`search.objectives` names something twice")
    if len(names) > 1 and given.get("pruner", "none") in set(PRUNERS) - {"none", "halving"}:
        problems.append(f"`search.pruner` = {given['pruner']!r} judges one objective only; several go with none and with halving")
    return problems
