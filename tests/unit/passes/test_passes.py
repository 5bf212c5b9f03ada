import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Buffer, Graph, Matmul, View
from tacit.ir.interpreter import Interpreter
from tacit.ir.verifier import verify
from tacit.passes.accumulate_in_place import accumulate_in_place
from tacit.passes.drop_dead import drop_dead
from tacit.passes.fuse_relu import fuse_relu, moved_view
from tacit.passes.merge_scales import merge_scales
from tacit.passes.pipeline import optimise
from tacit.passes.share_weights import share_weights

_spec = importlib.util.spec_from_file_location("random_graphs", Path(__file__).with_name("random_graphs.py"))
random_graphs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_graphs)

PASSES = [fuse_relu, accumulate_in_place, drop_dead, share_weights, merge_scales, optimise]


def outputs(graph):
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=(2, *buffer.shape)).astype(np.float32) for buffer in graph.of_kind("input")]
    return Interpreter(graph, batch=2)(arrays)


def assert_same(before, after):
    verify(after)
    for old, new in zip(outputs(before), outputs(after), strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-5 * max(1.0, float(np.abs(old).max())))


@pytest.mark.parametrize("optimisation", PASSES, ids=lambda p: p.__name__)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10**6))
def test_random_graphs_mean_the_same_afterwards(optimisation, seed):
    graph = random_graphs.random_graph(seed)
    verify(graph)
    after = optimisation(graph)
    assert_same(graph, after)
    assert len(after.instructions) <= len(graph.instructions)
    assert len(after.buffers) <= len(graph.buffers) or optimisation is merge_scales


@pytest.mark.parametrize("optimisation", PASSES, ids=lambda p: p.__name__)
def test_every_pass_fires_on_random_graphs(optimisation):
    fired = 0
    for seed in range(150):
        graph = random_graphs.random_graph(seed)
        after = optimisation(graph if optimisation is not accumulate_in_place else drop_dead(graph))
        fired += len(after.instructions) < len(graph.instructions) or len(after.buffers) < len(graph.buffers)
    assert fired >= 5


def test_the_comparison_sees_a_wrong_pass():
    graph = residual()
    with pytest.raises(AssertionError):
        assert_same(graph, Graph(graph.buffers, graph.instructions, {**graph.weights, "w0": graph.weights["w0"] * 1.01}))


def linear_then():
    builder = GraphBuilder()
    builder.add_input("x", (4,))
    builder.add_scratch("t", (3,))
    builder.add_output("y", (3,))
    weight = builder.add_weight("w", np.arange(12.0).reshape(4, 3) - 5).name
    builder.matmul(View("t", 0, (3,), (1,)), View("x", 0, (4,), (1,)), View(weight, 0, (4, 3), (3, 1)), axes=Axes(0, 0, 1, 1))
    builder.relu(View("y", 0, (3,), (1,)), View("t", 0, (3,), (1,)))
    return builder


def test_relu_is_fused_and_the_temporary_goes():
    graph = linear_then().finish()
    after = optimise(graph)
    (only,) = after.instructions
    assert only.relu and only.out.buffer == "y"
    assert [buffer.name for buffer in after.buffers] == ["x", "y", "w"]
    assert_same(graph, after)


def test_relu_is_not_fused_when_another_reads_the_sum():
    builder = linear_then()
    builder.add_output("z", (3,))
    builder.relu(View("z", 0, (3,), (1,)), View("t", 0, (3,), (1,)))
    assert len(fuse_relu(builder.finish()).instructions) == 3


def residual(*, read_later=False, border=True):
    """x -> a = relu(W x); y = a; y += V a2, where a2 = relu(U a)."""
    builder = GraphBuilder()
    builder.add_input("x", (4,))
    builder.add_scratch("a", (6,), zeroed=True)
    builder.add_scratch("h", (4,))
    builder.add_scratch("y", (6,), zeroed=border)
    builder.add_output("scores", (6,))
    rng = np.random.default_rng(0)
    weights = [builder.add_weight(f"w{place}", rng.normal(size=(4, 4))).name for place in range(3)]
    one = View(builder.add_weight("one", np.ones(())).name, 0, (), ())

    def inner(name):
        return View(name, 1, (4,), (1,))

    def plain(name):
        return View(name, 0, (4,), (1,))

    def square(name):
        return View(name, 0, (4, 4), (4, 1))

    axes, copy = Axes(0, 0, 1, 1), Axes(0, 1, 0, 0)
    builder.matmul(inner("a"), plain("x"), square(weights[0]), axes=axes, relu=True)
    builder.matmul(plain("h"), inner("a"), square(weights[1]), axes=axes, relu=True)
    builder.matmul(inner("y"), inner("a"), one, axes=copy)
    builder.matmul(inner("y"), plain("a" if read_later else "h"), square(weights[2]), axes=axes, accumulate=True, relu=True)
    builder.matmul(View("scores", 0, (6,), (1,)), View("y", 0, (6,), (1,)), one, axes=copy)
    return builder.finish()


def test_a_residual_is_added_in_place_when_its_source_dies():
    graph = residual()
    after = accumulate_in_place(graph)
    assert [instruction.out.buffer for instruction in after.instructions] == ["a", "h", "a", "scores"]
    assert_same(graph, after)


@pytest.mark.parametrize("options", [{"read_later": True}, {"border": False}])
def test_a_residual_is_copied_when_its_source_lives_or_lies_otherwise(options):
    graph = residual(**options)
    if options.get("border") is False:
        graph = replace_border(graph)
    assert len(accumulate_in_place(graph).instructions) == len(graph.instructions)


def replace_border(graph):
    """Read only what was written of `y`, which has no border now."""
    last = graph.instructions[-1]
    scores = replace(last, out=View("scores", 0, (4,), (1,)), a=View("y", 1, (4,), (1,)))
    return Graph(graph.buffers, (*graph.instructions[:-1], scores), graph.weights)


def test_a_scale_goes_into_the_weights_before_it():
    builder = linear_then()
    builder.add_output("z", (3,))
    builder.add_scratch("u", (3,))
    tenth = View(builder.add_weight("tenth", np.array(0.1)).name, 0, (), ())
    weight = View("w", 0, (4, 3), (3, 1))
    builder.matmul(View("u", 0, (3,), (1,)), View("x", 0, (4,), (1,)), weight, axes=Axes(0, 0, 1, 1))
    builder.matmul(View("z", 0, (3,), (1,)), View("u", 0, (3,), (1,)), tenth, axes=Axes(0, 1, 0, 0), relu=True)
    graph = builder.finish()
    after = merge_scales(graph)
    assert len(after.instructions) == len(graph.instructions) - 1
    assert after.instructions[-1].relu and after.instructions[-1].out.buffer == "z"
    assert_same(graph, after)


def test_the_scale_of_attention_goes_into_the_weights_of_the_queries():
    builder = GraphBuilder()
    builder.add_input("x", (3, 4))
    for name in ("q", "k"):
        builder.add_scratch(name, (3, 2))
    builder.add_scratch("t", (3, 3))
    builder.add_output("y", (3, 3))
    rng = np.random.default_rng(0)
    x = View("x", 0, (3, 4), (4, 1))
    for name in ("q", "k"):
        weight = builder.add_weight(f"{name}.weight", rng.normal(size=(4, 2))).name
        bias = View(builder.add_weight(f"{name}.bias", rng.normal(size=2)).name, 0, (2,), (1,))
        builder.matmul(View(name, 0, (3, 2), (2, 1)), x, View(weight, 0, (4, 2), (2, 1)), axes=Axes(0, 1, 1, 1), bias=bias)
    builder.matmul(View("t", 0, (3, 3), (3, 1)), View("q", 0, (3, 2), (2, 1)), View("k", 0, (2, 3), (1, 2)), axes=Axes(0, 1, 1, 1))
    third = View(builder.add_weight("third", np.array(1 / 3)).name, 0, (), ())
    builder.matmul(View("y", 0, (9,), (1,)), View("t", 0, (9,), (1,)), third, axes=Axes(0, 1, 0, 0), relu=True)
    graph = builder.finish()
    after = optimise(graph)
    assert len(after.instructions) == 3
    assert after.instructions[-1].relu and after.instructions[-1].out.buffer == "y"
    assert_same(graph, after)


def test_equal_weights_of_other_shapes_are_stored_once():
    buffers = (Buffer("x", "input", (4,)), Buffer("v", "weight", (2, 2)), Buffer("w", "weight", (4,)), Buffer("y", "output", (4,)))
    weights = {"v": np.arange(4, dtype=np.float32).reshape(2, 2), "w": np.arange(4, dtype=np.float32)}
    line = [View(name, 0, (4,), (1,)) for name in ("y", "x", "v", "w")]
    first = Matmul(line[0], line[1], line[2], Axes(1, 0, 0, 0))
    second = Matmul(line[0], line[1], line[3], Axes(1, 0, 0, 0), accumulate=True)
    graph = Graph(buffers, (first, second), weights)
    after = share_weights(graph)
    assert list(after.weights) == ["v"]
    assert_same(graph, after)


def test_what_no_output_needs_is_dropped_and_inputs_stay():
    builder = linear_then()
    builder.add_input("unused", (2,))
    builder.add_scratch("dead", (3,))
    builder.relu(View("dead", 0, (3,), (1,)), View("t", 0, (3,), (1,)))
    after = drop_dead(builder.finish())
    assert len(after.instructions) == 2
    assert "unused" in {buffer.name for buffer in after.buffers} and "dead" not in {buffer.name for buffer in after.buffers}


def test_moved_view_follows_the_axes_of_the_copy():
    written = View("t", 0, (2, 3), (3, 1))
    assert moved_view(written, View("t", 0, (2, 3), (3, 1)), View("y", 5, (2, 3), (1, 2))) == View("y", 5, (2, 3), (1, 2))
    assert moved_view(written, View("t", 0, (6,), (1,)), View("y", 0, (6,), (4,))) == View("y", 0, (2, 3), (12, 4))
    assert moved_view(View("t", 0, (6,), (1,)), View("t", 0, (2, 3), (3, 1)), View("y", 0, (2, 3), (1, 2))) is None
    assert moved_view(View("t", 0, (6,), (1,)), View("t", 0, (2, 3), (3, 1)), View("y", 0, (2, 3), (3, 1))) == View("y", 0, (6,), (1,))
    assert moved_view(written, View("t", 1, (2, 3), (3, 1)), View("y", 0, (2, 3), (3, 1))) is None
