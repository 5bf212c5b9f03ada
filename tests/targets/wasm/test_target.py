"""Modules that zig compiles and wasmtime runs, against the interpreter; both come with pip."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tacit.ground.errors import ConfigError, FormatError, InputError, MissingPackage, TacitError
from tacit.ir.interpreter import Interpreter
from tacit.signature.base import Signature
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text
from tacit.targets.c import toolchain
from tacit.targets.target import TARGETS, Options, Source
from tacit.targets.wasm.compilation import STACK_BYTES
from tacit.targets.wasm.execution import Instance
from tacit.targets.wasm.sections import exports, imports, memory_pages, sections
from tacit.targets.wasm.target import WasmTarget
from tests.targets.wasm.small_sources import expected_scores, small_graph, small_source

CODE = 10  # number of the section
ROW = Row(numbers=("age", "height"), categories=(("city", ("Rome", "Oslo")), ("sex", ("f", "m", "x"))))
SIGNATURES = {
    "image": Image(5, 7, 3) >> Class("cat", "dog", "cow"),
    "text": Text(4, 60, 3) >> Class("ham", "spam"),
    "row": ROW >> Number(),
    "product": Image(4, 4, 1) * Series(2, 5) >> Number(),
}


def arrays_of(signature: Signature, count: int = 5) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    found = []
    for spec in signature.input.arrays:
        if spec.dtype == "int32":
            limit = 3 if spec.name == "categories" else spec.limit
            found.append(random.integers(0, limit, (count, *spec.shape)).astype(np.int32))
        else:
            found.append(random.integers(0, 256, (count, *spec.shape)).astype(spec.dtype))
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Source, Path]]:
    source = small_source(SIGNATURES["image"], name="pets")
    folder = tmp_path_factory.mktemp("pets")
    WasmTarget().write(source, folder, Options())
    yield source, folder


def test_the_table_finds_the_target():
    assert TARGETS.get("wasm") is WasmTarget


def test_what_is_written(built):
    source, folder = built
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "pets.html", "pets.mjs", "pets.wasm", "pets_plain.wasm"]
    readme = (folder / "README.md").read_text()
    assert not re.search(r"@\w+@", readme)
    assert f"| {len((folder / 'pets.html').read_bytes()):,} |" in readme and source.digest in readme
    assert "net.run(new Float32Array(105))" in readme


def test_modules_import_nothing_and_never_grow(built):
    for name in ("pets.wasm", "pets_plain.wasm"):
        module = (built[1] / name).read_bytes()
        assert imports(module) == []
        assert sorted(exports(module)) == ["input_0", "memory", "output_0", "run"]
        least, most = memory_pages(module)
        assert least == most > 0


def test_only_one_module_has_vectors(built):
    stores = []
    for name in ("pets.wasm", "pets_plain.wasm"):
        code = dict(sections((built[1] / name).read_bytes()))[CODE]
        stores.append(code.count(b"\xfd\x0b"))  # v128.store
    assert stores[0] > 0 and stores[1] == 0


@pytest.mark.parametrize("kind", SIGNATURES)
def test_scores_are_those_of_the_interpreter(kind, tmp_path):
    source = small_source(SIGNATURES[kind])
    WasmTarget().write(source, tmp_path, Options())
    arrays = arrays_of(source.signature)
    found = WasmTarget().run(source, tmp_path, arrays)
    expected = expected_scores(source, arrays)
    assert found[0].dtype == np.float32 and found[0].shape == expected.shape
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_a_nan_reads_as_zero(built):
    source, folder = built
    arrays = [array.astype(np.float32) for array in arrays_of(source.signature)]
    zero = [array.copy() for array in arrays]
    arrays[0][0, 1, 2, 0], zero[0][0, 1, 2, 0] = np.nan, 0
    assert np.array_equal(WasmTarget().run(source, folder, arrays)[0], WasmTarget().run(source, folder, zero)[0])


def test_runs_do_not_remember(built):
    source, folder = built
    instance, arrays = Instance(folder / "pets.wasm", source.graphs["main"]), arrays_of(source.signature)
    first = instance(arrays)
    instance([array[::-1] for array in arrays])
    assert np.array_equal(instance(arrays)[0], first[0])


def test_other_entry_points(tmp_path):
    graphs = {"main": small_graph(Series(1, 3) >> Number()), 'say "encode"': small_graph(Series(2, 4) >> Class("a", "b"))}
    source = Source("two", graphs, Series(1, 3) >> Number(), "0" * 64)
    WasmTarget().write(source, tmp_path, Options())
    inputs = [np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)]
    found = Instance(tmp_path / "two.wasm", graphs['say "encode"'], entry='say "encode"')(inputs)
    np.testing.assert_allclose(found[0], Interpreter(graphs['say "encode"'], batch=3)(inputs)[0], atol=1e-5)
    program = json.loads(re.search(r"^export const program = (.*);$", (tmp_path / "two.mjs").read_text(), re.MULTILINE)[1])
    assert list(program["entries"]) == ["main", 'say "encode"']


def test_the_stack_stands_before_the_arrays(built):
    import wasmtime

    store = wasmtime.Store()
    module = wasmtime.Module.from_file(store.engine, str(built[1] / "pets.wasm"))
    functions = wasmtime.Instance(store, module, []).exports(store)
    addresses = [functions[name](store) for name in ("input_0", "output_0")]
    assert min(addresses) >= STACK_BYTES and all(address % 64 == 0 for address in addresses)


def test_a_module_that_differs_from_the_other_is_told(built, tmp_path):
    source, folder = built
    other = small_source(source.signature, name="pets")
    weights = other.graphs["main"].weights
    weights["last"][0, 0] += 1
    WasmTarget().write(other, tmp_path, Options())
    (tmp_path / "pets.wasm").write_bytes((folder / "pets.wasm").read_bytes())
    with pytest.raises(TacitError, match="expected equal scores of both WebAssembly modules"):
        WasmTarget().run(source, tmp_path, arrays_of(source.signature))


def test_arrays_of_another_shape(built):
    source, folder = built
    with pytest.raises(InputError, match=r"expected an array \[example, 5, 7, 3\], got \[2, 7, 5, 3\]"):
        WasmTarget().run(source, folder, [np.zeros((2, 7, 5, 3), np.uint8)])


def test_a_damaged_module(built, tmp_path):
    (tmp_path / "pets.wasm").write_bytes((built[1] / "pets.wasm").read_bytes()[:1000])
    with pytest.raises(FormatError, match="expected a module with the entry point `main`"):
        Instance(tmp_path / "pets.wasm", built[0].graphs["main"])


@pytest.mark.parametrize("options", [Options(triple="wasm32-wasi"), Options(isa="avx2")])
def test_options_without_a_meaning(options, tmp_path):
    with pytest.raises(ConfigError, match="for the target `wasm`"):
        WasmTarget().write(small_source(SIGNATURES["row"]), tmp_path, options)
    assert list(tmp_path.iterdir()) == []


def test_without_zig(monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain, "find_zig", lambda: None)
    with pytest.raises(MissingPackage, match="pip install"):
        WasmTarget().write(small_source(SIGNATURES["row"]), tmp_path, Options())


def test_without_wasmtime(monkeypatch, built):
    monkeypatch.setitem(__import__("sys").modules, "wasmtime", None)
    with pytest.raises(MissingPackage, match=r'pip install "tacit\[wasm\]"'):
        WasmTarget().run(*built, arrays_of(built[0].signature))
