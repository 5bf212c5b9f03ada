"""Statistics of paired comparisons: the same examples before and after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

#: With fewer examples that moved, no outcome whatever has a two-sided probability below 0.05: 2 * 0.5**6 is the first.
LEAST_MOVED = 6
SURE = 0.05
_NORMAL_95 = 1.959964


def sign_test(first: int, second: int) -> float:
    """Give the two-sided probability of a split at least as uneven as first : second when both are equally likely.

    Exact; on examples that broke and that were fixed this is McNemar's test (McNemar 1947, "Note on the sampling error of the
    difference between correlated proportions").

    >>> round(sign_test(0, 6), 5), sign_test(3, 3), sign_test(0, 0)
    (0.03125, 1.0, 1.0)
    """
    count, least = first + second, min(first, second)
    if count == 0 or first == second:
        return 1.0
    logs = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) - count * math.log(2) for k in range(least + 1)]
    return min(1.0, 2.0 * math.fsum(math.exp(value) for value in logs))


def holm(probabilities: Sequence[float]) -> list[float]:
    """Adjust probabilities of several tests so that one false alarm among all of them stays rare (Holm 1979).

    >>> holm([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.04]
    """
    order = sorted(range(len(probabilities)), key=lambda place: probabilities[place])
    adjusted, least = [0.0] * len(order), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * probabilities[place]))
        adjusted[place] = least
    return adjusted


def interval_of_shares(broke: int, fixed: int, count: int) -> tuple[float, float]:
    """Give the 95 % interval of the difference of two paired shares, second minus first.

    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions": Wald's interval after
    half an example is added to each of the four cells.

    >>> low, high = interval_of_shares(10, 30, 1000)
    >>> low < 0.02 < high and low > 0
    True
    """
    total = count + 2.0
    gained, lost = (fixed + 0.5) / total, (broke + 0.5) / total
    middle = gained - lost
    half = _NORMAL_95 * math.sqrt(max(0.0, gained + lost - middle * middle) / total)
    return max(-1.0, middle - half), min(1.0, middle + half)


def interval_of_mean(differences: np.ndarray) -> tuple[float, float]:
    """Give the 95 % interval of the mean of paired differences, float[example], by the normal approximation."""
    values = np.asarray(differences, np.float64)
    if len(values) < 2:
        return -math.inf, math.inf
    half = _NORMAL_95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def bootstrap(difference: Callable[[np.ndarray], float], count: int, *, draws: int = 200, seed: int = 0) -> tuple[float, float]:
    """Give the 95 % interval of a paired difference of any metric: `difference` takes int64[count] rows drawn with replacement.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3 (percentiles). Repeatable.
    """
    chance = np.random.default_rng(seed)
    values = [difference(chance.integers(0, count, count)) for _ in range(draws)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return -math.inf, math.inf
    low, high = np.percentile(finite, [2.5, 97.5])
    return float(low), float(high)
