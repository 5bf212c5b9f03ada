import numpy as np
import pytest
import torch

from tacit.lowering.lower import lower_module
from tacit.melding.wires import Adapter, Atom, Ends, Shares, Steps, Taken, hard, margin_of, soft
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.vector import Vector

CHANCE = np.random.default_rng(0)
DIGIT = Class("0", "1", "2")


def test_shares_are_one_hot_where_the_lead_is_the_margin_and_pass_doubt_on_below():
    scores = torch.tensor([[4.0, 1.0, 0.0], [2.0, 1.0, -3.0]])
    assert torch.allclose(Shares(2.0)(scores), torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.5, 0.0]]))


def test_steps_are_yes_and_no_beyond_half_of_the_margin():
    assert torch.allclose(Steps(2.0)(torch.tensor([[3.0, -3.0, 0.5]])), torch.tensor([[1.0, 0.0, 0.75]]))


@pytest.mark.parametrize("output", [DIGIT, Labels("a", "b"), Number(5.0, 2.0)])
def test_with_a_small_margin_numbers_pass_as_answers_do(output):
    scores = CHANCE.normal(size=(50, output.width)).astype(np.float32)
    with torch.no_grad():
        assert np.allclose(soft(output, 1e-6)(torch.from_numpy(scores)).numpy(), hard(output, scores), atol=1e-4)
    assert hard(Number(5.0, 2.0), np.array([[1.0]], np.float32)).item() == 7.0


def test_the_margin_is_a_quantile_of_the_leads():
    scores = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [0.0, 4.0]])
    assert margin_of(Class("a", "b"), scores, 0.0) == 1.0 and margin_of(Class("a", "b"), scores, 1.0) == 4.0


def cases():
    row = Row(numbers=("value",), categories=(("kind", ("2", "0", "1")),))
    yield row, (Taken(Atom(0, DIGIT, 0, ("a",)), "value", 0), Taken(Atom(1, DIGIT, 0, ("b",)), "category", 0)), {0: 3, 1: 3}
    yield (
        Vector(4),
        (Taken(Atom(0, DIGIT, 0, ("a",)), "numbers", 0), Taken(Atom(1, Number(1.0, 3.0), 0, ("b",)), "numbers", 3)),
        {0: 3, 1: 1},
    )
    yield Vector(2), (Taken(Atom(0, Number(), 3, ("n",)), "numbers", 0), Taken(Atom(0, Number(), 4, ("m",)), "numbers", 1)), {0: 5}


@pytest.mark.parametrize(("target", "taken", "widths"), [*cases()])
def test_an_adapter_gives_what_the_answers_would_and_lowers(target, taken, widths):
    adapter = Adapter(target, taken, widths)
    scores = {use: CHANCE.normal(size=(30, width)).astype(np.float32) for use, width in widths.items()}
    adapter.settle(scores, 0.0)
    with torch.no_grad():
        found = adapter(*(torch.from_numpy(scores[use]) for use in widths))
    answers = adapter.answers(scores)
    for soft_array, hard_array, spec in zip(found, answers, target.arrays, strict=True):
        wanted = np.eye(spec.limit, dtype=np.float32)[hard_array] if spec.limit is not None else hard_array
        assert np.allclose(soft_array.numpy(), wanted, atol=1e-4)
    assert lower_module(adapter, adapter.specs).max_relative_error < 1e-4


def test_last_scores_come_in_the_order_and_scale_of_the_joint_output():
    ends = Ends(Class("a", "b") * Number(10.0, 2.0), Class("b", "a") * Number(0.0, 4.0))
    found = ends(torch.tensor([[1.0, 2.0, 0.5]]))
    assert torch.allclose(found, torch.tensor([[2.0, 1.0, (0.5 * 2 + 10) / 4]])) and not ends.same
    assert Ends(DIGIT, DIGIT).same
