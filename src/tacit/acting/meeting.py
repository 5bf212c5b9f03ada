"""What a binary meets while it acts, as examples: so that what is measured on examples (int8, parity) works for programs that act."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tacit.acting.measuring import policy_of
from tacit.binary.binary import Binary
from tacit.environments.environment import Environment
from tacit.environments.rollouts import Rollouts, episode_seeds
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.digests import example_id
from tacit.program import Program

#: Episodes from which examples are taken, by split, and at most so many examples of a split.
EPISODES = {"train": 16, "test": 16}
MOST = 4000


def program_of_examples(binary: Binary, program: Program) -> Program:
    """Give a program with an environment as one of examples: what the binary meets in fresh episodes, labelled by what it does there.

    Accuracy on them is agreement with the binary. Train and test are episodes of their own. Raises: InputError.
    """
    parts = [examples_met(binary, program.environment, split=split, episodes=count) for split, count in EPISODES.items()]
    inputs = np.concatenate([part.inputs[0] for part in parts])
    met = replace(
        parts[0],
        ids=np.concatenate([part.ids for part in parts]),
        inputs=(inputs,),
        targets=np.concatenate([part.targets for part in parts]),
        splits=np.concatenate([part.splits for part in parts]),
    )
    return replace(program, environment=None, examples=met, goals=(Goal(binary.signature.output.metric),))


def examples_met(binary: Binary, environment: Environment, *, split: str, episodes: int, seed: int = 0) -> Examples:
    """Give the observations of some episodes with the binary's own actions as labels, evenly spaced when there are too many."""
    act, seen, done = policy_of(binary), [], []

    def watched(observations: np.ndarray) -> np.ndarray:
        actions = act(observations)
        seen.append(observations.copy())
        done.append(actions)
        return actions

    Rollouts(environment, episodes).run(watched, episode_seeds(seed, episodes, purpose=f"met in {split}"))
    observations, actions = np.concatenate(seen), np.concatenate(done)
    rows = np.unique(np.linspace(0, len(observations) - 1, MOST).round().astype(int))
    observations = observations[rows]
    target = binary.signature.output.target
    return Examples(
        signature=binary.signature,
        ids=np.array([example_id(row.tobytes()) for row in observations]),
        inputs=(observations,),
        targets=actions[rows].astype(target.dtype).reshape(len(rows), *target.shape),
        splits=np.full(len(rows), split, "<U10"),
    )
