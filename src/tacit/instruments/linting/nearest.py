"""Find pairs of close points among many, fast and exactly within the radius that is asked for.

A pair counts as close when it is closer than most points are to their neighbours *there*: each point has a radius of its own, a share of
its distance to the nearest few of a sample. So a tight cluster of look-alikes has small radii, and a lonely point a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SAMPLE = 1024  # points against which radii are measured
RANK = 3  # the sample's nearest, second, third; a duplicate of the point may itself be in the sample
_BLOCK = 2048
_MOST_IN_BLOCK = 400_000  # pairs of one block that are kept, the closest; there are more only where everything is alike


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows, first < second, and how close they are: `share` of the smaller of the two radii."""

    first: np.ndarray
    second: np.ndarray
    share: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Alike:
    """Pairs of rows, first < second, that hold the same thing.

    difference: how far they differ as a whole, as a share of what is usual between neighbours (0: equal). details: how far their details
    differ, from 0 on.
    """

    first: np.ndarray
    second: np.ndarray
    difference: np.ndarray
    details: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def nothing_alike() -> Alike:
    """Give no pair."""
    none = np.zeros(0, np.int64)
    return Alike(none, none, np.zeros(0), np.zeros(0))


def reduced(points: np.ndarray, dimensions: int, chance: np.random.Generator) -> np.ndarray:
    """Rotate float32[point, feature] onto its `dimensions` directions of greatest variance (of at most 4,000 of the points)."""
    few = points[chance.permutation(len(points))[:4000]].astype(np.float64)
    middle = few.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(few - middle, rowvar=False).reshape(points.shape[1], points.shape[1]))
    return np.asarray((points - middle.astype(np.float32)) @ vectors[:, ::-1][:, :dimensions].astype(np.float32), np.float32)


def radii(points: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Give float32[point]: the distance to the third nearest of a sample of the points, the point itself left out."""
    sample = chance.permutation(len(points))[:SAMPLE]
    place = np.full(len(points), -1)
    place[sample] = np.arange(len(sample))
    others = points[sample]
    norms = (others**2).sum(axis=1)
    found = np.empty(len(points), np.float32)
    for start in range(0, len(points), _BLOCK):
        block = points[start : start + _BLOCK]
        squares = (block**2).sum(axis=1)[:, None] + norms - 2.0 * block @ others.T
        mine = place[start : start + _BLOCK]
        squares[np.flatnonzero(mine >= 0), mine[mine >= 0]] = np.inf
        rank = min(RANK, len(sample) - 1) - 1
        found[start : start + _BLOCK] = np.sqrt(np.maximum(np.partition(squares, rank, axis=1)[:, rank], 0.0))
    return found


def close_pairs(points: np.ndarray, reach: np.ndarray) -> Pairs:
    """Give every pair of rows of float32[point, dimension] that are closer than the smaller `reach` of the two, float32[point]."""
    parts = list(_blocks(points, reach))
    first = np.concatenate([part[0] for part in parts]) if parts else np.zeros(0, np.int64)
    second = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0, np.int64)
    share = np.concatenate([part[2] for part in parts]) if parts else np.zeros(0, np.float32)
    return Pairs(first, second, share)


def _blocks(points: np.ndarray, reach: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    # |a - b|^2 <= r^2 is a.b - |b|^2/2 >= (|a|^2 - r^2)/2: with one more coordinate, one product and one comparison per pair.
    halves = (points**2).sum(axis=1) / 2
    left = np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1).astype(np.float32)
    right = np.concatenate([points, -halves[:, None]], axis=1).astype(np.float32)
    least = (halves - reach**2 / 2 - 1e-6 * halves).astype(np.float32)
    for a in range(0, len(points), _BLOCK):
        for b in range(a, len(points), _BLOCK):
            products = left[a : a + _BLOCK] @ right[b : b + _BLOCK].T
            at = np.flatnonzero(products >= least[a : a + _BLOCK, None])
            first, second = np.divmod(at, products.shape[1])
            first, second = first + a, second + b
            kept = first < second
            first, second = first[kept], second[kept]
            if not len(first):
                continue
            share = _distances(points, first, second) / np.maximum(np.minimum(reach[first], reach[second]), 1e-12)
            near = np.flatnonzero(share <= 1.0)
            if len(near) > _MOST_IN_BLOCK:
                near = near[np.argpartition(share[near], _MOST_IN_BLOCK)[:_MOST_IN_BLOCK]]
            if len(near):
                yield first[near], second[near], share[near].astype(np.float32)


def _distances(points: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    squares = np.zeros(len(first), np.float32)  # column by column: a block of a dense set has millions of pairs
    for column in range(points.shape[1]):
        squares += (points[first, column] - points[second, column]) ** 2
    return np.sqrt(squares)


def best_of_each(pairs: Pairs, count: int, most: int) -> Pairs:
    """Keep the pairs that are among the `most` closest of one of their two points; `count`: how many points there are."""
    points = np.concatenate([pairs.first, pairs.second])
    share = np.concatenate([pairs.share, pairs.share])
    order = np.lexsort((share, points))
    starts = np.searchsorted(points[order], np.arange(count))
    rank = np.empty(len(points), np.int64)
    rank[order] = np.arange(len(points)) - starts[points[order]]
    kept = np.flatnonzero(np.minimum(rank[: len(pairs)], rank[len(pairs) :]) < most)
    return Pairs(pairs.first[kept], pairs.second[kept], pairs.share[kept])
