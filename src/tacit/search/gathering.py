"""Gathering what a policy meets: lanes of episodes that go on from round to round, and can be brought about again after a kill."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.environments.environment import Checked
from tacit.environments.rollouts import episode_seeds
from tacit.ground.errors import InputError
from tacit.search.moments import Moments

#: Observations [lane, *shape] -> drawn actions float32[lane, target] and their log chances float32[lane].
Act = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
ToTargets = Callable[[np.ndarray], np.ndarray]

_NEWEST = 50


@dataclass(frozen=True, eq=False)
class Gathered:
    """observations: [step, lane, *shape]; drawn: float32[step, lane, target]; chances, rewards (scaled): float32[step, lane];
    ended, cut: bool[step, lane]; last: [lane, *shape], after the last step; cut_observations: where episodes were cut, in the order of
    `cut`'s true places."""

    observations: np.ndarray
    drawn: np.ndarray
    chances: np.ndarray
    rewards: np.ndarray
    ended: np.ndarray
    cut: np.ndarray
    last: np.ndarray
    cut_observations: np.ndarray


class Gathering:
    """Lanes of episodes. Rewards are divided by the deviation of their discounted sum (Huang et al. 2022, detail 28)."""

    def __init__(self, lanes: Checked, *, seed: int, discount: float) -> None:
        self._lanes, self._seed, self._discount = lanes, seed, discount
        self._everyone = np.arange(lanes.count)
        self._episodes = lanes.count
        self._seeds = episode_seeds(seed, lanes.count, purpose="train")
        self._logs: list[list[np.ndarray]] = [[] for _ in self._seeds]
        self._sums, self._returns = np.zeros(lanes.count), np.zeros(lanes.count)
        self._scale = Moments(())
        self._newest: deque[float] = deque(maxlen=_NEWEST)
        self.observations = lanes.reset(self._everyone, self._seeds)

    def run(self, act: Act, to_targets: ToTargets, horizon: int) -> Gathered:
        """Act for `horizon` steps in every lane; an episode that ended gives way to the next one."""
        parts: dict[str, list[np.ndarray]] = {name: [] for name in ("observations", "drawn", "chances", "rewards", "ended", "cut")}
        cut_observations, sums = [], []
        for _ in range(horizon):
            drawn, chances = act(self.observations)
            step = self._lanes.step(self._everyone, to_targets(drawn))
            for lane, log in enumerate(self._logs):
                log.append(drawn[lane])
            self._sums = self._sums * self._discount + step.rewards
            self._returns += step.rewards
            sums.append(self._sums.copy())
            found = (self.observations, drawn, chances, step.rewards, step.ended, step.cut)
            for values, array in zip(parts.values(), found, strict=True):
                values.append(array)
            cut_observations.append(step.observations[step.cut])
            self.observations = step.observations.copy()
            over = np.flatnonzero(step.ended | step.cut)
            if len(over):
                self._begin(over)
        self._scale.add(np.concatenate(sums))
        stacked = {name: np.stack(values) for name, values in parts.items()}
        stacked["rewards"] = (stacked["rewards"] / self._scale.deviation()).astype(np.float32)
        return Gathered(**stacked, last=self.observations, cut_observations=np.concatenate(cut_observations))

    def _begin(self, lanes: np.ndarray) -> None:
        """Begin the next episode in some lanes."""
        self._newest.extend(self._returns[lanes].tolist())
        seeds = episode_seeds(self._seed, len(lanes), purpose="train", first=self._episodes)
        self._episodes += len(lanes)
        self._sums[lanes] = self._returns[lanes] = 0.0
        for lane, seed in zip(lanes.tolist(), seeds, strict=True):
            self._seeds[lane], self._logs[lane] = seed, []
        self.observations[lanes] = self._lanes.reset(lanes, seeds)

    def status(self) -> str:
        """Give the mean return of the newest episodes."""
        return f"return {np.mean(self._newest):.4g}" if self._newest else ""

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Give arrays, and JSON values: seeds and actions of the episodes under way, not the environment itself."""
        logs = [action for log in self._logs for action in log]
        arrays = {
            "logs": np.stack(logs) if logs else np.zeros((0, 1), np.float32),
            "observations": self.observations,
            "sums": self._sums,
            "returns": self._returns,
        } | {f"scale.{name}": array for name, array in self._scale.state().items()}
        values = {
            "episodes": self._episodes,
            "seeds": self._seeds,
            "lengths": [len(log) for log in self._logs],
            "newest": list(self._newest),
        }
        return arrays, values

    def restore(self, arrays: Mapping[str, np.ndarray], values: Mapping[str, Any], to_targets: ToTargets) -> None:
        """Bring the episodes about again by their seeds and actions. Raises: InputError when something else comes out."""
        self._episodes, self._seeds = int(values["episodes"]), [int(seed) for seed in values["seeds"]]
        self._newest = deque(values["newest"], maxlen=_NEWEST)
        self._sums, self._returns = arrays["sums"].copy(), arrays["returns"].copy()
        self._scale.restore({name[6:]: array for name, array in arrays.items() if name.startswith("scale.")})
        ends = np.cumsum(values["lengths"])
        self._logs = [list(part) for part in np.split(arrays["logs"], ends[:-1])]
        self.observations = self._lanes.reset(self._everyone, self._seeds)
        for age in range(max(values["lengths"], default=0)):
            lanes = np.flatnonzero(np.array(values["lengths"]) > age)
            step = self._lanes.step(lanes, to_targets(np.stack([self._logs[lane][age] for lane in lanes])))
            self.observations[lanes] = step.observations
        if not np.array_equal(self.observations, arrays["observations"]):
            raise InputError(
                "expected the environment to do the same again by the same seed and actions, it did not",
                cause="a run that was stopped goes on by repeating the episodes under way",
                fix="draw all that is random from `self.np_random`, which `reset(seed=...)` sets; or compile without --resume",
            )
