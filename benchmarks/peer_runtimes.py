"""The peers that targets are compared with: ONNX Runtime, float and four kinds of int8, and onnx2c.

ONNX Runtime gets one thread, all optimisations, no spinning, inputs and outputs bound beforehand: what an expert would set. It reads
its own int8 graphs, made by `onnxruntime.quantization` with the defaults of its documentation; which of them is fastest is measured per
network. onnx2c (github.com/kraiskil/onnx2c) writes C too; its executable is given by path, none of its code is here.
"""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from contestants import Contestant, aligned, compiled
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

#: What ONNX Runtime raises where it has no kernel for what its own quantiser wrote.
REFUSALS = (RuntimeError, runtime.Fail, runtime.InvalidGraph, runtime.NotImplemented, runtime.RuntimeException)
UNSIGNED, SIGNED = QuantType.QUInt8, QuantType.QInt8


@dataclass(frozen=True)
class Scheme:
    """A configuration of static quantisation."""

    format: QuantFormat
    per_channel: bool
    activation: QuantType = UNSIGNED


SCHEMES: dict[str, Scheme] = {
    "QDQ per channel": Scheme(QuantFormat.QDQ, True),
    "QOperator per channel": Scheme(QuantFormat.QOperator, True),
    "QOperator per tensor": Scheme(QuantFormat.QOperator, False),
    "QDQ s8s8": Scheme(QuantFormat.QDQ, True, SIGNED),
}
DYNAMIC = "dynamic"


def ort(path: Path, *, name: str = "ORT") -> Contestant:
    """Open an ONNX file in ONNX Runtime, on one thread, for a batch of one. Raises: one of `REFUSALS`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_free_dimension_override_by_name("batch", 1)
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    kinds = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}
    arrays: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    kept = []
    for made, values in zip(arrays, (session.get_inputs(), session.get_outputs()), strict=True):
        for value in values:
            shape = [1 if size == "batch" else int(size) for size in value.shape]
            made.append(aligned(int(np.prod(shape)), np.dtype(kinds[value.type])).reshape(shape))
            kept.append(onnxruntime.OrtValue.ortvalue_from_numpy(made[-1]))  # on a CPU it shares the memory
            (binding.bind_ortvalue_input if made is arrays[0] else binding.bind_ortvalue_output)(value.name, kept[-1])
    call, bound = session._sess.run_with_iobinding, binding._iobinding  # without the wrapper's keyword arguments

    def run(count: int) -> None:
        for _ in range(count):
            call(bound, None)

    return Contestant(name, run, tuple(arrays[0]), tuple(arrays[1]), keep=(session, binding, kept))


class _Examples(CalibrationDataReader):
    def __init__(self, rows: Sequence[Mapping[str, np.ndarray]]) -> None:
        self.rows = iter(rows)

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        return next(self.rows, None)


def quantised(path: Path, examples: Sequence[np.ndarray], folder: Path, *, dynamic: bool = False) -> dict[str, Path]:
    """Write int8 graphs of an ONNX file, one per scheme that ONNX Runtime manages. examples: [example, *shape] per input."""
    logger, level = logging.getLogger(), logging.getLogger().level
    logger.setLevel(logging.ERROR)
    prepared = folder / f"{path.stem}.prepared.onnx"
    try:
        quant_pre_process(path, prepared)
    except Exception:  # a shape that its symbolic inference does not follow; ours are fixed anyway
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
    names = [value.name for value in onnx.load(path).graph.input]
    made: dict[str, Path] = {}
    try:
        for title, scheme in SCHEMES.items():
            target = folder / f"{path.stem}.{title.replace(' ', '-')}.onnx"
            rows = [dict(zip(names, (array[row : row + 1] for array in examples), strict=True)) for row in range(len(examples[0]))]
            quantize_static(
                prepared,
                target,
                _Examples(rows),
                quant_format=scheme.format,
                per_channel=scheme.per_channel,
                activation_type=scheme.activation,
                weight_type=SIGNED,
            )
            made[title] = target
        if dynamic:
            made[DYNAMIC] = folder / f"{path.stem}.dynamic.onnx"
            quantize_dynamic(prepared, made[DYNAMIC], per_channel=True, weight_type=SIGNED)
    finally:
        logger.setLevel(level)
    return made


def floor_model(path: Path) -> Path:
    """Write a model of one operation on four numbers: what a call costs ONNX Runtime before it computes."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "floor", value[:1], value[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def with_global_pool(source: Path, target: Path) -> Path:
    """Write a mean over rows and columns as GlobalAveragePool and a reshape: what older exporters wrote.

    onnx2c knows no other form, and ONNX Runtime has an int8 kernel for this one.
    """
    model = onnx.load(source)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in _values(model)}
    nodes = []
    for node in model.graph.node:
        axes = [int(axis) for axis in constants.get(node.input[1], np.zeros(0)).ravel()] if len(node.input) > 1 else []
        if node.op_type != "ReduceMean" or len(shapes.get(node.input[0], [])) != 4 or sorted(a % 4 for a in axes) != [2, 3]:
            nodes.append(node)
            continue
        pooled, shape = f"{node.output[0]}_pooled", f"{node.output[0]}_shape"
        model.graph.initializer.append(numpy_helper.from_array(np.array(shapes[node.output[0]], np.int64), shape))
        nodes.append(helper.make_node("GlobalAveragePool", [node.input[0]], [pooled]))
        nodes.append(helper.make_node("Reshape", [pooled, shape], list(node.output)))
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    for field, values in ((model.graph.node, nodes), (model.graph.initializer, kept)):
        del field[:]
        field.extend(values)
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return target


def _values(model: ModelProto) -> list[onnx.ValueInfoProto]:
    graph = onnx.shape_inference.infer_shapes(model).graph
    return [*graph.input, *graph.value_info, *graph.output]


def onnx2c(executable: Path, path: Path, folder: Path, *, command: Sequence[str]) -> Contestant:
    """Convert an ONNX file by onnx2c, compile and open it. Raises: RuntimeError with what it says when it can't."""
    done = subprocess.run([executable.resolve(), path.resolve()], capture_output=True, text=True, check=False)
    head = re.search(r"^void entry\((.*)\)", done.stdout, re.MULTILINE)
    if done.returncode or head is None:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        said = re.sub(r"^[\d-]+ [\d.-]+ ", "", lines[0])[:160] if lines else "no text"  # without its time stamp
        raise RuntimeError(f"onnx2c: {said}")
    (folder / "peer.c").write_text(done.stdout)
    parameters = re.findall(r"(const )?(\w+) (tensor_\w+)((?:\[\d+\])+)", head[1])
    sizes = [int(np.prod([int(size) for size in re.findall(r"\d+", shape)])) for *_, shape in parameters]
    inputs = [(size, f"const {kind}") for size, (constant, kind, *_) in zip(sizes, parameters, strict=True) if constant]
    outputs = [size for size, (constant, *_) in zip(sizes, parameters, strict=True) if not constant]
    arguments = [f"(void *)i{place}" for place in range(len(inputs))] + [f"(void *)o{place}" for place in range(len(outputs))]
    return compiled(
        "onnx2c",
        folder=folder,
        command=command,
        sources=["peer.c"],
        include=f"#include <stdint.h>\nvoid entry({head[1]});",
        call=f"entry({', '.join(arguments)})",
        inputs=inputs,
        outputs=outputs,
    )
