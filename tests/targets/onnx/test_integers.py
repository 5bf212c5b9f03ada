"""Integer graphs as ONNX: the exact model gives every bit of the definition, QDQ nearly the same numbers in nodes that runtimes fuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from onnx import numpy_helper

from benchmarks import ir_nets
from tacit.ground.errors import TacitError
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.quantisation.quantise import quantise
from tacit.targets.onnx.arithmetic import Arithmetic
from tacit.targets.onnx.exact import ExactArithmetic
from tacit.targets.onnx.model import OPSET, model_of
from tacit.targets.onnx.nodes import Nodes
from tacit.targets.onnx.quantised import OPSET as OPSET_OF_QUANTISED
from tacit.targets.onnx.quantised import QuantisedArithmetic
from tacit.targets.onnx.runtime import Session
from tacit.targets.onnx.target import OnnxTarget
from tacit.targets.target import Options, Source
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.onnx.models import operations, sample
from tests.unit.binary.small_programs import series_binary


def model(graph: IntegerGraph, kind: Callable[[Nodes], Arithmetic], opset: int) -> onnx.ModelProto:
    return model_of(graph, kind(Nodes(opset)), name="test", metadata={})


def exact(graph: IntegerGraph) -> onnx.ModelProto:
    return model(graph, ExactArithmetic, OPSET)


def rounding(graph: IntegerGraph) -> onnx.ModelProto:
    return model(graph, QuantisedArithmetic, OPSET_OF_QUANTISED)


def differing(made: onnx.ModelProto, graph: IntegerGraph, inputs: list[np.ndarray]) -> int:
    found = Session(made.SerializeToString())(inputs)
    return sum(int((one != other).sum()) for one, other in zip(found, evaluate_integers(graph, inputs), strict=True))


@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_any_views_to_the_bit(graph: Graph) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, 0))
    x, tokens = sample_inputs(graph, 3, 1)
    x *= 10  # beyond what was seen
    x[0, 0] = np.nan
    assert differing(exact(integer), integer, [x, tokens.astype(np.int32)]) == 0


@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_any_views_nearly(graph: Graph) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, 0))
    x, tokens = sample_inputs(graph, 3, 1)
    inputs = [x, tokens.astype(np.int32)]
    found, expected = Session(rounding(integer).SerializeToString())(inputs), evaluate_integers(integer, inputs)
    for one, other, true in zip(found, expected, evaluate(graph, inputs), strict=True):
        allowed = 0.25 * float(np.abs(other).max()) + 2 * float(np.abs(other - true).max()) + 1e-6  # what 8 bits can hold is much less
        assert float(np.abs(one - other).max()) <= allowed


NETS = ["perceptron", "chain", "resnet", "mobile", "attention"]


def quantised_net(name: str) -> tuple[IntegerGraph, list[np.ndarray]]:
    graph: Graph = getattr(ir_nets, name)()
    inputs = sample(graph, 8)
    return quantise(graph, inputs), inputs


@pytest.mark.parametrize("name", NETS)
def test_nets(name: str) -> None:
    integer, inputs = quantised_net(name)
    assert differing(exact(integer), integer, inputs) == 0
    found, expected = Session(rounding(integer).SerializeToString())(inputs)[0], evaluate_integers(integer, inputs)[0]
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    assert error < 0.05  # some steps of 1/256
    assert (found.reshape(8, -1).argmax(1) == expected.reshape(8, -1).argmax(1)).mean() >= 0.75


def test_a_changed_bit_is_seen() -> None:
    integer, inputs = quantised_net("chain")
    made = exact(integer)
    weight = next(tensor for tensor in made.graph.initializer if len(tensor.dims) == 4)
    values = numpy_helper.to_array(weight).copy()
    values.flat[np.abs(values).argmax()] //= 2
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    assert differing(made, integer, inputs) > 0


def test_quantised_nodes_have_the_form_that_runtimes_know() -> None:
    made = rounding(quantised_net("chain")[0])
    makers = {node.output[0]: node for node in made.graph.node}
    convolutions = [node for node in made.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 3
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}
    for node in convolutions:
        x, weight, bias = (makers[name] for name in node.input)
        assert [maker.op_type for maker in (x, weight, bias)] == ["DequantizeLinear"] * 3
        values, scale = constants[weight.input[0]], constants[weight.input[1]]
        assert values.dtype == np.int8 and scale.shape == (values.shape[0],)
        steps = constants[x.input[1]] * scale  # a step of the bias must be a step of the product
        np.testing.assert_allclose(np.broadcast_to(constants[bias.input[1]], steps.shape), steps, rtol=1e-5)
    assert operations(made)["Mul"] == 0


def source() -> Source:
    binary = series_binary()
    examples = np.random.default_rng(0).normal(size=(50, 2, 3)).astype(np.float32)
    return Source("small", {"main": quantise(binary.graphs["main"], [examples])}, binary.signature, binary.digest, {})


def test_the_folder_holds_both_models(tmp_path: Path) -> None:
    made = source()
    OnnxTarget().write(made, tmp_path, Options())
    assert {path.name for path in tmp_path.iterdir()} == {"small.onnx", "small_exact.onnx", "README.md"}
    given = np.random.default_rng(1).normal(size=(4, 2, 3)).astype(np.float32)
    (found,) = OnnxTarget().run(made, tmp_path, [given])
    np.testing.assert_allclose(found, evaluate_integers(made.graphs["main"], [given])[0], atol=0.05)  # type: ignore[arg-type]
    assert "small_exact.onnx" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_an_exact_model_with_other_bits_is_refused(tmp_path: Path) -> None:
    made = source()
    OnnxTarget().write(made, tmp_path, Options())
    path = tmp_path / "small_exact.onnx"
    loaded = onnx.load(path)
    weight = next(tensor for tensor in loaded.graph.initializer if tensor.data_type == onnx.TensorProto.INT8)
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    onnx.save(loaded, path)
    with pytest.raises(TacitError, match="expected the bits of the interpreter"):
        OnnxTarget().run(made, tmp_path, [np.ones((1, 2, 3), np.float32)])
