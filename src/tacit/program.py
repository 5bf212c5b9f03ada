"""A program before compilation: signature, examples, skeleton, goals and budget in one noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.signature.signature import Signature


@dataclass(frozen=True, eq=False)
class Program:
    """What `compile` takes.

    skeleton: a name in `tacit.skeletons.SKELETONS`, or a function ``(signature, **settings) -> torch.nn.Module``.
    settings: values for the skeleton's open choices (width, depth ...): a value fixes a choice, a `choice(...)` opens it.
    recipe: overrides of the training recipe by name (learning_rate, batch, augment ...). directory: where it was read from.
    """

    name: str
    signature: Signature
    examples: Examples
    goals: tuple[Goal, ...] = ()
    skeleton: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
    directory: Path | None = None
