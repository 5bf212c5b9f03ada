"""Losses by the names that output types give; each takes scores float32[batch, score] and targets as `encode` made them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tacit.ground.errors import ConfigError
from tacit.ground.tables import Table
from tacit.signature.base import Joint, OutputType
from tacit.signature.symbols import Symbols


def cross_entropy(scores: Tensor, targets: Tensor, *, output: OutputType, smoothing: float, weights: Tensor | None) -> Tensor:
    """Softmax cross-entropy; targets int64[batch]."""
    return F.cross_entropy(scores, targets, weight=weights, label_smoothing=smoothing)


def squared_error(scores: Tensor, targets: Tensor, *, output: OutputType, smoothing: float, weights: Tensor | None) -> Tensor:
    """Huber loss with its knee at 2 standard deviations: squared error that one wild label can't wreck."""
    return F.huber_loss(scores, targets.reshape(scores.shape), delta=2.0)


def binary_cross_entropy(scores: Tensor, targets: Tensor, *, output: OutputType, smoothing: float, weights: Tensor | None) -> Tensor:
    """Sigmoid cross-entropy of several yes/no answers; targets float32[batch, label]."""
    wanted = targets * (1.0 - smoothing) + 0.5 * smoothing
    return F.binary_cross_entropy_with_logits(scores, wanted, pos_weight=weights)


def ctc(scores: Tensor, targets: Tensor, *, output: OutputType, smoothing: float, weights: Tensor | None) -> Tensor:
    """Sum over all paths of steps that spell the target (Graves et al. 2006), per name of it; scores float32[batch, step * (name + 1)].

    Targets: [batch, place], -1 behind the last name. Smoothing adds the cross-entropy with equal shares, averaged over the steps.
    """
    if not isinstance(output, Symbols):
        raise ConfigError(f"expected an output of the type symbols, got {output!r} - at the loss `ctc`")
    steps = F.log_softmax(scores.reshape(len(scores), output.steps, -1), dim=2)
    wanted = targets.long()
    lengths = (wanted >= 0).sum(dim=1)
    taken = torch.full((len(scores),), output.steps, dtype=torch.int64)
    loss = F.ctc_loss(steps.transpose(0, 1), wanted.clamp(min=0), taken, lengths.cpu(), blank=len(output.names))
    return (1.0 - smoothing) * loss - smoothing * steps.mean() if smoothing else loss


def joint(scores: Tensor, targets: Tensor, *, output: OutputType, smoothing: float, weights: Tensor | None) -> Tensor:
    """Give the sum of the losses of the parts; targets float32[batch, target], one part after the other."""
    if not isinstance(output, Joint):
        raise ConfigError(f"expected a joint output, got {output!r} - at the loss `joint`")
    total = scores.new_zeros(())
    at_score = at_target = 0
    for part in output.parts:
        count = math.prod(part.target.shape)
        wanted = targets[:, at_target : at_target + count]
        wanted = wanted[:, 0].long() if part.loss == "cross_entropy" else wanted
        own = scores[:, at_score : at_score + part.width]
        total = total + LOSSES.get(part.loss)(own, wanted, output=part, smoothing=smoothing, weights=None)
        at_score, at_target = at_score + part.width, at_target + count
    return total


LOSSES = Table(
    "loss",
    {
        "cross_entropy": "tacit.search.losses:cross_entropy",
        "squared_error": "tacit.search.losses:squared_error",
        "binary_cross_entropy": "tacit.search.losses:binary_cross_entropy",
        "ctc": "tacit.search.losses:ctc",
        "joint": "tacit.search.losses:joint",
    },
    group="tacit.losses",
)


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Give float32[class]: inverse frequency, tempered by a square root, with mean 1 over the examples."""
    counts = torch.bincount(targets, minlength=classes).clamp(min=1).float()
    weights = counts.rsqrt()
    return weights * (counts.sum() / (weights * counts).sum())
