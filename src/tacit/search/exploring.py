"""Search a space of networks: candidates are suggested in batches, trained for a little, and the better ones for longer.

One batch is `Choosing.batch` candidates, whatever the number of workers. All of it is trained for one unit (rung 0) and reported in the
order of suggestion; those that the pruner lets live are trained again from the start for `factor` units, and so on: a rung compares
finished runs, with a whole schedule each. A candidate over a limit of the budget is known before it is trained, and is no trial. A search
that is continued asks the same questions again and finds the answers on record.

Where widths are open and there is a limit, each candidate is made as wide as the limit allows (`Choosing.fit`): then candidates differ
in how they spend the limit, and the sampler has a dimension less to learn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tacit.ground.errors import BudgetError
from tacit.ground.progress import Reporter
from tacit.search.choosing import Choosing
from tacit.search.halving import LEAST_STEPS
from tacit.search.limits import Limits
from tacit.search.running import Stop
from tacit.search.samplers import study_for
from tacit.search.schedule import steps_of
from tacit.search.trials import Order, Ran, Records, Trial, run_all
from tacit.search.workers import Workers
from tacit.skeletons.choices import Open, opened

#: A batch gives up after so many suggestions that are over a limit, or tried already, for each candidate that it wants.
PATIENCE = 40
#: So much of the budget for choosing may be spent beyond the plan before no more is suggested.
BEYOND = 1.25


@dataclass(frozen=True)
class Space:
    """What is searched. settings: fixed ones, and open ones. starts: settings known to be good, tried first. scale: the setting by
    which a candidate is made as wide as the limits allow, or None when it is suggested like the others."""

    settings: Mapping[str, Any]
    starts: tuple[Mapping[str, Any], ...] = ()
    scale: str | None = None

    @property
    def fixed(self) -> dict[str, Any]:
        """Give the settings that are decided."""
        return {name: value for name, value in self.settings.items() if name not in opened(self.settings)}

    @property
    def suggested(self) -> dict[str, Open]:
        """Give the settings that a sampler decides."""
        return {name: value for name, value in opened(self.settings).items() if name != self.scale}


@dataclass(frozen=True)
class Candidate:
    """One suggestion. number: over the whole search. asked: its number in the study."""

    number: int
    asked: int
    settings: dict[str, Any]
    costs: Mapping[str, float]


@dataclass(eq=False)
class Exploration:
    """One search. seconds: for choosing, by the clock (`elapsed` tells what is spent), or None; then `steps`, in all trials together.

    seed: decides what is suggested. work: runs a trial. ended: is told every trial that ran.
    """

    space: Space
    choosing: Choosing
    limits: Limits
    work: Callable[[Order], Ran]
    workers: Workers
    records: Records
    reporter: Reporter
    stop: Stop
    seed: int
    seconds: float | None
    steps: int
    elapsed: Callable[[], float]
    ended: Callable[[Ran], None] = lambda _: None
    _spent: float = field(default=0.0, init=False)
    _tried: dict[int, dict[int, float]] = field(default_factory=dict, init=False)
    _candidates: dict[int, Candidate] = field(default_factory=dict, init=False)

    @property
    def rungs(self) -> int:
        """Give how often a candidate is trained at most."""
        return 1 if self.choosing.pruner == "none" else self.choosing.rungs

    def run(self) -> dict[str, Any]:
        """Give the settings of the winner: the best of those trained longest. Raises: BudgetError when nothing is within the limits."""
        choosing = self.choosing
        for trial in self.records.trials:
            self.limits.learn(trial.settings, trial.costs)
        study = study_for(choosing.sampler)(
            self.space.suggested,
            sampler=choosing.sampler,
            pruner=choosing.pruner,
            seed=self.seed,
            objectives=1 + len(choosing.costs),
            startup=min(choosing.batch, choosing.trials),
            rungs=self.rungs,
            factor=choosing.factor,
        )
        for start in self.space.starts if choosing.sampler != "random" else ():
            study.begin_with(start)
        while len(self._candidates) < choosing.trials and not self._over():
            batch = self._suggest(study, min(choosing.batch, choosing.trials - len(self._candidates)))
            if not batch:
                break
            self._climb(study, batch)
            if self.stop.asked:
                break
        return dict(self._candidates[self._winner()].settings)

    def _over(self) -> bool:
        """Tell whether the budget for choosing is spent; the first batch is run in any case."""
        if not self._candidates:
            return False
        return self.elapsed() > self.seconds if self.seconds is not None else self._spent > BEYOND * self.steps

    def _suggest(self, study: Any, count: int) -> list[Candidate]:
        """Ask for a batch: different settings, all within the limits. Raises: BudgetError when the first batch would be empty."""
        batch: list[Candidate] = []
        far: list[dict[str, Any]] = []
        for attempt in range(count * PATIENCE):
            if len(batch) == count or self.stop.asked:
                break
            if attempt >= count * PATIENCE // 2:  # the sampler insists on what is over a limit or known: draw evenly instead
                study.begin_with(self._spare.ask()[1])
            asked, suggested = study.ask()
            option = {**self.space.fixed, **suggested}
            settings = self._fitted(option)
            if settings is None or settings in [candidate.settings for candidate in (*self._candidates.values(), *batch)]:
                study.tell(asked, None, pruned=settings is None)
                far = [*far, option][:8] if settings is None else far
                continue
            number = len(self._candidates) + len(batch)
            batch.append(Candidate(number, asked, settings, self.limits.costs(settings)))
            self.reporter.progress(0.0 if not self._candidates else self._done(), None, f"suggesting: {len(batch)} of {count}")
        if not batch and not self._candidates and far:
            raise self._impossible(far)
        self._candidates |= {candidate.number: candidate for candidate in batch}
        return batch

    def draw(self, count: int) -> list[dict[str, Any]]:
        """Give those of `count` suggestions, drawn evenly behind the starts, that are within the limits; as they would be trained.

        Raises: BudgetError with the nearest one when none is.
        """
        study = self._spare
        for start in self.space.starts:
            study.begin_with(start)
        drawn = [{**self.space.fixed, **study.ask()[1]} for _ in range(count)]
        within = [settings for option in drawn if (settings := self._fitted(option)) is not None]
        if not within:
            raise self._impossible(drawn[:8])
        return within

    @cached_property
    def _spare(self) -> Any:
        """Give a study that draws evenly."""
        return study_for("random")(
            self.space.suggested, sampler="random", pruner="none", seed=self.seed + 1, objectives=1, startup=1, rungs=1, factor=2
        )

    def _fitted(self, option: dict[str, Any]) -> dict[str, Any] | None:
        """Give the settings to train for a suggestion, or None when it is over a limit."""
        scale = self.space.scale
        if scale is not None:
            return self.limits.widest(option, scale, opened(self.space.settings)[scale])
        return option if not self.limits.most or self.limits.within(option) else None

    def _impossible(self, far: Sequence[dict[str, Any]]) -> BudgetError:
        """Make the error for a limit that nothing suggested keeps: the nearest of a few, at the least width."""
        scale = self.space.scale
        if scale is not None:
            least = min(opened(self.space.settings)[scale].values or (1,))
            far = [{**option, scale: least} for option in far]
        return self.limits.impossible(far)

    def _climb(self, study: Any, batch: Sequence[Candidate]) -> None:
        """Train a batch rung by rung, and tell the study how each candidate ended."""
        alive = list(batch)
        for rung in range(self.rungs):
            results = run_all(
                self.work,
                [self._order(candidate, rung, place, len(alive)) for place, candidate in enumerate(alive)],
                workers=self.workers,
                records=self.records,
                stop=self.stop,
                ended=self.ended,
            )
            if self.stop.asked:
                return
            trials = {ran.trial.number: ran.trial for ran in results}
            self._spent += sum(steps_of(trial.plan) for trial in trials.values())
            scored = [candidate for candidate in alive if trials[candidate.number].validation is not None]
            for candidate in alive:
                if candidate not in scored:
                    study.tell(candidate.asked, None)
            for candidate in scored:
                value = float(trials[candidate.number].validation or 0.0)
                self._tried.setdefault(candidate.number, {})[rung] = value
                study.report(candidate.asked, self.choosing.factor**rung, value)
            last = rung == self.rungs - 1
            alive = [] if last else [candidate for candidate in scored if self._lives(study, candidate, rung)]
            for candidate in scored:
                if candidate not in alive:
                    study.tell(candidate.asked, self._values(candidate), pruned=not last)

    def _lives(self, study: Any, candidate: Candidate, rung: int) -> bool:
        """Tell whether a candidate is trained for longer. ``halving``: it is among the best of all that have been at this rung."""
        if self.choosing.pruner != "halving":
            return not study.ends(candidate.asked)
        order = sorted((-values[rung], number) for number, values in self._tried.items() if rung in values)
        places = [number for _, number in order]
        return places.index(candidate.number) < math.ceil(len(places) / self.choosing.factor)

    def _values(self, candidate: Candidate) -> list[float]:
        scores = self._tried[candidate.number]
        return [scores[max(scores)], *(float(candidate.costs[name]) for name in self.choosing.costs)]

    def _order(self, candidate: Candidate, rung: int, place: int, count: int) -> Order:
        times = self.choosing.factor**rung
        unit = self.steps / (self.choosing.trials * self.rungs)
        share = times / (self.choosing.trials * self.rungs)
        together = min(self.workers.count, count)
        return Order(
            number=candidate.number,
            rung=rung,
            settings=candidate.settings,
            steps=None if self.seconds is not None else max(LEAST_STEPS, round(unit)) * times,
            seconds=None if self.seconds is None else self.seconds * share * together,
            label=f"trial {candidate.number + 1} of {self.choosing.trials}, rung {rung + 1} of {self.rungs}:",
            before=min(1.0 - share, self._done() + place * share),
            share=share,
            costs=dict(candidate.costs),
        )

    def _done(self) -> float:
        """Give about how much of the search is done: its candidates so far, or the time that they took."""
        if self.seconds is not None:
            return min(1.0, self.elapsed() / self.seconds)
        return min(1.0, self._spent / max(1, self.steps))

    def _winner(self) -> int:
        """Give the number of the best candidate of those at the highest rung that any has reached; the first one when all failed."""
        if not self._tried:
            return 0
        top = max(max(scores) for scores in self._tried.values())
        there = {number: scores[top] for number, scores in self._tried.items() if top in scores}
        return min(there, key=lambda number: (-there[number], number))


def front(trials: Sequence[Trial], costs: Sequence[str]) -> list[Trial]:
    """Give the trials, each candidate's longest, that no other one beats in score and all costs, the best score first."""
    longest: dict[int, Trial] = {}
    for trial in sorted(trials, key=lambda one: one.rung):
        if trial.validation is not None and all(name in trial.costs for name in costs):
            longest[trial.number] = trial
    points = {number: (-(trial.validation or 0.0), *(trial.costs[name] for name in costs)) for number, trial in longest.items()}
    kept = [
        trial
        for number, trial in longest.items()
        if not any(all(a <= b for a, b in zip(other, points[number], strict=True)) and other != points[number] for other in points.values())
    ]
    return sorted(kept, key=lambda trial: (-(trial.validation or 0.0), trial.number))
