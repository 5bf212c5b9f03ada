"""Fine-tuning with rounding in the loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks import ir_nets
from tacit.ir.graph import Graph
from tacit.quantisation.observing import FloatRun, outputs
from tacit.quantisation.quantise import emitted, prepared
from tacit.quantisation.rounding_run import RoundingRun, trainable
from tacit.quantisation.sensitivity import relative_error
from tacit.quantisation.tuning import fine_tuned
from tests.ir.random_graphs import graphs, sample_inputs
from tests.unit.quantisation import subjects

torch = pytest.importorskip("torch")


@settings(max_examples=40, deadline=None)
@given(graph=graphs())
def test_without_rounding_it_is_the_float_graph(graph: Graph) -> None:
    inputs = sample_inputs(graph, 8, 0)
    made = prepared(graph, inputs)
    run = RoundingRun(made.graph, made.formats, {})
    found = run(inputs, {}, rounding=False).detach().numpy()
    wanted = outputs(FloatRun(made.graph), inputs)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * max(1.0, float(np.abs(wanted).max())))


@pytest.mark.parametrize("make", [ir_nets.perceptron, lambda: ir_nets.resnet(8, 1, 16), lambda: ir_nets.attention(8, 16, 2, 1)])
def test_with_rounding_it_errs_as_the_integers_do(make) -> None:  # type: ignore[no-untyped-def]
    graph = make()
    x = np.random.default_rng(2).normal(size=(64, *graph.of_kind("input")[0].shape)).astype(np.float32)
    made = prepared(graph, [x])
    with torch.no_grad():
        found = RoundingRun(made.graph, made.formats, made.limits)(made.few, {}).numpy()
    assert relative_error(found, made.wanted) == pytest.approx(emitted(made).error, rel=0.15)


def test_exact_constants_are_not_trained() -> None:
    names = trainable(ir_nets.resnet(8, 1, 16))
    assert "constant" not in names
    assert "w" in names


def test_fine_tuning_lessens_the_error_and_repeats() -> None:
    graph, x = subjects.perceptron()
    start = prepared(graph, [x], tolerance=1.0)
    made = fine_tuned(graph, [x], start=start, steps=60)
    assert made.error < 0.8 * emitted(start).error
    again = fine_tuned(graph, [x], start=start, steps=60)
    assert all(np.array_equal(made.graph.weights[name], again.graph.weights[name]) for name in made.graph.weights)
