"""Rounding of constants to 8 bits."""

from __future__ import annotations

import numpy as np
import pytest

from tacit.quantisation.weights import exact, nearest


@pytest.mark.parametrize(("values", "found"), [([1.0, -1.0], [1, -1]), ([0.1, 0.3, 0.0], [1, 3, 0]), ([0.5, 63.5], [1, 127])])
def test_small_multiples_of_one_number_are_exact(values: list[float], found: list[int]) -> None:
    rounded = exact(np.array(values))
    assert rounded is not None
    assert rounded.integers.tolist() == found
    np.testing.assert_allclose(rounded.integers * rounded.scale, values)


@pytest.mark.parametrize("values", [[1.0, 1.5, 0.3], [0.5, 64.0], [0.0, 0.0]])
def test_other_numbers_are_not(values: list[float]) -> None:
    assert exact(np.array(values)) is None


def test_each_column_has_its_own_scale() -> None:
    values = np.random.default_rng(0).normal(size=(50, 4)) * [1.0, 0.1, 3.0, 0.05]
    rounded = nearest(values, (0,))
    assert rounded.scale.shape == (1, 4)
    assert np.abs(rounded.integers).max(0).tolist() == [127] * 4
    assert np.all(np.abs(rounded.integers * rounded.scale - values) <= rounded.scale / 2 + 1e-12)


def test_a_column_of_nothing_does_not_widen_the_scales() -> None:
    values = np.zeros((3, 3))
    values[:, 0], values[:, 1] = 1.0, 1e-9
    scale = nearest(values, (0,)).scale[0]
    assert scale.max() / scale.min() <= 256


def test_the_scale_stays_above_what_is_asked() -> None:
    assert nearest(np.array([[1e-3, 2.0]]), (0,), least=0.5).scale.min() >= 0.5
