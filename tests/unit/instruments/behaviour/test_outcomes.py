import numpy as np
import pytest

from tacit.ground.errors import InputError
from tacit.instruments.behaviour.outcomes import changed, common_to, outcome
from tacit.signature.outputs import Class
from tacit.signature.symbols import Symbols

OUTPUT = Symbols("a", "b", steps=3)


def scores(*paths):
    return np.stack([np.eye(3, dtype=np.float32)[["ab-".index(step) for step in path]].ravel() for path in paths])


def test_sequences_are_right_when_they_are_equal():
    targets = np.stack([OUTPUT.encode(label) for label in ("a b", "a", "")])
    first, second = (
        outcome(OUTPUT, each, OUTPUT, targets, common_to(OUTPUT, OUTPUT, OUTPUT), within=0.0)
        for each in (scores("a-b", "aaa", "---"), scores("ab-", "b--", "b--"))
    )
    assert first.answers == ["a b", "a", ""]
    assert first.right.tolist() == [True, True, True]
    assert second.right.tolist() == [True, False, False]
    assert changed(first, second).tolist() == [False, True, True]
    assert np.isnan(first.margins).all()


def test_another_number_of_steps_can_be_compared_and_another_kind_not():
    longer = Symbols("a", "b", steps=9)
    targets = longer.encode("a b")[None]
    assert outcome(OUTPUT, scores("ab-"), longer, targets, common_to(OUTPUT, longer, longer), within=0.0).right.all()
    with pytest.raises(InputError, match="outputs of one kind"):
        common_to(OUTPUT, Class("a", "b"), OUTPUT)
