"""Influence by the Gauss-Newton kernel of one model.

Leaving example i out moves the weights by ``(J' W J + c)^-1 j_i r_i`` (Koh and Liang 2017, with the Gauss-Newton matrix in place of the
Hessian; c: damping), so its influence on the number whose gradient is g is ``g' (J' W J + c)^-1 j_i r_i``. By the push-through
identity that is ``k (W K + c)^-1`` with ``K = J J'`` and ``k = g' J'``: no gradient is projected, which costs most of what others
lose. A set that is too large for an n x n matrix goes through some of its examples, the landmarks (Nystrom's method; Williams and
Seeger 2001): gradients are held against those of the landmarks alone. Either way an answer needs its kernel against the landmarks and
one product with a matrix that was worked out before.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.attribution.directions import Push, pushes
from tacit.attribution.slopes import Factors, Slopes, kernel, slopes
from tacit.search.columns import Columns
from tacit.signature.base import OutputType

#: Damping over the mean of the weighted kernel's diagonal; chosen on other examples than those reported (benchmarks/attribution.py).
DAMPING = 1.0
BATCH = 250
#: Numbers of written-out gradients that are held at once.
HELD = 256_000_000


@dataclass(frozen=True, eq=False)
class Operator:
    """What is worked out once for a model; ``k`` is the kernel of the landmarks and an answer.

    matrix float32[example, landmark]: ``matrix @ k`` is ``J H^-1 g``, by how much each example's pull of 1 raises the answer. inner: for
    two answers, ``g' H^-1 h`` is ``k' inner l`` (float32[landmark, landmark]); None where all examples are landmarks, then it is
    ``(g'h - (matrix @ k)' W l) / damping``. weights float32[example]: the diagonal of W.
    """

    matrix: Tensor
    weights: Tensor
    damping: float
    inner: Tensor | None = None


def push_of(network: nn.Module, data: Columns, output: OutputType, *, smoothing: float) -> Push:
    """Give the push of every example of some columns (behind the network's fixed front)."""
    return pushes(scores_of(network, data), data.targets, output, smoothing=smoothing)


def scores_of(network: nn.Module, data: Columns) -> Tensor:
    """Give float32[example, score] in evaluation mode."""
    network.eval()
    body = getattr(network, "behind_front", network)
    with torch.inference_mode():
        parts = [body(*arrays).float() for arrays, _ in data.batches(BATCH)]
    return torch.cat(parts).clone()


def kept(network: nn.Module, data: Columns, width: int, *, most: int | None = None) -> dict[str, int]:
    """Give, per layer, how many numbers an example's gradient takes in the form in which it is kept."""
    found = slopes(network, data.rows(slice(0, 1))[0], torch.ones(1, width), most=most)
    return {name: part.x.shape[1] + part.d.shape[1] if isinstance(part, Factors) else part.g.shape[1] for name, part in found.items()}


def gram(network: nn.Module, first: Columns, push: Tensor, second: Columns, other: Tensor, *, most: int | None = None) -> Tensor:
    """Give float32[first, second]: products of the gradients of ``scores . push`` and ``scores . other``.

    As many layers at a time as `HELD` allows; the gradients of the first set are held, those of the second pass by in batches.
    """
    sizes = kept(network, first, push.shape[1], most=most)
    total = torch.zeros(len(first), len(second))
    same = first is second and push is other
    for names in _groups(sizes, max(1, HELD // max(1, len(first)))):
        held = [slopes(network, first.rows(rows)[0], push[rows], only=names, most=most) for rows in query_slices(len(first))]
        for place, rows in enumerate(query_slices(len(second))):
            own = held[place] if same else slopes(network, second.rows(rows)[0], other[rows], only=names, most=most)
            for row, part in zip(query_slices(len(first)), held, strict=True):
                if not same or row.start <= rows.start:
                    block = kernel(part, own)
                    total[row, rows] += block
                    if same and row.start < rows.start:
                        total[rows, row] += block.T
    return total


def exact(gram_matrix: Tensor, push: Push, *, damping: float = DAMPING) -> Operator:
    """Solve with every example as a landmark; gram_matrix float32[example, example]. Cost: 4/3 n^3 multiplications."""
    weights = push.curvature.float()
    root = weights.sqrt()
    weighted = gram_matrix * root[:, None] * root[None, :]
    least = max(float(weighted.diagonal().mean()), 1e-12) * damping
    weighted.diagonal().add_(least)
    # (W K + c)^-1 = (1 - S (S K S + c)^-1 S K) / c with S = sqrt(W): one Cholesky decomposition of a symmetric matrix.
    lower = torch.linalg.cholesky(weighted)
    inverse = torch.cholesky_solve(root[:, None] * gram_matrix, lower).mul_(-root[:, None])
    inverse.diagonal().add_(1.0)
    return Operator(inverse.div_(least).T.contiguous(), weights, least)


def through_landmarks(between: Tensor, push: Push, rows: Tensor, *, damping: float = DAMPING) -> Operator:
    """Solve through landmarks; between float32[landmark, example] is their kernel with all examples, rows int64[landmark] where they are.

    With features ``F = K_z^-1/2 k_z(example)`` an answer gets ``F (F' W F + c)^-1 F_answer``. What the landmarks don't span of an
    example's gradient is left out. Cost: examples * landmarks^2 multiplications.
    """
    own = between[:, rows].double()
    values, vectors = torch.linalg.eigh(own)
    good = values > 1e-6 * values.max()
    whiten = (vectors[:, good] / values[good].sqrt()).float()  # float32[landmark, feature]
    features = between.T @ whiten
    weights = push.curvature.float()
    curved = features.T @ (features * weights[:, None])
    least = max(float((features.square().sum(1) * weights).mean()), 1e-12) * damping
    curved.diagonal().add_(least)
    solved = torch.cholesky_solve(whiten.T.contiguous(), torch.linalg.cholesky(curved))  # float32[feature, landmark]
    return Operator(features @ solved, weights, least, whiten @ solved)


def some_slopes(network: nn.Module, data: Columns, direction: Tensor, *, most: int | None = None) -> Slopes:
    """Give the gradients of a few examples at once."""
    return slopes(network, data.rows(slice(0, len(data)))[0], direction, most=most)


def query_slices(count: int) -> list[slice]:
    """Cut a number of examples into batches."""
    return [slice(start, min(start + BATCH, count)) for start in range(0, count, BATCH)]


def _groups(sizes: dict[str, int], most: int) -> list[list[str]]:
    """Share layers out so that each group's gradients fit in memory; a layer is never divided."""
    groups: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not groups or size > room:
            groups.append([])
            room = most
        groups[-1].append(name)
        room -= size
    return groups
