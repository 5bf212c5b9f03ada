"""Every rule of integer graphs, seen to fail on a planted graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tacit.ground.errors import GraphError
from tacit.ir.graph import View
from tacit.ir.integer import IntegerBuffer, IntegerGraph, IntegerRelu
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.ir.integer_verifier import verify_integers
from tests.ir.integer_reference import run_integer_reference
from tests.ir.test_integer_interpreter import small

LARGE = np.array([3 << 20, 1], np.int32)
Change = Callable[[IntegerGraph], IntegerGraph]


def buffer(name: str, **changes: object) -> Change:
    def change(graph: IntegerGraph) -> IntegerGraph:
        return replace(graph, buffers=tuple(replace(item, **changes) if item.name == name else item for item in graph.buffers))

    return change


def rule(**changes: object) -> Change:
    def change(graph: IntegerGraph) -> IntegerGraph:
        step = graph.instructions[0]
        return replace(graph, instructions=(replace(step, requantise=replace(step.requantise, **changes)),))

    return change


def weight(name: str, values: np.ndarray | None) -> Change:
    def change(graph: IntegerGraph) -> IntegerGraph:
        rest = {key: array for key, array in graph.weights.items() if key != name}
        return replace(graph, weights=rest if values is None else {**rest, name: values})

    return change


def step(**changes: object) -> Change:
    return lambda graph: replace(graph, instructions=(replace(graph.instructions[0], **changes),))


def test_a_sound_graph_passes() -> None:
    verify_integers(small())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (buffer("x", dtype="float32"), "buffer `x`: expected a type of uint8, int8, int16, int32, got 'float32'"),
        (buffer("x", dtype="int8"), "buffer `x`: expected uint8 or int16 or int32 for a buffer of kind input, got int8"),
        (buffer("y", dtype="int32"), "buffer `y`: expected uint8 or int16 for a buffer of kind output, got int32"),
        (buffer("x", zero=256), "buffer `x`: expected a zero from 0 to 255, got 256"),
        (buffer("w", zero=1), "buffer `w`: expected a zero of 0, got 1"),
        (buffer("y", scale=0.0), "buffer `y`: expected finite scales above 0"),
        (buffer("x", scale=1e-42), "buffer `x`: expected scales whose inverse is a float32"),
        (buffer("x", scales=(1.0, 2.0)), "buffer `x`: expected 3 scales, got 2"),
        (buffer("y", scales=(1.0, 2.0)), "buffer `y`: only a float input may have a scale per element"),
        (weight("w", None), "weight `w`: has no values"),
        (weight("v", np.zeros(1)), "weight `v`: has values but is not declared as a weight"),
        (weight("m", np.zeros(2, np.int8)), "weight `m`: expected int32[2], got int8[2]"),
        (step(a=View("x", 1, (3,), (1,))), "addresses 1 to 3 are not all within `x`"),
        (step(a=View("bias", 0, (3,), (0,))), "a: expected 8- or 16-bit integers, `bias` is int32"),
        (step(bias=View("w", 0, (2,), (1,))), "bias: expected an int32 weight, `w` is a int8 weight"),
        (rule(addend=4), "expected no addend without `accumulate`, got 4 (old zero 0)"),
        (rule(multiplier=View("m", 0, (1,), (1,))), "multiplier: expected the shape of out, [2], got [1]"),
        (rule(multiplier=View("m", 1, (2,), (1,))), "multiplier: addresses 1 to 2 are not all within `m`"),
        (rule(multiplier=View("none", 0, (2,), (1,))), "multiplier: there is no buffer `none`"),
        (rule(before=31), "expected a shift `before` from 0 to 30, got 31"),
        (rule(after=-1), "expected a shift `after` from 0 to 30, got -1"),
        (rule(high=40000), "expected a clip within -32768 to 32767, got 0 to 40000"),
        (rule(low=9, high=8), "expected a clip within -32768 to 32767, got 9 to 8"),
        (weight("bias", np.array([(1 << 31) - 1, 0], np.int32)), "the sum can reach "),
        (weight("m", np.array([1 << 28, 1], np.int32)), "the sum times the multiplier can reach "),
        (rule(after=30), None),
        (
            lambda graph: rule(after=30)(weight("m", LARGE)(graph)),
            "the sum plus half of the last shift can reach ",
        ),
    ],
)
def test_each_rule_is_seen_to_fail(change: Change, message: str | None) -> None:
    graph = change(small())
    if message is None:
        verify_integers(graph)
        return
    with pytest.raises(GraphError) as error:
        verify_integers(graph)
    assert message in str(error.value)


def test_the_bound_is_the_worst_case_of_the_weights() -> None:
    # column 0: 100 - (1 + 3) * 10 - 5 * 245 = -1165; halved -582; the greatest multiplier that fits is 2^31 / 582
    worst = np.array([-5.0, -5.0, 127.5], np.float32)
    fits = weight("m", np.array([3689834, 0], np.int32))(small())
    verify_integers(rule(after=0)(fits))
    run_integer_reference(rule(after=0)(fits), [worst])
    beyond = rule(after=0)(weight("m", np.array([3689835, 0], np.int32))(small()))
    with pytest.raises(GraphError, match="the sum times the multiplier can reach -2147483970"):
        verify_integers(beyond)
    with pytest.raises(OverflowError):
        run_integer_reference(beyond, [worst])


def test_what_is_accumulated_counts() -> None:
    buffers = (*small().buffers[:-1], IntegerBuffer("y", "output", (2,), "int16", 0.25, zeroed=True))
    graph = replace(small(), buffers=buffers)
    graph = step(accumulate=True)(graph)
    verify_integers(rule(addend=1 << 10)(graph))
    with pytest.raises(GraphError, match="what is added to can reach -2147516416"):
        verify_integers(rule(addend=(1 << 16) + 1, low=-32768)(graph))


def test_the_interpreter_refuses_a_graph_that_breaks_a_rule() -> None:
    with pytest.raises(GraphError):
        IntegerInterpreter(rule(before=31)(small()))


def test_a_relu_has_no_first_shift() -> None:
    graph = small()
    relu = IntegerRelu(graph.instructions[0].out, View("x", 0, (2,), (1,)), replace(graph.instructions[0].requantise, before=0))
    verify_integers(replace(graph, instructions=(relu,)))
    with pytest.raises(GraphError, match="expected a ReLU to have neither `before` nor addend"):
        verify_integers(replace(graph, instructions=(replace(relu, requantise=replace(relu.requantise, before=1)),)))
