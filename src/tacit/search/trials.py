"""One trial is one record: a candidate trained under a plan, as a piece of work that this process or a worker elsewhere runs.

`Trials` is what all trials of a search share, sent once to each worker; an `Order` is one of them, and gives a `Ran`. A search asks
for a whole batch with `run_all` and is told the results in the order of the batch, so that one process and a cluster find the same
winner; each record is on disk as soon as its trial has ended. A trial that fails, even by memory, is a record that says why.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.ground.errors import ConfigError
from tacit.ground.files import append_line
from tacit.ground.progress import Reporter
from tacit.search.columns import Columns
from tacit.search.devices import device_for, multiplies_bfloat16
from tacit.search.recipe import Recipe
from tacit.search.running import LOOKS, Clock, Outcome, Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import State, Task, Training
from tacit.search.workers import FAILURES, Failure, Workers
from tacit.skeletons.reshaping import fit_shapes
from tacit.skeletons.table import Skeleton, network_for

#: A network whose largest weight has fewer elements than this is trained in float32: conversions would cost more than they save.
WIDE = 16_384
#: At most so many training inputs are looked at when a network fits means and knots (`network_for`).
_FITTED = 20_000


@dataclass(frozen=True)
class Trial:
    """The record of one candidate in one rung, JSON values all.

    number: which candidate of the search it is, in the order in which they were suggested. plan: of its steps. validation: its score
    there, higher is better; None when it failed. costs: exact, of the lowered network, where they were asked for.
    """

    rung: int
    settings: dict[str, Any]
    plan: list[tuple[int, int]]
    seconds: float
    validation: float | None
    failure: str | None = None
    number: int = 0
    costs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Order:
    """What to try: settings, for so many steps, or else for so many seconds of the worker's clock.

    label: stands before what is reported. before, share: the part of the whole search that is done before this trial, and the part that
    it is. weights: begin from these instead of random ones.
    """

    number: int
    rung: int
    settings: dict[str, Any]
    steps: int | None = None
    seconds: float | None = None
    label: str = ""
    before: float = 0.0
    share: float = 1.0
    weights: State | None = None
    costs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Ran:
    """What a trial gives: its record, and what is needed to keep its network. All of it pickles.

    outcome: the weights that validation chose; None for a trial that failed or was found on record. progress: of its schedule, as
    `Progress.restore` takes it. dynamics: what it saw of the examples (`Dynamics.state`). stopped: it was ended by a request to stop, so
    it is not a record.
    """

    trial: Trial
    outcome: Outcome | None = None
    progress: dict[str, Any] = field(default_factory=dict)
    dynamics: State = field(default_factory=dict)
    stopped: bool = False


@dataclass(eq=False)
class Trials:
    """What all trials of a search share; called with an `Order` it runs it.

    inputs: the training inputs as NumPy arrays, for fitting means and knots. device: where a worker elsewhere trains, as `device_for`
    takes it; here the columns lie on their device already. reporter, stop: of this process; they stay here when the rest is sent to a
    worker.
    """

    task: Task
    skeleton: Skeleton
    recipe: Recipe
    seed: int
    inputs: tuple[np.ndarray, ...]
    device: str = "auto"
    reporter: Reporter = field(default_factory=Reporter)
    stop: Stop = field(default_factory=Stop)

    def __getstate__(self) -> dict[str, Any]:
        """Give what a worker needs: columns on the CPU, and no more of the inputs than are looked at."""
        some = tuple(array[:: max(1, len(array) // _FITTED)] for array in self.inputs)
        cpu = torch.device("cpu")
        task = replace(self.task, train=_moved(self.task.train, cpu), validation=_moved(self.task.validation, cpu))
        return {**self.__dict__, "inputs": some, "task": task, "reporter": None, "stop": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {**state, "reporter": Reporter(), "stop": Stop()}
        place = device_for(self.device)
        self.task = replace(self.task, train=_moved(self.task.train, place), validation=_moved(self.task.validation, place))

    def network(self, settings: Mapping[str, Any]) -> nn.Module:
        """Build an untrained network; its weights depend on the seed and the settings alone. Raises: ConfigError."""
        try:
            return network_for(self.skeleton, self.task.signature, settings, inputs=self.inputs, seed=self.seed)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                f"expected settings with which `{self.skeleton.name}` can be built for {self.task.signature}, got {dict(settings)}",
                cause=f"{type(error).__name__}: {str(error).splitlines()[0]}",
                fix="look at the values under [skeleton] in tacit.toml, or leave them out",
            ) from error

    def sketch(self, settings: Mapping[str, Any]) -> nn.Module:
        """Build a network of the same shape that is fitted to two inputs only. Raises: ConfigError."""
        return replace(self, inputs=tuple(array[:2] for array in self.inputs)).network(settings)

    def training(
        self,
        settings: Mapping[str, Any],
        progress: Progress,
        *,
        augment: bool = False,
        task: Task | None = None,
        weights: State | None = None,
        focus: torch.Tensor | None = None,
    ) -> Training:
        """Make a fresh run. weights: begin from these. task: learn from another one than the trials'."""
        network = self.network(settings)
        if weights is not None:
            network = fit_shapes(network, weights)
        wide = max((parameter.numel() for parameter in network.parameters()), default=0) >= WIDE
        bfloat16 = self.recipe.precision is None and wide and multiplies_bfloat16(self.task.train.targets.device)
        low = self.recipe.precision == "bfloat16" or bfloat16
        return Training(task or self.task, network, self.recipe, progress, seed=self.seed, augment=augment, low_precision=low, focus=focus)

    def _looks(self, steps: int | None) -> int:
        """Give how often a trial looks at validation: so often that looking costs at most a fifth of a short trial, once in any case.

        A step forward and back costs about three times what the forward pass of a look does.
        """
        if steps is None:
            return 2
        shown = 3 * steps * min(self.recipe.batch, len(self.task.train))
        return max(1, min(LOOKS, shown // (5 * max(1, len(self.task.validation)))))

    def __call__(self, order: Order) -> Ran:
        """Run one trial; what it may fail with becomes a record."""
        begun = time.monotonic()
        if self.stop.asked:
            return Ran(Trial(order.rung, order.settings, [], 0.0, None, number=order.number), stopped=True)
        # By the clock the first steps tell the pace, and the plan follows.
        progress = Progress([(0, 1000 if order.steps is None else order.steps)])
        try:
            training = self.training(order.settings, progress, weights=order.weights)
            clock = None
            if order.steps is None:
                seconds = order.seconds or 0.0
                clock = Clock(lambda: seconds - (time.monotonic() - begun), training.order.steps * training.recipe.epochs)
            reporter = _Part(self.reporter, order.before, order.share)
            looks = self._looks(order.steps)
            outcome = Runner(training, reporter=reporter, stop=self.stop, clock=clock, label=order.label, looks=looks).finish()
        except FAILURES as error:
            return Ran(_failed(order, f"{type(error).__name__}: {error}", time.monotonic() - begun))
        took = time.monotonic() - begun
        trial = Trial(order.rung, order.settings, training.progress.plan, took, outcome.score, number=order.number, costs=dict(order.costs))
        return Ran(trial, outcome, training.progress.state(), training.dynamics.state(), stopped=self.stop.asked)


class _Part(Reporter):
    """Tell how far the whole search is while one trial of it runs, and how long the rest takes at the pace of the trial."""

    def __init__(self, whole: Reporter, before: float, share: float) -> None:
        self.whole, self.before, self.share = whole, before, share
        self.begun = time.monotonic()

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Pass on what a run reports."""
        rest = max(0.0, 1.0 - self.before - self.share) / self.share if self.share > 0 else 0.0
        left = None
        if seconds_left is not None:
            left = seconds_left + (time.monotonic() - self.begun + seconds_left) * rest
        self.whole.progress(self.before + self.share * fraction, left, message)

    def note(self, text: str) -> None:
        """Pass on a line."""
        self.whole.note(text)


class Records:
    """Trials on disk, one JSON line each, flushed at once; a torn last line (a kill while writing) is left out."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.trials: list[Trial] = []
        if path is not None and path.exists():
            for line in path.read_text().splitlines():
                try:
                    self.trials.append(Trial(**json.loads(line)))
                except (ValueError, TypeError):
                    continue

    def find(self, rung: int, settings: Mapping[str, Any]) -> Trial | None:
        """Give the record of a trial if it has been run."""
        return next((trial for trial in self.trials if trial.rung == rung and trial.settings == dict(settings)), None)

    def add(self, trial: Trial) -> None:
        """Append a record."""
        self.trials.append(trial)
        if self.path is not None:
            append_line(self.path, json.dumps(asdict(trial)))

    def in_order(self) -> tuple[Trial, ...]:
        """Give the trials by rung and number, whoever ended first."""
        return tuple(sorted(self.trials, key=lambda trial: (trial.rung, trial.number)))


def run_all(
    work: Callable[[Order], Ran],
    orders: Sequence[Order],
    *,
    workers: Workers,
    records: Records,
    stop: Stop,
    ended: Callable[[Ran], None] = lambda _: None,
) -> list[Ran]:
    """Run a batch of trials, and give the results in the order of `orders`, whoever was done first.

    What is on record is not run again. Each trial is recorded as soon as it has ended. ended: is told each trial that ran, a stopped
    one included, as it ends. After a request to stop the list ends with what had been done.
    """
    known = {place: trial for place, order in enumerate(orders) if (trial := records.find(order.rung, order.settings)) is not None}
    results: dict[int, Ran] = {place: Ran(trial) for place, trial in known.items()}
    open_places = [place for place in range(len(orders)) if place not in known]
    if not open_places or stop.asked:
        return [results[place] for place in sorted(results)]
    for at, result in workers.run(work, [orders[place] for place in open_places]):
        place = open_places[at]
        ran = Ran(_failed(orders[place], result.reason, 0.0)) if isinstance(result, Failure) else result
        if not ran.stopped:
            records.add(ran.trial)
            results[place] = ran
        ended(ran)
        if stop.asked:
            break
    return [results[place] for place in sorted(results)]


def _failed(order: Order, reason: str, seconds: float) -> Trial:
    return Trial(order.rung, order.settings, [], seconds, None, reason, order.number, dict(order.costs))


def _moved(data: Columns, place: torch.device) -> Columns:
    return replace(data, inputs=tuple(tensor.to(place) for tensor in data.inputs), targets=data.targets.to(place))
