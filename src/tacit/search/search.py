"""Find the network: choose the size and the open choices, train the winner, all within one budget."""

from __future__ import annotations

import contextlib
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
from tacit.search.choosing import Choosing
from tacit.search.evolution import Evolved
from tacit.search.exploring import Exploration, Space, front
from tacit.search.halving import SHARE, halve, sample
from tacit.search.limits import Costs, Limits
from tacit.search.recipe import Recipe
from tacit.search.running import SLACK, WARM_SLACK, Clock, Outcome, Runner, Stop
from tacit.search.schedule import Plan, Progress
from tacit.search.sharing import sharers
from tacit.search.sizing import pace, size_for
from tacit.search.training import Task, Training
from tacit.search.trials import Ran, Records, Trial, Trials
from tacit.search.warm import Start
from tacit.search.workers import Group, Here, Workers
from tacit.skeletons.choices import Between, candidates, combinations, first_of, opened
from tacit.skeletons.table import Skeleton

CHECKPOINT, DECISION, TRIALS = "state.safetensors", "decision.json", "trials.jsonl"

WEIGHTS_PER_EXAMPLE = 256


@dataclass(frozen=True)
class Examined:
    """What an untrained network costs (MACs, bytes ...) and the seconds to keep for the work after training."""

    costs: Mapping[str, float]
    reserve: float


@dataclass(frozen=True, eq=False)
class Found:
    """The network with the weights that validation chose, and how it was found.

    front: of a search with several objectives, the trials that no other one beats in all of them. choosing: how it was searched, where
    a person said so. evolved: how evolution went on from
    the trained weights, where it did.
    """

    network: nn.Module
    settings: dict[str, Any]
    recipe: Recipe
    outcome: Outcome
    training: Training
    trials: tuple[Trial, ...]
    front: tuple[Trial, ...] = ()
    evolved: Evolved | None = None
    choosing: Choosing | None = None


@dataclass(eq=False)
class Search:
    """What stays the same for every network that is tried.

    inputs: the training inputs as NumPy arrays, for fitting means and knots. plan: the steps to take, or None to plan by the
    meter's clock. final: what the winner is trained on, if it is not
    `task`. examine: lowers an untrained network and says what it costs; refuses what can't be lowered. start: where to go on from,
    instead of random weights. workers: who runs the trials. device: where workers elsewhere train. choosing: how to search; None: every
    combination of a few choices. cost: says what an untrained network costs, cheaper than `examine` does.
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
    choosing: Choosing | None = None
    cost: Callable[[nn.Module], Costs] | None = None
    _reserved: float = field(default=0.0, init=False)
    _best: Ran | None = field(default=None, init=False)
    _records: Records = field(init=False)
    trials: Trials = field(init=False)
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self._records = Records(None if self.folder is None else self.folder / TRIALS)
        self.trials = Trials(
            self.task, self.skeleton, self.recipe, self.seed, self.inputs, device=self.device, reporter=self.reporter, stop=self.stop
        )
        cost = self.cost or (lambda network: self.examine(network).costs)
        self.limits = Limits(self.budget, self.task.signature, self.network, cost, self.trials.sketch)

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """Build an untrained network; its weights depend on the seed and the settings alone. Raises: ConfigError."""
        return self.trials.network(settings)

    def training(
        self, settings: Mapping[str, Any], progress: Progress, *, planned_epochs: float = 0.0, task: Task | None = None
    ) -> Training:
        """Make a fresh run."""
        if self.start is None:
            return self.trials.training(settings, progress, augment=planned_epochs >= self.recipe.augment_from, task=task)
        # The edited rows are those of what the run learns from in the end.
        focus = torch.from_numpy(self.start.edited) if (task or self.task) is (self.final or self.task) else None
        weights = dict(self.start.weights)
        return self.trials.training(settings, progress, augment=self.start.augmented, task=task, weights=weights, focus=focus)

    def run(self, settings: Mapping[str, Any], *, resume: bool) -> Found:
        """Choose the size and what is open in `settings`, then train the winner."""
        decision = self._decided() if resume else None
        if decision is None:
            try:
                chosen, per_step = self._choose(settings)
            except BudgetError:
                self._forget()
                raise
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
        clock = None if self.plan is not None else Clock(self._left, self.most_steps)
        slack = SLACK if self.start is None else WARM_SLACK
        runner = Runner(training, reporter=self.reporter, stop=self.stop, clock=clock, checkpoint=checkpoint, meter=self.meter, slack=slack)
        if resume and runner.resume():
            self.reporter.note(f"going on from step {training.progress.step}")
        elif self.start is not None and len(task.validation):
            runner.look()  # what it starts from can be what it ends with
        outcome = self._finish(runner)
        training.network.load_state_dict(outcome.weights)
        return Found(
            training.network, dict(chosen), self.recipe, outcome, training, self._records.in_order(), self._front(), choosing=self.choosing
        )

    def _finish(self, runner: Runner) -> Outcome:
        """Train to the end of the plan: in this process, or by workers that share each batch, where that pays."""
        if not isinstance(self.workers, Group) or self.stop.asked:
            return runner.finish()
        training, wanted = runner.training, self.recipe.workers
        macs = 0 if wanted is not None else int(self.examine(training.network).costs.get("macs", 0))
        together = sharers(
            self.workers.count, wanted=wanted, macs=macs, batch=training.order.batch, steps=training.progress.left, device=training.device
        )
        if together == 1:
            return runner.finish()
        self.reporter.note(f"{together} workers share each batch of {training.order.batch}")
        return self.workers.finish(runner, together=together)

    def _interrupted(self, best: Ran, outcome: Outcome) -> Found:
        """Give the best trial of a search that was stopped before it had chosen."""
        training = self.trials.training(best.trial.settings, Progress.restore(best.progress))
        training.network.load_state_dict(outcome.weights)
        training.dynamics.restore(best.dynamics)
        stopped = replace(outcome, interrupted=True)
        return Found(
            training.network,
            best.trial.settings,
            self.recipe,
            stopped,
            training,
            self._records.in_order(),
            self._front(),
            choosing=self.choosing,
        )

    def _forget(self) -> None:
        """Leave no folder of a run that was refused before it began."""
        if self.folder is not None and not self._records.trials:
            (self.folder / "configuration.json").unlink(missing_ok=True)
            for folder in (self.folder, *self.folder.parents[:2]):
                with contextlib.suppress(OSError):
                    folder.rmdir()  # only when it is empty

    def _front(self) -> tuple[Trial, ...]:
        """Give the trials at the front where there are several objectives."""
        costs = () if self.choosing is None else self.choosing.costs
        return tuple(front(self._records.trials, costs)) if costs else ()

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

    @property
    def most_steps(self) -> int:
        """Give the steps beyond which more passes over the examples are not worth it."""
        if self.start is not None:
            return self.start.steps
        count = len((self.final or self.task).train)
        return max(1, count // min(self.recipe.batch, count)) * self.recipe.epochs

    def _choose(self, settings: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
        """Give the settings, and the seconds per step where they were measured."""
        space = self.space(settings)
        per_step: float | None = None
        if space is None:
            base: dict[str, Any] = {}
            if self.opens_size(settings):
                base, per_step = self.size(first_of(settings))
            options = self.limits.keep(sample(candidates({**base, **settings}), self.seed))
            self._reserved = self.examine(self.network(options[0])).reserve
            if len(options) == 1:
                return options[0], per_step
        share = SHARE if self.choosing is None else self.choosing.share
        self.reporter.phase("choosing")
        steps = (0 if self.plan is None else round(self.plan[0][1] * share)) or 64
        seconds = None if self.plan is not None else share * self._left()
        if space is None:
            winner = halve(
                options,
                self.trials,
                seconds=seconds,
                steps=steps,
                workers=self.workers,
                records=self._records,
                stop=self.stop,
                ended=self._ended,
            )
        else:
            winner = self._explore(space, seconds, steps)
        if not self.stop.asked:
            self._reserved = self.examine(self.network(winner)).reserve
        return winner, None

    def opens_size(self, settings: Mapping[str, Any]) -> bool:
        """Tell whether the size is left to the search: nothing that sizes set is said."""
        sizes = self.skeleton.sizes
        return bool(sizes[0]) and not any(key in settings for key in sizes[0])

    def space(self, settings: Mapping[str, Any]) -> Space | None:
        """Give what is to be explored, or None where every combination is tried: a few choices, and no word on how to search."""
        own = opened(settings)
        if self.start is not None:
            return None  # what it goes on from has decided
        if self.choosing is None and not any(isinstance(value, Between) for value in own.values()):
            return None
        choosing = self.choosing or Choosing()
        if not own:
            declared = {name: value for name, value in self.skeleton.space.items() if name not in settings}
            if not declared:
                return None
            settings = {**declared, **settings}
        elif self.opens_size(settings):
            settings = {**self.size(first_of(settings))[0], **settings}
        scale = self.skeleton.scale
        ordered = scale is not None and scale in opened(settings) and combinations({scale: opened(settings)[scale]}) > 1
        fits = ordered and bool(self.limits.most) and not choosing.costs
        return Space(settings, tuple(self.skeleton.starts), scale if fits and choosing.fit is not False else None)

    def _explore(self, space: Space, seconds: float | None, steps: int) -> dict[str, Any]:
        begun = self.meter.elapsed()
        return Exploration(
            space,
            self.choosing or Choosing(),
            self.limits,
            self.trials,
            self.workers,
            self._records,
            self.reporter,
            self.stop,
            self.seed,
            seconds=seconds,
            steps=steps,
            elapsed=lambda: self.meter.elapsed() - begun,
            ended=self._ended,
        ).run()

    def size(self, fixed: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
        """Choose the size by the clock, or take the usual one when the budget is in steps."""
        sizes = list(self.skeleton.sizes)
        if self.plan is not None:
            sizes = sizes[: self.skeleton.usual + 1]
            return dict(self._affordable([{**size, **fixed} for size in reversed(sizes)], fixed)[0]), None
        affordable = self._affordable([{**size, **fixed} for size in self._fitting(sizes, fixed)], fixed)
        self.reporter.phase("sizing")
        return size_for(affordable, fixed, self.throwaway, seconds=self.meter.left() * 0.9)

    def _affordable(self, options: list[dict[str, Any]], fixed: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Keep what is within the limits; where no size is, the widest below the smallest size. Raises: BudgetError."""
        try:
            return self.limits.keep(options)
        except BudgetError:
            scale, smallest = self.skeleton.scale, self.skeleton.sizes[0]
            if scale is None or scale in fixed or not isinstance(smallest.get(scale), int):
                raise
            narrow = self.limits.widest({**smallest, **fixed}, scale, Between(1, smallest[scale]))
            if narrow is None:
                raise self.limits.impossible([*options, {**smallest, **fixed, scale: 1}]) from None
            return [narrow]

    def throwaway(self, settings: Mapping[str, Any]) -> Training:
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

    def _plan(self, settings: Mapping[str, Any], per_step: float | None) -> Plan:
        """Give the plan of the person, or the first plan by the clock."""
        if self.plan is not None:
            return self.plan
        if per_step is None:
            per_step = pace(self.throwaway(settings))
        return [(0, max(1, min(int(self._left() / per_step), self.most_steps)))]

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
