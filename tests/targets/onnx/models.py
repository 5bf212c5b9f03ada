"""Export a graph, run it with onnxruntime, and compare with the interpreter."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx

from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate, index_limits
from tacit.targets.onnx.arithmetic import Arithmetic
from tacit.targets.onnx.model import OPSET, model_of
from tacit.targets.onnx.nodes import Nodes
from tacit.targets.onnx.runtime import Session


def exported(graph: Graph) -> onnx.ModelProto:
    return model_of(graph, Arithmetic(Nodes(OPSET)), name="test", metadata={})


def operations(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def sample(graph: Graph, batch: int, seed: int = 0) -> list[np.ndarray]:
    chance = np.random.default_rng(seed)
    limits = index_limits(graph)
    made = []
    for buffer in graph.of_kind("input"):
        shape = (batch, *buffer.shape)
        most = limits.get(buffer.name, np.ones(buffer.size)).clip(max=1 << 30).reshape(buffer.shape)
        made.append(chance.integers(0, most, shape).astype(np.int32) if buffer.dtype == "int32" else chance.normal(size=shape).astype("f4"))
    return made


def error(model: onnx.ModelProto, graph: Graph, inputs: list[np.ndarray]) -> float:
    """The greatest difference from the interpreter, relative to the greatest number of each output."""
    found, expected = Session(model.SerializeToString())(inputs), evaluate(graph, inputs)
    worst = 0.0
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == np.float32
        worst = max(worst, float(np.nan_to_num(np.abs(one - other).max() / (np.abs(other).max() + 1e-6), nan=np.inf)))
    return worst
