"""Drive a `Training` to its end: plan by the clock, watch validation, save checkpoints, stop when asked."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from tacit.goals.table import METRICS
from tacit.ground.budget import Meter
from tacit.ground.errors import BudgetError
from tacit.ground.progress import Reporter
from tacit.search.checkpoint import load_checkpoint, save_checkpoint, tensors_under
from tacit.search.evolution_judging import judged
from tacit.search.training import State, Training

#: Validation is looked at so often within a run, the end included.
LOOKS = 8
#: Earlier weights are preferred to the last ones when they are better on validation by more standard errors than this. A warm start
#: begins with weights that are good already, so less speaks for the last ones.
SLACK, WARM_SLACK = 3.0, 1.0


@dataclass
class Stop:
    """A request to end the run after the step at hand; set by the first Ctrl-C."""

    asked: bool = False


@dataclass
class Clock:
    """Seconds that a run may still take; `left` asks the meter, minus what is kept for the work after training."""

    left: Callable[[], float]
    most_steps: int


@dataclass
class Outcome:
    """What a run found: the weights chosen by validation, its score there, and how it went."""

    weights: State
    score: float
    history: list[dict[str, float | None]] = field(default_factory=list)
    interrupted: bool = False


class Runner:
    """One run with its best weights so far."""

    def __init__(
        self,
        training: Training,
        *,
        reporter: Reporter,
        stop: Stop,
        clock: Clock | None = None,
        checkpoint: Path | None = None,
        meter: Meter | None = None,
        label: str = "",
        slack: float = SLACK,
        looks: int = LOOKS,
    ) -> None:
        self.training, self.reporter, self.stop, self.clock = training, reporter, stop, clock
        self.checkpoint, self.meter, self.label = checkpoint, meter, label
        self.slack, self.looks = slack, looks
        self.best: State | None = None
        self.best_score = -math.inf
        self.history: list[dict[str, float | None]] = []
        self._saved = self._replanned = time.monotonic()
        self._steps_then = training.progress.step
        self._save_cost, self._paced = 0.0, False
        self._begun, self._first_step = self._saved, training.progress.step

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return False
        tensors, values = load_checkpoint(self.checkpoint)
        self.training.restore(tensors_under("run.", tensors), values["run"])
        best = tensors_under("best.", tensors)
        self.best = best or None
        self.best_score, self.history = float.fromhex(values["best_score"]), values["history"]
        if self.meter is not None:
            self.meter.charge(max(0.0, values["elapsed"] - self.meter.charged))
        self._steps_then = self._first_step = self.training.progress.step
        return True

    def save(self) -> None:
        """Write a checkpoint."""
        if self.checkpoint is None:
            return
        begun = time.monotonic()
        tensors, values = self.training.state()
        named: dict[str, Tensor] = {f"run.{name}": tensor for name, tensor in tensors.items()}
        named |= {f"best.{name}": tensor for name, tensor in (self.best or {}).items()}
        rest: dict[str, Any] = {
            "run": values,
            "best_score": self.best_score.hex(),
            "history": self.history,
            "elapsed": self.meter.elapsed() if self.meter else 0.0,
        }
        save_checkpoint(self.checkpoint, named, rest)
        self._saved = time.monotonic()
        self._save_cost = self._saved - begun

    def look(self) -> float:
        """Measure the validation score and keep the weights if they are the best so far."""
        training = self.training
        score = validation_score(training)
        watched = len(training.task.validation) > 0
        self.history.append({"step": training.progress.step, "validation": score if watched else None, "loss": training.loss})
        if score >= self.best_score or self.best is None:
            self.best, self.best_score = training.weights(), score
        return score

    def finish(self) -> Outcome:
        """Train to the end of the plan, or until time is up or a stop is asked for."""
        training, progress = self.training, self.training.progress
        looks = {round((look + 1) / self.looks, 6) for look in range(self.looks - 1)}
        passed = {mark for mark in looks if mark <= progress.fraction}
        while not progress.done and not self.stop.asked and (self.clock is None or self.clock.left() > 0 or progress.step == 0):
            training.step()
            if not math.isfinite(training.loss):
                self._recover()
            due = {mark for mark in looks - passed if mark <= progress.fraction}
            if due and not progress.done:
                passed |= due
                self.look()
            self._keep_time()
        if self.stop.asked:
            self.save()  # so that the same command with --resume loses no step
        elif not progress.done:
            progress.end()  # time is up: the plan says so, and whoever repeats it ends here, too
        seen = bool(self.history) and self.history[-1]["step"] == progress.step
        last = (self.history[-1]["validation"] if seen else self.look()) or 0.0
        if not self.stop.asked:
            self.save()  # what follows (lowering, measuring, writing) can fail or be killed, and training must not be lost by it
        return self._outcome(last)

    def _outcome(self, last: float) -> Outcome:
        """Take the last weights unless earlier ones were better on validation by more than `slack` standard errors.

        The last ones come from the end of the schedule, where the rate is low; earlier ones are better by luck more often than not,
        most of all when validation is a few people or machines.
        """
        count = max(1, len(self.training.task.validation))
        error = math.sqrt(max(self.best_score * (1 - self.best_score), 1e-4) / count) if 0 <= self.best_score <= 1 else 0.0
        interrupted = self.stop.asked and not self.training.progress.done
        if len(self.training.task.validation) == 0:
            return Outcome(self.training.weights(), last, self.history, interrupted)
        if self.best is not None and self.best_score > last + (0.0 if interrupted else self.slack * error):
            return Outcome(self.best, self.best_score, self.history, interrupted)
        return Outcome(self.training.weights(), last, self.history, interrupted)

    def _keep_time(self) -> None:
        """Plan anew by the clock, tell the progress, and save, each when it is due."""
        now, progress = time.monotonic(), self.training.progress
        if self.clock is not None and not progress.done:
            self._replan(now, self.clock)
        if now - self._saved > max(1.0, 50 * self._save_cost):
            self.save()
        watched = self.best is not None and len(self.training.task.validation) > 0
        best = f" validation {self.best_score:.4f}" if watched else ""
        self.reporter.progress(
            progress.fraction, self._seconds_left(now), f"{self.label} step {progress.step} loss {self.training.loss:.3f}{best}"
        )

    def _seconds_left(self, now: float) -> float | None:
        """Give the seconds left by the pace of this process so far, at most what the clock allows; None before there is a pace."""
        progress = self.training.progress
        taken = progress.step - self._first_step
        estimate = (now - self._begun) / taken * self.training.effort() * progress.left if taken else None
        if self.clock is None or estimate is None:
            return estimate
        return min(estimate, self.clock.left())

    def _replan(self, now: float, clock: Clock) -> None:
        """Plan anew when the pace of the last seconds says that the plan is off: by 5 %, or by less near the end."""
        progress, since = self.training.progress, now - self._replanned
        left = clock.left()
        wait = min(2.0, max(0.3, left / 4)) if self._paced else 0.1
        if since < wait or progress.step < self._steps_then + 3:
            return
        self._paced = True
        pace = since / (progress.step - self._steps_then)
        possible = max(1, min(int(left / (pace * self.training.effort())), clock.most_steps - progress.step))
        if abs(possible - progress.left) > 0.05 * progress.left + 1:
            progress.replan(possible)
        self._replanned, self._steps_then = now, progress.step

    def _recover(self) -> None:
        """Go back to good weights with a third of the learning rate after the loss has become infinite or undefined."""
        training = self.training
        if training.rate < 0.01:
            raise BudgetError(
                "expected a finite loss, got NaN or infinity at every learning rate tried",
                fix="lower `train.learning_rate`, or look for extreme values in the inputs with `tacit lint`",
            )
        self.reporter.note(f"the loss is {training.loss} at step {training.progress.step}: going on with a third of the learning rate")
        if self.best is not None:
            training.network.load_state_dict(self.best)
        else:
            training.reset()
        training.optimiser.state.clear()
        training.rate /= 3.0


def validation_score(training: Training) -> float:
    """Give the goal's metric on validation, negated where lower is better; minus the loss when validation is empty."""
    validation, goal = training.task.validation, training.task.goal
    if len(validation) == 0:
        return -training.loss
    if goal.score is not None:
        value = judged(goal, training.network, training.task.signature, validation, training.predict())
        return -value if goal.lower_is_better else value
    metric = METRICS.get(goal.metric)
    value = float(metric(training.predict(), validation.targets.cpu().numpy(), training.task.signature.output, label=goal.label))
    if not math.isfinite(value):
        return -math.inf
    return value if metric.higher_is_better else -value
