"""What the integers of inputs stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tacit.ir.graph import Axes, Graph, Matmul, View
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.quantisation.inputs import input_formats, may_vary
from tacit.quantisation.quantise import quantised
from tacit.quantisation.useful import useful_values
from tests.unit.quantisation import subjects

RANDOM = np.random.default_rng(0)


def formats_of(graph: Graph, *arrays: np.ndarray, wide: tuple[str, ...] = ()) -> dict:
    return input_formats(graph, arrays, useful_values(graph), wide=wide)


@pytest.mark.parametrize(
    ("values", "dtype", "wide"),
    [(RANDOM.integers(0, 256, (9, 4)), "uint8", ()), (RANDOM.integers(-3000, 300, (9, 4)), "int16", ("x",))],
)
def test_whole_numbers_are_exact(values: np.ndarray, dtype: str, wide: tuple[str, ...]) -> None:
    form = formats_of(subjects.maximum(), values.astype(np.float32), wide=wide)["x"]
    assert (form.dtype, form.scale, form.zero) == (dtype, 1.0, 0)


def test_real_numbers_have_8_bits_until_more_are_asked_for() -> None:
    values = RANDOM.normal(size=(9, 4)).astype(np.float32)
    assert formats_of(subjects.maximum(), values)["x"].dtype == "uint8"
    assert formats_of(subjects.maximum(), values, wide=("x",))["x"].dtype == "int16"


def test_what_is_not_a_number_does_not_count() -> None:
    values = np.array([[np.nan, 0.5, 1.0, np.nan]], np.float32)
    assert 0 < formats_of(subjects.maximum(), values)["x"].scale < 0.01


COLUMNS = (RANDOM.random((300, 3)) * [1.0, 1e3, 1e5]).astype(np.float32)


def test_columns_that_differ_have_scales_of_their_own() -> None:
    graph = subjects.table()
    form = formats_of(graph, COLUMNS, wide=("columns",))["columns"]
    assert form.dtype == "int16"
    assert form.scales is not None
    assert form.scales[2] / form.scales[0] == pytest.approx(1e5, rel=0.1)
    made = quantised(graph, [COLUMNS])
    wanted = evaluate(graph, [COLUMNS])[0]
    assert np.abs(evaluate_integers(made.graph, [COLUMNS])[0] - wanted).max() < 0.02 * np.ptp(wanted)


def test_readers_that_cannot_tell_columns_apart_keep_one_scale() -> None:
    graph = subjects.table()
    first = graph.instructions[0]
    assert isinstance(first, Matmul)
    assert may_vary("columns", np.array([1.0, 2.0, 3.0]), graph)
    rows = replace(first, axes=Axes(0, 1, 0, 0), b=View("scale", 0, (), ()), bias=View("shift", 0, (), ()))
    biased = Graph(graph.buffers, (rows, *graph.instructions[1:]), graph.weights)
    assert not may_vary("columns", np.array([1.0, 2.0, 3.0]), biased)
    assert may_vary("columns", np.array([1.0, 1.0, 1.0]), biased)
    squared = replace(first, a=View("columns", 0, (3,), (1,)), b=View("columns", 0, (3,), (1,)), axes=Axes(0, 0, 0, 1), bias=None)
    squared = replace(squared, out=View("ready", 0, (), ()))
    assert not may_vary("columns", np.array([1.0, 2.0, 3.0]), Graph(graph.buffers, (squared,), graph.weights))
