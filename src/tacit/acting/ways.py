"""Ways of learning by acting, by the name that `[train] search` may give: policy gradient, evolution, self-play."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import nn

from tacit.environments.game import random_moves
from tacit.environments.rollouts import episode_seeds
from tacit.ground.budget import Meter
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.ground.tables import Table
from tacit.program import Program
from tacit.search.columns import seed_of
from tacit.search.evolution_running import evolves
from tacit.search.game_network import check_game_network
from tacit.search.policy_gradient import PolicyGradient
from tacit.search.policy_recipe import PolicyGradientRecipe, SelfPlayRecipe, settings_for
from tacit.search.rounds import Driver, Rounds
from tacit.search.running import Stop
from tacit.search.schedule import Plan, Progress
from tacit.search.search import CHECKPOINT
from tacit.search.self_play import SelfPlay
from tacit.search.workers import Workers
from tacit.signature.outputs import Number
from tacit.skeletons.table import Skeleton, network_for, skeleton_for

#: Observations and positions on which the lowered program is compared with PyTorch.
MET = 64


@dataclass(frozen=True, eq=False)
class Task:
    """What a way gets: the program, an untrained network with its settings, what `[train]` overrides, and who helps and is told."""

    program: Program
    skeleton: Skeleton
    network: nn.Module
    settings: Mapping[str, Any]
    overrides: Mapping[str, Any]
    seed: int
    workers: Workers
    reporter: Reporter
    stop: Stop


@dataclass(frozen=True, eq=False)
class Found:
    """What a way found. network: with the weights to ship. met: [some, *shape], inputs of the kind that it meets.

    unit: what is counted; each: how many are in one entry of `plan`; done: how many there were.
    """

    name: str
    network: nn.Module
    met: np.ndarray
    unit: str
    each: int
    done: int
    plan: Plan
    recipe: Mapping[str, Any]
    history: list[dict[str, Any]] = field(default_factory=list)
    interrupted: bool = False


class Way(Protocol):
    """A way of learning by acting."""

    def worth(self, program: Program) -> Mapping[str, Any]:
        """Give the settings that the skeleton needs besides a person's."""

    def evaluations(self, overrides: Mapping[str, Any]) -> int | None:
        """Check the settings; give the evaluations per move by which a game is measured, None for an environment. Raises: ConfigError."""

    def search(self, task: Task, *, plan: Plan | None, meter: Meter | None, reserve: float, folder: Path | None, resume: bool) -> Found:
        """Learn. plan: in units (steps, games); meter: by the clock, less `reserve` seconds."""


WAYS = Table(
    "search",
    {
        "policy_gradient": "tacit.acting.ways:POLICY_GRADIENT",
        "evolution": "tacit.acting.evolving:WAY",
        "self_play": "tacit.acting.ways:SELF_PLAY",
    },
    group="tacit.ways",
)


def way_of(program: Program) -> tuple[Way, dict[str, Any]]:
    """Give the way that a program asks for by ``search`` in its recipe, or the usual one, and the recipe without it.

    Raises: UnknownName; ConfigError for a way that is not for it.
    """
    overrides = dict(program.recipe)
    usual = "evolution" if evolves(program) else "policy_gradient" if program.environment is not None else "self_play"
    name = overrides.pop("search", usual)
    way: Way = WAYS.get(str(name))
    if (name == "self_play") != (program.game is not None):
        what = "an environment" if program.environment is not None else "a game"
        raise ConfigError(f"expected a way to learn from {what}, got `{name}` - at `train.search`", fix="leave it out")
    return way, overrides


class _PolicyGradientWay:
    """PPO in an environment."""

    def worth(self, program: Program) -> Mapping[str, Any]:
        return {}

    def evaluations(self, overrides: Mapping[str, Any]) -> int | None:
        settings_for(PolicyGradientRecipe, overrides)
        return None

    def search(self, task: Task, *, plan: Plan | None, meter: Meter | None, reserve: float, folder: Path | None, resume: bool) -> Found:
        recipe = settings_for(PolicyGradientRecipe, task.overrides)
        program = task.program
        kind = program.signature.input
        own = {name: value for name, value in task.settings.items() if name != "members"}
        judge = network_for(task.skeleton, kind >> Number(), own, inputs=_nothing(program), seed=task.seed + 1)
        rounds = PolicyGradient(program.environment, task.network, judge, recipe, seed=task.seed, most_steps=None)
        found = _driven(task, rounds, plan, meter, reserve, folder, resume)
        met = _met(program, task.seed)
        return Found("policy_gradient", task.network, met, recipe=asdict(recipe), **found)


class _SelfPlayWay:
    """Self-play over a game."""

    def worth(self, program: Program) -> Mapping[str, Any]:
        """Ask for a worth where the skeleton can give one."""
        skeleton = skeleton_for(program.signature, program.skeleton)
        return {"worth": True} if "worth" in inspect.signature(skeleton.build).parameters else {}

    def evaluations(self, overrides: Mapping[str, Any]) -> int | None:
        return settings_for(SelfPlayRecipe, overrides).evaluations

    def search(self, task: Task, *, plan: Plan | None, meter: Meter | None, reserve: float, folder: Path | None, resume: bool) -> Found:
        recipe = settings_for(SelfPlayRecipe, task.overrides)
        game = task.program.game
        check_game_network(task.network, task.program.signature)
        rounds = SelfPlay(game, task.network, recipe, seed=task.seed, workers=task.workers)
        found = _driven(task, rounds, plan, meter, reserve, folder, resume)
        random = np.random.default_rng(seed_of(task.seed, "met"))
        positions, kept = game.start(MET), []
        for _ in range(4):
            kept.append(game.encode(positions))
            positions = game.play(positions, random_moves(game, positions, random))
            ended = ~np.isnan(game.outcome(positions))
            positions[ended] = game.start(int(ended.sum()))
        return Found("self_play", task.network, np.concatenate(kept), recipe=asdict(recipe), **found)


def _driven(
    task: Task, rounds: Rounds, plan: Plan | None, meter: Meter | None, reserve: float, folder: Path | None, resume: bool
) -> dict[str, Any]:
    """Go through the rounds, put the best weights into the network, and give the other fields of `Found`."""
    inner = [(step // rounds.each, -(-left // rounds.each)) for step, left in plan] if plan is not None else [(0, 1_000_000)]
    checkpoint = None if folder is None else folder / CHECKPOINT
    driver = Driver(rounds, Progress(inner), reporter=task.reporter, stop=task.stop, meter=meter, reserve=reserve, checkpoint=checkpoint)
    if resume and driver.resume():
        task.reporter.note(f"going on after {driver.progress.step * rounds.each} {rounds.unit}")
    ended = driver.finish()
    task.network.load_state_dict(ended.weights)
    return {
        "unit": rounds.unit,
        "each": rounds.each,
        "done": driver.progress.step * rounds.each,
        "plan": driver.progress.plan,
        "history": ended.history,
        "interrupted": ended.interrupted,
    }


def _nothing(program: Program) -> tuple[np.ndarray, ...]:
    return tuple(np.zeros((1, *spec.shape), spec.dtype) for spec in program.signature.input.arrays)


def _met(program: Program, seed: int) -> np.ndarray:
    """Give observations at the start of episodes."""
    lanes = program.environment.lanes(8)
    everyone = np.arange(8)
    kept = [lanes.reset(everyone, episode_seeds(seed, 8, purpose=f"met {number}")) for number in range(MET // 8)]
    return np.concatenate(kept)


POLICY_GRADIENT, SELF_PLAY = _PolicyGradientWay(), _SelfPlayWay()
