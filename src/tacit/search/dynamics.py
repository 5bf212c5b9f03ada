"""What a run of gradient descent says of each example while it learns: its scores in training mode, averaged over the part that counts.

The scores are there anyhow when the loss is computed, so they cost nothing. A label that the run went on disagreeing with is probably
wrong (Pleiss et al. 2020, "Identifying mislabeled data using the area under the margin ranking"): `tacit.search.suspicion` rates them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tacit.search.suspicion import KEPT

#: Augmentations that move or hide much of an input, so that a network can hardly learn labels by heart.
HOLDING = frozenset({"shift", "flip", "upend", "affine", "erase"})


def counts_from(augmented: Sequence[str]) -> float:
    """Give the fraction of a run from which on its scores count.

    Where augmentation keeps labels from being learnt by heart the second half tells most. Else late passes know wrong labels, too, and
    nearly all of the run counts. Tried on CIFAR-10N and on NoisyAG-News: benchmarks/label_errors.py.

    >>> counts_from(["shift"]), counts_from([])
    (0.5, 0.1)
    """
    return 0.5 if HOLDING & set(augmented) else 0.1


class Dynamics:
    """The sums of one run.

    Of more than `KEPT` classes an example keeps its own and those that led when it first counted. Other outputs with so many numbers
    are not recorded (`recorded` is False). Memory: at most ``4 * KEPT`` bytes per example, three times that for many classes.
    """

    def __init__(self, count: int, width: int, loss: str, device: torch.device) -> None:
        many = width > KEPT
        self.recorded = width > 0 and (not many or loss == "cross_entropy")
        kept = min(width, KEPT) if self.recorded else 0
        self.sums = torch.zeros((count, kept), device=device)
        self.counts = torch.zeros(count, device=device)
        self.classes = torch.zeros((count, kept), dtype=torch.int64, device=device) if many and self.recorded else None

    def add(self, rows: Tensor, scores: Tensor, targets: Tensor) -> None:
        """Add the scores of a step: rows int64[batch], scores float32[batch, score] (or [batch, member, score]), targets of the batch."""
        if not self.recorded:
            return
        scores = scores.mean(1) if scores.ndim == 3 else scores
        rows = rows.to(scores.device)
        if self.classes is not None:
            scores = scores.gather(1, self._chosen(self.classes, rows, scores, targets))
        self.sums.index_add_(0, rows, scores)
        self.counts.index_add_(0, rows, torch.ones(len(rows), device=scores.device))

    def _chosen(self, classes: Tensor, rows: Tensor, scores: Tensor, targets: Tensor) -> Tensor:
        """Give int64[batch, kept], the classes kept for these rows; those that are new get the given class and the leading ones."""
        fresh = self.counts[rows] == 0
        if bool(fresh.any()):
            leading = scores[fresh].scatter(1, targets[fresh][:, None], torch.inf).topk(classes.shape[1], dim=1).indices
            classes[rows[fresh]] = leading
        return classes[rows]

    def averages(self) -> dict[str, Tensor]:
        """Give the averages so far as columns over the examples; nothing where nothing is recorded.

        scores: float32[example, kept]. counts: float32[example], how often each was seen (0: its scores are 0 and say nothing).
        classes: int64[example, kept], the classes that the scores belong to; only where not all are kept in order.
        """
        if not self.recorded:
            return {}
        columns = {"scores": self.sums / self.counts.clamp(min=1)[:, None], "counts": self.counts.clone()}
        return columns if self.classes is None else {**columns, "classes": self.classes.clone()}

    def state(self) -> dict[str, Tensor]:
        """Give what `restore` needs."""
        tensors = {"dynamics.sums": self.sums.clone(), "dynamics.counts": self.counts.clone()}
        return tensors if self.classes is None else {**tensors, "dynamics.classes": self.classes.clone()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from `state()`."""
        self.sums.copy_(tensors["dynamics.sums"])
        self.counts.copy_(tensors["dynamics.counts"])
        if self.classes is not None:
            self.classes.copy_(tensors["dynamics.classes"])
