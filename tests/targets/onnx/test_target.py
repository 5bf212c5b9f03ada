"""The folder that the target writes: model, metadata, README; and that it runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tacit.binary.binary import Binary
from tacit.ground.errors import ConfigError, MissingPackage
from tacit.targets.onnx.runtime import Session
from tacit.targets.onnx.target import OnnxTarget
from tacit.targets.target import TARGETS, Options, Source
from tests.unit.binary.small_programs import bright_binary, series_binary, sum_binary, two_layer_graph, words_binary

EVIDENCE = {"scores": {"test": {"accuracy": 0.5, "confusion": [[1]]}}, "run": {"seed": 0}}
BINARIES = {"bright": bright_binary, "series": series_binary, "sum": sum_binary, "words": words_binary}


def source_of(binary: Binary, name: str = "small") -> Source:
    return Source(name, binary.graphs, binary.signature, binary.digest, EVIDENCE)


def written(binary: Binary, folder: Path) -> Source:
    source = source_of(binary)
    TARGETS.get("onnx")().write(source, folder, Options())
    return source


@pytest.mark.parametrize("name", BINARIES)
def test_what_was_written_gives_the_scores_of_the_binary(name: str, tmp_path: Path) -> None:
    binary = BINARIES[name]()
    source = written(binary, tmp_path)
    chance = np.random.default_rng(0)
    for count in (1, 7):  # the batch is free
        arrays = [chance.integers(0, 50, (count, *b.shape)).astype(b.dtype) for b in binary.graphs["main"].of_kind("input")]
        for one, other in zip(OnnxTarget().run(source, tmp_path, arrays), binary.run(arrays), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_the_model_says_what_it_is(tmp_path: Path) -> None:
    source = written(bright_binary(), tmp_path)
    model = onnx.load(tmp_path / "small.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["digest"] == source.digest
    assert json.loads(metadata["signature"]) == source.signature.to_json()
    assert json.loads(metadata["evidence"]) == {"scores": {"test": {"accuracy": 0.5}}}
    assert (model.producer_name, model.graph.name) == ("tacit", "small")
    assert [port.name for port in (*model.graph.input, *model.graph.output)] == ["pixels", "scores"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {node.doc_string for node in model.graph.node} >= {"dense"}


def test_the_same_binary_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        written(bright_binary(), tmp_path / name)
    assert (tmp_path / "one" / "small.onnx").read_bytes() == (tmp_path / "two" / "small.onnx").read_bytes()


def test_nan_is_read_as_zero(tmp_path: Path) -> None:
    source = written(series_binary(), tmp_path)
    given = np.ones((2, 2, 3), np.float32)
    given[0, 0, 1] = np.nan
    (found,) = OnnxTarget().run(source, tmp_path, [given])
    np.testing.assert_allclose(found, series_binary().run([np.nan_to_num(given)])[0], rtol=1e-5)


def test_every_entry_point_is_a_model(tmp_path: Path) -> None:
    binary = series_binary(step=two_layer_graph(5))
    written(binary, tmp_path)
    given = np.random.default_rng(0).normal(size=(3, 2, 3)).astype(np.float32)
    (found,) = Session(tmp_path / "small_step.onnx")([given])
    np.testing.assert_allclose(found, binary.run([given], "step")[0], rtol=1e-5, atol=1e-6)
    assert "small_step.onnx" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BINARIES)
def test_the_code_of_the_readme_runs(name: str, tmp_path: Path) -> None:
    source = written(BINARIES[name](), tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines()[0] == source.digest


@pytest.mark.parametrize("options", [Options(triple="aarch64-linux-musl"), Options(isa="avx2")])
def test_a_machine_is_refused(options: Options, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected no machine for the target `onnx`"):
        OnnxTarget().write(source_of(bright_binary()), tmp_path, options)
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(bright_binary(), tmp_path)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match=r'pip install "tacit\[onnx\]"'):
        OnnxTarget().run(source, tmp_path, [np.zeros((1, 4, 4, 1))])
