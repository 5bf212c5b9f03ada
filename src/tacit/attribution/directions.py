"""Where an example pushes the scores, and how hard: the loss of one example near its scores, reduced to one direction.

The Gauss-Newton matrix of a loss is a sum over examples of ``J' H J`` (J: scores by weights, H: the loss's second derivative in the
scores). Of each H only the part along the example's own push is kept, which makes one row per example: exact for two classes and
for numbers, the logistic form of Park et al. 2023 ("TRAK", section 3.2) for more. The push is that of the plain loss; smoothing of
labels, weights of classes and so on come in through the residual alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tacit.ground.errors import ConfigError
from tacit.search.losses import LOSSES
from tacit.signature.base import OutputType

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Push:
    """direction: float32[example, score], of length 1. residual, curvature: float64[example].

    residual: minus the slope of the loss along the direction (by how much the example still pulls). curvature: the loss's second
    derivative along it.
    """

    direction: Tensor
    residual: Tensor
    curvature: Tensor


def pushes(scores: Tensor, targets: Tensor, output: OutputType, *, smoothing: float) -> Push:
    """Give the push of every training example; scores float32[example, score], targets as `Columns` hold them."""
    plain = -_slope(scores, targets, output, 0.0)
    # A loss that is met exactly has no slope; a step aside gives the direction in which it would have one.
    lost = plain.norm(dim=1) < 1e-9
    if bool(lost.any()):
        aside = -_slope(scores - 1e-2 * (1.0 + torch.arange(scores.shape[1], dtype=scores.dtype)), targets, output, 0.0)
        plain = torch.where(lost[:, None], aside, plain)
    direction = plain / plain.norm(dim=1, keepdim=True).clamp_min(_TINY)
    slope = _slope(scores, targets, output, smoothing) if smoothing else -plain
    residual = -(slope * direction).sum(1)
    residual = torch.where(lost & torch.tensor(smoothing == 0.0), torch.zeros_like(residual), residual)
    return Push(direction.float(), residual, _curvature(scores, targets, output, direction))


def answer_directions(scores: Tensor, output: OutputType, targets: Tensor | None = None) -> Tensor:
    """Give float32[example, score]: the direction whose growth makes the answer surer.

    For classes the gradient of the log odds of `targets` (default: the greatest score); for several labels the mean over them, each
    towards its own side; for numbers the number itself. Parts of a joint output count alike.
    """
    scores = scores.double()
    if output.loss == "cross_entropy":
        chosen = scores.argmax(1) if targets is None else targets
        others = scores.scatter(1, chosen[:, None], -torch.inf).softmax(1)
        return (-others).scatter(1, chosen[:, None], 1.0).float()
    if output.loss == "binary_cross_entropy":
        given = scores >= 0 if targets is None else targets > 0.5
        return (torch.where(given, 1.0, -1.0) / scores.shape[1]).float()
    return torch.full_like(scores, 1.0 / scores.shape[1]).float()


def answer_margins(scores: Tensor, output: OutputType, targets: Tensor | None = None) -> Tensor:
    """Give float64[example]: what `answer_directions` is the gradient of."""
    scores = scores.double()
    if output.loss == "cross_entropy":
        chosen = scores.argmax(1) if targets is None else targets
        others = scores.scatter(1, chosen[:, None], -torch.inf).logsumexp(1)
        return scores.gather(1, chosen[:, None])[:, 0] - others
    return (scores * answer_directions(scores, output, targets)).sum(1)


def right_margins(scores: np.ndarray, output: OutputType, targets: np.ndarray) -> np.ndarray:
    """Give float64[example]: the margins of the right answers, from float32[example, score] and targets as the type encodes labels."""
    kind = torch.int64 if output.loss == "cross_entropy" else torch.float32
    return np.asarray(answer_margins(torch.from_numpy(np.array(scores)), output, torch.from_numpy(np.array(targets)).to(kind)).numpy())


def pull(scores: Tensor, targets: Tensor, output: OutputType, *, smoothing: float) -> Tensor:
    """Give float32[example, score]: minus the slope of each example's loss, by how much its label pulls at the scores."""
    return -_slope(scores, targets, output, smoothing).float()


def _slope(scores: Tensor, targets: Tensor, output: OutputType, smoothing: float) -> Tensor:
    leaf = scores.detach().double().requires_grad_(True)
    (slope,) = torch.autograd.grad(_loss(leaf, targets, output, smoothing), leaf)
    return slope


def _curvature(scores: Tensor, targets: Tensor, output: OutputType, direction: Tensor) -> Tensor:
    leaf = scores.detach().double().requires_grad_(True)
    (slope,) = torch.autograd.grad(_loss(leaf, targets, output, 0.0), leaf, create_graph=True)
    along = (slope * direction.double()).sum()
    bend = torch.zeros_like(leaf) if not along.requires_grad else torch.autograd.grad(along, leaf, allow_unused=True)[0]
    if bend is None:
        bend = torch.zeros_like(leaf)
    return (bend * direction.double()).sum(1).clamp_min(0.0)


def _loss(scores: Tensor, targets: Tensor, output: OutputType, smoothing: float) -> Tensor:
    """Give the sum over examples of the loss that training minimises."""
    if targets.is_floating_point():
        targets = targets.double()
    loss: Tensor = LOSSES.get(output.loss)(scores, targets, output=output, smoothing=smoothing, weights=None)
    if loss.ndim:
        raise ConfigError(f"expected a loss that is one number, got the shape {tuple(loss.shape)} - at the loss `{output.loss}`")
    return loss * len(scores)
