"""The generated Python gives what the interpreters give, integers bit for bit, without Tacit."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import ir_nets
from tacit.binary.binary import Binary
from tacit.ground.errors import ConfigError
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import lower_module
from tacit.quantisation.quantise import quantise
from tacit.signature.outputs import Class
from tacit.signature.series import Series
from tacit.targets.numpy.target import NumpyTarget
from tacit.targets.target import TARGETS, Options, Source
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.onnx.models import sample
from tests.unit.binary.small_programs import bright_binary, series_binary, sum_binary, two_layer_graph, words_binary
from tests.unit.lowering.random_modules import random_module

BINARIES = {"bright": bright_binary, "series": series_binary, "sum": sum_binary, "words": words_binary}
SIGNATURE = Series(2, 3) >> Class("low", "high")


def source_of(binary: Binary) -> Source:
    return Source("small", binary.graphs, binary.signature, binary.digest, {})


def built(graph: Graph | IntegerGraph, inputs: list[np.ndarray]) -> list[np.ndarray]:
    source = Source("built", {"main": graph}, SIGNATURE, "0" * 64)
    with tempfile.TemporaryDirectory() as name:
        TARGETS.get("numpy")().write(source, Path(name), Options())
        return NumpyTarget().run(source, Path(name), inputs)


def close(found: list[np.ndarray], expected: list[np.ndarray]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and one.dtype == np.float32
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(1.0, float(np.abs(other).max(initial=0))))


@settings(max_examples=40, deadline=None)
@given(graph=graphs(), batch=st.integers(1, 3))
def test_any_views(graph: Graph, batch: int) -> None:
    inputs = sample_inputs(graph, batch, 0)
    close(built(graph, inputs), evaluate(graph, inputs))


@settings(max_examples=40, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 99))
def test_integers_of_any_views_are_the_same_bits(graph: Graph, seed: int) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, seed))
    inputs = sample_inputs(graph, 3, seed + 1)
    inputs[0] *= 10
    inputs[0][0, 0] = np.nan
    for one, other in zip(built(integer, inputs), evaluate_integers(integer, inputs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("seed", [0, 3, 5, 17])
def test_random_modules(seed: int) -> None:
    module, specs = random_module(seed)
    graph = lower_module(module, specs).graph
    inputs = sample(graph, 3)
    close(built(graph, inputs), evaluate(graph, inputs))


@pytest.mark.parametrize("name", ["chain", "mobile", "attention"])
def test_nets_as_floats_and_as_integers(name: str) -> None:
    graph: Graph = getattr(ir_nets, name)()
    inputs = sample(graph, 5)
    close(built(graph, inputs), evaluate(graph, inputs))
    integer = quantise(graph, inputs)
    for one, other in zip(built(integer, inputs), evaluate_integers(integer, inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_any_number_of_examples_may_be_given() -> None:
    graph = ir_nets.chain()
    assert built(graph, sample(graph, 0))[0].shape == (0, 10)
    inputs = sample(graph, 130)  # more than are run at once
    close(built(graph, inputs), evaluate(graph, inputs))


@pytest.mark.parametrize("name", BINARIES)
def test_the_code_of_the_readme_runs_without_tacit(name: str, tmp_path: Path) -> None:
    NumpyTarget().write(source_of(BINARIES[name]()), tmp_path, Options())
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    alone = "import sys\nsys.modules['tacit'] = None\n" + code
    subprocess.run([sys.executable, "-c", alone], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    imported = [node for node in ast.walk(ast.parse((tmp_path / "small.py").read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {alias.name for node in imported for alias in node.names} == {"math", "numpy", "Path"}


def test_every_entry_point_is_a_function(tmp_path: Path) -> None:
    binary = series_binary(step=two_layer_graph(5))
    NumpyTarget().write(source_of(binary), tmp_path, Options())
    code = "import numpy as np, small; print(small.run_step(np.ones((1, 2, 3))).tolist()[0])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    np.testing.assert_allclose(ast.literal_eval(ran.stdout), binary.run([np.ones((1, 2, 3))], "step")[0][0], rtol=1e-5)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((1, 3, 2)), r"expected values \[batch, 2, 3\], got \[1, 3, 2\]"),
        (np.zeros((2, 3)), r"expected values \[batch, 2, 3\], got \[2, 3\]"),
    ],
)
def test_a_wrong_shape_is_refused(array: np.ndarray, expected: str, tmp_path: Path) -> None:
    source = source_of(series_binary())
    NumpyTarget().write(source, tmp_path, Options())
    with pytest.raises(ValueError, match=expected):
        NumpyTarget().run(source, tmp_path, [array])


@pytest.mark.parametrize(("number", "expected"), [(50, "0 to below 50, got 0 to 50"), (-1, "got -1 to 0")])
def test_an_integer_out_of_range_is_refused(number: int, expected: str, tmp_path: Path) -> None:
    source = source_of(words_binary())
    NumpyTarget().write(source, tmp_path, Options())
    pieces = np.zeros((1, 4, 2), np.int32)
    pieces[0, 1, 1] = number
    with pytest.raises(ValueError, match=expected):
        NumpyTarget().run(source, tmp_path, [pieces])


def test_nan_is_read_as_zero(tmp_path: Path) -> None:
    source = source_of(series_binary())
    NumpyTarget().write(source, tmp_path, Options())
    given = np.array([[[1.0, np.nan, 2.0], [3.0, 4.0, 5.0]]])
    close(NumpyTarget().run(source, tmp_path, [given]), series_binary().run([np.nan_to_num(given)]))


def test_names_of_classes_are_text_and_never_code(tmp_path: Path) -> None:
    name = 'x"""\nraise SystemExit("run")\n"""'
    binary = Binary(series_binary().graphs, Series(2, 3) >> Class("low", name, "\\"))
    NumpyTarget().write(source_of(binary), tmp_path, Options())
    close(NumpyTarget().run(source_of(binary), tmp_path, [np.ones((1, 2, 3))]), binary.run([np.ones((1, 2, 3))]))


def test_a_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected no machine for the target `numpy`"):
        NumpyTarget().write(source_of(bright_binary()), tmp_path, Options(triple="aarch64-linux-musl"))
