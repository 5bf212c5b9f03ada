"""A shared library called from Python: the same as the interpreter, for one example and for many, from one thread and from several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.targets.c import library as calling
from tacit.targets.c.emit import emit_c
from tacit.targets.c.library import Function, Library, build_library
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source
from tests.unit.binary.small_programs import bright_binary, series_binary, two_layer_graph, words_binary
from tests.unit.cli.test_main import row_binary

BINARIES = {
    "series": series_binary(other=two_layer_graph(3)),
    "bright": bright_binary(),
    "words": words_binary(),
    "row": row_binary(),
}


def built(binary: Binary, folder: Path) -> dict[str, Function]:
    source = Source("net", binary.graphs, binary.signature, binary.digest)
    for file, content in emit_c(source, native_isa()).files.items():
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    path = folder / "net.so"
    build_library(path, name="net", graphs=binary.graphs, sources=folder, compiler=need_compiler(), isa=native_isa())
    return Library(path, binary.graphs).functions


@pytest.fixture(scope="module")
def functions(tmp_path_factory) -> dict[str, dict[str, Function]]:
    return {name: built(binary, tmp_path_factory.mktemp(name)) for name, binary in BINARIES.items()}


def drawn(name: str, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(count)
    return [
        random.integers(0, spec.limit, (count, *spec.shape)).astype(np.int32)
        if spec.limit is not None
        else random.normal(scale=9, size=(count, *spec.shape)).astype(np.float32)
        for spec in BINARIES[name].signature.input.arrays
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 37])
@pytest.mark.parametrize("name", list(BINARIES))
def test_the_interpreter_s_scores(functions, name, count):
    arrays = drawn(name, count)
    for entry, function in functions[name].items():
        (got,), (wanted, *_) = function(arrays), BINARIES[name].run(arrays, entry)
        assert got.dtype == np.float32 and got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_numbers_as_they_are_stored(functions, dtype, count):
    values = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 1)).astype(dtype)
    np.testing.assert_allclose(functions["bright"]["main"]([values])[0], BINARIES["bright"].run([values])[0], rtol=1e-5, atol=1e-4)
    strided = np.repeat(values, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(functions["bright"]["main"]([strided])[0], functions["bright"]["main"]([values])[0])


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(functions, wrong, count):
    for name, position in (("series", 0), ("row", 1)):
        arrays = drawn(name, count)
        assert functions[name]["main"](arrays) is not None
        arrays[position].reshape(count, -1)[-1, -1] = wrong
        assert functions[name]["main"](arrays) is None


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("wrong", [-1, 50, 2**31 - 1, -(2**31)])
def test_rows_that_are_not_there_are_refused(functions, wrong, count):
    (pieces,) = drawn("words", count)
    pieces[-1, -1, -1] = wrong
    assert functions["words"]["main"]([pieces]) is None


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [np.zeros((1, 3, 2), np.float32)],
        [np.zeros((2, 3), np.float32)],
        [np.zeros((1, 2, 3), np.float64)],
        [np.zeros((1, 2, 3), np.complex64)],
        [np.zeros((1, 2, 3), np.float32)] * 2,
    ],
)
def test_other_shapes_and_types_are_refused(functions, arrays):
    assert functions["series"]["main"](arrays) is None


def test_inputs_of_unequal_length_are_refused(functions):
    first, second = drawn("row", 3)
    assert functions["row"]["main"]([first, second[:2]]) is None


def test_threads_of_the_caller_don_t_disturb_one_another(functions):
    function = functions["series"]["main"]
    arrays = [drawn("series", 1) for _ in range(50)]
    wanted = [function(one)[0] for one in arrays]
    with ThreadPoolExecutor(8) as pool:
        for got in pool.map(lambda number: (number % 50, function(arrays[number % 50])[0]), range(4000)):
            np.testing.assert_array_equal(got[1], wanted[got[0]])


def test_many_examples_are_shared_out_among_threads(functions, monkeypatch):
    monkeypatch.setattr(calling, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(calling, "_cores", lambda: 3)
    monkeypatch.setattr(calling, "_threads", None)
    function = functions["series"]["main"]
    arrays = drawn("series", 100)
    np.testing.assert_array_equal(function(arrays)[0], np.concatenate([function([arrays[0][row : row + 1]])[0] for row in range(100)]))
    arrays[0][70] = np.nan
    assert function(arrays) is None


def test_results_are_the_caller_s_to_keep(functions):
    function = functions["series"]["main"]
    first = function(drawn("series", 1))[0]
    kept = first.copy()
    function([np.ones((1, 2, 3), np.float32)])
    np.testing.assert_array_equal(first, kept)
