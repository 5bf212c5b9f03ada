"""Shifts and multipliers: exact enough, and proven to fit."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tacit.ir.integer_ranges import Interval, constant
from tacit.quantisation.shifts import choose_shifts


def applied(total: int, before: int, multiplier: int, after: int, old: int = 0) -> int:
    def held(value: int) -> int:
        assert -(2**31) <= value < 2**31
        return value

    first = held(total + ((1 << before) >> 1)) >> before
    whole = held(held(first * multiplier) + held(old << after))
    return held(whole + ((1 << after) >> 1)) >> after


@given(
    most=st.integers(100, 1 << 27),
    steps=st.floats(10, 1e5),
    part=st.floats(-1, 1),
    old=st.integers(0, 255),
    levels=st.sampled_from([255, 65535]),
)
def test_the_formula_gives_the_product_within_a_fraction_of_a_step(most: int, steps: float, part: float, old: int, levels: int) -> None:
    """steps: what the largest sum is worth in steps of the result."""
    factor = steps / most
    shifts = choose_shifts(np.array(factor), constant(-most, most), levels=levels, old=(0, 255))
    assert not math.isinf(shifts.error)
    total = int(part * most)
    found = applied(total, shifts.before, int(shifts.multiplier), shifts.after, old)
    wanted = total * factor + old
    if abs(wanted) <= levels:
        assert abs(found - wanted) <= 0.5 + 1 / 4 + shifts.error + abs(wanted - old) * 2.0**-6


def test_whole_factors_stay_exact() -> None:
    shifts = choose_shifts(np.array([1.0, -1.0, 2.0]), constant(-70000, 70000), levels=65535, exact=True)
    assert (shifts.before, shifts.after, shifts.multiplier.tolist()) == (0, 0, [1, -1, 2])


def test_sums_beyond_any_multiplier_are_said_so() -> None:
    assert math.isinf(choose_shifts(np.array(1e4), constant(-(1 << 29), 1 << 29), levels=255).error)


def test_multipliers_too_far_apart_are_said_so() -> None:
    wide = choose_shifts(np.array([100.0, 1e-3]), Interval(np.array([0, 0]), np.array([1 << 17, 1 << 17])), levels=255)
    near = choose_shifts(np.array([100.0, 50.0]), Interval(np.array([0, 0]), np.array([1 << 17, 1 << 17])), levels=255)
    assert wide.error > 1 > near.error


def test_small_factors_get_bits_that_the_large_ones_do_not_need() -> None:
    """A layer that whitens: steps of sixteen bits, columns of which one is worth two hundred times another, and sums that may be long."""
    factor, most = np.array([6e-3, 1e-3, 3e-5]), np.full(3, 200_000_000)
    shifts = choose_shifts(factor, Interval(-most, most), levels=65535)
    assert shifts.error < 16
    for place, total in ((0, 5_000_000), (1, 30_000_000), (2, 190_000_000)):
        found = applied(total, shifts.before, int(shifts.multiplier[place]), shifts.after)
        assert abs(found - total * factor[place]) <= 0.5 + shifts.error
