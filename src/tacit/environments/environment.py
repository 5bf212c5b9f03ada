"""What an environment is here: a signature, and lanes: copies of it side by side, each of which can begin an episode at any time.

An action is what the signature's output type calls a target: int64[lane] for a `Class`, standardised float32[lane, number] for numbers,
so a policy is an ordinary program and an observation with the best action is an ordinary example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.base import Joint, OutputType, Signature
from tacit.signature.outputs import Class

#: An episode is cut off here where the environment itself names no end.
MOST_STEPS = 10_000


@dataclass(frozen=True, eq=False)
class Step:
    """What a step gave, for each lane that was stepped.

    observations: [lane, *shape], dtype as the signature's input stores it; of an episode that ended, the last one. rewards:
    float64[lane]. ended: bool[lane], nothing comes after it. cut: bool[lane], stopped by a limit of steps: what would have come after it
    has a worth.
    """

    observations: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray
    cut: np.ndarray


class Lanes(Protocol):
    """Copies of an environment side by side. An episode depends on its seed and the actions alone, whatever ran before it."""

    def reset(self, lanes: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Begin an episode in some lanes, int64[some], by a seed each; give their observations [some, *shape]."""

    def step(self, lanes: np.ndarray, actions: np.ndarray) -> Step:
        """Act in some lanes, int64[some], by targets of the signature's output, [some, ...]. None of them has ended."""


@runtime_checkable
class Environment(Protocol):
    """What a program acts in. An object of one's own with these three needs no package but NumPy."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def signature(self) -> Signature:
        """From an observation (an input type of one array) to an action."""

    def lanes(self, count: int) -> Lanes:
        """Make `count` copies side by side."""


class Checked:
    """Lanes that are held to their protocol: what comes back has the right shape and is finite, and no episode goes on for ever."""

    def __init__(self, environment: Environment, count: int, *, most_steps: int | None = None) -> None:
        (self._spec,) = environment.signature.input.arrays
        self.count, self._name, self._most = count, environment.name, most_steps or MOST_STEPS
        self._lanes = environment.lanes(count)
        self._ages, self._seeds = np.zeros(count, np.int64), np.zeros(count, np.int64)

    def reset(self, lanes: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """Begin episodes. Raises: InputError for observations of another shape or that are not finite."""
        self._ages[lanes], self._seeds[lanes] = 0, seeds
        return self._checked(self._lanes.reset(lanes, seeds), lanes, "reset")

    def step(self, lanes: np.ndarray, actions: np.ndarray) -> Step:
        """Act. Raises: InputError as `reset` does, and for rewards that are not finite."""
        given = self._lanes.step(lanes, actions)
        self._ages[lanes] += 1
        observations = self._checked(given.observations, lanes, "step")
        rewards = np.asarray(given.rewards, np.float64)
        finite = np.isfinite(rewards)
        if rewards.shape != (len(lanes),) or not finite.all():
            came = f"rewards of shape {list(rewards.shape)}" if finite.all() else f"the reward {rewards[~finite][0]}"
            place = int(np.argmin(finite)) if rewards.shape == (len(lanes),) else 0
            raise InputError(
                f"expected finite rewards, one per lane, got {came} - at `{self._name}`, {self._when(int(lanes[place]))}",
                fix="look for a division by zero in `step`",
            )
        ended = np.asarray(given.ended, bool)
        return Step(observations, rewards, ended, (np.asarray(given.cut, bool) | (self._ages[lanes] >= self._most)) & ~ended)

    def _when(self, lane: int) -> str:
        return f"step {self._ages[lane]} of the episode with seed {self._seeds[lane]}"

    def _checked(self, observations: np.ndarray, lanes: np.ndarray, call: str) -> np.ndarray:
        array = np.asarray(observations)
        wanted = (len(lanes), *self._spec.shape)
        if array.shape != wanted:
            raise InputError(
                f"expected observations {self._spec}, got an array {array.dtype}{list(array.shape[1:])} - at `{self._name}`, `{call}`"
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = np.argwhere(~np.isfinite(array))[0]
            value = array[tuple(place)]
            raise InputError(
                f"expected finite observations, got {value} at {[int(at) for at in place[1:]]} - at `{self._name}`, "
                f"{self._when(int(lanes[place[0]]))}",
                fix="end the episode (terminated) before a number leaves its range",
            )
        return array.astype(self._spec.dtype, copy=False)


def best(output: OutputType, scores: np.ndarray) -> np.ndarray:
    """Give the actions that a policy prefers, as targets: the greatest score of a class, numbers as they are.

    scores: float32[lane, width] -> [lane, *target].

    >>> best(Class("left", "right"), np.array([[0.1, 0.4], [2.0, -1.0]])).tolist()
    [1, 0]
    """
    if isinstance(output, Class):
        chosen: np.ndarray = scores.argmax(axis=-1)
        return chosen
    if isinstance(output, Joint):
        parts = zip(output.parts, output.divide_scores(scores), strict=True)
        return np.concatenate([best(part, own).reshape(len(scores), -1).astype(np.float32) for part, own in parts], axis=1)
    if output.kind == "labels":
        return (scores >= 0).astype(np.float32)
    return scores.astype(np.float32, copy=False)
