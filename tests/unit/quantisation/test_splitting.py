"""Instructions cut in two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.quantisation.quantise import quantise
from tacit.quantisation.splitting import best_cut, cut_factor, halves
from tests.ir.random_graphs import graphs, sample_inputs
from tests.unit.quantisation import subjects


def test_the_cut_leaves_near_factors_together() -> None:
    assert best_cut(np.array([[1.0, 2.0, 900.0, 1000.0]])) == (1, 2)
    assert best_cut(np.array([[1.0, 1000.0], [2.0, 1000.0]])) == (1, 1)
    assert best_cut(np.array([[3.0, 3.0]])) is None
    first, second = cut_factor(np.array([[1.0, 2.0, 900.0]]), 1, 2)
    assert (first.tolist(), second.tolist()) == ([[1.0, 2.0]], [[900.0]])


@settings(max_examples=30, deadline=None)
@given(graph=graphs())
def test_the_halves_together_do_what_the_whole_does(graph: Graph) -> None:
    whole = quantise(graph, sample_inputs(graph, 10, 0))
    for number, step in enumerate(whole.instructions):
        for axis, extent in enumerate(step.out.shape):
            if extent == 1:
                continue
            rule = step.requantise
            parts = []
            for part, (start, stop) in zip(halves(step, axis, extent // 2), ((0, extent // 2), (extent // 2, extent)), strict=True):
                view = rule.multiplier
                shape = tuple(stop - start if place == axis else size for place, size in enumerate(view.shape))
                moved = replace(view, offset=view.offset + start * view.strides[axis], shape=shape)
                parts.append(replace(part, requantise=replace(rule, multiplier=moved)))
            cut = IntegerGraph(whole.buffers, (*whole.instructions[:number], *parts, *whole.instructions[number + 1 :]), whole.weights)
            inputs = sample_inputs(graph, 3, 1)
            for one, other in zip(evaluate_integers(cut, inputs), evaluate_integers(whole, inputs), strict=True):
                np.testing.assert_array_equal(one, other)


def test_columns_of_far_sizes_are_written_by_several_instructions() -> None:
    graph = subjects.logarithm(least=1e-5)
    x = np.geomspace(1e-6, 0.5, 500).reshape(100, 5).astype(np.float32)
    made = quantise(graph, [x])
    count = {name: sum(step.out.buffer == name for step in made.instructions) for name in ("bends", "bends.rest", "y")}
    assert count["bends"] > 1
    assert (count["bends.rest"], count["y"]) == (1, 1)
