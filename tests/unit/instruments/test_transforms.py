from __future__ import annotations

import numpy as np
import pytest

from tacit.instruments.transforms import TRANSFORMS, apply_to_arrays
from tacit.signature.audio import Audio
from tacit.signature.image import Image
from tacit.signature.row import Row
from tacit.signature.series import Series

RANDOM = np.random.default_rng(0)
KINDS = {
    "image": (Image(6, 8, 3), (RANDOM.integers(0, 256, (5, 6, 8, 3)).astype(np.uint8),)),
    "audio": (Audio(8000, 100), (RANDOM.integers(-9000, 9000, (5, 100)).astype(np.int16),)),
    "series": (Series(2, 50), (RANDOM.normal(size=(5, 2, 50)).astype(np.float32),)),
    "row": (
        Row(numbers=("a", "b"), categories=(("c", ("x", "y")),)),
        (RANDOM.normal(size=(5, 2)).astype(np.float32), np.ones((5, 2), np.uint8), np.ones((5, 1), np.int32)),
    ),
}
CASES = [(name, kind) for name, transform in TRANSFORMS.items() for kind in transform.kinds if kind in KINDS]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_transform_keeps_shape_and_dtype_and_changes_something(name, kind):
    input_type, arrays = KINDS[kind]
    changed = apply_to_arrays(name, arrays, input_type.arrays, amount=TRANSFORMS[name].amount)
    again = apply_to_arrays(name, arrays, input_type.arrays, amount=TRANSFORMS[name].amount)
    for before, after, second, spec in zip(arrays, changed, again, input_type.arrays, strict=True):
        assert after.shape == before.shape and after.dtype == before.dtype
        np.testing.assert_array_equal(after, second)
        assert np.array_equal(before, after) == (spec.normalise is None)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if "flip" not in case[0]])
def test_an_amount_of_nothing_changes_nothing(name, kind):
    input_type, arrays = KINDS[kind]
    for before, after in zip(arrays, apply_to_arrays(name, arrays, input_type.arrays, amount=0.0), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-6)


def test_flip_mirrors_left_and_right():
    image, (pixels,) = KINDS["image"]
    np.testing.assert_array_equal(apply_to_arrays("flip", (pixels,), image.arrays, amount=0)[0], pixels[:, :, ::-1])
    np.testing.assert_array_equal(apply_to_arrays("flip_vertical", (pixels,), image.arrays, amount=0)[0], pixels[:, ::-1])


def test_shift_repeats_the_edge():
    ramp = np.arange(50, dtype=np.float32).reshape(1, 1, 50).repeat(64, axis=0)
    (moved,) = apply_to_arrays("shift", (ramp,), Series(1, 50).arrays, amount=0.1)
    steps = np.unique(moved[:, 0, 25] - 25)
    assert steps.min() >= -5 and steps.max() <= 5 and len(steps) > 5
    assert moved.min() == 0 and moved.max() == 49


def test_a_quarter_turn_is_exact():
    square = np.zeros((1, 5, 5, 1), np.uint8)
    square[0, 0, 2] = 255

    class Quarter:
        def uniform(self, low, high, count):
            return np.full(count, 90.0)

    change = TRANSFORMS["rotate"].of_array
    assert change is not None
    turned = change(square, Image(5, 5, 1).arrays[0], 90.0, Quarter())
    assert turned.sum() == 255 and turned[0, 2, [0, 4], 0].max() == 255


@pytest.mark.parametrize(("name", "wanted"), [("upper", "FREE ENTRY NOW"), ("lower", "free entry now"), ("spaces", " Free  entry  now  ")])
def test_texts(name, wanted):
    change = TRANSFORMS[name].of_value
    assert change is not None and change("Free entry now", 1.0, np.random.default_rng(0)) == wanted


def test_typos_keep_first_and_last_letters():
    change = TRANSFORMS["typos"].of_value
    assert change is not None
    changed = change("winner takes all", 1.0, np.random.default_rng(0)).split()
    assert changed[2] == "all" and changed[0] != "winner" and sorted(changed[0]) == sorted("winner")
    assert (changed[0][0], changed[0][-1]) == ("w", "r")


def test_a_transform_of_values_is_not_applied_to_arrays():
    with pytest.raises(TypeError):
        apply_to_arrays("upper", (), (), amount=1.0)
