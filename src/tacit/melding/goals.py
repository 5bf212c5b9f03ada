"""The parts' own goals while a whole is trained: terms of its loss, and scores before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.evidence import scores_of
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.goals.table import metric_of
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.melding.network import Melded
from tacit.melding.parts import Part
from tacit.search.augmentation import AUGMENTATIONS
from tacit.search.columns import Columns, Order, columns, seed_of
from tacit.search.losses import LOSSES
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.training import Term, Training


@dataclass(frozen=True, eq=False)
class OwnGoal:
    """The loss of one part on its own training examples, as a term of the loss of the whole.

    Like everything in a run it is a function of the seed and the step: a run that is resumed meets the same examples.
    """

    melded: Melded
    place: int
    data: Columns
    order: Order
    recipe: Recipe
    weight: float
    seed: int

    def __call__(self, training: Training, _arrays: tuple[Tensor, ...], _scores: Tensor) -> Tensor:
        """Give the weighted loss on the examples of this step."""
        return self.at(training.progress.step, augmented=training.progress.fraction < 1.0 - self.recipe.plain_tail)

    def at(self, step: int, *, augmented: bool) -> Tensor:
        """Give the weighted loss on the examples of a step."""
        output = self.melded.parts[self.place].signature.output
        arrays, targets = self.data.rows(self.order.rows(step))
        if augmented:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "augment", step))
            for name in self.recipe.augment or ():
                augment = AUGMENTATIONS.get(name)
                arrays = tuple(augment(array, spec, generator) for array, spec in zip(arrays, self.data.specs, strict=True))
        scores = self.melded.part(self.place, arrays)
        loss: Tensor = LOSSES.get(output.loss)(scores, targets, output=output, smoothing=self.recipe.label_smoothing, weights=None)
        return self.weight * loss


def own_goals(melded: Melded, weight: float, *, batch: int, seed: int, device: torch.device) -> list[Term]:
    """Give a term for each part whose own examples are there."""
    if weight <= 0:
        return []
    found = [own_goal_of(melded, place, weight, batch=batch, seed=seed, device=device) for place in range(len(melded.parts))]
    return [term for term in found if term is not None]


def own_goal_of(melded: Melded, place: int, weight: float, *, batch: int, seed: int, device: torch.device) -> OwnGoal | None:
    """Give the term of one part, or None when its own examples are not there."""
    part = melded.parts[place]
    train = None if part.program is None else part.program.examples.split("train")
    if part.program is None or train is None or len(train) < 2:
        return None
    recipe = recipe_for(part.signature, part.program.recipe, examples=len(train))
    own = seed_of(seed, "own", part.name)
    return OwnGoal(melded, place, columns(train, device), Order(len(train), batch, own), recipe, weight, own)


def own_examples(part: Part) -> tuple[str, Examples] | None:
    """Give the split on which a part is judged, and its examples: test, or validation where there is no test."""
    if part.program is None:
        return None
    for split in ("test", "validation"):
        examples = part.program.examples.split(split)
        if len(examples):
            return split, examples
    return None


def own_score(part: Part, graph: Graph) -> dict[str, Any] | None:
    """Measure a part on its own examples; None where it has none. Gives the split, the metric of its first goal, and the value."""
    found = own_examples(part)
    if found is None:
        return None
    split, examples = found
    block = scores_of(evaluate(graph, examples.inputs)[0], examples)
    goal = own_goal(part)
    return {"split": split, "count": len(examples), "metric": goal.metric, "value": block.get(goal.metric), "scores": block}


def own_goal(part: Part) -> Goal:
    """Give the goal that a part was compiled for: the first that the evidence can hold."""
    goals = part.program.goals if part.program is not None else ()
    plain = [goal for goal in goals if goal.label is None and goal.score is None]
    return plain[0] if plain else Goal(part.signature.output.metric)


def score(goal: Goal, scores: np.ndarray, examples: Examples) -> float:
    """Give a goal's metric on float32[example, score]."""
    metric = metric_of(goal)
    return float(metric(scores, examples.targets, examples.signature.output))


def kept_best(weights: Sequence[float], scores: Sequence[float], slack: float) -> float:
    """Choose the greatest weight of the parts' own goals that costs the joint goal no more than `slack` on validation.

    >>> kept_best([0.1, 1.0], [0.80, 0.795], 0.01), kept_best([0.1, 1.0], [0.80, 0.70], 0.01)
    (1.0, 0.1)
    """
    best = max(scores)
    return max(weight for weight, own in zip(weights, scores, strict=True) if own >= best - slack)
