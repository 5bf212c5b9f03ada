"""Drive a search that goes in rounds (episodes, games) to its end: plan by the clock, look, save checkpoints, stop when asked."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from tacit.ground.budget import Meter
from tacit.ground.progress import Reporter
from tacit.search.checkpoint import load_checkpoint, save_checkpoint, tensors_under
from tacit.search.running import Stop
from tacit.search.schedule import Progress

State = dict[str, Tensor]

#: The policy is looked at so often within a run, the end included.
LOOKS = 8


class Rounds(Protocol):
    """What is driven: a search whose state between two rounds can be saved, so that a run that was killed goes on with the same result."""

    @property
    def unit(self) -> str:
        """What is counted in a round, such as ``steps``."""

    @property
    def each(self) -> int:
        """How many of them a round takes."""

    def round(self, number: int, fraction: float) -> None:
        """Play and learn once; `fraction` of the run is over (0 to 1)."""

    def look(self) -> float:
        """Measure the policy as it is now on episodes of its own: the greater, the better. Nothing is learnt from them."""

    def weights(self) -> State:
        """Copy what would be shipped now."""

    def status(self) -> str:
        """Say in a few words how it goes."""

    def state(self) -> tuple[State, dict[str, Any]]:
        """Give everything that `restore` needs: tensors, and JSON values."""

    def restore(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from `state()`."""


@dataclass
class Ended:
    """What a run found: the weights chosen by the looks, the score there, and how it went."""

    weights: State
    score: float
    history: list[dict[str, float]] = field(default_factory=list)
    interrupted: bool = False


class Driver:
    """One run with its best weights so far."""

    def __init__(
        self,
        rounds: Rounds,
        progress: Progress,
        *,
        reporter: Reporter,
        stop: Stop,
        meter: Meter | None = None,
        reserve: float = 0.0,
        checkpoint: Path | None = None,
    ) -> None:
        """Begin. meter: plan by its clock, less `reserve` seconds; without one the plan of `progress` stands."""
        self.rounds, self.progress, self.reporter, self.stop = rounds, progress, reporter, stop
        self.meter, self.reserve, self.checkpoint = meter, reserve, checkpoint
        self.best: State | None = None
        self.best_score = -math.inf
        self.history: list[dict[str, float]] = []
        self._saved = self._begun = time.monotonic()
        self._first, self._save_cost, self._spent_looking = progress.step, 0.0, 0.0

    def resume(self) -> bool:
        """Go on from the checkpoint if there is one. Raises: FormatError."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return False
        tensors, values = load_checkpoint(self.checkpoint)
        self.rounds.restore(tensors_under("run.", tensors), values["run"])
        self.progress = Progress.restore(json.loads(json.dumps(values["progress"])))
        self.best, self.best_score = tensors_under("best.", tensors) or None, float.fromhex(values["best_score"])
        self.history = values["history"]
        if self.meter is not None:
            self.meter.charge(max(0.0, values["elapsed"] - self.meter.charged))
        self._first = self.progress.step
        return True

    def finish(self) -> Ended:
        """Go through the rounds to the end of the plan, or until time is up or a stop is asked for."""
        progress = self.progress
        marks = [(look + 1) / LOOKS for look in range(LOOKS - 1)]
        passed = sum(mark <= progress.fraction for mark in marks)
        while not progress.done and not self.stop.asked and (self._left() > 0 or progress.step == 0):
            self.rounds.round(progress.step, progress.fraction)
            progress.advance()
            due = sum(mark <= progress.fraction for mark in marks)
            if due > passed and not progress.done:
                passed = due
                self._look()
            self._keep_time()
        interrupted = self.stop.asked and not progress.done
        if interrupted:
            self.save()  # before the look below, which a run that goes on does not take
        elif not progress.done:
            progress.end()
        if not (self.history and self.history[-1]["round"] == progress.step):
            self._look()
        if not interrupted:
            self.save()
        return Ended(self.best or self.rounds.weights(), self.best_score, self.history, interrupted)

    def save(self) -> None:
        """Write a checkpoint."""
        if self.checkpoint is None:
            return
        begun = time.monotonic()
        tensors, values = self.rounds.state()
        named = {f"run.{name}": tensor for name, tensor in tensors.items()}
        named |= {f"best.{name}": tensor for name, tensor in (self.best or {}).items()}
        rest = {
            "run": values,
            "progress": self.progress.state(),
            "best_score": self.best_score.hex(),
            "history": self.history,
            "elapsed": self.meter.elapsed() if self.meter else 0.0,
        }
        save_checkpoint(self.checkpoint, named, rest)
        self._saved = time.monotonic()
        self._save_cost = self._saved - begun

    def _look(self) -> None:
        begun = time.monotonic()
        score = self.rounds.look()
        self._spent_looking += time.monotonic() - begun
        self.history.append({"round": self.progress.step, "validation": score})
        # Of equals the later one: it has seen more.
        if score >= self.best_score or self.best is None:
            self.best, self.best_score = self.rounds.weights(), score

    def _left(self) -> float:
        return math.inf if self.meter is None else self.meter.left() - self.reserve

    def _keep_time(self) -> None:
        """Plan anew by the clock, tell the progress, and save, each when it is due."""
        now, progress = time.monotonic(), self.progress
        taken = progress.step - self._first
        pace = (now - self._begun) / max(1, taken)  # looks included, for there are more to come
        if self.meter is not None and not progress.done:
            possible = max(1, int(self._left() / pace))
            if abs(possible - progress.left) > 0.05 * progress.left + 1:
                progress.replan(possible)
        if now - self._saved > max(2.0, 50 * self._save_cost):
            self.save()
        best = f", best {self.best_score:.4g}" if self.best is not None else ""
        done = f"{progress.step * self.rounds.each} {self.rounds.unit}"
        self.reporter.progress(progress.fraction, min(pace * progress.left, self._left()), f"{done} {self.rounds.status()}{best}")


def optimiser_state(optimiser: torch.optim.Optimizer) -> State:
    """Give the tensors of an Adam-like optimiser by ``index.name``."""
    return {
        f"{index}.{name}": torch.as_tensor(value).detach().clone()
        for index, slot in optimiser.state_dict()["state"].items()
        for name, value in slot.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Take over what `optimiser_state` gave."""
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, slot = name.partition(".")
        slots.setdefault(int(index), {})[slot] = tensor.clone()
    optimiser.load_state_dict({"state": slots, "param_groups": optimiser.state_dict()["param_groups"]})
