"""What a binary meets while it acts, as examples: so that what is measured on examples (int8, parity) works for programs that act."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tacit.acting.measuring import network_of_binary, policy_of
from tacit.binary.binary import Binary
from tacit.environments.environment import Environment
from tacit.environments.game import Game, opened, random_moves
from tacit.environments.rollouts import Rollouts, episode_seeds
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.digests import example_id
from tacit.program import Program

#: Episodes, or games against itself, from which examples are taken, by split, and at most so many examples of a split.
EPISODES, GAMES = {"train": 16, "test": 16}, {"train": 64, "test": 64}
MOST = 4000
#: Games begin with up to so many random moves, and so many of the others are random, so that they differ.
OPENING, ASTRAY = 4, 0.25


def program_of_examples(binary: Binary, program: Program) -> Program:
    """Give a program that acts as one of examples: what the binary meets in fresh episodes or games, labelled by what it prefers there.

    Accuracy on them is agreement with the binary. Train and test are episodes of their own. Raises: InputError.
    """
    if program.game is not None:
        parts = [positions_met(binary, program.game, split=split, games=count) for split, count in GAMES.items()]
    else:
        parts = [examples_met(binary, program.environment, split=split, episodes=count) for split, count in EPISODES.items()]
    inputs = np.concatenate([part.inputs[0] for part in parts])
    met = replace(
        parts[0],
        ids=np.concatenate([part.ids for part in parts]),
        inputs=(inputs,),
        targets=np.concatenate([part.targets for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
    )
    once = np.sort(np.unique(met.ids, return_index=True)[1])  # what was met in training is no test
    return replace(program, environment=None, game=None, examples=met.take(once), goals=(Goal(binary.signature.output.metric),))


def examples_met(binary: Binary, environment: Environment, *, split: str, episodes: int, seed: int = 0) -> Examples:
    """Give the observations of some episodes with the binary's own actions as labels, evenly spaced when there are too many."""
    act, seen, done = policy_of(binary), [], []

    def watched(observations: np.ndarray) -> np.ndarray:
        actions = act(observations)
        seen.append(observations.copy())
        done.append(actions)
        return actions

    Rollouts(environment, episodes).run(watched, episode_seeds(seed, episodes, purpose=f"met in {split}"))
    return _labelled(binary, np.concatenate(seen), np.concatenate(done), split)


def positions_met(binary: Binary, game: Game, *, split: str, games: int, seed: int = 0) -> Examples:
    """Give the positions of some games of the binary against itself, without a search, with the moves that it scores highest."""
    network, random = network_of_binary(binary), np.random.default_rng(episode_seeds(seed, 1, purpose=f"met in {split}"))
    positions, seen, done = opened(game, games, random, OPENING), [], []
    while len(positions):
        planes = game.encode(positions)
        scores, _ = network(planes)
        seen.append(planes)
        done.append(scores.argmax(axis=1))
        best_legal = np.where(game.legal(positions), scores, -np.inf).argmax(axis=1)
        astray = random.random(len(positions)) < ASTRAY
        positions = game.play(positions, np.where(astray, random_moves(game, positions, random), best_legal))
        positions = positions[np.isnan(game.outcome(positions))]
    return _labelled(binary, np.concatenate(seen), np.concatenate(done), split)


def _labelled(binary: Binary, inputs: np.ndarray, actions: np.ndarray, split: str) -> Examples:
    """Make examples, evenly spaced when there are too many."""
    rows = np.unique(np.linspace(0, len(inputs) - 1, MOST).round().astype(int))
    target = binary.signature.output.target
    return Examples(
        signature=binary.signature,
        ids=np.array([example_id(row.tobytes()) for row in inputs[rows]]),
        inputs=(inputs[rows],),
        targets=actions[rows].astype(target.dtype).reshape(len(rows), *target.shape),
        splits=np.full(len(rows), split, "<U10"),
    )
