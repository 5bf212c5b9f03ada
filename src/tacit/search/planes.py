"""Smaller planes in the first part of a run: there a network learns what is coarse, for a fraction of the multiplications.

Source: Howard et al. 2018, "Training Imagenet in 3 hours for $25", progressive resizing; Tan and Le 2021, "EfficientNetV2", 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from tacit.ground.errors import ConfigError
from tacit.signature.base import ArraySpec

#: Up to these fractions of the run planes are small, then halfway between small and whole; from there on they are whole.
SMALL_UNTIL, HALFWAY_UNTIL = 0.35, 0.65


def share_at(fraction: float, small: float) -> float:
    """Give the share of its rows and columns that a plane has at a fraction of the run.

    >>> [share_at(fraction, 0.5) for fraction in (0.0, 0.5, 0.9)]
    [0.5, 0.75, 1.0]
    """
    if small >= 1.0 or fraction >= HALFWAY_UNTIL:
        return 1.0
    return small if fraction < SMALL_UNTIL else (1.0 + small) / 2


def effort_left(fraction: float, small: float) -> float:
    """Give the mean cost of the steps from a fraction of the run to its end, where a step with whole planes costs 1.

    >>> effort_left(0.9, 0.5), round(effort_left(0.0, 0.5), 5)
    (1.0, 0.60625)
    """
    if fraction >= 1.0:
        return 1.0
    ends = (fraction, max(fraction, SMALL_UNTIL), max(fraction, HALFWAY_UNTIL), 1.0)
    costs = (small**2, ((1.0 + small) / 2) ** 2, 1.0)
    return sum((end - start) * cost for start, end, cost in zip(ends, ends[1:], costs, strict=False)) / (1.0 - fraction)


def shrunk(x: Tensor, spec: ArraySpec, share: float) -> Tensor:
    """Give float32[batch, row, column, channel] with that share of its rows and columns, each a mean of those it stands for."""
    if share >= 1.0 or spec.axes != ("row", "column", "channel"):
        return x
    size = [max(1, 2 * round(side * share / 2)) for side in spec.shape[:2]]
    planes = x.permute(0, 3, 1, 2)
    return F.interpolate(planes, size, mode="bilinear", antialias=True, align_corners=False).permute(0, 2, 3, 1)


def check_takes_smaller(
    scores: Callable[[tuple[Tensor, ...]], Tensor], arrays: tuple[Tensor, ...], specs: Sequence[ArraySpec], small: float
) -> None:
    """Refuse `train.small` for a network that takes planes of one size alone.

    scores: what the network makes of a batch of arrays. Raises: ConfigError.
    """
    wrong = None if 0.0 < small <= 1.0 else f"got {small:g}"
    try:
        if wrong is None:
            with torch.no_grad():
                scores(tuple(shrunk(array, spec, small) for array, spec in zip(arrays, specs, strict=True)))
    except (RuntimeError, ValueError) as error:
        wrong = f"this network does not take smaller planes: {str(error).splitlines()[0]}"
    if wrong is not None:
        raise ConfigError(
            "expected `train.small` above 0 and up to 1, and a network that takes smaller planes",
            cause=wrong,
            fix="leave `train.small` out",
        )
