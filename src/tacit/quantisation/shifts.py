"""Choose the shifts and multipliers of a requantisation: as exact as 32-bit numbers allow, proven not to overflow."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit.ir.integer_ranges import Interval

Reals = npt.NDArray[np.float64]
_MOST = (1 << 31) - 1
_HALF = 1 << 15
_BYTE = 255  # levels of a result of 8 bits
_FINE = 1 / 16  # of a step of the result: what rounding before the multiplication may cost at most, where there is a choice


@dataclass(frozen=True, eq=False)
class Shifts:
    """``out = (((sum >> before) * multiplier) >> after)``; error: what rounding the multipliers costs at most, in steps of the result.

    The error is infinite when the sums can become so large that 32 bits don't hold them times any multiplier.
    """

    before: int
    multiplier: npt.NDArray[np.int32]
    after: int
    error: float


def choose_shifts(
    factor: Reals, total: Interval, *, levels: int, old: tuple[int, int] | None = None, most_before: int = 30, exact: bool = False
) -> Shifts:
    """Find shifts and multipliers for ``sum * factor (+ old)``.

    factor: what a step of the sum is worth in steps of the result; its extents are those of `total` or 1. levels: how many steps the
    result has. old: the range of what is added, in steps of the result. exact: factors are whole numbers and are kept so. The
    multiplier takes as many bits as fit after the least first shift whose own rounding stays below a sixteenth of a step; where they
    are so few that the smallest factors come out wrong by more than a step, the first shift takes more.
    """
    if exact and _fits(np.rint(factor), total, 0, 0, old):
        return Shifts(0, np.rint(factor).astype(np.int32), 0, 0.0)
    short = _short(factor, total, levels, old, most_before)
    if short is not None:
        return short
    largest = float(np.abs(factor).max())
    least = 0
    if largest > 0:
        least = int(np.clip(np.floor(np.log2(max(_FINE / largest, 1.0))), 0, most_before))
    found = _longest(factor, total, least, levels, old)
    if found is None:
        return Shifts(0, np.zeros(factor.shape, np.int32), 0, math.inf)
    if found.error <= 1.0:
        return found
    for before in range(least + 1, most_before + 1):
        own = 0.5 * largest * 2.0**before  # what this shift drops, in steps of the result
        if own >= found.error:
            break
        other = _longest(factor, total, before, levels, old)
        if other is not None and other.error + own < found.error:
            found = replace(other, error=other.error + own)
    return found


def _longest(factor: Reals, total: Interval, before: int, levels: int, old: tuple[int, int] | None) -> Shifts | None:
    """Take the multipliers of the most bits that fit behind a first shift, or None where none does."""
    for after in range(30, -1, -1):
        multiplier = np.rint(factor * 2.0 ** (after + before))
        if _fits(multiplier, total, before, after, old):
            return Shifts(before, multiplier.astype(np.int32), after, _error(multiplier, factor, total, levels, after + before))
    return None


def _error(multiplier: Reals, factor: Reals, total: Interval, levels: int, shift: int) -> float:
    """Give the most steps that a rounded multiplier takes the result away from where it should be."""
    off = np.abs(multiplier * 2.0**-shift / np.where(factor == 0, 1.0, factor) - 1.0)
    return float((off * np.minimum(total.magnitude * np.abs(factor), levels)).max())


def _short(factor: Reals, total: Interval, levels: int, old: tuple[int, int] | None, most_before: int) -> Shifts | None:
    """Try sums of 16 bits, multipliers of 15 and a second shift by 15: what every machine multiplies and rounds in one instruction.

    Only for results of 8 bits, and where the first rounding costs at most an eighth of a step and the multiplier a quarter.
    """
    largest = float(np.abs(factor).max())
    if levels > _BYTE or largest == 0.0 or most_before == 0:
        return None
    before = max(0, int(np.floor(np.log2(_FINE / largest))))
    while before <= most_before:
        sums = total.shifted(before)
        if sums.low.min() >= -_HALF and sums.high.max() < _HALF:
            break
        before += 1
    multiplier = np.rint(factor * 2.0 ** (15 + before))
    if before > most_before or np.abs(multiplier).max() >= _HALF or largest * 2.0**before > 0.25:
        return None
    error = _error(multiplier, factor, total, levels, 15 + before)
    if error > 0.25 or not _fits(multiplier, total, before, 15, old):
        return None
    return Shifts(before, multiplier.astype(np.int32), 15, error)


def _fits(multiplier: Reals, total: Interval, before: int, after: int, old: tuple[int, int] | None) -> bool:
    """Say whether every intermediate of the formula is a 32-bit integer."""
    if np.abs(multiplier).max(initial=0.0) > _MOST:
        return False
    factors = multiplier.astype(np.int64)
    product = total.shifted(before).times(Interval(factors, factors))
    low, high = int(product.low.min()), int(product.high.max())
    half = (1 << after) >> 1
    if old is not None:
        added = [old[0] << after, old[1] << after]
        if min(added) < -_MOST or max(added) > _MOST:
            return False
        low, high = min(low, low + added[0]), max(high, high + added[1])
    margin = 1 << 16  # the zero of the result is added after the last shift
    return low >= -_MOST + half + margin and high <= _MOST - half - margin
