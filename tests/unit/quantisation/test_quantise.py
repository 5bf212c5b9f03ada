"""Post-training quantisation as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from benchmarks import ir_nets
from tacit.ground.errors import MissingPackage
from tacit.ground.progress import Reporter
from tacit.ir.graph import Axes, Graph, Matmul, View
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.integer_verifier import verify_integers
from tacit.ir.interpreter import evaluate
from tacit.quantisation import quantise as module
from tacit.quantisation.quantise import attempts, quantise, quantised
from tacit.quantisation.sensitivity import too_narrow
from tests.unit.quantisation import subjects


def error(graph: Graph, made: object, x: np.ndarray) -> float:
    wanted = evaluate(graph, [x])[0]
    return float(np.sqrt(np.mean((evaluate_integers(made, [x])[0] - wanted) ** 2)) / wanted.std())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (ir_nets.chain, 0.02),
        (ir_nets.perceptron, 0.03),
        (lambda: ir_nets.resnet(8, 1, 16), 0.025),
        (lambda: ir_nets.unet(4, 16, 2), 0.03),
        (lambda: ir_nets.mobile(8, 16), 0.035),
        (lambda: ir_nets.attention(8, 16, 2, 1), 0.025),
    ],
)
def test_networks_lose_little(make: Callable[[], Graph], limit: float) -> None:
    graph = make()
    x = np.random.default_rng(2).normal(size=(96, *graph.of_kind("input")[0].shape)).astype(np.float32)
    assert error(graph, quantise(graph, [x[:64]]), x[64:]) < limit


def test_the_same_examples_give_the_same_bits() -> None:
    graph = ir_nets.chain()
    x = np.random.default_rng(2).normal(size=(40, 28, 28, 1)).astype(np.float32)
    one, other = quantise(graph, [x]), quantise(graph, [x])
    assert one.instructions == other.instructions
    assert one.buffers == other.buffers
    assert all(np.array_equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_weights_have_8_bits_and_activations_after_relu_are_bytes_without_a_zero() -> None:
    graph = ir_nets.chain()
    made = quantise(graph, [np.random.default_rng(2).normal(size=(40, 28, 28, 1)).astype(np.float32)])
    assert {(item.dtype, item.zero) for item in made.buffers if item.kind == "scratch" and item.name != "map"} == {("uint8", 0)}
    assert {item.dtype for item in made.of_kind("weight")} == {"int8", "int32"}
    assert [item.dtype for item in made.of_kind("output")] == ["int16"]
    kernels = [
        made.weights[step.b.buffer] for step in made.instructions if isinstance(step.b, View) and made.weights[step.b.buffer].ndim == 4
    ]
    assert all((np.abs(values).reshape(-1, values.shape[-1]).max(0) == 127).all() for values in kernels)


def test_16_bits_go_where_outputs_need_them() -> None:
    """8 bits of an input from 0 to 0.5 leave the logarithm of its small values to chance."""
    graph = subjects.logarithm()
    x = np.geomspace(1e-3, 0.5, 1000).reshape(200, 5).astype(np.float32)
    made = quantised(graph, [x])
    assert "x" in made.wide
    assert made.sensitivity[("x",)] > module.TOLERANCE
    assert made.error < module.TOLERANCE
    easy = quantised(subjects.maximum(), [np.random.default_rng(0).integers(0, 9, (50, 4)).astype(np.float32)])
    assert easy.wide == ()
    assert too_narrow({("a", "b"): 0.5, ("c",): 0.001}, 0.01) == ["a", "b"]


def test_outputs_have_room_for_twice_what_was_seen() -> None:
    graph = subjects.clamp()
    x = np.linspace(0, 4, 600, dtype=np.float32).reshape(100, 6)
    found = evaluate_integers(quantise(graph, [x]), [np.full((1, 6), 7.9, np.float32)])[0]
    np.testing.assert_allclose(found, 4.0, atol=0.05)  # what is within is clipped at what was seen
    assert next(iter(quantise(graph, [x]).of_kind("output"))).scale * 32767 == pytest.approx(8.0, rel=0.01)


def test_an_example_that_lacks_a_number_does_no_harm() -> None:
    graph = subjects.maximum()
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    holes = x.copy()
    holes[3, 1] = np.nan
    assert error(graph, quantise(graph, [holes]), x) < 0.03


def test_a_bias_that_is_not_constant_becomes_an_accumulation() -> None:
    graph = subjects.maximum()
    last = graph.instructions[-1]
    assert isinstance(last, Matmul)
    w = View("w", 0, (4, 4), (8, 1))
    biased = replace(last, a=View("x", 0, (4,), (1,)), b=w, axes=Axes(0, 0, 1, 1), bias=View("largest", 0, (4,), (1,)))
    graph = Graph(graph.buffers, (*graph.instructions[:-1], biased), graph.weights)
    x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
    assert error(graph, quantise(graph, [x]), x) < 0.03


def test_a_sum_too_long_for_16_bits_takes_fewer_steps_of_weights() -> None:
    graph = ir_nets.perceptron()
    huge = {name: np.ones_like(values) + 0.01 * values if values.shape == (256, 784) else values for name, values in graph.weights.items()}
    x = np.random.default_rng(0).normal(size=(30, 784)).astype(np.float32) * np.geomspace(1e-4, 1, 784, dtype=np.float32)
    verify_integers(quantised(Graph(graph.buffers, graph.instructions, huge), [x], tolerance=1e-9).graph)


def test_numbers_that_grow_without_bound_are_still_an_integer_graph() -> None:
    graph = ir_nets.attention(64, 128, 4, 3)
    x = np.random.default_rng(2).normal(size=(2, 64, 128)).astype(np.float32)
    verify_integers(quantise(graph, [x]))


def test_attempts_go_on_as_long_as_they_are_asked_for() -> None:
    graph = subjects.maximum()
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    names = []
    for name, made in attempts(graph, [x], seconds=0.1):
        verify_integers(made.graph)
        names.append(name)
    assert names == ["calibrated", "more buffers of 16 bits", "fine-tuned"]


def test_without_torch_there_is_a_note() -> None:
    class Notes(Reporter):
        said: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.said.append(text)

    graph = subjects.maximum()
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    with mock.patch.object(module, "resolve", side_effect=MissingPackage("no torch")):
        assert len(list(attempts(graph, [x], reporter=Notes()))) == 2
    assert Notes.said == ["no fine-tuning: no torch"]
