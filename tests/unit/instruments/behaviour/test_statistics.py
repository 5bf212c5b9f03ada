from __future__ import annotations

import math

import numpy as np
import pytest

from tacit.instruments.behaviour.statistics import LEAST_MOVED, bootstrap, holm, interval_of_mean, interval_of_shares, sign_test


def test_the_sign_test_counts_all_splits_that_are_as_uneven():
    for first, second in ((2, 9), (0, 4), (7, 8), (30, 12)):
        count = first + second
        as_uneven = sum(math.comb(count, k) for k in range(count + 1) if abs(k - count / 2) >= abs(first - count / 2))
        assert sign_test(first, second) == pytest.approx(as_uneven / 2**count)
    assert sign_test(100_000, 101_000) == pytest.approx(sign_test(101_000, 100_000))


def test_fewer_examples_than_the_least_can_never_come_out():
    assert sign_test(0, LEAST_MOVED) < 0.05 < sign_test(0, LEAST_MOVED - 1)


def test_adjusted_probabilities_keep_their_order_and_stay_below_one():
    assert holm([0.04, 0.01, 0.9]) == [0.08, 0.03, 0.9]
    assert holm([0.6, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_interval_of_two_shares_holds_the_truth_in_most_samples():
    chance = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        moved = chance.choice([-1, 0, 1], 300, p=[0.04, 0.9, 0.06])
        low, high = interval_of_shares(int((moved < 0).sum()), int((moved > 0).sum()), 300)
        held += low <= 0.02 <= high
    assert 0.92 <= held / 400 <= 0.99


def test_intervals_of_means_and_of_any_metric_agree():
    values = np.random.default_rng(1).normal(0.3, 1.0, 500)
    low, high = interval_of_mean(values)
    again = bootstrap(lambda rows: float(values[rows].mean()), len(values), draws=400)
    assert (low, high) == pytest.approx(again, abs=0.03)
    assert bootstrap(lambda rows: math.nan, 5) == (-math.inf, math.inf)
    assert interval_of_mean(np.array([1.0])) == (-math.inf, math.inf)
