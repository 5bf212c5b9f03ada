"""The same bits of int8 on every machine, and float32 within 1e-5, on a thousand real pictures."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ir_nets import Net
from benchmarks.machines import PLACES, Place, differing_bits, greatest_difference, outputs_at
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.ir.interpreter import Interpreter
from tacit.quantisation.quantise import quantise
from tacit_programs.digits import load_digits
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.c.generated import source_of

pytestmark = pytest.mark.system
COUNT = 1000
ODD = (np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-40, -1e-40, 0.5, -0.0)
every_place = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)


def needs(place: Place) -> None:
    if not place.runs:
        pytest.skip(f"this processor has no {place.isa}")


def network() -> Graph:
    """A residual network with strides, depthwise windows, a mean and a fully connected layer."""
    net = Net(3)
    x = net.conv(net.image(8, 8, 1, border=1), 20)
    shortcut = net.map(8, 8, 20, border=1)
    net.copy(x, shortcut)
    x = net.conv(net.conv(x, 20), 20, onto=shortcut, accumulate=True, relu=False)
    x = net.conv(x, 24, stride=2)
    x = net.conv(net.depthwise(x), 35, kernel=1)
    net.linear(net.linear(net.mean(x), 21, relu=True), 10, last=True)
    return net.builder.finish()


@cache
def subject() -> tuple[Graph, IntegerGraph, np.ndarray]:
    digits = load_digits()
    images = digits.images[..., np.newaxis].astype(np.float32)
    graph = network()
    order = np.argsort(~digits.test, kind="stable")  # those that calibration has not seen come first
    return graph, quantise(graph, [images[~digits.test]]), images[order][:COUNT]


def odd_inputs() -> np.ndarray:
    """Numbers that a sensor should not give."""
    chosen = np.random.default_rng(0).choice(ODD, (40, 8, 8, 1)).astype(np.float32)
    return np.concatenate([chosen, np.stack([np.full((8, 8, 1), value, np.float32) for value in ODD])])


@every_place
def test_the_same_bits_on_a_thousand_pictures(place: Place) -> None:
    needs(place)
    _, graph, images = subject()
    given_ = np.concatenate([images, odd_inputs()])
    wanted = IntegerInterpreter(graph)([given_])
    assert len(np.unique(wanted[0], axis=0)) > 0.9 * COUNT  # a network that says the same of everything proves nothing
    assert differing_bits(outputs_at(source_of(graph), place, [given_]), wanted) == 0


@every_place
def test_floats_agree_within_rounding(place: Place) -> None:
    needs(place)
    graph, _, images = subject()
    some = images[:100]
    holed = np.where(np.random.default_rng(0).random(some.shape) < 0.1, np.float32(np.nan), some)  # a NaN reads as 0
    wanted = Interpreter(graph, batch=200)([np.concatenate([some, np.nan_to_num(holed)])])
    found = outputs_at(source_of(graph), place, [np.concatenate([some, holed])])
    assert greatest_difference(found, wanted) < 1e-5


@settings(max_examples=4, deadline=None, derandomize=True)
@given(graph=graphs(), place=st.sampled_from([place for place in PLACES if place.runs]), seed=st.integers(0, 99))
def test_random_graphs(graph: Graph, place: Place, seed: int) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, seed))
    inputs = sample_inputs(graph, 3, seed + 1)
    inputs[0] *= 10
    assert differing_bits(outputs_at(source_of(integer), place, inputs), IntegerInterpreter(integer)(inputs)) == 0


def test_one_wrong_bit_is_found() -> None:
    _, graph, images = subject()

    def without_rounding(text: str) -> str:
        assert "#define INT_RIGHT4(x, by) ((x) >> (by))" in text
        return text.replace("#define INT_RIGHT4(x, by) ((x) >> (by))", "#define INT_RIGHT4(x, by) (((x) - 1) >> (by))")

    place = next(place for place in PLACES if place.isa == "sse2")
    wanted = IntegerInterpreter(graph)([images])
    assert differing_bits(outputs_at(source_of(graph), place, [images], edit=without_rounding), wanted) > 0
    wrong = [np.nextafter(wanted[0], np.float32(np.inf))]
    assert differing_bits(wrong, wanted) == COUNT and 0 < greatest_difference(wrong, wanted) < 1e-6
