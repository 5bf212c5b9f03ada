"""Evolution within a compile: whether a program asks for it, and the run that goes on from what gradient descent found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from tacit.goals.goal import Goal
from tacit.goals.own import reads_arrays
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.progress import Reporter
from tacit.ground.tables import did_you_mean
from tacit.program import Program
from tacit.search.columns import Columns, seed_of
from tacit.search.evolution import Evolution, Evolved, Settings
from tacit.search.evolution_measures import Measure, OfBinaries, OfReturns, OfScores
from tacit.search.evolution_space import KINDS, Space, space_of
from tacit.search.evolution_strategies import STRATEGIES
from tacit.search.running import Clock, Stop
from tacit.search.schedule import Plan, Progress, print_plan
from tacit.search.search import Found, Search
from tacit.search.workers import Workers

EVOLUTION = "evolution"
CHECKPOINT = "evolution.safetensors"
#: The part of a budget by the clock that gradient descent has before evolution goes on.
GRADIENT_SHARE = 0.3
DEFAULT_MINUTES = 5.0
#: Generations where the budget is in steps and names none, and at most so many by the clock.
GENERATIONS, MOST = 100, 100_000


def evolves(program: Program) -> bool:
    """Tell whether the weights of a program are searched by evolution: its first goal is a score of its own, or it asks for it."""
    first = program.goals[0] if program.goals else None
    return (first is not None and first.score is not None) or program.evolution is not None


def evolution_settings(given: Mapping[str, Any]) -> Settings:
    """Give the settings of evolution. Raises: ConfigError naming every one that is not known or can't be."""
    known = {field.name: str(field.type) for field in dataclasses.fields(Settings)}
    problems = [f"`evolution.{name}` is not known: {did_you_mean(name, list(known))}" for name in given if name not in known]
    values = {name: value for name, value in given.items() if name in known}
    for name, value in values.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = number and value == int(value)
        good = isinstance(value, str) if "str" in known[name] else number and value > 0 and ("float" in known[name] or whole)
        if not good:
            wanted = "a text" if "str" in known[name] else "a number above 0" if "float" in known[name] else "a whole number above 0"
            problems.append(f"`evolution.{name}`: expected {wanted}, got {value!r}")
        elif "int" in known[name]:
            values[name] = int(value)
    strategy = values.get("strategy")
    if isinstance(strategy, str) and strategy not in STRATEGIES.rows():
        problems.append(f"`evolution.strategy`: expected a known strategy, got `{strategy}`; {did_you_mean(strategy, list(STRATEGIES))}")
    which = values.get("weights")
    if isinstance(which, str) and which not in KINDS:
        problems.append(f"`evolution.weights`: expected {', '.join(KINDS)}, got `{which}`; {did_you_mean(which, list(KINDS))}")
    raise_all(problems, heading="expected settings of evolution that are understood", error=ConfigError)
    return Settings(**values)


@dataclass(frozen=True, eq=False)
class Spending:
    """What a compile may spend. plan, generations: steps of gradient descent and generations to take; None: by the meters' clocks.

    meter: of the whole. learning: of gradient descent, a part of it where evolution goes on from there.
    """

    plan: Plan | None
    generations: Plan | None
    meter: Meter
    learning: Meter

    def seconds(self) -> float | None:
        """Give the seconds spent, None where no clock decides."""
        return None if self.meter.seconds is None else self.meter.elapsed()


def spending_of(
    program: Program, *, plan: Plan | None, generations: Plan | None, most_steps: int | None, started: float | None
) -> Spending:
    """Settle what a compile may spend: what is given, else the program's budget, else five minutes.

    most_steps: at most so many are taken, where a run goes on from an earlier one. Raises: ConfigError for settings of evolution that are
    not understood.
    """
    budget, evolving = program.budget, evolves(program)
    evolution_settings(program.evolution or {})
    if plan is None and budget.steps is not None:
        plan = [(0, budget.steps if most_steps is None else min(budget.steps, most_steps))]
    if generations is None and (budget.generations is not None or plan is not None):
        generations = [(0, budget.generations or GENERATIONS)]
    seconds = 60.0 * (DEFAULT_MINUTES if budget.minutes is None else budget.minutes)
    clock = plan is None or (evolving and generations is None)
    meter = Meter(seconds if clock else None, start=started)
    learning = Meter(None if plan is not None else seconds * (GRADIENT_SHARE if evolving else 1.0), start=meter.start)
    return Spending(plan, generations, meter, learning)


def go_on(
    found: Found, program: Program, search: Search, *, seed: int, spending: Spending, resume: bool
) -> tuple[Found, dict[str, dict[str, Any]]]:
    """Go on by evolution from what gradient descent found, where the program asks for it and nobody has asked to stop.

    Give what was found with the better weights in its network, and what stands in the evidence.
    """
    if not evolves(program) or search.stop.asked:
        return found, {}
    spending.meter.charge(max(0.0, spending.learning.charged - spending.meter.charged))
    task, goal = search.task, search.task.goal
    evolved, protection = evolve(
        found.network,
        program,
        goal,
        train=task.train,
        validation=task.validation,
        trained=True,
        seed=seed,
        plan=spending.generations,
        reserve=search.reserved,
        meter=spending.meter,
        workers=search.workers,
        folder=search.folder,
        reporter=search.reporter,
        stop=search.stop,
        resume=resume,
    )
    outcome = replace(found.outcome, interrupted=evolved.interrupted)
    return replace(found, evolved=evolved, outcome=outcome), {"evolution": evolution_evidence(evolved, protection, goal)}


def measure_for(
    program: Program,
    goal: Goal,
    network: nn.Module,
    space: Space,
    *,
    train: Columns,
    validation: Columns,
    seed: int,
    rows: int | None,
    workers: Workers,
) -> Measure:
    """Give what a generation is measured by: an environment's returns, scores of examples in one pass, or calls of a binary."""
    if program.environment is not None and goal.score is None:
        return OfReturns(program.environment, network, space, seed=seed)
    if goal.score is None or reads_arrays(goal):
        return OfScores(goal, network, space, program.signature, train, validation, seed=seed, rows=rows)
    return OfBinaries(goal, network, space, program.signature, program.examples, seed=seed, workers=workers, rows=rows)


def evolve(
    network: nn.Module,
    program: Program,
    goal: Goal,
    *,
    train: Columns,
    validation: Columns,
    trained: bool,
    seed: int,
    plan: Plan | None,
    reserve: float,
    meter: Meter,
    workers: Workers,
    folder: Path | None,
    reporter: Reporter,
    stop: Stop,
    resume: bool,
) -> tuple[Evolved, str]:
    """Search the weights of a network for a goal, leave the best ones in it, and give how it went and what protects the result.

    trained: they are trained already, so steps are small. plan: generations to take, or None to plan by the meter's clock, less `reserve`
    seconds for the work afterwards. Raises: InputError when the score can't be had; ConfigError.
    """
    given = evolution_settings(program.evolution or {})
    network.eval()
    space = space_of(network, given.weights)
    settings = given.settled(len(space), trained=trained)
    drawn = seed_of(seed, EVOLUTION) % 2**31
    measure = measure_for(
        program, goal, network, space, train=train, validation=validation, seed=drawn, rows=settings.rows, workers=workers
    )
    reporter.phase("evolving")
    reporter.note(
        f"evolution: {len(space):,} weights by `{settings.strategy}`, {settings.population} members per generation, for `{goal.metric}`"
    )
    evolution = Evolution(
        space,
        measure,
        settings,
        Progress(plan or [(0, 1000)]),
        seed=drawn,
        reporter=reporter,
        stop=stop,
        clock=None if plan is not None else Clock(lambda: meter.left() - reserve, MOST),
        checkpoint=None if folder is None else folder / CHECKPOINT,
        meter=meter,
    )
    evolved = evolution.run(resume=resume)
    for line in remarks(evolved, goal):
        reporter.note(line)
    space.load(network, evolved.weights)
    return evolved, measure.protection


def remarks(evolved: Evolved, goal: Goal) -> list[str]:
    """Say what a person should know of a run: a score that never changed, members that failed, nothing better found."""
    said = []
    if evolved.flat:
        said.append(
            f"`{goal.metric}` was the same for all members of {evolved.generations} generations: there was nothing to follow. "
            "A score that changes with small changes of a binary can be searched (a rate, a distance, a sum)"
        )
    if evolved.failed:
        said.append(f"{evolved.failed} of {evolved.evaluations} candidates could not be measured and lost")
    if evolved.kept == "start" and not evolved.flat and evolved.generations:
        said.append("nothing better than the start was found: its weights are kept")
    return said


def evolution_evidence(evolved: Evolved, protection: str, goal: Goal) -> dict[str, Any]:
    """Say how evolution went, as JSON values."""
    sign = -1.0 if goal.lower_is_better else 1.0
    return {
        "goal": goal.metric,
        "strategy": evolved.settings.strategy,
        "population": evolved.settings.population,
        "spread": evolved.settings.spread,
        "rate": evolved.settings.rate,
        "weights": len(evolved.weights),
        "generations": evolved.generations,
        "evaluations": evolved.evaluations,
        "plan": print_plan(evolved.plan),
        "deciding": {"start": sign * evolved.start, "best": sign * evolved.worth},
        "kept": evolved.kept,
        "protection": protection,
        "flat": evolved.flat,
        "failed": evolved.failed,
        "history": evolved.history,
    }
