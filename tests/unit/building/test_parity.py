"""The comparison with the interpreter, seen to fail."""

from __future__ import annotations

import numpy as np
import pytest

from tacit.building.parity import compare_answers, compare_bits, compare_floats
from tacit.building.sample import Sample
from tacit.signature.outputs import Class, Labels, Number

ANIMAL = Class("cat", "dog")
SCORES = np.array([[1.0, -2.0], [0.5, 4.0], [3.0, 0.0]], np.float32)
SAMPLE = Sample((np.zeros((3, 1)),), ("a", "b", "c"), "examples")


def changed(row: int, column: int, value: float) -> np.ndarray:
    scores = SCORES.copy()
    scores[row, column] = value
    return scores


def test_equal_scores():
    for compare in (compare_floats, compare_bits, compare_answers):
        parity = compare([SCORES], [SCORES.copy()], SAMPLE, output=ANIMAL)
        assert parity.met and parity.differing == 0 and parity.greatest == 0 and parity.where is None
        assert (parity.count, parity.scores, parity.agreement, parity.on) == (3, 6, 1.0, "examples")


def test_floats_may_differ_a_little():
    parity = compare_floats([SCORES], [changed(1, 0, 0.5003)], SAMPLE, output=ANIMAL, runs_on="a board")
    assert parity.met and parity.differing == 1 and parity.runs_on == "a board"
    assert parity.greatest == pytest.approx(0.0003 / 4, rel=1e-3)
    assert parity.where == {"example": "b", "output": 0, "score": 0, "interpreter": 0.5, "built": pytest.approx(0.5003)}


@pytest.mark.parametrize("value", [0.501, -0.5, np.nan, np.inf])
def test_floats_that_differ_much_are_found(value):
    parity = compare_floats([SCORES], [changed(1, 0, value)], SAMPLE, output=ANIMAL)
    assert not parity.met and parity.where["example"] == "b"


def test_one_bit_is_found():
    near = np.nextafter(np.float32(4.0), np.float32(5.0))
    assert compare_floats([SCORES], [changed(1, 1, near)], SAMPLE, output=ANIMAL).met
    parity = compare_bits([SCORES], [changed(1, 1, near)], SAMPLE, output=ANIMAL)
    assert not parity.met and parity.differing == 1
    assert not compare_bits([SCORES], [changed(2, 1, -0.0)], SAMPLE, output=ANIMAL).met, "minus zero has other bits"


def test_the_greatest_difference_of_several_outputs_is_named():
    parity = compare_floats([SCORES, SCORES], [changed(0, 0, 1.00001), changed(2, 0, 3.01)], SAMPLE, output=ANIMAL)
    assert (parity.where["output"], parity.where["example"], parity.scores, parity.differing) == (1, "c", 12, 2)


def test_a_small_score_is_compared_with_the_greatest_of_all():
    small = np.array([[1e-6, 0.0], [8.0, 0.0], [1.0, 0.0]], np.float32)
    other = small.copy()
    other[0, 0] = 2e-6
    assert compare_floats([small], [other], SAMPLE, output=ANIMAL).met


def test_numbers_are_compared_as_standard_deviations():
    small = np.full((3, 1), 1e-4, np.float32)
    assert compare_floats([small], [small * 1.5], SAMPLE, output=Number()).met
    assert not compare_floats([small], [small + 0.001], SAMPLE, output=Number()).met


def test_answers_that_agree():
    flipped = SCORES[:, ::-1].copy()
    assert compare_answers([SCORES], [SCORES * 2], SAMPLE, output=ANIMAL).met
    parity = compare_answers([SCORES], [flipped], SAMPLE, output=ANIMAL)
    assert not parity.met and parity.agreement == 0
    tags = Labels("a", "b")
    assert compare_answers([SCORES], [np.abs(SCORES)], SAMPLE, output=tags).agreement == pytest.approx(2 / 3)
    both = ANIMAL * Number()
    scores = np.concatenate([SCORES, SCORES[:, :1]], axis=1)
    assert compare_answers([scores], [scores + 0.01], SAMPLE, output=both).agreement == 1
    assert compare_answers([scores], [scores + np.array([0, 0, 0.2])], SAMPLE, output=both).agreement == 0


def test_outputs_of_another_shape_are_an_error():
    with pytest.raises(ValueError, match="expected outputs"):
        compare_floats([SCORES], [SCORES[:2]], SAMPLE, output=ANIMAL)
