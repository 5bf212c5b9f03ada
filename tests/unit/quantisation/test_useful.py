"""Which values make a difference."""

from __future__ import annotations

import numpy as np

from tacit.ir.graph import Graph
from tacit.quantisation.observing import FloatRun, observe, outputs
from tacit.quantisation.useful import useful_values
from tests.unit.quantisation import subjects


def test_a_clamp_bounds_what_stands_before_it() -> None:
    limits = useful_values(subjects.clamp())
    assert limits["first"][1].tolist() == [8.0] * 6
    assert [side.tolist() for side in limits["x"]] == [[0.0] * 6, [8.0] * 6]
    assert np.isinf(limits["y"][0]).all()


def test_clipping_there_changes_nothing() -> None:
    graph = subjects.clamp()
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32) * 1000
    np.testing.assert_allclose(outputs(FloatRun(graph, limits=useful_values(graph)), [x]), np.clip(x, 0, 8), atol=1e-4)
    assert observe(graph, [x], useful_values(graph))["first"].high == 8.0


def test_a_reader_that_sees_everything_lifts_the_bounds() -> None:
    graph = subjects.clamp()
    first = graph.instructions[0]
    copied = Graph(graph.buffers, (*graph.instructions, first.__class__(**{**vars(graph.instructions[-1]), "a": first.out})), graph.weights)
    limits = useful_values(copied)
    assert np.isinf(limits["first"][1]).all()
