"""Find the network: choose the size and the open choices, train the winner, all within one budget."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.ground.budget import Budget, Meter
from tacit.ground.errors import BudgetError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.search.halving import SHARE, halve, sample
from tacit.search.recipe import Recipe
from tacit.search.running import SLACK, WARM_SLACK, Clock, Outcome, Runner, Stop
from tacit.search.schedule import Plan, Progress
from tacit.search.sizing import pace, size_for
from tacit.search.training import Task, Training
from tacit.search.trials import Ran, Records, Trial, Trials
from tacit.search.warm import Start
from tacit.search.workers import Here, Workers
from tacit.skeletons.choices import Choice, candidates
from tacit.skeletons.table import Skeleton

CHECKPOINT, DECISION, TRIALS = "state.safetensors", "decision.json", "trials.jsonl"

WEIGHTS_PER_EXAMPLE = 256


@dataclass(frozen=True)
class Examined:
    """What an untrained network costs (MACs, bytes ...) and the seconds to keep for the work after training."""

    costs: Mapping[str, int]
    reserve: float


@dataclass(frozen=True, eq=False)
class Found:
    """The network with the weights that validation chose, and how it was found."""

    network: nn.Module
    settings: dict[str, Any]
    recipe: Recipe
    outcome: Outcome
    training: Training
    trials: tuple[Trial, ...]


@dataclass(eq=False)
class Search:
    """What stays the same for every network that is tried.

    inputs: the training inputs as NumPy arrays, for fitting means and knots. plan: the steps to take, or None to plan by the
    meter's clock. final: what the winner is trained on, if it is not
    `task`. examine: lowers an untrained network and says what it costs; refuses what can't be lowered. start: where to go on from,
    instead of random weights. workers: who runs the trials. device: where workers elsewhere train.
    """

    task: Task
    skeleton: Skeleton
    recipe: Recipe
    seed: int
    inputs: tuple[np.ndarray, ...]
    budget: Budget
    meter: Meter
    plan: Plan | None
    reporter: Reporter
    stop: Stop
    folder: Path | None
    examine: Callable[[nn.Module], Examined]
    final: Task | None = None
    start: Start | None = None
    workers: Workers = field(default_factory=Here)
    device: str = "auto"
    _reserved: float = field(default=0.0, init=False)
    _best: Ran | None = field(default=None, init=False)
    _records: Records = field(init=False)
    _trials: Trials = field(init=False)

    def __post_init__(self) -> None:
        self._records = Records(None if self.folder is None else self.folder / TRIALS)
        self._trials = Trials(
            self.task, self.skeleton, self.recipe, self.seed, self.inputs, device=self.device, reporter=self.reporter, stop=self.stop
        )

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """Build an untrained network; its weights depend on the seed and the settings alone. Raises: ConfigError."""
        return self._trials.network(settings)

    def training(
        self, settings: Mapping[str, Any], progress: Progress, *, planned_epochs: float = 0.0, task: Task | None = None
    ) -> Training:
        """Make a fresh run."""
        if self.start is None:
            return self._trials.training(settings, progress, augment=planned_epochs >= self.recipe.augment_from, task=task)
        # The edited rows are those of what the run learns from in the end.
        focus = torch.from_numpy(self.start.edited) if (task or self.task) is (self.final or self.task) else None
        weights = dict(self.start.weights)
        return self._trials.training(settings, progress, augment=self.start.augmented, task=task, weights=weights, focus=focus)

    def run(self, settings: Mapping[str, Any], *, resume: bool) -> Found:
        """Choose the size and what is open in `settings`, then train the winner."""
        decision = self._decided() if resume else None
        if decision is None:
            chosen, per_step = self._choose(settings)
            if self.stop.asked and self._best is not None and self._best.outcome is not None:
                return self._interrupted(self._best, self._best.outcome)
            if self.stop.asked:
                raise KeyboardInterrupt
            plan = self._plan(chosen, per_step)
            self._decide(chosen, plan)
        else:
            chosen, plan = decision
        task = self.final or self.task
        planned_epochs = plan[0][1] * self.recipe.batch / max(1, len(task.train))
        training = self.training(chosen, Progress(plan), planned_epochs=planned_epochs, task=task)
        checkpoint = None if self.folder is None else self.folder / CHECKPOINT
        self.reporter.phase("training")
        clock = None if self.plan is not None else Clock(self._left, self._most_steps())
        slack = SLACK if self.start is None else WARM_SLACK
        runner = Runner(training, reporter=self.reporter, stop=self.stop, clock=clock, checkpoint=checkpoint, meter=self.meter, slack=slack)
        if resume and runner.resume():
            self.reporter.note(f"going on from step {training.progress.step}")
        elif self.start is not None and len(task.validation):
            runner.look()  # what it starts from can be what it ends with
        outcome = runner.finish()
        training.network.load_state_dict(outcome.weights)
        return Found(training.network, dict(chosen), self.recipe, outcome, training, self._records.in_order())

    def _interrupted(self, best: Ran, outcome: Outcome) -> Found:
        """Give the best trial of a search that was stopped before it had chosen."""
        training = self._trials.training(best.trial.settings, Progress.restore(best.progress))
        training.network.load_state_dict(outcome.weights)
        training.dynamics.restore(best.dynamics)
        stopped = replace(outcome, interrupted=True)
        return Found(training.network, best.trial.settings, self.recipe, stopped, training, self._records.in_order())

    def _ended(self, ran: Ran) -> None:
        """Remember the best trial so far, a stopped one included, if it took a step."""
        stepped = ran.outcome is not None and ran.progress["step"]
        if ran.outcome is not None and stepped and (self._best is None or ran.outcome.score > _score(self._best)):
            self._best = ran

    @property
    def reserved(self) -> float:
        """Seconds to keep for the work after the search."""
        return self._reserved

    def _left(self) -> float:
        return self.meter.left() - self._reserved

    def _most_steps(self) -> int:
        if self.start is not None:
            return self.start.steps
        count = len((self.final or self.task).train)
        return max(1, count // min(self.recipe.batch, count)) * self.recipe.epochs

    def _choose(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
        """Give the settings, and the seconds per step where they were measured."""
        sizes = self.skeleton.sizes
        open_size = bool(sizes[0]) and not any(key in settings for key in sizes[0])
        first = {key: value.values[0] if isinstance(value, Choice) else value for key, value in settings.items()}
        per_step: float | None = None
        base: dict[str, Any] = {}
        if open_size:
            base, per_step = self._size(first)
        options = self._within_limits(sample(candidates({**base, **settings}), self.seed))
        self._reserved = self.examine(self.network(options[0])).reserve
        if len(options) == 1:
            return options[0], per_step
        self.reporter.phase("choosing")
        steps = 0 if self.plan is None else round(self.plan[0][1] * SHARE)
        seconds = None if self.plan is not None else SHARE * self._left()
        winner = halve(
            options,
            self._trials,
            seconds=seconds,
            steps=steps or 64,
            workers=self.workers,
            records=self._records,
            stop=self.stop,
            ended=self._ended,
        )
        if not self.stop.asked:
            self._reserved = self.examine(self.network(winner)).reserve
        return winner, None

    def _size(self, fixed: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
        """Choose the size by the clock, or take the usual one when the budget is in steps."""
        sizes = list(self.skeleton.sizes)
        if self.plan is not None:
            sizes = sizes[: self.skeleton.usual + 1]
            return dict(self._within_limits([{**size, **fixed} for size in reversed(sizes)])[0]), None
        affordable = self._within_limits([{**size, **fixed} for size in self._fitting(sizes, fixed)])
        self.reporter.phase("sizing")
        return size_for(affordable, fixed, self._throwaway, seconds=self.meter.left() * 0.9)

    def _throwaway(self, settings: Mapping[str, Any]) -> Training:
        """Make a run that is only timed."""
        return self.training(settings, Progress([(0, 1000)]))

    def _fitting(self, sizes: list[Mapping[str, Any]], fixed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Keep the sizes with at most `WEIGHTS_PER_EXAMPLE` weights per training example, the smallest in any case.

        A larger network learns a small set no better, and whoever ships the binary pays for it. Embeddings don't count: an example
        meets only the rows of its own words.
        """
        most = WEIGHTS_PER_EXAMPLE * len(self.task.train)
        counts = [_weights(self.network({**size, **fixed})) for size in sizes]
        return [size for place, (size, count) in enumerate(zip(sizes, counts, strict=True)) if place == 0 or count <= most]

    def _within_limits(self, options: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep the options whose exact costs are within the budget. Raises: BudgetError with the nearest one."""
        budget = self.budget
        given = {"macs": budget.macs, "weight_bytes": budget.weight_bytes, "arena_bytes": budget.arena_bytes}
        limits = {name: limit for name, limit in given.items() if limit is not None}
        if not limits:
            return options
        costs = [self.examine(self.network(option)).costs for option in options]
        kept = [option for option, cost in zip(options, costs, strict=True) if all(cost[name] <= limit for name, limit in limits.items())]
        if not kept:
            name, limit = next(iter(limits.items()))
            nearest = min(range(len(options)), key=lambda place: max(costs[place][key] / most for key, most in limits.items()))
            wanted = ", ".join(f"{most:,} {key}" for key, most in limits.items())
            has = ", ".join(f"{costs[nearest][key]:,} {key}" for key in limits)
            raise BudgetError(
                f"expected a network of at most {wanted}, got none among {len(options)}",
                cause=f"the nearest, {options[nearest]}, has {has}",
                fix=f"raise `budget.{name}` above {limit:,}, or set smaller values under [skeleton]",
            )
        return kept

    def _plan(self, settings: Mapping[str, Any], per_step: float | None) -> Plan:
        """Give the plan of the person, or the first plan by the clock."""
        if self.plan is not None:
            return self.plan
        if per_step is None:
            per_step = pace(self._throwaway(settings))
        return [(0, max(1, min(int(self._left() / per_step), self._most_steps())))]

    def _decide(self, settings: Mapping[str, Any], plan: Plan) -> None:
        """Write down what was chosen, so that a run that is continued does not choose again."""
        if self.folder is not None:
            content = {"settings": dict(settings), "plan": plan, "elapsed": self.meter.elapsed(), "reserved": self._reserved}
            write_atomic(self.folder / DECISION, json.dumps(content))

    def _decided(self) -> tuple[dict[str, Any], Plan] | None:
        if self.folder is None or not (self.folder / DECISION).exists():
            return None
        content = json.loads((self.folder / DECISION).read_text())
        self.meter.charge(content["elapsed"])
        self._reserved = content["reserved"]
        return content["settings"], [(step, left) for step, left in content["plan"]]


def _score(ran: Ran) -> float:
    return -math.inf if ran.outcome is None else ran.outcome.score


def _weights(network: nn.Module) -> int:
    """Count the weights that every example meets."""
    parts = (part for part in network.modules() if not isinstance(part, nn.Embedding))
    return sum(weight.numel() for part in parts for weight in part.parameters(recurse=False))
