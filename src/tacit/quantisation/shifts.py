"""Choose the shifts and multipliers of a requantisation: as exact as 32-bit numbers allow, proven not to overflow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.ir.integer_ranges import Interval

Reals = npt.NDArray[np.float64]
_MOST = (1 << 31) - 1
_FINE = 1 / 16  # of a step of the result: what rounding before the multiplication may cost at most, where there is a choice


@dataclass(frozen=True, eq=False)
class Shifts:
    """``out = (((sum >> before) * multiplier) >> after)``; error: the greatest relative error of a multiplier."""

    before: int
    multiplier: npt.NDArray[np.int32]
    after: int
    error: float


def choose_shifts(
    factor: Reals, total: Interval, *, old: tuple[int, int] | None = None, most_before: int = 30, exact: bool = False
) -> Shifts:
    """Find shifts and multipliers for ``sum * factor (+ old)``.

    factor: what a step of the sum is worth in steps of the result; its extents are those of `total` or 1. old: the range of what is
    added in steps of the result. The multiplier takes as many bits as fit after the least first shift whose own rounding stays
    below a sixteenth of a step. exact: factors are whole numbers and are kept so.
    """
    if exact:
        return Shifts(0, np.rint(factor).astype(np.int32), 0, 0.0)
    largest = float(np.abs(factor).max())
    before = 0
    if largest > 0:
        before = int(np.clip(np.floor(np.log2(max(_FINE / largest, 1.0))), 0, most_before))
    after = 30
    while True:
        multiplier = np.rint(factor * 2.0 ** (after + before))
        if _fits(multiplier, total, before, after, old):
            break
        if after == 0:
            before, after = before + 1, 31
            if before > 30:
                break
        after -= 1
    live = np.abs(factor) > 0
    error = np.abs(multiplier * 2.0 ** -(after + before) / np.where(live, factor, 1.0) - 1.0)
    return Shifts(before, multiplier.astype(np.int32), after, float(error[live].max(initial=0.0)))


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
