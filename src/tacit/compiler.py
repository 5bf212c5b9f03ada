"""Compile: from examples and a goal to a binary whose scores were measured on what is shipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import numpy as np

from tacit.acting.compiling import compile_acting
from tacit.binary.binary import Binary
from tacit.evidence import run_of, suspicious_labels
from tacit.goals.evidence import check_goals_fit
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.program import Program
from tacit.search.choosing import choosing_for
from tacit.search.columns import columns, seed_of
from tacit.search.devices import device_for
from tacit.search.evolution_running import evolves, go_on, spending_of
from tacit.search.folders import configuration_of, run_folder
from tacit.search.interrupts import first_interrupt_asks
from tacit.search.keeping import keep_trained
from tacit.search.learnable import check_examples
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.schedule import Plan
from tacit.search.search import Examined, Search
from tacit.search.training import Task
from tacit.search.warm import start_of, suggestion, warm_recipe
from tacit.search.workers import workers_on
from tacit.shipping import costs, examine, ship
from tacit.skeletons.table import check_settings, skeleton_for

DEFAULT_MINUTES = 5.0
FEW_GROUPS = 50


def compile(
    program: Program,
    *,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    warm: str | PathLike[str] | None = None,
    plan: Plan | None = None,
    generations: Plan | None = None,
    on: str | None = None,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Binary:
    """Find a binary for a program within its budget.

    seed: decides weights, order and augmentation. device: auto, cpu, cuda ... resume: go on with an unfinished run of the same
    program, budget and seed. warm: go on from the weights of an earlier run of the program directory, with a fraction of the steps:
    ``auto`` (the newest one), the binary that it made, or the digest of that. plan: steps to take, as a run by the clock records them
    (else `budget.steps`, else the clock). generations: the same for evolution, which goes on from the trained weights where the first goal
    is a score of one's own (else `budget.generations`, else the clock, or 100 beside a budget in steps). on: where trials run: this
    process, or ``ray``, ``ray:4``, ``ray://HOST:6379``. run_directory: where checkpoints go (default: `.tacit/runs` in the program
    directory; none without one). started: `time.monotonic()` when the person's command began, for the budget. A program with an
    environment or a game, or nothing but a score, learns by acting, see `tacit.acting.compiling.compile_acting`.
    Raises: InputError for examples that can't be learned from, LoweringError, BudgetError, ConfigError.
    """
    reporter = reporter or Reporter()
    if program.acts or program.only_scored:
        if warm is not None:
            raise ConfigError(f"expected a program with labels for a warm start, `{program.name}` learns by acting", fix="leave --warm out")
        plan, folder = generations or plan, run_directory
        return compile_acting(program, seed=seed, resume=resume, plan=plan, on=on, run_directory=folder, reporter=reporter, started=started)
    goals = program.aims
    check_goals_fit(goals, program.signature.output)
    check_examples(program)
    skeleton = skeleton_for(program.signature, program.skeleton)
    check_settings(skeleton, program.settings)
    train, validation = program.examples.split("train"), program.examples.split("validation")
    recipe = recipe_for(program.signature, program.recipe, examples=len(train))
    place = device_for(device)
    refit = refits(program, recipe) and not evolves(program)  # validation decides what evolution keeps
    # The examples that the shipped weights have seen, and those that only decided.
    learnt = program.examples.take(program.examples.splits != "test") if refit else train
    drawn = seed_of(seed, "run") % 2**31
    start = None if warm is None else start_of(program, warm, skeleton, learnt, batch=recipe.batch, seed=drawn)
    if start is not None:
        reporter.note(start.describe())
        recipe = warm_recipe(recipe)
    elif (hint := suggestion(program)) is not None:
        reporter.note(hint)
    spending = spending_of(program, plan=plan, generations=generations, most_steps=None if start is None else start.steps, started=started)
    configuration = configuration_of(program, seed, spending.plan) | ({} if start is None else {"warm": start.digest})
    reporter.phase("preparing")
    choosing = choosing_for(program.search, goals[0])
    task = Task(program.signature, columns(train, place), columns(validation, place), goals[0])
    final = Task(program.signature, columns(learnt, place), columns(validation.take(np.arange(0)), place), goals[0]) if refit else None
    evaluated = len(validation) + int((program.examples.splits == "test").sum())
    with first_interrupt_asks() as stop, workers_on(on, reporter=reporter, alike=spending.plan is not None) as workers:
        folder = run_folder(program, run_directory, configuration, resume=resume, reporter=reporter)
        search = Search(
            task=task,
            skeleton=skeleton,
            recipe=recipe,
            seed=drawn,
            inputs=train.inputs,
            budget=program.budget,
            meter=spending.learning,
            plan=spending.plan,
            reporter=reporter,
            stop=stop,
            folder=folder,
            final=final,
            start=start,
            workers=workers,
            device=device,
            choosing=choosing,
            cost=lambda network: costs(network, program),
            examine=lambda network: examine(network, program, train, evaluated),
        )
        found = search.run(program.settings if start is None else start.settings, resume=resume)
        if stop.asked and found.training.progress.step == 0:
            raise KeyboardInterrupt
        found, evolution = go_on(found, program, search, seed=seed, spending=spending, resume=resume)
        reporter.phase("lowering and measuring")
        if found.training.task is task:  # a trial, saved when choosing was interrupted, has not seen validation
            refit, learnt = False, train
        binary = ship(
            found.network,
            program,
            learnt=learnt,
            measured=("test",) if refit else ("validation", "test"),
            workers=workers,
            last=lambda: {
                "suspicious": suspicious_labels(found, learnt),
                "run": run_of(program, found, seed=seed, device=place, seconds=spending.seconds(), start=start),
                **evolution,
            },
        )
        keep_trained(program, binary, found, learnt, start)
        return binary


@dataclass(frozen=True, eq=False)
class Observed:
    """What one training run said of examples.

    averages: `Training.averages` over those that were learnt from, in order. scores: float32[example, score] of those held out.
    passes: how often each was shown; a run that had little time says little.
    """

    averages: dict[str, np.ndarray]
    scores: np.ndarray
    passes: float


def observe(
    program: Program,
    *,
    held_out: np.ndarray | None = None,
    seed: int = 0,
    device: str = "auto",
    plan: Plan | None = None,
    reporter: Reporter | None = None,
) -> Observed:
    """Train once as `compile` does, whatever the splits, and give what the run said of the examples; no binary is made.

    held_out: bool[example], those to leave out and to score afterwards; for them it's as if their labels were unknown.
    The budget is the program's (`budget.steps`, else `budget.minutes`, else five minutes). Raises: InputError, BudgetError, ConfigError.
    """
    reporter = reporter or Reporter()
    budget, examples = program.budget, program.examples
    if plan is None and budget.steps is not None:
        plan = [(0, budget.steps)]
    minutes = DEFAULT_MINUTES if budget.minutes is None else budget.minutes
    left_out = np.zeros(len(examples), bool) if held_out is None else held_out
    learnt, others, place = examples.take(~left_out), examples.take(left_out), device_for(device)
    check_examples(replace(program, examples=replace(learnt, splits=np.full(len(learnt), "train"))))
    skeleton = skeleton_for(program.signature, program.skeleton)
    check_settings(skeleton, program.settings)
    goal = program.aims[0]
    with first_interrupt_asks() as stop:
        search = Search(
            task=Task(program.signature, columns(learnt, place), columns(learnt.take(np.arange(0)), place), goal),
            skeleton=skeleton,
            recipe=recipe_for(program.signature, program.recipe, examples=len(learnt)),
            seed=seed_of(seed, "run") % 2**31,
            inputs=learnt.inputs,
            budget=budget,
            meter=Meter(None if plan is not None else minutes * 60.0),
            plan=plan,
            reporter=reporter,
            stop=stop,
            folder=None,
            examine=lambda _: Examined({}, 0.0),
        )
        training = search.run(program.settings, resume=False).training
        if stop.asked:
            raise KeyboardInterrupt
        averages = {name: tensor.cpu().numpy() for name, tensor in training.averages().items()}
        return Observed(averages, training.predict_new(columns(others, place)), training.progress.step / training.order.steps)


def refits(program: Program, recipe: Recipe) -> bool:
    """Tell whether the winner is trained on train and validation together.

    A person decides by `train.refit`. Else it is done where validation keeps whole groups (people, machines) from training and there are
    few: on UCI-HAR, three of 21 people are worth three points. Something must be left to measure: a test split.
    """
    splits, groups = program.examples.splits, program.examples.groups
    if not ((splits == "validation").any() and (splits == "test").any()):
        return False
    if recipe.refit is not None:
        return recipe.refit
    return groups is not None and len(np.unique(groups[splits != "test"])) < FEW_GROUPS
