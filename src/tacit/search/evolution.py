"""Evolution of weights: a score that can be measured is enough, no gradient is needed.

A member of a generation is a function of the seed, the generation and its number (and of the centre, which is one of the generations
before), so a run that was killed goes on to the same end, and it makes no difference who measures which member.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.search.checkpoint import load_checkpoint, save_checkpoint, tensors_under
from tacit.search.evolution_measures import Measure
from tacit.search.evolution_space import Space, noise
from tacit.search.evolution_strategies import STRATEGIES, Strategy
from tacit.search.running import Clock, Stop
from tacit.search.schedule import Plan, Progress

#: What may be kept is looked at so often within a run. More looks would choose by the luck of validation.
LOOKS = 20
#: So many generations in a row in which all members score the same end a run; until then each widens the spread by this factor.
FLAT, WIDER = 20, 1.25
#: Above so many weights the spread of each can't be learnt from the few members of a generation.
SEPARABLE_WEIGHTS = 2_000


@dataclass(frozen=True)
class Settings:
    """How evolution is run; None follows from the number of weights, and from whether they are trained already.

    strategy: a name in `STRATEGIES`. population: members of a generation, an even number. spread: how far members lie from the centre,
    relative to the size of the weights. rate: of the steps. weights: which may move, see `evolution_space.KINDS`. rows: examples that a
    generation is measured on.
    """

    strategy: str | None = None
    population: int | None = None
    spread: float | None = None
    rate: float | None = None
    weights: str | None = None
    rows: int | None = None

    def settled(self, count: int, *, trained: bool) -> Settings:
        """Give them with every None decided. Raises: ConfigError for a population that can't be."""
        strategy = self.strategy or ("separable" if count <= SEPARABLE_WEIGHTS else "ascent")
        population = self.population or 64
        if population < 4 or population % 2:
            raise ConfigError(f"expected an even number of members, at least 4, got {population} - at `evolution.population`")
        spread = self.spread or (0.05 if trained else 0.5)
        rate = self.rate or (1.0 if strategy == "separable" else 0.02 if trained else 0.1)
        return Settings(strategy, population, spread, rate, self.weights, self.rows)


@dataclass(eq=False)
class Evolved:
    """What a search found: weights, float32[weight] of its space, and their worth by what decides what is kept.

    start: the worth of what it began with. kept: ``start`` when nothing was better. history: one entry per look. flat: all members of the
    first generations scored the same, so there was nothing to learn from. failed: members that could not be measured.
    """

    weights: Tensor
    worth: float
    start: float
    kept: str
    generations: int
    evaluations: int
    plan: Plan
    settings: Settings
    history: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False
    flat: bool = False
    failed: int = 0


class Evolution:
    """One run with the best weights so far."""

    def __init__(
        self,
        space: Space,
        measure: Measure,
        settings: Settings,
        progress: Progress,
        *,
        seed: int,
        reporter: Reporter,
        stop: Stop,
        clock: Clock | None = None,
        checkpoint: Path | None = None,
        meter: Meter | None = None,
    ) -> None:
        """Begin a run. settings: `Settings.settled`. clock: plan the generations by it (`most_steps`: at most so many)."""
        self.space, self.measure, self.settings, self.progress, self.seed = space, measure, settings, progress, seed
        self.reporter, self.stop, self.clock, self.checkpoint, self.meter = reporter, stop, clock, checkpoint, meter
        self.strategy: Strategy = STRATEGIES.get(str(settings.strategy))(len(space), spread=settings.spread, rate=settings.rate)
        self.best, self.worth, self.start, self.kept = space.origin, -math.inf, math.nan, "start"
        self.history: list[dict[str, Any]] = []
        self.evaluations = self.failed = self._flat = 0
        self._varied = False
        self._saved = self._begun = time.monotonic()
        self._save_cost = 0.0
        self._first = 0

    def members(self, noises: Tensor) -> Tensor:
        """Give the members of a generation, float32[2 pair, weight], from the noise of its pairs, float32[pair, weight]."""
        moves = torch.stack([self.strategy.centre + self.strategy.spread * sign * noises for sign in (1.0, -1.0)], dim=1)
        return self.space.weights(moves.flatten(0, 1))

    def noises(self, generation: int) -> Tensor:
        """Give the noise of a generation, float32[pair, weight]."""
        pairs = int(self.settings.population or 0) // 2
        return torch.stack([noise(self.seed, generation, pair, len(self.space)) for pair in range(pairs)])

    def run(self, *, resume: bool = False) -> Evolved:
        """Search to the end of the plan, or until time is up or a stop is asked for. Raises: InputError when the score can't be had."""
        if resume and self._resume():
            self.reporter.note(f"going on from generation {self.progress.step}")
        else:
            self._start()
        marks = [round((look + 1) / LOOKS, 6) for look in range(LOOKS - 1)]
        passed = sum(mark <= self.progress.fraction for mark in marks)
        while not self.progress.done and not self.stop.asked and self._time_left() and self._flat < FLAT:
            weights, values = self._generation()
            due = sum(mark <= self.progress.fraction for mark in marks)
            if due > passed and not self.progress.done:
                passed = due
                self._look(weights, values)
            self._keep_time()
        if self.stop.asked:
            self.save()
            return self._evolved()
        if not self.progress.done:
            self.progress.end()
        if self.history[-1]["generation"] != self.progress.step:
            self._look(None, None)
            self._prefer_last()
        self.save()
        return self._evolved()

    def _start(self) -> None:
        """Measure what it begins with: a score that does not work is said before time is spent."""
        self.worth = self.start = float(self.measure.keeps_by(self.space.origin[None])[0])
        self.evaluations += 1
        self._record(self.start)

    def _generation(self) -> tuple[Tensor, np.ndarray]:
        noises = self.noises(self.progress.step)
        weights = self.members(noises)
        values = self.measure.steps_by(weights, self.progress.step)
        self.evaluations += len(values)
        self.failed += int(np.isnan(values).sum())
        known = values[~np.isnan(values)]
        if len(known) == len(values) and (values == values[0]).all():
            self._flat += 1
            self.strategy.spread = self.strategy.spread * WIDER
        else:
            self._flat, self._varied = 0, True
            self.strategy.tell(noises, values, fraction=self.progress.fraction)
        self.progress.advance()
        return weights, values

    def _look(self, weights: Tensor | None, values: np.ndarray | None) -> None:
        """Hold the centre and the best member of the generation against the best so far."""
        options = [self.space.weights(self.strategy.centre)]
        if self.measure.members and weights is not None and values is not None and not np.isnan(values).all():
            options.append(weights[int(np.nanargmax(values))])
        worths = self.measure.keeps_by(torch.stack(options))
        self.evaluations += len(options)
        for name, option, worth in zip(("centre", "member"), options, worths, strict=False):
            # Of equals the later centre is kept, for it stands for many members; a start that nothing beats stays.
            better = worth > self.worth or (worth == self.worth and name == "centre" and self.kept != "start")
            if better or (math.isnan(self.worth) and not math.isnan(worth)):
                self.best, self.worth, self.kept = option, float(worth), name
        self._record(float(worths[0]))

    def _prefer_last(self) -> None:
        """Take the last centre unless the best of the looks is better by more than chance.

        The best of many looks is the best by luck more often than not; the last one stands for the whole search.
        """
        centre = self.space.weights(self.strategy.centre)
        worth = self.history[-1]["centre"]
        if self.kept == "start" or worth is None or worth <= self.start or torch.equal(self.best, centre):
            return
        if self.worth - worth <= self.measure.chance(self.best, centre):
            self.best, self.worth, self.kept = centre, worth, "centre"

    def _record(self, centre: float) -> None:
        self.history.append(
            {"generation": self.progress.step, "evaluations": self.evaluations, "centre": _plain(centre), "best": _plain(self.worth)}
        )

    def _evolved(self) -> Evolved:
        interrupted = self.stop.asked and not self.progress.done
        return Evolved(
            self.best,
            self.worth,
            self.start,
            self.kept,
            self.progress.step,
            self.evaluations,
            self.progress.plan,
            self.settings,
            self.history,
            interrupted,
            flat=not self._varied and self.progress.step > 0,
            failed=self.failed,
        )

    def _time_left(self) -> bool:
        return self.clock is None or self.clock.left() > 0 or self.progress.step == 0

    def _keep_time(self) -> None:
        """Plan anew by the clock, tell the progress, and save, each when it is due."""
        now, progress = time.monotonic(), self.progress
        done = progress.step - self._first
        pace = (now - self._begun) / max(1, done)
        if self.clock is not None and not progress.done:
            possible = max(1, min(int(self.clock.left() / pace), self.clock.most_steps - progress.step))
            if abs(possible - progress.left) > 0.05 * progress.left + 1:
                progress.replan(possible)
        if now - self._saved > max(1.0, 20 * self._save_cost):
            self.save()
        message = f"generation {progress.step} of {progress.step + progress.left}, best {self.worth:.4f}"
        self.reporter.progress(progress.fraction, pace * progress.left, message)

    def save(self) -> None:
        """Write a checkpoint."""
        if self.checkpoint is None:
            return
        begun = time.monotonic()
        tensors = {f"strategy.{name}": tensor for name, tensor in self.strategy.state().items()} | {"best": self.best}
        values = {
            "progress": self.progress.state(),
            "worth": self.worth.hex(),
            "start": self.start.hex(),
            "kept": self.kept,
            "history": self.history,
            "counts": [self.evaluations, self.failed, self._flat, int(self._varied)],
            "elapsed": self.meter.elapsed() if self.meter else 0.0,
        }
        save_checkpoint(self.checkpoint, tensors, values)
        self._saved = time.monotonic()
        self._save_cost = self._saved - begun

    def _resume(self) -> bool:
        if self.checkpoint is None or not self.checkpoint.exists():
            return False
        tensors, values = load_checkpoint(self.checkpoint)
        self.strategy.restore(tensors_under("strategy.", tensors))
        self.best, self.worth, self.start = tensors["best"], float.fromhex(values["worth"]), float.fromhex(values["start"])
        self.kept, self.history, self.progress = values["kept"], values["history"], Progress.restore(values["progress"])
        self.evaluations, self.failed, self._flat, varied = values["counts"]
        self._varied, self._first = bool(varied), self.progress.step
        if self.meter is not None:
            self.meter.charge(max(0.0, values["elapsed"] - self.meter.charged))
        return True


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
