"""What makes a commit good: its goals are met, or an example still has its answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.examples.inputs import Inputs
from tacit.examples.store import Record, read_store
from tacit.goals.evidence import check_goals_fit
from tacit.goals.goal import Goal
from tacit.goals.table import metric_of
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.tables import did_you_mean
from tacit.instruments.layout import decimal
from tacit.program import Program

_GOAL = re.compile(r"(?P<metric>[a-z_0-9]+)(\.(?P<label>[^=@]+))?(@(?P<split>[a-z]+))?(=(?P<threshold>[-+0-9.eE]+))?")


@dataclass(frozen=True)
class Measured:
    """What one compiled commit gave: whether it is good, by how much (negative: bad), within which noise, in words."""

    good: bool
    margin: float
    noise: float
    said: str

    @property
    def sure(self) -> bool:
        """Tell whether the answer is further from the border than the noise of one run."""
        return abs(self.margin) > self.noise


def parse_goal(text: str) -> Goal:
    """Read ``accuracy=0.95``, ``recall.cat=0.9``, ``accuracy@validation=0.9``, or a metric without a threshold.

    >>> parse_goal("recall.cat=0.9")
    Goal(metric='recall', threshold=0.9, split='test', label='cat')

    Raises: ConfigError.
    """
    found = _GOAL.fullmatch(text.strip())
    threshold = None
    if found is not None and found["threshold"] is not None:
        try:
            threshold = float(found["threshold"])
        except ValueError:
            found = None
    if found is None or (threshold is not None and not math.isfinite(threshold)):
        raise ConfigError(f"expected a goal such as accuracy=0.95 or recall.NAME=0.9, got `{text}` - at `--goal`")
    return Goal(found["metric"], threshold, found["split"] or "test", found["label"])


def goals_for(program: Program, wanted: Sequence[Goal]) -> tuple[Goal, ...]:
    """Give the goals that decide: those asked for, with the program's own threshold where they name none; else all of the program's.

    Raises: ConfigError when nothing decides, or a goal is not for this output.
    """
    own = {(goal.metric, goal.label, goal.split): goal.threshold for goal in program.goals}
    goals = tuple(
        goal if goal.threshold is not None else replace(goal, threshold=own.get((goal.metric, goal.label, goal.split))) for goal in wanted
    ) or tuple(goal for goal in program.goals if goal.threshold is not None)
    if not goals:
        raise ConfigError(
            "expected a goal with a threshold in `tacit.toml`, there is none",
            fix=f"tacit bisect GOOD BAD --goal {program.signature.output.metric}=0.95, or --goal {program.signature.output.metric}",
        )
    check_goals_fit(goals, program.signature.output)
    return goals


class ByGoals:
    """A commit is good when every goal is met, as the evidence of its binary says."""

    def __init__(self, goals: Sequence[Goal]) -> None:
        self.goals = tuple(goals)

    def describe(self) -> str:
        """Say what is asked."""
        return ", ".join(_named(goal) for goal in self.goals)

    def settle(self, good: Sequence[Binary], bad: Sequence[Binary]) -> ByGoals:
        """Set the thresholds that nobody gave halfway between the good and the bad revision. Raises: InputError when these are equal."""
        settled = []
        for goal in self.goals:
            if goal.threshold is not None:
                settled.append(goal)
                continue
            one, two = (float(np.mean([_value(goal, binary) for binary in side])) for side in (good, bad))
            metric = metric_of(goal)
            if not metric.better(one, two):
                raise InputError(
                    f"expected a better {_named(goal)} at the good revision than at the bad, got {decimal(one)} and {decimal(two)}"
                )
            settled.append(replace(goal, threshold=(one + two) / 2))
        return ByGoals(settled)

    def measure(self, binaries: Sequence[Binary]) -> Measured:
        """Judge a commit by the mean over its runs. Raises: InputError when a goal can't be measured there."""
        found = []
        for goal in self.goals:
            values = [_value(goal, binary) for binary in binaries]
            value, border = float(np.mean(values)), float(goal.threshold or 0.0)
            better = 1.0 if metric_of(goal).higher_is_better else -1.0
            margin = better * (value - border)
            count = int(binaries[0].evidence["scores"][goal.split].get("count", 0))
            noise = _noise(value, border, count) / math.sqrt(len(binaries))
            runs = f" (mean of {len(values)} seeds)" if len(values) > 1 else ""
            found.append(Measured(margin >= 0, margin, noise, f"{_named(replace(goal, threshold=None))} {decimal(value)}{runs}"))
        worst = min(found, key=lambda item: item.margin)
        return replace(worst, said=", ".join(item.said for item in found))


class ByExample:
    """A commit is good when its binary gives one example the answer that it should have."""

    def __init__(self, record: Record, value: Any, wanted: Any = None) -> None:
        self.record, self.value, self.wanted = record, value, wanted

    def describe(self) -> str:
        """Say what is asked."""
        return f"the answer on example {self.record.id}" + (f" is {self.wanted}" if self.wanted is not None else "")

    def settle(self, good: Sequence[Binary], bad: Sequence[Binary]) -> ByExample:
        """Take the answer of the good revision for the one wanted, unless one was given. Raises: InputError when nothing changed."""
        if self.wanted is not None:
            return self
        answers = [_most([str(self._answer(binary)) for binary in side]) for side in (good, bad)]
        if answers[0] == answers[1]:
            raise InputError(f"expected two answers on example {self.record.id}, got {answers[0]} from the good and the bad revision")
        return ByExample(self.record, self.value, answers[0])

    def measure(self, binaries: Sequence[Binary]) -> Measured:
        """Judge a commit by the majority of its runs; the margin is that of the wanted class where there is one."""
        answers = [str(self._answer(binary)) for binary in binaries]
        good = [answer == str(self.wanted) for answer in answers]
        share = sum(good) / len(good)
        margin = float(np.mean([_class_margin(binary, self.value, str(self.wanted)) for binary in binaries]))
        near = 0.5 if len(binaries) == 1 else 0.0
        said = f"answer {', '.join(dict.fromkeys(answers))}"
        return Measured(share >= 0.5, margin if math.isfinite(margin) else (1.0 if share >= 0.5 else -1.0), near, said)

    def _answer(self, binary: Binary) -> Any:
        return binary(self.value)


Question = ByGoals | ByExample


def example_of(directory: Path, name: str) -> tuple[Record, Any]:
    """Give the record and the input of an example of a program directory by its id or the start of it. Raises: InputError."""
    records = read_store(directory).records
    matching = [record for record in records if record.id.startswith(name)]
    if len(matching) != 1:
        came = "none" if not matching else f"{len(matching)}"
        near = did_you_mean(name, [record.id for record in records[:10_000]]) if not matching else "give more digits of the id"
        raise InputError(f"expected the id of one example, got `{name}`, which fits {came} - at `--example`", fix=near)
    (record,) = matching
    return record, Inputs(directory).value(record)


def _named(goal: Goal) -> str:
    of = f" of `{goal.label}`" if goal.label is not None else ""
    sign = ">=" if metric_of(goal).higher_is_better else "<="
    wanted = f" {sign} {goal.threshold:g}" if goal.threshold is not None else ""
    return f"{goal.metric}{of} on {goal.split}{wanted}"


def _value(goal: Goal, binary: Binary) -> float:
    block: Mapping[str, Any] = (binary.evidence.get("scores") or {}).get(goal.split) or {}
    row = block if goal.label is None else (block.get("per_class") or {}).get(goal.label) or {}
    value = row.get(goal.metric)
    if value is None:
        raise InputError(f"expected a score to judge by, {_named(goal)} was not measured")
    return float(value)


def _noise(value: float, border: float, count: int) -> float:
    """Give how far a score of one run lies from that of another by chance: two standard errors of a share, else a twentieth."""
    if 0.0 <= value <= 1.0 and 0.0 <= border <= 1.0 and count > 0:
        return 2.0 * math.sqrt(max(value * (1.0 - value), 1.0 / count) / count)
    return 0.05 * abs(border)


def _class_margin(binary: Binary, value: Any, wanted: str) -> float:
    names = getattr(binary.signature.output, "names", ())
    if binary.signature.output.kind != "class" or wanted not in names:
        return math.nan
    scores = np.array(binary.scores(value), np.float64)
    own = scores[names.index(wanted)]
    scores[names.index(wanted)] = -np.inf
    return float(own - scores.max())


def _most(answers: Sequence[str]) -> str:
    return max(dict.fromkeys(answers), key=answers.count)
