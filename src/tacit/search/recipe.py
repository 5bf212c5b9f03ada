"""The training recipe: defaults that are good without tuning, by type of input, and what `[train]` may override."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit.ground.errors import ConfigError
from tacit.ground.tables import did_you_mean
from tacit.signature.signature import Signature


@dataclass(frozen=True)
class Recipe:
    """How gradient descent is run.

    optimiser: a name in `tacit.search.optimisers.OPTIMISERS`. learning_rate: the peak of a one-cycle schedule. batch: examples
    per step. epochs: at most so many passes, whatever the budget. warmup: fraction of the steps during which the rate rises.
    augment: names in `tacit.search.augmentation.AUGMENTATIONS`, or None for those that are safe for the type of the input.
    augment_from: fewer planned epochs than this train without augmentation. plain_tail: the last fraction of the steps is not
    augmented. small: the share of its rows and columns at which training sees a plane in the beginning; it grows to the whole.
    mixup: parameter of the Beta distribution by which augmented examples are blended (0: not). balance: weigh classes
    by inverse frequency (None: when the goal is not accuracy). precision: float32, bfloat16
    or None (bfloat16 where the machine multiplies it in hardware). clip: greatest norm of the gradient (0: no limit).
    refit: after choosing, train on train and validation together, take the last weights, and report no validation score (None: when
    validation would keep whole groups, of which there are few, from training).
    approximate: greatest error with which functions other than ReLU may be lowered (None: they are refused).
    workers: with ``--on ray``, so many share each batch of the final run (1: this process trains alone; None: decided by what it costs).
    """

    optimiser: str = "sgd"
    learning_rate: float = 0.2
    weight_decay: float = 5e-4
    momentum: float = 0.9
    batch: int = 128
    epochs: int = 40
    warmup: float = 0.15
    label_smoothing: float = 0.1
    augment: tuple[str, ...] | None = None
    augment_from: float = 6.0
    plain_tail: float = 0.1
    small: float = 1.0
    mixup: float = 0.0
    refit: bool | None = None
    balance: bool | None = None
    precision: str | None = None
    clip: float = 0.0
    approximate: float | None = None
    workers: int | None = None


#: Defaults by the kind of the input type; the rest is `Recipe()`. What was tried: docs/adr/0006-a-recipe-without-tuning.md.
BY_KIND: Mapping[str, Mapping[str, Any]] = {
    "image": {},
    "audio": {"precision": "float32", "optimiser": "adamw", "learning_rate": 4e-3, "weight_decay": 1e-2, "batch": 64, "epochs": 60},
    "series": {"precision": "float32", "optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 5e-2, "batch": 64, "epochs": 15},
    "text": {
        "precision": "float32",
        "optimiser": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 1e-2,
        "batch": 32,
        "epochs": 6,
        "label_smoothing": 0.02,
    },
    "vector": {"precision": "float32", "optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-2, "batch": 128, "epochs": 40},
    "board": {"precision": "float32", "optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-2, "batch": 128, "epochs": 40},
    "product": {"precision": "float32", "optimiser": "adamw", "learning_rate": 2e-3, "weight_decay": 1e-2, "batch": 64, "epochs": 30},
    "row": {
        "precision": "float32",
        "optimiser": "adamw",
        "learning_rate": 2e-3,
        "weight_decay": 1e-2,
        "batch": 256,
        "epochs": 10,
        "label_smoothing": 0.0,
    },
}


def recipe_for(signature: Signature, overrides: Mapping[str, Any], *, examples: int) -> Recipe:
    """Give the recipe for a signature and a number of training examples, with a person's overrides checked whole.

    Raises: ConfigError naming every unknown key and every value of a wrong type.
    """
    values: dict[str, Any] = dict(BY_KIND.get(signature.input.kind, {}))
    if signature.input.kind == "image":
        values |= _image_batch(examples)
    known = {field.name: field for field in dataclasses.fields(Recipe)}
    problems = []
    for key, value in overrides.items():
        if key not in known:
            problems.append(f"`train.{key}` is not known: {did_you_mean(key, list(known))}")
        elif not _fits(value, str(known[key].type)):
            problems.append(f"`train.{key}` expected {known[key].type}, got {value!r}")
        else:
            values[key] = tuple(value) if isinstance(value, list) else float(value) if known[key].type == "float" else value
    if problems:
        raise ConfigError("\n".join(["the training recipe has problems", *(f"  - {text}" for text in problems)]))
    recipe = Recipe(**values)
    return dataclasses.replace(recipe, batch=max(2, min(recipe.batch, examples)))


def _image_batch(examples: int) -> dict[str, Any]:
    """Give batch, rate and passes: a small set needs small batches for enough steps, and can be passed over more often."""
    if examples >= 20_000:
        return {"batch": 256, "learning_rate": 0.4}
    if examples >= 5_000:
        return {"batch": 128, "learning_rate": 0.2, "epochs": 60}
    return {"batch": 64, "learning_rate": 0.1, "epochs": 100}


def _fits(value: Any, annotation: str) -> bool:
    """Tell whether a TOML value fits the annotation of a field."""
    if value is None:
        return "None" in annotation
    if annotation.startswith("tuple"):
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if annotation.startswith("bool"):
        return isinstance(value, bool)
    if annotation.startswith("str"):
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    return isinstance(value, int) if annotation.startswith("int") else isinstance(value, int | float)
