"""What a budget will buy, before it is spent: what is searched, how many candidates keep the limits, how long each is trained.

Nothing is trained but a few steps that tell the pace, and nothing is written. The limits are exact: a candidate is lowered and counted.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacit.compiler import DEFAULT_MINUTES
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.instruments.layout import Grid, Part
from tacit.program import Program
from tacit.search.choosing import Choosing, choosing_for
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for
from tacit.search.exploring import Exploration, Space
from tacit.search.halving import LEAST_STEPS, SHARE, rung_counts, sample
from tacit.search.learnable import check_examples
from tacit.search.limits import limits_of, shown
from tacit.search.recipe import recipe_for
from tacit.search.running import Stop
from tacit.search.schedule import Plan
from tacit.search.search import Search
from tacit.search.sizing import pace
from tacit.search.training import Task
from tacit.search.trials import Records
from tacit.search.workers import Here
from tacit.shipping import costs, examine
from tacit.skeletons.choices import candidates, combinations, first_of, opened, plain
from tacit.skeletons.table import check_settings, skeleton_for

#: So many suggestions are held against the limits to tell which part of the space keeps them.
DRAWN = 24
#: The pace is measured on at most so many candidates.
PACED = 3


@dataclass(frozen=True)
class Rung:
    """Candidates that are trained equally long: how many at most, and for each the steps, passes over the examples, and seconds."""

    candidates: int
    steps: int
    epochs: float
    seconds: float


@dataclass(frozen=True)
class Forecast:
    """What `preview` found.

    space: the open settings, as they stand in `tacit.toml`; automatic: they are the skeleton's own, for nothing was opened. combinations:
    of their values, None without end. limits: of one call of the binary. drawn, fitting: suggestions that were held against the limits,
    and those that kept them. widened: the setting by which a candidate is made as large as the limits allow. candidates: that will be
    trained. rungs: how. winner: what the best is trained with. measuring: seconds kept for lowering, measuring and writing. seconds: all
    in all, from when the command begins; ends: when that would be, were it started now. paced: the settings on which the pace was measured.
    """

    name: str
    skeleton: str
    space: dict[str, Any]
    automatic: bool
    combinations: float | None
    limits: dict[str, float]
    drawn: int
    fitting: int
    widened: str | None
    candidates: int
    rungs: tuple[Rung, ...]
    winner: Rung
    measuring: float
    seconds: float
    ends: str
    paced: tuple[dict[str, Any], ...]
    choosing: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return dataclasses.asdict(self)

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        rows = tuple((name, _shown(value)) for name, value in self.space.items())
        title = "searched: the skeleton's own space" if self.automatic else "searched"
        shown_: list[Part] = [f"{self.name}: the skeleton `{self.skeleton}`", *self._sentences()]
        shown_ += [Grid(title, ("setting", "values"), rows)] if rows else []
        parts = [(f"choosing, rung {place + 1}", rung) for place, rung in enumerate(self.rungs)] + [("training the winner", self.winner)]
        times = tuple(
            (title, str(rung.candidates), f"{rung.steps:,}", f"{rung.epochs:.2f}", _time(rung.candidates * rung.seconds))
            for title, rung in parts
        )
        measuring = ("lowering, measuring, writing", "", "", "", _time(self.measuring))
        shown_.append(Grid("how the budget is divided", ("", "networks", "steps each", "passes each", "time"), (*times, measuring)))
        return [*shown_, "", f"about {_time(self.seconds)} in all: started now, it ends at {self.ends}", "nothing was written"]

    def _sentences(self) -> list[str]:
        lines = []
        if self.limits:
            lines.append(f"limits of one call: {', '.join(shown(name, limit) for name, limit in self.limits.items())}")
        if self.space:
            count = "without end" if self.combinations is None else f"{self.combinations:,.0f}"
            lines.append(f"combinations: {count}; {self.candidates} candidates are trained")
        else:
            lines.append("nothing is open: one network is trained")
        if self.limits and self.drawn:
            wide = f", made as wide as that allows (`{self.widened}`)" if self.widened else ""
            lines.append(f"within the limits: {self.fitting} of {self.drawn} that were drawn{wide}")
        return lines


def preview(
    program: Program, *, seed: int = 0, device: str = "auto", plan: Plan | None = None, workers: int = 1, reporter: Reporter | None = None
) -> Forecast:
    """Say what `compile` will do with a program's budget: the space, the candidates, their steps, the minutes, the end.

    workers: how many trials run at once. Raises: what `compile` raises before it trains; BudgetError when nothing keeps the limits.
    """
    reporter = reporter or Reporter()
    if program.acts:
        raise ConfigError("expected a program that learns from examples, got one that acts", fix="tacit compile, without --preview")
    check_examples(program)
    budget = program.budget
    skeleton = skeleton_for(program.signature, program.skeleton)
    check_settings(skeleton, program.settings)
    goal = program.aims[0]
    train, validation = program.examples.split("train"), program.examples.split("validation")
    place = device_for(device)
    plan = [(0, budget.steps)] if plan is None and budget.steps is not None else plan
    minutes = DEFAULT_MINUTES if budget.minutes is None else budget.minutes
    evaluated = len(validation) + int((program.examples.splits == "test").sum())
    reporter.phase("preparing")
    search = Search(
        task=Task(program.signature, columns(train, place), columns(validation, place), goal),
        skeleton=skeleton,
        recipe=recipe_for(program.signature, program.recipe, examples=len(train)),
        seed=seed_of(seed, "run") % 2**31,
        inputs=train.inputs,
        budget=budget,
        meter=Meter(None if plan is not None else minutes * 60.0),
        plan=plan,
        reporter=reporter,
        stop=Stop(),
        folder=None,
        choosing=choosing_for(program.search, goal),
        cost=lambda network: costs(network, program),
        examine=lambda network: examine(network, program, train, evaluated),
    )
    return _forecast(program, search, plan, minutes * 60.0, workers, reporter)


def _forecast(program: Program, search: Search, plan: Plan | None, seconds: float, workers: int, reporter: Reporter) -> Forecast:
    settings, space = program.settings, search.space(program.settings)
    choosing = None if space is None else search.choosing or Choosing()
    reporter.phase("looking at candidates")
    drawn, options = _grid(search, settings) if space is None else _drawn(search, space, choosing or Choosing(), reporter)
    own = opened(space.settings if space is not None else settings)
    count = len(options) if choosing is None else min(choosing.trials, combinations_of(space))
    reporter.phase("measuring the pace")
    paced = options[:PACED]
    per_step = sum(pace(search.throwaway(option)) for option in paced) / len(paced)
    reserve = search.examine(search.network(options[0])).reserve
    share = 0.0 if count == 1 else SHARE if choosing is None else choosing.share
    counts = [] if count == 1 else rung_counts(count) if choosing is None else _climbed(count, choosing)
    total, times = (plan[0][1] if plan is not None else 0), [candidates for candidates, _ in counts]
    if plan is not None:
        units = [max(LEAST_STEPS, round(total * share * part)) for _, part in counts]
        final = total
    else:
        left = max(0.0, seconds - reserve)
        units = [max(1, int(left * share * part / per_step)) for _, part in counts]
        final = max(1, min(int(left * (1 - share) / per_step), search.most_steps))
    per_epoch = max(1, len(search.task.train) // search.recipe.batch)
    rungs = tuple(Rung(times[at], steps, steps / per_epoch, steps * per_step / min(workers, times[at])) for at, steps in enumerate(units))
    winner = Rung(1, final, final / per_epoch, final * per_step)
    whole = sum(rung.candidates * rung.seconds for rung in rungs) + winner.seconds + reserve
    ends = (datetime.datetime.now().astimezone() + datetime.timedelta(seconds=whole)).isoformat(timespec="seconds")
    every = combinations(own)
    return Forecast(
        name=program.name,
        skeleton=search.skeleton.name,
        space={name: plain(value) for name, value in own.items()},
        automatic=bool(own) and not opened(settings),
        combinations=None if math.isinf(every) else every,
        limits=limits_of(program.budget),
        drawn=drawn,
        fitting=len(options),
        widened=None if space is None else space.scale,
        candidates=count,
        rungs=rungs,
        winner=winner,
        measuring=reserve,
        seconds=whole,
        ends=ends,
        paced=tuple(paced),
        choosing=None if choosing is None else dataclasses.asdict(choosing),
    )


def _grid(search: Search, settings: Mapping[str, Any]) -> tuple[int, list[dict[str, Any]]]:
    """Give the candidates that are tried one by one within the limits, and how many there were. Raises: BudgetError."""
    base = search.size(first_of(settings))[0] if search.opens_size(settings) else {}
    options = sample(candidates({**base, **settings}), search.seed)
    return len(options), search.limits.keep(options)


def _drawn(search: Search, space: Space, choosing: Choosing, reporter: Reporter) -> tuple[int, list[dict[str, Any]]]:
    """Give suggestions within the limits, and how many were drawn. Raises: BudgetError when none is."""
    exploration = Exploration(
        space, choosing, search.limits, search.trials, Here(), Records(None), reporter, Stop(), search.seed, None, 1, lambda: 0.0
    )
    # The quick count refuses most of what is over a limit; making a candidate as wide as the limit takes a lowering each.
    drawn = DRAWN if space.scale is None else min(DRAWN, max(choosing.batch, choosing.trials))
    return drawn, exploration.draw(drawn)


def combinations_of(space: Space | None) -> int:
    """Count the different candidates of a space, a great number where there is no end."""
    every = combinations(space.suggested) if space is not None else 1.0
    return 10**9 if math.isinf(every) else int(every)


def _climbed(count: int, choosing: Choosing) -> Sequence[tuple[int, float]]:
    """Give, rung by rung, how many candidates there are when the pruner keeps one in `factor`, and each one's share of choosing."""
    rungs = 1 if choosing.pruner == "none" else choosing.rungs
    return [(max(1, math.ceil(count / choosing.factor**rung)), choosing.factor**rung / (choosing.trials * rungs)) for rung in range(rungs)]


def _shown(value: Any) -> str:
    if "choice" in value:
        return ", ".join(str(item) for item in value["choice"])
    step = f" in steps of {value['step']}" if "step" in value else ", by factors" if value.get("log") else ""
    low, high = value["between"]
    return f"{low} to {high}{step}"


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
