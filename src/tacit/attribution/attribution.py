"""Everything that an answer needs to name the examples behind it: short models, landmarks, and the matrix of each model."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from tacit.attribution.directions import answer_directions, pull
from tacit.attribution.kernel import DAMPING, exact, gram, kept, push_of, query_slices, scores_of, some_slopes, through_landmarks
from tacit.attribution.short_models import short_models, without_validation
from tacit.attribution.slopes import Slopes, kernel
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.progress import Reporter
from tacit.search.columns import Columns, columns, seed_of
from tacit.search.recipe import Recipe
from tacit.search.training import Task, fixed_front
from tacit.signature.base import ArraySpec, OutputType
from tacit.skeletons.table import Skeleton


@dataclass(frozen=True)
class Plan:
    """How an attribution is made.

    models, passes: short models and the passes over the examples of each. most_exact: up to so many examples every one is a landmark.
    landmarks: how many there are above that. most: the widest gradient of a layer that is kept as it is, above it is sketched (None:
    none is). held: the numbers of landmark gradients that are kept for answers; more are worked out anew for each.
    """

    models: int = 5
    passes: float = 8.0
    damping: float = DAMPING
    most_exact: int = 5_000
    landmarks: int = 1_000
    most: int | None = None
    held: int = 8_000_000


#: Above `Plan.most_exact` examples: fewer models, of which each has seen more.
LARGE = Plan(models=2, passes=2.0, most=4096, held=64_000_000)


def plan_for(examples: int) -> Plan:
    """Give the plan for a number of training examples."""
    usual = Plan()
    return usual if examples <= usual.most_exact else LARGE


class Multiplies(Protocol):
    """A matrix that is not in memory."""

    def times(self, products: np.ndarray) -> np.ndarray:
        """Multiply by float32[landmark, query]."""
        ...


@dataclass(frozen=True, eq=False)
class Model:
    """One model's part.

    landmarks: the gradients of the landmarks, None when they are worked out anew for each answer. directions: float32[landmark, score],
    what they are gradients of. matrix, weights, damping, inner: as in `tacit.attribution.kernel.Operator`. residual: float32[example], how
    hard each example pulls.
    """

    network: nn.Module
    landmarks: Slopes | None
    directions: Tensor
    matrix: Tensor | Multiplies
    residual: Tensor
    weights: Tensor
    damping: float
    inner: Tensor | None


@dataclass(frozen=True, eq=False)
class Attribution:
    """Answers `influence` for inputs.

    models: what is averaged over. most: as in `Plan`. smoothing: of the labels in training. landmarks: the landmark examples as columns,
    as the networks take them; empty when no model needs them.
    """

    output: OutputType
    specs: tuple[ArraySpec, ...]
    models: tuple[Model, ...]
    most: int | None
    smoothing: float
    landmarks: Columns

    def influence(self, arrays: Sequence[np.ndarray], targets: np.ndarray | None = None) -> np.ndarray:
        """Give float32[model, query, example]: by how much each example raises the margin of each answer, in the margin's own unit.

        arrays: [query, *shape] each. The margin is that of `targets` where given, as the output type encodes labels, else of what the
        models say themselves: the log odds of a class, the mean score towards the chosen labels, the standardised number. Positive:
        without the example it would be lower. The mean over the models is the estimate; their spread says how steady it is.
        """
        data = self._columns(arrays)
        chosen = self._chosen(data) if targets is None else self._targets(targets)
        shares = []
        for model in self.models:
            scores = scores_of(model.network, self._behind(model, data))
            found = self._raised(model, data, answer_directions(scores, self.output, chosen))
            shares.append((found * model.residual.numpy()[:, None]).T)
        return np.ascontiguousarray(np.stack(shares), np.float32)

    def effects(
        self,
        arrays: Sequence[np.ndarray],
        targets: np.ndarray,
        changed: Sequence[np.ndarray],
        after: Sequence[np.ndarray | None],
        before: Sequence[np.ndarray | None],
    ) -> np.ndarray:
        """Give float32[query, change]: by how much each change of a label raised the margin of each query's right answer.

        arrays, targets: the queries and their labels, encoded. changed: inputs [change, *shape]; after, before: their labels, encoded,
        None where there is none (an example that was added has none before). The pull of a change is that of its label after, less that
        of the one before.
        """
        data, other = self._columns(arrays), self._columns(changed)
        wanted = self._targets(targets)
        total = np.zeros((len(data), len(other)), np.float32)
        for model in self.models:
            queries, changes = self._behind(model, data), self._behind(model, other)
            towards = answer_directions(scores_of(model.network, queries), self.output, wanted)
            pulls = self._pulls(scores_of(model.network, changes), after, before)
            total += self._between(model, queries, towards, changes, pulls).numpy()
        return total / np.float32(max(1, len(self.models)))

    def _pulls(self, scores: Tensor, after: Sequence[np.ndarray | None], before: Sequence[np.ndarray | None]) -> Tensor:
        """Give float32[change, score]: what the labels after pull at the scores, less what those before do."""
        total = torch.zeros_like(scores)
        for labels, sign in ((after, 1.0), (before, -1.0)):
            rows = [row for row, label in enumerate(labels) if label is not None]
            if rows:
                targets = self._targets(np.stack([np.asarray(labels[row]) for row in rows]))
                total[rows] += sign * pull(scores[rows], targets, self.output, smoothing=self.smoothing)
        return total

    def _between(self, model: Model, queries: Columns, towards: Tensor, changes: Columns, pulls: Tensor) -> Tensor:
        """Give float32[query, change]: ``g' H^-1 h`` for the gradients g of the queries and h of the changes."""
        left, right = self._products(model, queries, towards), self._products(model, changes, pulls)
        if model.inner is not None:
            return left.T @ model.inner @ right
        raised = torch.from_numpy(_times(model.matrix, left)) * model.weights[:, None]
        return (gram(model.network, queries, towards, changes, pulls, most=self.most) - raised.T @ right) / model.damping

    def _raised(self, model: Model, data: Columns, towards: Tensor) -> np.ndarray:
        return _times(model.matrix, self._products(model, self._behind(model, data), towards))

    def _products(self, model: Model, query: Columns, towards: Tensor) -> Tensor:
        """Give float32[landmark, query]: the kernel of the landmarks and some numbers of the queries."""
        if model.landmarks is not None:
            parts = [rows for rows in query_slices(len(query))]
            found = [some_slopes(model.network, _rows(query, rows), towards[rows], most=self.most) for rows in parts]
            return torch.cat([kernel(model.landmarks, part) for part in found], 1)
        return gram(model.network, query, towards, self.landmarks, model.directions, most=self.most).T

    def _columns(self, arrays: Sequence[np.ndarray]) -> Columns:
        inputs = tuple(torch.from_numpy(np.array(array)) for array in arrays)
        return Columns(self.specs, inputs, torch.zeros(len(inputs[0]), dtype=torch.int64))

    def _targets(self, targets: np.ndarray) -> Tensor:
        kind = torch.int64 if self.output.loss == "cross_entropy" else torch.float32
        return torch.from_numpy(np.array(targets)).to(kind)

    def _behind(self, model: Model, data: Columns) -> Columns:
        return fixed_front(model.network, data) if hasattr(model.network, "front") else data

    def _chosen(self, data: Columns) -> Tensor | None:
        """Give what the models say together, as targets, so that all of them speak of the same answer."""
        scores = torch.stack([scores_of(model.network, self._behind(model, data)) for model in self.models]).mean(0)
        if self.output.loss == "cross_entropy":
            return scores.argmax(1)
        return (scores >= 0).float() if self.output.loss == "binary_cross_entropy" else None


def attribute(
    examples: Examples,
    skeleton: Skeleton,
    settings: Mapping[str, Any],
    recipe: Recipe,
    *,
    seed: int = 0,
    plan: Plan | None = None,
    reporter: Reporter | None = None,
) -> Attribution:
    """Make an attribution over training examples. Cost: `plan.models` short trainings, and a kernel each.

    Raises: ConfigError, BudgetError as training does.
    """
    plan, reporter = plan or plan_for(len(examples)), reporter or Reporter()
    output = examples.signature.output
    data = columns(examples, torch.device("cpu"))
    task = Task(examples.signature, data, without_validation(data), Goal(output.metric))
    reporter.phase("short models")
    networks = short_models(
        *(task, skeleton, settings, recipe),
        inputs=examples.inputs,
        seed=seed,
        models=plan.models,
        passes=plan.passes,
        reporter=reporter,
    )
    rows = landmark_rows(len(examples), plan, seed)
    reporter.phase("influence")
    begun, models = time.monotonic(), []
    for number, network in enumerate(networks):
        models.append(_model(network, data, rows, output, recipe.label_smoothing, plan))
        share = (number + 1) / len(networks)
        reporter.progress(share, (time.monotonic() - begun) * (1 - share) / share, f"model {number + 1} of {len(networks)}")
    marks = _rows(data, rows if any(model.landmarks is None for model in models) else rows[:0])
    marks = fixed_front(networks[0], marks) if hasattr(networks[0], "front") and len(marks) else marks
    return Attribution(output, data.specs, tuple(models), plan.most, recipe.label_smoothing, marks)


def landmark_rows(count: int, plan: Plan, seed: int) -> Tensor:
    """Give int64[landmark], ascending: all examples of a small set, a draw of a large one."""
    if count <= plan.most_exact:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(seed_of(seed, "landmarks"))
    return torch.randperm(count, generator=generator)[: plan.landmarks].sort().values


def _model(network: nn.Module, data: Columns, rows: Tensor, output: OutputType, smoothing: float, plan: Plan) -> Model:
    """Work out one model's part."""
    own = fixed_front(network, data) if hasattr(network, "front") else data
    push = push_of(network, own, output, smoothing=smoothing)
    direction = push.direction[rows]
    marks = _rows(own, rows)
    if len(rows) == len(data):
        found = exact(gram(network, own, push.direction, own, push.direction, most=plan.most), push, damping=plan.damping)
    else:
        between = gram(network, marks, direction, own, push.direction, most=plan.most)
        found = through_landmarks(between, push, rows, damping=plan.damping)
    size = sum(kept(network, marks, direction.shape[1], most=plan.most).values()) * len(rows)
    held = some_slopes(network, marks, direction, most=plan.most) if size <= plan.held else None
    residual = push.residual.float()
    return Model(network, held, direction, found.matrix, residual, found.weights, found.damping, found.inner)


def _rows(data: Columns, rows: Tensor | slice) -> Columns:
    return Columns(data.specs, tuple(tensor[rows] for tensor in data.inputs), data.targets[rows])


def _times(matrix: Tensor | Multiplies, products: Tensor) -> np.ndarray:
    if isinstance(matrix, Tensor):
        return (matrix @ products).numpy()
    return matrix.times(products.numpy())
