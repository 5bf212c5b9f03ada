"""Near duplicates among rows of a table: every category the same, every number nearly so, and that no coincidence."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tacit.instruments.linting.nearest import Alike, nothing_alike

TOLERANCE = 0.01  # of a column's spread: numbers that are rounded, or measured again
COINCIDENCE = 0.1  # expected number of pairs that would agree by chance, above which agreement says nothing
_MOST_WINDOW = 200


def near_rows(numbers: np.ndarray, categories: np.ndarray) -> Alike:
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
    pairs = [pair for group in _groups(numbers, categories) for pair in _within(numbers, group, tolerance)]
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(numbers[first] - numbers[second]) / np.maximum(tolerance, 1e-300)
    difference = np.nan_to_num(apart).max(axis=1) if len(first) else np.zeros(0)
    expected = _rarity(numbers, categories, first, second) + np.log(count) + np.log(max(1, count - 1) / 2)
    kept = np.flatnonzero((difference > 0) & (expected < np.log(COINCIDENCE)))
    return Alike(first[kept], second[kept], difference[kept], difference[kept])


def _rarity(numbers: np.ndarray, categories: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give float[pair]: the logarithm of how often any row agrees as well with the first one, column for column."""
    count = len(numbers)
    logs = np.zeros(len(first))
    for column in numbers.T:
        ordered = np.sort(column)  # NaN last
        one, apart = column[first], np.abs(column[first] - column[second])
        within = np.searchsorted(ordered, one + apart, side="right") - np.searchsorted(ordered, one - apart, side="left")
        logs += np.log(np.where(np.isnan(apart), np.isnan(column).sum(), within).clip(1) / count)
    for column in categories.T:
        logs += np.log(np.bincount(column, minlength=1)[column[first]] / count)
    return logs


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
