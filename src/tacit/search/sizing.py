"""Fit the size of a network to a budget: the largest that still sees the examples often enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tacit.search.training import Training

#: Passes over 60,000 examples that one minute should hold. Fewer are too few to learn from, more want a larger network.
_EPOCHS, _SECONDS, _EXAMPLES = 5.0, 60.0, 60_000.0


def wanted_epochs(seconds: float, examples: int, most: int) -> float:
    """Give how many passes a budget should hold: more when there is more time, and more over fewer examples.

    >>> wanted_epochs(60.0, 60_000, 40)
    5.0
    """
    wanted = _EPOCHS * (seconds / _SECONDS) ** 0.4 * (_EXAMPLES / max(examples, 1)) ** 0.5
    return float(min(max(wanted, 3.0), most))


def pace(training: Training, *, steps: int = 3) -> float:
    """Measure the mean seconds per step of a run on a training that is thrown away afterwards (the first two steps are not counted)."""
    for _ in range(2):
        training.step()
    begun = time.monotonic()
    for _ in range(steps):
        training.step()
    return (time.monotonic() - begun) / steps * training.effort()


def size_for(
    sizes: Sequence[Mapping[str, Any]], fixed: Mapping[str, Any], training_of: Callable[[Mapping[str, Any]], Training], *, seconds: float
) -> tuple[dict[str, Any], float]:
    """Choose settings, and give them with the seconds per step measured.

    Sizes are tried from small to large until one is too slow to hold the epochs wanted. What a person fixed stays. At most an
    eighth of the time is spent on measuring.
    """
    begun = time.monotonic()
    chosen: tuple[dict[str, Any], float] | None = None
    for size in sizes:
        settings = {**size, **fixed}
        training = training_of(settings)
        per_step = pace(training)
        epochs = seconds / (per_step * training.order.steps)
        wanted = wanted_epochs(seconds, len(training.task.train), training.recipe.epochs)
        if chosen is not None and epochs < wanted:
            break
        chosen = (settings, per_step)
        if time.monotonic() - begun > seconds / 8 or epochs < wanted:
            break
    if chosen is None:
        raise ValueError("there must be at least one size")
    return chosen
