"""Cheap models of their own seeds, trained on all of the examples by the product's own loop: influence is averaged over them.

An influence computed at one set of weights holds as much of that run's chance as of the data. Five runs of a few passes, each with
its own first weights and order, cost less than one full run and tell more (Park et al. 2023, section 4, average over models, too).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from tacit.ground.progress import Reporter
from tacit.search.columns import Columns, seed_of
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.skeletons.table import Skeleton, network_for

MODELS = 5
#: Passes over the examples of a short model: enough that it has learnt what is general, before it knows every label by heart.
PASSES = 8


def short_models(
    task: Task,
    skeleton: Skeleton,
    settings: Mapping[str, Any],
    recipe: Recipe,
    *,
    inputs: tuple[np.ndarray, ...],
    seed: int,
    models: int = MODELS,
    passes: float = PASSES,
    reporter: Reporter | None = None,
) -> list[nn.Module]:
    """Train `models` networks for `passes` passes each and give them in evaluation mode.

    inputs: the training inputs as arrays, for means and knots. They are trained in float32 without augmentation, so that the loss of
    an example is the loss that was minimised.
    """
    reporter = reporter or Reporter()
    begun, found = time.monotonic(), []
    plain = replace(recipe, mixup=0.0)
    steps = max(1, round(passes * max(1, len(task.train) // min(recipe.batch, len(task.train)))))
    for number in range(models):
        own = seed_of(seed, "short", number) % 2**31
        network = network_for(skeleton, task.signature, settings, inputs=inputs, seed=own)
        training = Training(task, network, plain, Progress([(0, steps)]), seed=own, augment=False, low_precision=False)
        while not training.progress.done:
            training.step()
            share = (number + training.progress.fraction) / models
            left = (time.monotonic() - begun) * (1.0 - share) / max(share, 1e-6)
            reporter.progress(share, left, f"short model {number + 1} of {models}, loss {training.loss:.3f}")
        found.append(copy.deepcopy(training.network).float().eval())
    return found


def without_validation(data: Columns) -> Columns:
    """Give the same columns without an example in them."""
    return Columns(data.specs, tuple(tensor[:0] for tensor in data.inputs), data.targets[:0])
