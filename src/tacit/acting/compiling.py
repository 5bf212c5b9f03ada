"""Compile a program that acts: lower it untrained, learn by acting, ship the best weights, and measure what is shipped."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.acting.measuring import EPISODES, GAMES, measure_program
from tacit.acting.ways import Found, Task, way_of
from tacit.binary.binary import Binary
from tacit.binary.probes import record_probes
from tacit.environments.game_check import check_game
from tacit.evidence import costs_of, versions
from tacit.goals.acting import RETURN, USUAL_OPPONENT, check_acting_goals, hold_acting, opponents_of
from tacit.goals.goal import Goal
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.ir.interpreter import evaluate
from tacit.ir.verifier import verify
from tacit.lowering.lower import Lowered
from tacit.program import Program
from tacit.search.columns import seed_of
from tacit.search.evolution_running import evolves
from tacit.search.folders import configuration_of, run_folder
from tacit.search.interrupts import first_interrupt_asks
from tacit.search.limits import Limits
from tacit.search.schedule import Plan, print_plan
from tacit.search.workers import workers_on
from tacit.shipping import TOLERANCE, costs, lower_network
from tacit.skeletons.choices import Open
from tacit.skeletons.table import Skeleton, check_settings, network_for, skeleton_for

DEFAULT_MINUTES = 5.0
#: Share of a budget by the clock that is kept for measuring: in any case, and at the most.
MEASURING, MOST_MEASURING = 0.12, 0.5


def compile_acting(
    program: Program,
    *,
    seed: int = 0,
    resume: bool = False,
    plan: Plan | None = None,
    on: str | None = None,
    run_directory: Path | None = None,
    reporter: Reporter | None = None,
    started: float | None = None,
) -> Binary:
    """Find a binary for a program with an environment, a game, or a score of its own and no examples, within its budget.

    The budget counts minutes, or steps of the environment (games of a game). Learning is on the CPU: what acts is small, and waits for the
    environment. Raises: ConfigError for goals and settings, InputError for what breaks, LoweringError, BudgetError.
    """
    reporter = reporter or Reporter()
    goals = program.goals or (Goal(RETURN) if program.environment is not None else Goal("win_rate", label=USUAL_OPPONENT),)
    check_acting_goals(goals, game=program.game is not None)
    way, overrides = way_of(program)
    evaluations = way.evaluations(overrides)
    if program.game is not None:
        check_game(program.game, seed=seed)
    skeleton = skeleton_for(program.signature, program.skeleton)
    drawn = seed_of(seed, "run") % 2**31
    settings = _settings(program, skeleton, way.worth(program))
    network = _within(program, skeleton, settings, seed=drawn)
    minutes = DEFAULT_MINUTES if program.budget.minutes is None else program.budget.minutes
    if plan is None and program.budget.steps is not None:
        plan = [(0, program.budget.steps)]
    if plan is None and program.budget.generations is not None and evolves(program):
        plan = [(0, program.budget.generations)]
    meter = Meter(None if plan is not None else minutes * 60.0, start=started)
    configuration = {**configuration_of(program, seed, plan), "acting": _acting(program, seed, evaluations)}
    folder = run_folder(program, run_directory, configuration, resume=resume, reporter=reporter)
    with first_interrupt_asks() as stop, workers_on(on, reporter=reporter, alike=plan is not None) as workers:
        task = Task(program, skeleton, network[0], network[1], overrides, drawn, workers, reporter, stop)
        reporter.phase("learning by acting")
        reserve = 0.0 if plan is not None else _reserve(program, network[0], minutes * 60.0, evaluations)
        found = way.search(task, plan=plan, meter=None if plan is not None else meter, reserve=reserve, folder=folder, resume=resume)
        if stop.asked and not found.done:
            raise KeyboardInterrupt
        reporter.phase("lowering and measuring")
        run = {"seed": seed, "settings": dict(sorted(network[1].items())), **_run(program, found, seed)}
        if plan is None:
            run["seconds"] = round(meter.elapsed(), 2)
        return _ship(program, goals, found, run, seed=seed, evaluations=evaluations, reporter=reporter)


def _reserve(program: Program, network: nn.Module, seconds: float, evaluations: int | None) -> float:
    """Give the seconds to keep for measuring: games ask the lowered network as often as their trees are wide, which is slow.

    A game lasts about half of its longest, and half of the moves in it are the program's.
    """
    least = MEASURING * seconds
    if program.game is None or evaluations is None:
        return least
    graph, planes = lower_network(network, program).graph, program.game.encode(program.game.start(64))
    evaluate(graph, [planes])  # the first run decides how to compute; only the second tells the pace
    begun = time.monotonic()
    evaluate(graph, [planes])
    each = (time.monotonic() - begun) / 64
    moves = (program.episodes or GAMES) * len(opponents_of(program.goals)) * int(program.game.longest) / 4
    return min(max(least, 1.5 * moves * evaluations * each), MOST_MEASURING * seconds)


def _settings(program: Program, skeleton: Skeleton, worth: Mapping[str, Any]) -> dict[str, Any]:
    """Check the settings; none may be open, for a trial of a policy says little before it has learnt long."""
    open_names = [name for name, value in program.settings.items() if isinstance(value, Open)]
    if open_names:
        raise ConfigError(
            f"expected one value for {', '.join(f'`skeleton.{name}`' for name in open_names)}, got several",
            cause="programs that act are not searched over sizes",
            fix="give one value",
        )
    settings = {**program.settings, **worth}
    check_settings(skeleton, settings)
    return settings


def _within(program: Program, skeleton: Skeleton, settings: Mapping[str, Any], *, seed: int) -> tuple[nn.Module, dict[str, Any]]:
    """Build the usual size, or the largest smaller one that the budget allows. Raises: LoweringError, BudgetError."""
    options: list[dict[str, Any]] = []
    for size in reversed(skeleton.sizes[: skeleton.usual + 1]):
        chosen = {**size, **settings}
        options += [] if chosen in options else [chosen]
    limits = Limits(
        program.budget, program.signature, lambda one: _built(program, skeleton, one, seed), lambda network: costs(network, program)
    )
    chosen = limits.keep(options)[0]
    limits.costs(chosen)  # lowered once in any case: what can't be is refused before time is spent
    return _built(program, skeleton, chosen, seed), chosen


def _built(program: Program, skeleton: Skeleton, settings: Mapping[str, Any], seed: int) -> nn.Module:
    nothing = tuple(np.zeros((1, *spec.shape), spec.dtype) for spec in program.signature.input.arrays)
    try:
        return network_for(skeleton, program.signature, settings, inputs=nothing, seed=seed)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"expected settings with which `{skeleton.name}` can be built for {program.signature}, got {dict(settings)}",
            cause=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            fix="look at the values under [skeleton] in tacit.toml, or leave them out",
        ) from error


def _acting(program: Program, seed: int, evaluations: int | None) -> dict[str, Any]:
    """Say where the program acts and how it is measured, so that the file alone is enough to do it again."""
    if program.environment is not None:
        make = getattr(program.environment, "make", None)
        place = {"kind": "environment", "name": program.environment.name, "id": getattr(make, "id", None)}
        return {**place, "options": dict(program.options), "episodes": program.episodes or EPISODES, "seed": seed}
    if program.only_scored:
        return {"kind": "score", "name": program.goals[0].metric, "seed": seed}
    kind = type(program.game)
    reference = f"{kind.__module__}:{kind.__qualname__}"
    return {
        "kind": "game",
        "name": program.game.name,
        "id": reference if reference.startswith("tacit_programs.") else None,
        "episodes": program.episodes or GAMES,
        "seed": seed,
        "evaluations": evaluations,
        "opponents": opponents_of(program.goals),
    }


def _run(program: Program, found: Found, seed: int) -> dict[str, Any]:
    """Say how the weights were found, and the command that finds them again."""
    plan = print_plan([(step * found.each, left * found.each) for step, left in found.plan])
    fixed = "".join(f" --set train.{name}={json.dumps(value)}" for name, value in sorted(program.recipe.items()))
    again = f"tacit compile {program.name} --steps {plan} --seed {seed}{fixed}"
    if len(found.plan) > 1:  # a run by the clock, planned anew on the way
        again = f"tacit compile {program.name} --repeat {program.name}.tacit"
    return {
        "search": found.name,
        "unit": found.unit,
        "steps": found.done,
        "plan": plan,
        "overrides": dict(sorted(program.recipe.items())),
        "recipe": found.recipe,
        "threads": torch.get_num_threads(),
        "device": "cpu",
        "repeat": None if found.interrupted else again,
        "interrupted": found.interrupted,
        "history": found.history,
    }


def _ship(
    program: Program,
    goals: tuple[Goal, ...],
    found: Found,
    run: Mapping[str, Any],
    *,
    seed: int,
    evaluations: int | None,
    reporter: Reporter,
) -> Binary:
    """Lower the network, hold it against PyTorch on what it met, and measure the binary itself."""
    lowered = lower_network(found.network, program)
    verify(lowered.graph)
    difference = _difference(found.network, lowered, found.met)
    if difference > TOLERANCE and not lowered.approximations:
        raise InputError(
            f"expected the lowered program to compute what PyTorch does within {TOLERANCE}, got a relative difference of {difference:.2e}",
            fix="report this with the skeleton; nothing was written",
        )
    bare = Binary({"main": lowered.graph}, program.signature)
    block = measure_program(bare, program, seed=seed, evaluations=evaluations or 1, reporter=reporter)
    evidence: dict[str, Any] = {
        "name": program.name,
        "scores": {"test": block},
        "goals": hold_acting(goals, block),
        "costs": costs_of(lowered.graph),
        "lowering": {"max_relative_error": difference, "approximations": [asdict(item) for item in lowered.approximations]},
        "acting": _acting(program, seed, evaluations),
        "versions": versions(),
        "run": dict(run),
        "probes": record_probes(bare, [found.met[:4]]),
    }
    return Binary({"main": lowered.graph}, program.signature, evidence=json.loads(json.dumps(evidence)))


def _difference(network: nn.Module, lowered: Lowered, met: np.ndarray) -> float:
    """Give the greatest difference between the interpreter and PyTorch over all outputs, relative to the greatest of each (at least 1)."""
    with torch.inference_mode():
        wanted = copy.deepcopy(network).cpu().eval()(torch.from_numpy(met).float())
    outputs = wanted if isinstance(wanted, tuple) else (wanted,)
    got = evaluate(lowered.graph, [met])
    return max(
        float(np.abs(own.reshape(other.shape) - other.numpy()).max() / max(float(other.abs().max()), 1.0))
        for own, other in zip(got, outputs, strict=True)
    )
