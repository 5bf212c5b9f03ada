"""Whole episodes of a policy, many side by side, and what they gave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tacit.environments.environment import Checked, Environment

#: Observations [lane, *shape] -> actions [lane, ...] as targets of the signature's output.
Policy = Callable[[np.ndarray], np.ndarray]

#: So many lanes at once when nothing else is asked for.
TOGETHER = 128


@dataclass(frozen=True, eq=False)
class Episodes:
    """returns: float64[episode], the sum of rewards. steps: int64[episode]."""

    returns: np.ndarray
    steps: np.ndarray


class Rollouts:
    """Lanes of an environment that are made once and run any number of episodes."""

    def __init__(self, environment: Environment, lanes: int, *, most_steps: int | None = None) -> None:
        self.count = lanes
        self._lanes = Checked(environment, lanes, most_steps=most_steps)

    def run(self, policy: Policy, seeds: Sequence[int], *, whole: bool = False) -> Episodes:
        """Run one episode per seed, at most as many as there are lanes.

        whole: ask the policy about all of the episodes in every step, also those that ended, so that its batch keeps its shape and order
        (many candidates in one pass: the episodes of each stand together, by equal seeds); else about those that go on.
        Raises: InputError for an environment that breaks its protocol.
        """
        count = len(seeds)
        returns, steps = np.zeros(count), np.zeros(count, np.int64)
        going = np.arange(count)
        observations = self._lanes.reset(going, seeds).copy()
        while len(going):
            actions = policy(observations)[going] if whole else policy(observations[going])
            step = self._lanes.step(going, actions)
            returns[going] += step.rewards
            steps[going] += 1
            observations[going] = step.observations
            going = going[~(step.ended | step.cut)]
        return Episodes(returns, steps)


def episodes_of(environment: Environment, policy: Policy, seeds: Sequence[int], *, most_steps: int | None = None) -> Episodes:
    """Run one episode per seed, `TOGETHER` side by side. Raises: InputError."""
    rollouts = Rollouts(environment, min(TOGETHER, len(seeds)), most_steps=most_steps)
    parts = [rollouts.run(policy, seeds[start : start + TOGETHER]) for start in range(0, len(seeds), TOGETHER)]
    return Episodes(np.concatenate([part.returns for part in parts]), np.concatenate([part.steps for part in parts]))


def returns(environment: Environment, policy: Policy, episodes: int, seed: int) -> np.ndarray:
    """Give float64[episode], the returns of episodes that begin by seeds of their own, drawn from `seed`. Raises: InputError."""
    return episodes_of(environment, policy, episode_seeds(seed, episodes)).returns


def episode_seeds(seed: int, count: int, *, purpose: str = "episode", first: int = 0) -> list[int]:
    """Draw the seeds of episodes; those of another purpose (training, validation, test) share none but by chance.

    >>> episode_seeds(0, 2) == episode_seeds(0, 3)[:2], episode_seeds(0, 1) == episode_seeds(0, 1, purpose="test")
    (True, False)
    """
    texts = (f"{purpose}/{seed}/{first + number}" for number in range(count))
    return [int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1 for text in texts]
