"""What a generation is worth: by the scores of all candidates on examples, by their returns in an environment, or by calling each.

Steps follow one set of examples, seeds or episodes, what is kept is decided by another, and the test is for the shipped binary alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tacit.environments.environment import Environment, best
from tacit.environments.rollouts import Rollouts, episode_seeds
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric
from tacit.goals.own import SEEDS, needs, reads_arrays, score_arrays, score_binary
from tacit.goals.table import metric_of
from tacit.ground.errors import InputError
from tacit.search.columns import Columns, seed_of
from tacit.search.evolution_batch import Together
from tacit.search.evolution_candidate import Candidate
from tacit.search.evolution_space import Space
from tacit.search.workers import Failure, Workers
from tacit.signature.signature import Signature

#: Training examples that a generation is measured on, another sample in each: so no candidate is good by luck with a few of them.
ROWS = 8192
#: Draws of the validation examples that tell chance.
RESAMPLES = 100
#: Episodes of each candidate in a generation, and of those that are held against one another for keeping.
EPISODES, DECIDING = 4, 32


class Measure(Protocol):
    """Worth of weights, float32[candidate, weight] -> float64[candidate]: higher is better, NaN could not be measured."""

    #: What keeps the search from learning the measurement instead of the goal, for the evidence.
    protection: str
    #: Whether the best member of a generation may be kept, not only the centre: where what decides is as good as the test.
    members: bool

    def steps_by(self, weights: Tensor, generation: int) -> np.ndarray:
        """Measure the members of a generation, all on the same examples or by the same seeds. Raises: InputError when none can be."""

    def keeps_by(self, weights: Tensor) -> np.ndarray:
        """Measure what may be kept, on what no step has followed. Raises: InputError when none can be."""

    def chance(self, one: Tensor, other: Tensor) -> float:
        """Give how far two weights, float32[weight] each, may differ in `keeps_by` by chance: a standard error of the difference."""


class OfScores:
    """A metric, or a score of arrays, on examples: all candidates in one batched pass."""

    protection = "steps follow samples of the training examples, another in each generation; validation decides what is kept"
    members = False

    def __init__(
        self,
        goal: Goal,
        network: nn.Module,
        space: Space,
        signature: Signature,
        train: Columns,
        validation: Columns,
        *,
        seed: int,
        rows: int | None = None,
    ) -> None:
        self._goal, self._output, self._seed, self._rows = goal, signature.output, seed, rows or ROWS
        self._together = Together(network, space, signature.output.width)
        self._metric: Metric = metric_of(goal)
        self._train, self._validation = train, validation if len(validation) else train
        self._seen = self._together.seen(train), self._together.seen(self._validation)

    def steps_by(self, weights: Tensor, generation: int) -> np.ndarray:
        """Measure on some of the training examples, see `Measure`."""
        count = len(self._train)
        if count <= self._rows:
            rows = torch.arange(count)
        else:
            generator = torch.Generator().manual_seed(seed_of(self._seed, "rows", generation))
            rows = torch.randperm(count, generator=generator)[: self._rows]
        return self._worth(weights, _at(self._seen[0], rows), _at(self._train, rows))

    def keeps_by(self, weights: Tensor) -> np.ndarray:
        """Measure on the validation examples, see `Measure`."""
        return self._worth(weights, self._seen[1], self._validation)

    def chance(self, one: Tensor, other: Tensor) -> float:
        """Draw the validation examples anew with replacement (Efron 1979), see `Measure`."""
        scores = self._together.scores(torch.stack([one, other]), self._seen[1])
        random = np.random.default_rng(0)
        draws = (torch.from_numpy(random.integers(0, len(self._validation), len(self._validation))) for _ in range(RESAMPLES))
        worths = np.array([self._of(scores[:, rows.numpy()], _at(self._validation, rows)) for rows in draws])
        return float(np.nan_to_num(np.std(worths[:, 0] - worths[:, 1])))

    def _worth(self, weights: Tensor, seen: Columns, data: Columns) -> np.ndarray:
        return self._of(self._together.scores(weights, seen), data)

    def _of(self, scores: np.ndarray, data: Columns) -> np.ndarray:
        targets = data.targets.cpu().numpy()
        finite = np.isfinite(scores).all(axis=(1, 2))
        values = np.full(len(scores), np.nan)
        if finite.any():
            good = scores[finite]
            if reads_arrays(self._goal):
                inputs = tuple(array.cpu().numpy() for array in data.inputs)
                values[finite] = score_arrays(self._goal, good, targets, inputs)
            else:
                values[finite] = [self._metric(one, targets, self._output) for one in good]
        return values if self._metric.higher_is_better else -values


class OfReturns:
    """The mean return of episodes in an environment: the lanes of all candidates step by step, in one batched pass each."""

    protection = "each generation has episodes of its own, the same for all of its candidates; others decide what is kept"
    members = True

    def __init__(
        self,
        environment: Environment,
        network: nn.Module,
        space: Space,
        *,
        seed: int,
        episodes: int = EPISODES,
        deciding: int = DECIDING,
    ) -> None:
        self._environment, self._seed = environment, seed
        self._episodes, self._deciding = episodes, deciding
        self._together = Together(network, space, environment.signature.output.width)
        self._rollouts: dict[int, Rollouts] = {}

    def steps_by(self, weights: Tensor, generation: int) -> np.ndarray:
        """Run episodes that begin as no others do, see `Measure`."""
        seeds = episode_seeds(self._seed, self._episodes, purpose="evolution", first=generation * self._episodes)
        worth: np.ndarray = self._returns(weights, seeds).mean(axis=1)
        return worth

    def keeps_by(self, weights: Tensor) -> np.ndarray:
        """Run the episodes that decide, see `Measure`."""
        worth: np.ndarray = self._returns(weights, episode_seeds(self._seed, self._deciding, purpose="validation")).mean(axis=1)
        return worth

    def chance(self, one: Tensor, other: Tensor) -> float:
        """Compare episode by episode, see `Measure`."""
        returns = self._returns(torch.stack([one, other]), episode_seeds(self._seed, self._deciding, purpose="validation"))
        return float(np.std(returns[0] - returns[1]) / np.sqrt(self._deciding))

    def _returns(self, weights: Tensor, seeds: list[int]) -> np.ndarray:
        """Give float64[candidate, episode]."""
        lanes = len(weights) * len(seeds)
        if lanes not in self._rollouts:
            self._rollouts[lanes] = Rollouts(self._environment, lanes)
        (spec,) = self._environment.signature.input.arrays
        scorer = self._together.scorer(weights)

        def policy(observations: np.ndarray) -> np.ndarray:
            array = torch.from_numpy(np.ascontiguousarray(observations).reshape(len(weights), len(seeds), *spec.shape))
            scores = scorer((array.float() if spec.limit is None else array,))
            actions = best(self._environment.signature.output, np.nan_to_num(scores).reshape(lanes, -1))
            return actions

        episodes = self._rollouts[lanes].run(policy, seeds * len(weights), whole=True)
        return episodes.returns.reshape(len(weights), len(seeds))


@dataclass(frozen=True, eq=False)
class Call:
    """One candidate to be measured: its weights, which examples (see `Called.examples`) and at which of them, and the seed."""

    weights: Tensor
    split: str
    rows: np.ndarray | None
    seed: int


@dataclass(eq=False)
class Called:
    """Measure one candidate by calling the score with it; a piece of work that can be sent to a worker."""

    goal: Goal
    network: nn.Module
    space: Space
    signature: Signature
    examples: dict[str, Examples]

    def __call__(self, call: Call) -> float:
        """Give the score, higher is better. Raises: InputError."""
        self.space.load(self.network, call.weights)
        data = self.examples.get(call.split)
        data = data if data is None or call.rows is None else data.take(call.rows)
        value = score_binary(self.goal, Candidate(self.network, self.signature), data, seed=call.seed)
        return -value if self.goal.lower_is_better else value


class OfBinaries:
    """Any score of a binary: each candidate becomes what behaves like one, here or on workers elsewhere."""

    def __init__(
        self,
        goal: Goal,
        network: nn.Module,
        space: Space,
        signature: Signature,
        examples: Examples | None,
        *,
        seed: int,
        workers: Workers,
        rows: int | None = None,
    ) -> None:
        asked = needs(goal)
        splits = {} if examples is None or not asked["examples"] else {name: examples.split(name) for name in ("train", "validation")}
        if splits and not len(splits["validation"]):
            splits["validation"] = splits["train"]
        self._work = Called(goal, copy.deepcopy(network).cpu().eval(), space, signature, splits)
        self._seed, self._workers, self._rows = seed, workers, rows or ROWS
        self.failed: str | None = None
        self.members = not splits
        apart = [name for name, there in (("examples", bool(splits)), ("seeds", asked["seed"])) if there]
        self.protection = (
            f"steps follow {' and '.join(apart)} of their own in each generation; others decide what is kept"
            if apart
            else "none: the score asks for no examples and no seed, so that what it measures is what is searched"
        )

    def steps_by(self, weights: Tensor, generation: int) -> np.ndarray:
        """Measure on some of the training examples or by the seed of the generation, see `Measure`."""
        data = self._work.examples.get("train")
        rows = None
        if data is not None and len(data) > self._rows:
            rows = np.random.default_rng(seed_of(self._seed, "rows", generation)).permutation(len(data))[: self._rows]
        return self._worth([Call(one, "train", rows, seed_of(self._seed, "score", generation) % 2**31) for one in weights])

    def keeps_by(self, weights: Tensor) -> np.ndarray:
        """Measure on validation or by its seed, see `Measure`."""
        return self._worth([Call(one, "validation", None, SEEDS["validation"]) for one in weights])

    def chance(self, one: Tensor, other: Tensor) -> float:
        """Nothing is known of the chance of a score that is only called."""
        return 0.0

    def _worth(self, calls: Sequence[Call]) -> np.ndarray:
        values = np.full(len(calls), np.nan)
        for place, result in self._workers.run(self._work, calls):
            if isinstance(result, Failure):
                self.failed = result.reason
            else:
                values[place] = result
        if np.isnan(values).all() and self.failed is not None:
            _raise(self.failed)
        return values


def _raise(reason: str) -> None:
    """Say why no candidate could be measured, in the words of the last one."""
    message, *rest = reason.removeprefix("InputError: ").split("\n")
    fix = next((line.removeprefix("try: ") for line in rest if line.startswith("try: ")), None)
    raise InputError(message, cause=next((line for line in rest if not line.startswith("try: ")), None), fix=fix)


def _at(data: Columns, rows: Tensor) -> Columns:
    rows = rows.to(data.targets.device)
    return Columns(data.specs, tuple(tensor[rows] for tensor in data.inputs), data.targets[rows])
