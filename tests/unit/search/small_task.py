"""A small learnable task: two kinds of 8x8 pictures, bright at the top or at the bottom, under noise."""

import numpy as np
import torch

from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.search.columns import columns
from tacit.search.recipe import Recipe
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.skeletons.table import CONVNET_2D, network_for


def examples(count: int = 200, seed: int = 0) -> Examples:
    random = np.random.default_rng(seed)
    targets = random.integers(0, 2, count)
    pictures = random.integers(0, 120, (count, 8, 8, 1))
    for picture, target in zip(pictures, targets, strict=True):
        picture[:4] += 100 * (1 - target)
        picture[4:] += 100 * target
    splits = np.array(["train", "train", "train", "validation", "test"])[np.arange(count) % 5]
    ids = np.array([f"{place:024x}" for place in range(count)])
    signature = Image(8, 8, 1) >> Class("top", "bottom")
    return Examples(signature, ids, (pictures.astype(np.uint8),), targets.astype(np.int64), splits, None, f"digest{seed}")


def task() -> Task:
    whole = examples()
    cpu = torch.device("cpu")
    return Task(whole.signature, columns(whole.split("train"), cpu), columns(whole.split("validation"), cpu), Goal("accuracy"))


def training(plan, *, seed=0, augment=True, recipe=None) -> Training:
    whole = examples()
    network = network_for(CONVNET_2D, whole.signature, {"width": 8, "dropout": 0.2}, inputs=whole.inputs, seed=seed)
    recipe = recipe or Recipe(batch=16, learning_rate=0.05)
    return Training(task(), network, recipe, Progress(plan), seed=seed, augment=augment, low_precision=False)
