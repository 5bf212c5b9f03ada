"""The integer interpreter against plain loops, bit for bit, on graphs of any views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import ir_nets
from tacit.ground.errors import InputError
from tacit.ir.graph import Axes, Graph, View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerMatmul, IntegerRelu, Requantise
from tacit.ir.integer_interpreter import IntegerInterpreter, evaluate_integers, quantised
from tacit.quantisation.quantise import quantise
from tests.ir.integer_reference import run_integer_reference
from tests.ir.random_graphs import graphs, sample_inputs


def agree(graph: IntegerGraph, inputs: list[np.ndarray], found: list[np.ndarray]) -> None:
    for example in range(len(inputs[0])):
        for one, other in zip(found, run_integer_reference(graph, [array[example] for array in inputs]), strict=True):
            np.testing.assert_array_equal(one[example], other)


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 99))
def test_random_graphs_mean_what_the_loops_say(graph: Graph, seed: int) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, seed))
    inputs = sample_inputs(graph, 3, seed + 1)
    inputs[0] *= 10  # beyond what was seen: everything is clipped, nothing overflows
    run = IntegerInterpreter(integer)
    agree(integer, inputs, run.integers(inputs))
    np.testing.assert_array_equal(run.integers(inputs)[0][1:2], run.integers([array[1:2] for array in inputs])[0])


def test_the_comparison_fails_on_a_wrong_bit() -> None:
    integer = small()
    inputs = [np.array([[1.0, 2.0, 3.0]], np.float32)]
    found = IntegerInterpreter(integer).integers(inputs)
    agree(integer, inputs, found)
    found[0][0, 0] ^= 1
    with pytest.raises(AssertionError):
        agree(integer, inputs, found)


def small(**changes: object) -> IntegerGraph:
    """Make ``y = relu(x @ w + bias)`` of 3 by 2 numbers."""
    buffers = (
        IntegerBuffer("x", "input", (3,), "uint8", 0.5, 10),
        IntegerBuffer("w", "weight", (3, 2), "int8"),
        IntegerBuffer("bias", "weight", (2,), "int32"),
        IntegerBuffer("m", "weight", (2,), "int32"),
        IntegerBuffer("y", "output", (2,), "int16", 0.25),
    )
    weights = {
        "w": np.array([[1, -2], [3, 4], [-5, 6]], np.int8),
        "bias": np.array([100, -100], np.int32),
        "m": np.array([1 << 10, 3 << 9], np.int32),
    }
    rule = Requantise(1, View("m", 0, (2,), (1,)), 10, 0, 32767)
    step = IntegerMatmul(
        View("y", 0, (2,), (1,)),
        View("x", 0, (3,), (1,)),
        View("w", 0, (3, 2), (2, 1)),
        Axes(0, 0, 1, 1),
        rule,
        View("bias", 0, (2,), (1,)),
    )
    return IntegerGraph(buffers, (replace(step, **changes),), weights)


def test_the_formula_by_hand() -> None:
    # q = trunc(x / 0.5 + 10.5) = 12, 14, 16; less zero: 2, 4, 6; sums: 100 + 2 + 12 - 30 = 84 and -100 - 4 + 16 + 36 = -52
    # first: (84 + 1) >> 1 = 42, times 1024, (+ 512) >> 10 = 42 -> 42 * 0.25; second is below 0
    found = evaluate_integers(small(), [np.array([[1.0, 2.0, 3.0]])])[0]
    assert found.dtype == np.float32
    assert found.tolist() == [[10.5, 0.0]]


def test_inputs_are_rounded_and_clipped_in_float32_and_nan_is_zero() -> None:
    buffer = IntegerBuffer("x", "input", (6,), "uint8", 0.5, 10)
    given_ = np.array([[0.24, 0.25, -100, 1e30, np.nan, -np.inf]], np.float32)
    assert quantised(buffer, given_).tolist() == [[10, 11, 0, 255, 10, 0]]
    each = IntegerBuffer("x", "input", (3,), "int16", zero=-5, scales=(1.0, 10.0, 1e-3))
    assert quantised(each, np.array([[3.0, 30.0, np.inf]])).tolist() == [[-2, -2, 32767]]
    assert quantised(each, np.full((1, 3), np.nan)).tolist() == [[-5, -5, -5]]


def test_chunks_give_the_same_as_the_whole() -> None:
    graph = ir_nets.chain()
    x = np.random.default_rng(0).normal(size=(50, 28, 28, 1)).astype(np.float32)
    run = IntegerInterpreter(quantise(graph, [x]))
    whole = run.integers([x])[0]
    run.batch = 7
    np.testing.assert_array_equal(run.integers([x])[0], whole)


def test_bad_inputs_are_refused() -> None:
    run = IntegerInterpreter(small())
    with pytest.raises(InputError, match="expected 1 input arrays, got 2"):
        run([np.zeros((1, 3)), np.zeros((1, 3))])
    with pytest.raises(InputError, match="at input `x`"):
        run([np.zeros((1, 4))])


def test_relu_by_hand() -> None:
    buffers = (
        IntegerBuffer("x", "input", (3,), "int16", 1.0),
        IntegerBuffer("m", "weight", (), "int32"),
        IntegerBuffer("y", "output", (3,), "uint8", 1.0, 3),
    )
    rule = Requantise(0, View("m", 0, (3,), (0,)), 1, 3, 255)
    graph = IntegerGraph(buffers, (IntegerRelu(View("y", 0, (3,), (1,)), View("x", 0, (3,), (-1,)), rule),), {"m": np.array(3, np.int32)})
    graph = replace(graph, instructions=(replace(graph.instructions[0], x=View("x", 2, (3,), (-1,))),))
    assert IntegerInterpreter(graph).integers([np.array([[-7.0, 5.0, 1000.0]])])[0].tolist() == [[255, 3 + 8, 3]]
