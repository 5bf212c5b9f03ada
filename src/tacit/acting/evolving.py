"""Evolution as a way of learning by acting: no gradient, so any environment and any score of a binary will do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.acting.ways import MET, Found, Task
from tacit.environments.rollouts import episode_seeds
from tacit.goals.acting import RETURN
from tacit.goals.goal import Goal
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError
from tacit.program import Program
from tacit.search.columns import Columns, columns, seed_of
from tacit.search.devices import device_for
from tacit.search.evolution_running import EVOLUTION, evolution_evidence, evolve
from tacit.search.schedule import Plan


class EvolutionWay:
    """Evolution of the weights, from random ones. What is counted are generations."""

    def worth(self, program: Program) -> Mapping[str, Any]:
        """Give nothing: the network needs no judge beside it."""
        return {}

    def evaluations(self, overrides: Mapping[str, Any]) -> int | None:
        """Give None: no tree is searched."""
        return None

    def search(self, task: Task, *, plan: Plan | None, meter: Meter | None, reserve: float, folder: Path | None, resume: bool) -> Found:
        """Evolve the network for the return of episodes, or for the program's own score. Raises: ConfigError, InputError."""
        program = task.program
        if task.overrides:
            names = ", ".join(f"`train.{name}`" for name in task.overrides)
            raise ConfigError(f"expected settings of evolution, got {names}", fix="evolution is set under [evolution]")
        goal = program.goals[0] if program.goals and program.goals[0].score is not None else Goal(RETURN)
        nothing: Columns = columns(program.examples, device_for("cpu"))
        generations = program.budget.generations
        evolved, protection = evolve(
            task.network,
            program,
            goal,
            train=nothing,
            validation=nothing,
            trained=False,
            seed=task.seed,
            plan=[(0, generations)] if plan is None and generations is not None else plan,
            reserve=reserve,
            meter=meter or Meter(None),
            workers=task.workers,
            folder=folder,
            reporter=task.reporter,
            stop=task.stop,
            resume=resume,
        )
        recipe = {**dataclasses.asdict(evolved.settings), **evolution_evidence(evolved, protection, goal)}
        history = recipe.pop("history")
        done, interrupted = evolved.generations, evolved.interrupted
        return Found(EVOLUTION, task.network, met(program, task.seed), "generations", 1, done, evolved.plan, recipe, history, interrupted)


def met(program: Program, seed: int) -> np.ndarray:
    """Give inputs on which the lowered program is compared with PyTorch, [some, *shape]: how episodes begin, or else random ones."""
    if program.environment is not None:
        lanes = program.environment.lanes(8)
        kept = [lanes.reset(np.arange(8), episode_seeds(seed, 8, purpose=f"met {number}")) for number in range(MET // 8)]
        return np.concatenate(kept)
    specs = program.signature.input.arrays
    if len(specs) != 1:
        raise ConfigError(f"expected an input of one array without examples, got {program.signature.input!r}", fix="give some examples")
    (spec,) = specs
    random = np.random.default_rng(seed_of(seed, "met"))
    if spec.limit is not None:
        return random.integers(0, spec.limit, (MET, *spec.shape)).astype(spec.dtype)
    wide = random.integers(0, 256, (MET, *spec.shape)) if spec.dtype == "uint8" else random.normal(size=(MET, *spec.shape))
    return np.asarray(wide, spec.dtype)


WAY = EvolutionWay()
