"""Scales shared by copies, and what must have 8 bits."""

from __future__ import annotations

import numpy as np

from benchmarks import ir_nets
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.quantisation.formats import groups, must_be_narrow, range_format
from tacit.quantisation.quantise import quantise
from tests.unit.quantisation import subjects


def test_a_maximum_shares_the_scale_of_what_it_compares_and_is_exact() -> None:
    graph = subjects.maximum()
    assert ["hidden", "largest"] in [sorted(group) for group in groups(graph)]
    x = np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32)
    run = IntegerInterpreter(quantise(graph, [x]))
    memory = run.start([x])
    for _ in run.steps(memory):
        pass
    pairs = memory["hidden"].reshape(40, 4, 2)
    np.testing.assert_array_equal(memory["largest"], pairs.max(2))


def test_activations_that_meet_in_long_products_have_8_bits() -> None:
    narrow = must_be_narrow(ir_nets.attention(6, 8, 2, 1))
    assert {"attended"} <= narrow
    assert must_be_narrow(subjects.maximum()) == set()


def test_a_format_holds_its_range() -> None:
    for low, high in ((0.0, 1.0), (-1.0, 3.0), (-2.0, 0.0), (0.0, 0.0)):
        form = range_format(low, high, "uint8")
        assert (0 - form.zero) * form.scale <= low + form.scale
        assert (255 - form.zero) * form.scale >= high - form.scale
    assert range_format(0.0, 5.0, "uint8").zero == 0
    assert range_format(-5.0, 1.0, "int16").zero == 0
