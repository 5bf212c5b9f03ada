"""Sums of ReLUs as clipped pieces."""

from __future__ import annotations

import numpy as np

from tacit.ir.graph import Graph, Matmul
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.ir.verifier import verify
from tacit.quantisation.observing import observe
from tacit.quantisation.quantise import quantised
from tacit.quantisation.segments import clipped_pieces
from tests.unit.quantisation import subjects

X = np.geomspace(1e-4, 0.5, 500).reshape(100, 5).astype(np.float32)


def rewritten(graph: Graph, x: np.ndarray = X) -> Graph:
    return clipped_pieces(graph, observe(graph, [x]))


def test_a_logarithm_keeps_its_meaning() -> None:
    graph = subjects.logarithm()
    made = rewritten(graph)
    verify(made)
    assert len(made.instructions) == 3
    np.testing.assert_allclose(evaluate(made, [X])[0], evaluate(graph, [X])[0], atol=1e-3)
    weights = made.weights[made.instructions[-1].b.buffer]  # type: ignore[union-attr]
    assert np.abs(weights).max() < 2  # they were hundreds


def test_knots_in_any_order() -> None:
    graph = subjects.logarithm()
    order = np.random.default_rng(0).permutation(14)
    weights = {name: values[order] if values.shape == (14,) else values for name, values in graph.weights.items()}
    shuffled = Graph(graph.buffers, graph.instructions, weights)
    np.testing.assert_allclose(evaluate(rewritten(shuffled), [X])[0], evaluate(graph, [X])[0], atol=1e-3)


def test_8_bits_are_enough_then() -> None:
    graph = subjects.logarithm()
    made = quantised(graph, [X])
    wanted = evaluate(graph, [X])[0]
    assert np.abs(evaluate_integers(made.graph, [X])[0] - wanted).max() < 0.03 < 0.01 * np.ptp(wanted)


def test_a_sum_that_does_not_cancel_is_left_alone() -> None:
    graph = subjects.logarithm()
    weights = {name: np.abs(values) if "weights" in name else values for name, values in graph.weights.items()}
    plain = Graph(graph.buffers, graph.instructions, weights)
    assert rewritten(plain) is plain


def test_a_buffer_with_a_second_reader_is_left_alone() -> None:
    graph = subjects.logarithm()
    last = graph.instructions[-1]
    assert isinstance(last, Matmul)
    twice = Graph(graph.buffers, (*graph.instructions, last), graph.weights)
    assert rewritten(twice) is twice
