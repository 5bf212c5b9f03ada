"""Near duplicates among rows of a table: every category the same, every number nearly so, and that no coincidence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.instruments.linting.nearest import Alike, nothing_alike

TOLERANCE = 0.01  # of a column's spread: numbers that are rounded, or measured again
COINCIDENCE = 0.01  # expected number of pairs that would agree by chance, above which agreement says nothing
_SAMPLE = 20_000  # random pairs by which chance is measured
_MOST_WINDOW = 200


def near_rows(numbers: np.ndarray, categories: np.ndarray, chance: np.random.Generator) -> Alike:
    """Find near duplicates in float64[row, number], NaN for none, and int64[row, category].

    Rows that are equal in every cell are not among them. A pair counts only when so close an agreement is not to be expected of any pair
    of the table, taking the columns as independent of one another.
    """
    count = len(numbers)
    if count < 8 or not numbers.shape[1]:
        return nothing_alike()
    with np.errstate(invalid="ignore"):
        spread = np.nan_to_num(np.nanpercentile(numbers, 90, axis=0) - np.nanpercentile(numbers, 10, axis=0))
    deviation = np.nan_to_num(np.nanstd(numbers, axis=0))
    tolerance = TOLERANCE * np.where(spread > 0, np.minimum(spread, 2.5 * deviation), deviation)
    logs = _rarity(numbers, categories, tolerance, chance)
    needed = np.log(COINCIDENCE) - np.log(count) - np.log(max(1, count - 1) / 2)
    if logs.sum() > needed:
        return nothing_alike()
    pairs = [pair for group in _groups(numbers, categories) for pair in _within(numbers, group, tolerance)]
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(numbers[first] - numbers[second]) / np.maximum(tolerance, 1e-300)
    difference = np.nan_to_num(apart).max(axis=1) if len(first) else np.zeros(0)
    kept = np.flatnonzero(difference > 0)
    return Alike(first[kept], second[kept], difference[kept], difference[kept])


def _rarity(numbers: np.ndarray, categories: np.ndarray, tolerance: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    """Give the logarithm of how often two random rows agree in each column."""
    one, other = chance.integers(0, len(numbers), (2, _SAMPLE))
    apart = one != other
    one, other = one[apart], other[apart]
    left, right = numbers[one], numbers[other]
    near = (np.abs(left - right) <= tolerance) | (np.isnan(left) & np.isnan(right))
    agree = np.concatenate([near, categories[one] == categories[other]], axis=1).mean(axis=0)
    return np.asarray(np.log(np.maximum(agree, 0.5 / len(one))))


def _groups(numbers: np.ndarray, categories: np.ndarray) -> Iterator[np.ndarray]:
    """Give the rows of every combination of categories and missing numbers that more than one row has."""
    keys = np.concatenate([categories, np.isnan(numbers)], axis=1).astype(np.int64)
    _, inverse, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    for rows in np.split(order, np.cumsum(sizes)[:-1]):
        if len(rows) > 1:
            yield rows


def _within(numbers: np.ndarray, rows: np.ndarray, tolerance: np.ndarray) -> Iterator[tuple[int, int]]:
    """Give the pairs of a group all of whose numbers are within the tolerance."""
    values = np.nan_to_num(numbers[rows])
    width = np.where(tolerance > 0, tolerance, 1e-300)
    column = int(np.argmax([len(np.unique(np.round(values[:, at] / width[at]))) for at in range(values.shape[1])]))
    order = np.argsort(values[:, column], kind="stable")
    rows, values = rows[order], values[order]
    ends = np.searchsorted(values[:, column], values[:, column] + tolerance[column], side="right")
    for at, end in enumerate(ends):
        others = slice(at + 1, min(int(end), at + 1 + _MOST_WINDOW))
        near = (np.abs(values[others] - values[at]) <= tolerance).all(axis=1)
        for other in rows[others][near]:
            yield (int(min(rows[at], other)), int(max(rows[at], other)))
