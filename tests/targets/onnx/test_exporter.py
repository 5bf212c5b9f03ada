"""What is exported computes what the interpreter does, and is made of the nodes that runtimes are fast at."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper
from torch import nn

from benchmarks import ir_nets
from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Graph, View, contiguous
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.signature.base import ArraySpec
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.onnx.models import error, exported, operations, sample
from tests.unit.lowering.random_modules import random_module
from tests.unit.passes.random_graphs import random_graph


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), batch=st.integers(1, 3))
def test_any_views(graph: Graph, batch: int) -> None:
    inputs = sample_inputs(graph, batch, 0)
    assert error(exported(graph), graph, [inputs[0], inputs[1].astype(np.int32)]) < 1e-4


@pytest.mark.parametrize("seed", range(6))
def test_buffers_that_are_used_many_times(seed: int) -> None:
    graph = random_graph(seed)
    assert error(exported(graph), graph, sample(graph, 2)) < 1e-4


@pytest.mark.parametrize("seed", [0, 3, 5, 17, 20, 33, 37, 55])
def test_random_modules(seed: int) -> None:
    module, specs = random_module(seed)
    graph = optimise(lower_module(module, specs).graph)
    assert error(exported(graph), graph, sample(graph, 3)) < 1e-4


NETS = {
    "chain": {"Conv": 3, "Gemm": 1, "GlobalAveragePool": 1, "Relu": 3},
    "perceptron": {"Gemm": 3, "Relu": 2},
    "resnet": {"Conv": 9, "Add": 3, "Gemm": 1, "GlobalAveragePool": 1, "Relu": 7, "Transpose": 1},
    "unet": {"Conv": 13, "Concat": 3, "Expand": 3, "Relu": 12, "Transpose": 2},
    "mobile": {"Conv": 9, "Gemm": 1, "GlobalAveragePool": 1, "Relu": 9, "Transpose": 1},
    "attention": {"MatMul": 16, "Add": 4, "Relu": 5, "Transpose": 8},
}


@pytest.mark.parametrize("name", NETS)
def test_nets_become_the_nodes_that_a_person_would_write(name: str) -> None:
    graph: Graph = getattr(ir_nets, name)()
    model = exported(graph)
    found = operations(model)
    for boundary in ("ThresholdedRelu", "Identity", "Reshape"):
        del found[boundary]
    assert found == NETS[name]
    assert error(model, graph, sample(graph, 2)) < 1e-4


def test_convolutions_follow_one_another_without_a_transpose() -> None:
    makers = {node.output[0]: node for node in exported(ir_nets.resnet()).graph.node}
    for node in makers.values():
        if node.op_type == "Conv":
            maker = makers.get(node.input[0])
            assert maker is None or maker.op_type in ("Relu", "Conv", "Transpose")
            if maker is not None and maker.op_type == "Transpose":
                assert makers[maker.input[0]].op_type == "ThresholdedRelu"  # the image alone


def test_a_changed_weight_is_seen() -> None:
    graph = ir_nets.chain()
    model = exported(graph)
    weight = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0, 0] += 1
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    assert error(model, graph, sample(graph, 2)) > 1e-4


def pooled(window: int, stride: int) -> Graph:
    """Maxima by rectifiers, as they are lowered: a + relu(b - a)."""
    builder = GraphBuilder()
    count = (12 - window) // stride + 1
    x, y = builder.add_input("x", (12, 3)), builder.add_output("y", (count, 3))
    out, one = contiguous(y), View(builder.add_weight("one", np.ones(1)).name, 0, (), ())
    pair = builder.add_weight("pair", np.array([-1.0, 1.0]))
    a = View(x.name, 0, (count, 3, 2), (3 * stride, 1, 3))
    builder.matmul(out, a, View(pair.name, 0, (2,), (1,)), axes=Axes(0, 2, 0, 1), relu=True)
    builder.matmul(out, View(x.name, 0, (count, 3), (3 * stride, 1)), one, axes=Axes(0, 2, 0, 0), accumulate=True)
    return builder.finish()


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (2, 1)])
def test_a_maximum_of_two_is_one_node(window: int, stride: int) -> None:
    graph = pooled(window, stride)
    model = exported(graph)
    assert operations(model)["Max"] == 1 and "Relu" not in operations(model)
    assert error(model, graph, sample(graph, 4)) < 1e-6


def test_an_absolute_value_is_one_node() -> None:
    builder = GraphBuilder()
    x, y = builder.add_input("x", (6,)), builder.add_output("y", (6,))
    part = builder.add_scratch("part", (6,))
    one, minus = (View(builder.add_weight("one", np.full(1, value)).name, 0, (), ()) for value in (1.0, -1.0))
    axes = Axes(0, 1, 0, 0)
    builder.matmul(contiguous(part), contiguous(x), minus, axes=axes, relu=True)
    builder.matmul(contiguous(y), contiguous(x), one, axes=axes, relu=True)
    builder.matmul(contiguous(y), contiguous(part), one, axes=axes, accumulate=True)
    graph = builder.finish()
    model = exported(graph)
    assert operations(model) == {"ThresholdedRelu": 1, "Abs": 1, "Identity": 1}
    assert error(model, graph, sample(graph, 4)) == 0


def test_maxima_of_halves_are_one_reduction() -> None:
    class Largest(nn.Module):
        def forward(self, x):
            return x.amax(1)

    graph = optimise(lower_module(Largest(), [ArraySpec("x", (13, 6), "float32", ("time", "channel"))]).graph)
    model = exported(graph)
    assert operations(model)["ReduceMax"] == 1 and not {"Max", "Slice", "Gather"} & {*operations(model)}
    assert error(model, graph, sample(graph, 4)) < 1e-6


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (nn.ReLU6(), {"Clip": 1}),
        (nn.Hardtanh(-2, 3), {"Add": 2, "Clip": 1}),
        (lambda x: torch.maximum(x[:, :3], x[:, 3:]), {"Slice": 2, "Max": 1}),
    ],
)
def test_what_rectifiers_spell_out_is_one_node(function: nn.Module, expected: dict[str, int]) -> None:
    class Only(nn.Module):
        def forward(self, x):
            return function(x)

    graph = optimise(lower_module(Only(), [ArraySpec("x", (6,), "float32", ("column",))]).graph)
    model = exported(graph)
    inputs = [5 * array for array in sample(graph, 9)]
    assert operations(model) == {"ThresholdedRelu": 1, "Identity": 1, **expected}
    assert error(model, graph, inputs) < 1e-6


def test_what_no_form_fits_is_gathered() -> None:
    builder = GraphBuilder()
    x, y = builder.add_input("x", (7, 5)), builder.add_output("y", (4, 3))
    w = builder.add_weight("w", np.random.default_rng(0).normal(size=(4, 3)))
    builder.matmul(contiguous(y), View(x.name, 1, (4, 4), (6, 3)), contiguous(w), axes=Axes(0, 1, 1, 1))  # diagonals
    graph = builder.finish()
    model = exported(graph)
    assert operations(model)["Gather"] == 1
    assert error(model, graph, sample(graph, 2)) < 1e-5


def test_names_of_the_caller_stay_free_when_nodes_are_called_alike() -> None:
    builder = GraphBuilder()
    x, y = builder.add_input("relu_2", (3,)), builder.add_output("relu", (3,))
    middle = builder.add_scratch("middle", (3,))
    builder.relu(contiguous(middle), contiguous(x))
    builder.relu(contiguous(y), contiguous(middle))
    graph = builder.finish()
    model = exported(graph)
    assert [port.name for port in (*model.graph.input, *model.graph.output)] == ["relu_2", "relu"]
    onnx.checker.check_model(model, full_check=True)
    assert error(model, graph, sample(graph, 2)) == 0
