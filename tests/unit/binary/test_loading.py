from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from tacit.binary.container import pack, unpack
from tacit.binary.loading import from_bytes, load
from tacit.ground.errors import FormatError, InputError, TacitError
from tests.unit.binary.small_programs import bright_binary, series_binary, two_layer_graph, words_binary

DATA = series_binary(evidence={"name": "small", "scores": {"test": {"accuracy": 0.5}}}).to_bytes()
VALUE = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("binary", [series_binary(), bright_binary(), words_binary()], ids=["series", "image", "text"])
def test_saved_then_loaded_is_the_same(binary, tmp_path):
    path = binary.save(tmp_path / "deep" / "p.tacit")
    again = load(path)
    assert again == binary
    assert again.evidence == binary.evidence and again.signature == binary.signature and again.driver == binary.driver
    assert again.to_bytes() == path.read_bytes() == binary.to_bytes()
    assert [entry.name for entry in os.scandir(path.parent)] == ["p.tacit"]


def test_the_file_is_a_safetensors_file(tmp_path):
    path = series_binary().save(tmp_path / "p.tacit")
    tensors = safetensors.numpy.load_file(path)
    np.testing.assert_array_equal(tensors["w1"], two_layer_graph().weights["w1"])
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert metadata["tacit_format"] == "1" and "matmul" in metadata["instructions.main"]
    assert json.loads(metadata["signature"])["output"]["names"] == ["low", "middle", "high"]


def test_entry_points_share_weights_of_equal_contents():
    alone, shared, different = (
        len(series_binary(**entries).to_bytes()) for entries in ({}, {"step": two_layer_graph()}, {"step": two_layer_graph(9)})
    )
    weights = 4 * (6 * 8 + 8 * 3)
    assert shared - alone < different - alone - weights + 100
    again = from_bytes(series_binary(step=two_layer_graph(9)).to_bytes())
    np.testing.assert_array_equal(again.graphs["step"].weights["w1"], two_layer_graph(9).weights["w1"])
    np.testing.assert_array_equal(again.graphs["main"].weights["w1"], two_layer_graph().weights["w1"])
    both = from_bytes(series_binary(step=two_layer_graph()).to_bytes())
    assert both.graphs["step"].weights["w1"] is both.graphs["main"].weights["w1"]


def test_numbers_that_json_lacks_become_null():
    binary = series_binary(evidence={"a": float("nan"), "b": np.float32(0.5), "c": (1, 2), 3: np.arange(2)})
    assert from_bytes(binary.to_bytes()).evidence == {"a": None, "b": 0.5, "c": [1, 2], "3": [0, 1]}


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(DATA) - 1), mask=st.integers(1, 255))
def test_any_changed_byte_is_found(place, mask):
    changed = bytearray(DATA)
    changed[place] ^= mask
    with pytest.raises(FormatError):
        from_bytes(bytes(changed))


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(DATA) - 1))
def test_any_truncation_is_found(length):
    with pytest.raises(FormatError):
        from_bytes(DATA[:length])


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_other_bytes_are_refused(data):
    with pytest.raises(FormatError):
        from_bytes(data)


def test_something_appended_is_found():
    with pytest.raises(FormatError):
        from_bytes(DATA + b"\0")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (key, value)
        for key in ("signature", "entries", "instructions.main", "driver", "evidence", "digest")
        for value in ("", "{}", "[]", "nonsense", "null", '{"main": {"w1": "gone"}}', "[" * 20000)
        if not (key == "evidence" and value.startswith("{"))  # any object is evidence
    ],
)
def test_sealed_nonsense_is_refused_too(key, value):
    """Somebody who writes a seal of their own gets no further: each part is checked by itself."""
    tensors, metadata = unpack(DATA, where="memory")
    with pytest.raises(FormatError):
        from_bytes(pack(tensors, {**metadata, key: value}))


def test_sealed_instructions_that_leave_their_buffers_are_refused():
    tensors, metadata = unpack(DATA, where="memory")
    tensors = {**tensors, "w1": tensors["w1"][:3]}
    with pytest.raises(FormatError, match="expected a valid program"):
        from_bytes(pack(tensors, metadata))


@pytest.mark.parametrize(
    ("version", "message"),
    [("2", "future version"), ("999999999999", "future version"), ("0", "expected format 1, got `0`"), ("x", "expected format 1")],
)
def test_other_versions_are_refused(version, message):
    changed = DATA.replace(b'"tacit_format":"1"', f'"tacit_format":"{version}"'.encode())
    extra = len(changed) - len(DATA)
    length = int.from_bytes(DATA[:8], "little") + extra
    with pytest.raises(FormatError, match=message):
        from_bytes(length.to_bytes(8, "little") + changed[8:])


def test_other_files_are_named(tmp_path):
    for content, message in [
        (b"", "an empty file"),
        (b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        (b"PK\x03\x04" + b"0" * 40, "a zip archive"),
    ]:
        path = tmp_path / "x.tacit"
        path.write_bytes(content)
        with pytest.raises(FormatError, match=message):
            load(path)
    path.write_bytes(safetensors.numpy.save({"w": np.ones(3)}))
    with pytest.raises(FormatError, match="without Tacit's metadata"):
        load(path)


def test_a_missing_file_names_its_neighbours(tmp_path):
    series_binary().save(tmp_path / "cats.tacit")
    with pytest.raises(InputError, match=r"cats\.tacit"):
        load(tmp_path / "cat.tacit")
    with pytest.raises(InputError, match="tacit compile"):
        load(tmp_path)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = series_binary().save(tmp_path / "p.tacit")
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TacitError, match="No space left"):
        series_binary(seed=1).save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_the_same_binary_has_the_same_bytes_in_every_process(tmp_path):
    path = series_binary().save(tmp_path / "p.tacit")
    code = "import sys, tacit.binary.loading as l; sys.stdout.buffer.write(l.load(sys.argv[1]).to_bytes())"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        assert done.stdout == path.read_bytes()


def test_loading_and_running_needs_no_heavy_package(tmp_path):
    path = series_binary().save(tmp_path / "p.tacit")
    code = (
        "import sys, tacit; b = tacit.load(sys.argv[1]); import numpy; b(numpy.zeros((2, 3)));"
        "print([m for m in ('torch', 'sklearn', 'pyarrow', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"
