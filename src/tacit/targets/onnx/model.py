"""Make a model of a graph: nodes, names, metadata; checked before it is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from tacit.ground.digests import canonical_json
from tacit.ground.tables import resolve
from tacit.ir.graph import Buffer, Graph
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.targets.onnx.arithmetic import Arithmetic
from tacit.targets.onnx.exporter import Exporter

OPSET = 17
IR_VERSION = 8  # of files with this opset


def model_of(graph: Graph | IntegerGraph, arithmetic: Arithmetic, *, name: str, metadata: Mapping[str, Any]) -> onnx.ModelProto:
    """Give a checked model whose inputs and outputs are called as the buffers of the graph; `batch` is a free dimension.

    metadata: values are written as they are when text, else as JSON.
    """
    nodes = arithmetic.nodes
    given: list[Buffer | IntegerBuffer] = [*graph.of_kind("input")]
    wanted: list[Buffer | IntegerBuffer] = [*graph.of_kind("output")]
    for port in (*given, *wanted):
        nodes.free(port.name)
    exporter = Exporter(graph, arithmetic)
    outputs = []
    for buffer, tensor in zip(wanted, exporter.export(), strict=True):
        nodes.name(tensor, buffer.name)
        outputs.append(helper.make_tensor_value_info(buffer.name, onnx.TensorProto.FLOAT, ["batch", *buffer.shape]))
    inputs = [
        helper.make_tensor_value_info(
            buffer.name, onnx.TensorProto.INT32 if buffer.dtype == "int32" else onnx.TensorProto.FLOAT, ["batch", *buffer.shape]
        )
        for buffer in given
    ]
    body, constants = nodes.needed([output.name for output in outputs])
    made = helper.make_model(
        helper.make_graph(body, name, inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", nodes.opset)],
        ir_version=IR_VERSION if nodes.opset == OPSET else 10,
        producer_name="tacit",
        producer_version=resolve("tacit:__version__"),
    )
    helper.set_model_props(made, {key: value if isinstance(value, str) else canonical_json(value) for key, value in metadata.items()})
    onnx.checker.check_model(made, full_check=True)
    return made
