"""Outputs: labels to targets and back, scores to values."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.outputs import Class, Labels, Number

DIGITS = Class(*"0123456789")


def message(work):
    with pytest.raises((InputError, ConfigError)) as caught:
        work()
    return str(caught.value)


def test_a_class_is_made_in_every_usual_way():
    wanted = Class("cat", "dog")
    assert wanted == Class(("cat", "dog")) == Class(["cat", "dog"]) == Class(names=("cat", "dog")) == Class(name for name in ("cat", "dog"))
    assert dataclasses.replace(wanted, names=("a", "b")) == Class("a", "b")
    assert hash(wanted) == hash(Class(("cat", "dog"))) and wanted != Labels("cat", "dog")
    assert repr(wanted) == 'Class("cat", "dog")' and wanted.width == 2
    assert repr(Class(*map(str, range(1000)))).endswith('"10", "11", ... 1000 names)')


@pytest.mark.parametrize(
    ("label", "wanted"), [("4", 4), (4, 4), (4.0, 4), (" 4 ", 4), (np.int64(4), 4), (np.str_("4"), 4), (np.array(4), 4)]
)
def test_a_class_is_known_by_its_text(label, wanted):
    target = DIGITS.encode(label)
    assert target == wanted and target.dtype == np.int64 and target.shape == DIGITS.target.shape
    assert DIGITS.label(target) == "4" and DIGITS.decode(np.eye(10)[wanted]) == "4"


def test_a_name_that_looks_like_nothing_or_has_blanks_is_a_name():
    assert Class("none", "?", " a ").encode(" a ") == 2
    assert Class("none", "?", " a ").encode("none") == 0


def test_class_errors():
    animals = Class("cat", "dog")
    assert message(lambda: animals.encode("dgo")) == "expected a known class, got `dgo`\ntry: did you mean `dog`?"
    assert message(lambda: animals.encode(1)) == "expected a known class, got `1`\ntry: known: cat, dog"
    assert message(lambda: animals.encode(None)) == "expected a class name, got nothing (None)"
    assert message(lambda: animals.encode(float("nan"))) == "expected a class name, got the number nan"
    assert message(lambda: animals.encode("")) == 'expected a class name, got the string ""'
    assert message(lambda: animals.encode(["cat"])) == "expected a text or a number, got a list of 1"
    assert message(lambda: Class("cat")) == "expected at least 2 names, got 1 - at `Class.names`"
    assert message(lambda: Class("cat", "cat")) == "expected different names, got `cat` twice - at `Class.names`"
    assert message(lambda: Class("cat", "")) == "expected names, got an empty one - at `Class.names`"
    assert message(lambda: Class((1, 2))) == "expected names, got a tuple of 2 - at `Class.names`"
    assert message(lambda: Class(7)) == "expected names, got a tuple of 1 - at `Class.names`"


def test_probabilities_sum_to_one_and_survive_large_scores():
    chances = DIGITS.probabilities(np.array([[1e4, 0, -1e4] + [0] * 7], np.float32))
    assert chances.shape == (1, 10) and chances[0, 0] == 1.0 and np.isfinite(chances).all()
    assert Labels("a", "b", "c").probabilities(np.array([-1e4, 0, 1e4])).tolist() == [0.0, 0.5, 1.0]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_a_number_survives_encoding(value, mean, scale):
    output = Number(mean, scale)
    target = output.encode(value)
    assert target.shape == output.target.shape == (output.width,) and target.dtype == np.float32
    assert abs(output.decode(target) - value) <= 1e-6 * (abs(value) + abs(mean) + scale)


def test_a_fitted_number_is_standardised():
    labels = [3, "1,000", 5.5, True]
    output = Number.fitted(labels, unit="mm")
    targets = np.concatenate([output.encode(label) for label in labels])
    assert abs(targets.mean()) < 1e-6 and abs(targets.std() - 1) < 1e-6
    assert Number.fitted([7, 7]) == Number(7.0, 1.0) and repr(Number()) == "Number()" and repr(output).endswith("unit='mm')")
    assert output.describe() == "a number in mm"


def test_number_errors():
    assert message(lambda: Number().encode("x")) == 'expected a number, got the string "x"'
    assert message(lambda: Number().encode(None)) == "expected a number, got nothing (None)"
    assert message(lambda: Number().encode(float("nan"))).startswith("expected a number within")
    assert message(lambda: Number(0, 0)) == "expected a number above 0, got the number 0.0 - at `Number.scale`"
    assert message(lambda: Number("a")) == 'expected a finite number, got the string "a" - at `Number.mean`'  # type: ignore[arg-type]
    assert message(lambda: Number.fitted([])) == "expected at least one number to fit the scale on, got none"


@given(st.sets(st.sampled_from(("a", "b", "c"))))
def test_labels_survive_encoding(names):
    output = Labels("a", "b", "c")
    for given_ in (names, list(names), tuple(names), frozenset(names)):
        target = output.encode(given_)
        assert target.dtype == np.float32 and target.shape == output.target.shape
        assert output.label(target) == sorted(names) == output.decode(target * 2 - 1)


def test_labels_errors_and_edges():
    output = Labels("a", "b")
    assert output.encode("a").tolist() == [1, 0] and output.encode([]).tolist() == [0, 0]
    assert output.decode(np.array([0.0, -0.1])) == ["a"]
    assert message(lambda: output.encode(["a", "z"])) == "expected a known class, got `z`\ntry: known: a, b"
    assert message(lambda: output.encode(None)) == "expected a list of labels, got nothing (None)"
    assert Labels("only").width == 1 and output.describe() == "any of 2 labels: a, b"
