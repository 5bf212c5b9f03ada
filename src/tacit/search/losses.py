"""Losses by the names that output types give; each takes scores float32[batch, score] and targets as `encode` made them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tacit.ground.tables import Table


def cross_entropy(scores: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Softmax cross-entropy; targets int64[batch]."""
    return F.cross_entropy(scores, targets, weight=weights, label_smoothing=smoothing)


def squared_error(scores: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Huber loss with its knee at 2 standard deviations: squared error that one wild label can't wreck."""
    return F.huber_loss(scores, targets.reshape(scores.shape), delta=2.0)


def binary_cross_entropy(scores: Tensor, targets: Tensor, *, smoothing: float, weights: Tensor | None) -> Tensor:
    """Sigmoid cross-entropy of several yes/no answers; targets float32[batch, label]."""
    wanted = targets * (1.0 - smoothing) + 0.5 * smoothing
    return F.binary_cross_entropy_with_logits(scores, wanted, pos_weight=weights)


LOSSES = Table(
    "loss",
    {
        "cross_entropy": "tacit.search.losses:cross_entropy",
        "squared_error": "tacit.search.losses:squared_error",
        "binary_cross_entropy": "tacit.search.losses:binary_cross_entropy",
    },
    group="tacit.losses",
)


def class_weights(targets: Tensor, classes: int) -> Tensor:
    """Give float32[class]: inverse frequency, tempered by a square root, with mean 1 over the examples."""
    counts = torch.bincount(targets, minlength=classes).clamp(min=1).float()
    weights = counts.rsqrt()
    return weights * (counts.sum() / (weights * counts).sum())
