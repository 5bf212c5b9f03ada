"""The cache of libraries, and machine code in place of the interpreter: never wrong, never a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tacit.binary import native
from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.binary.native import NativeEntry, accelerate, cache_folder, library_path
from tacit.ground.errors import InputError
from tacit.targets.c import toolchain
from tests.unit.binary.small_programs import bright_binary, series_binary, words_binary


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", os.path.expanduser("~/.cache/zig"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tacit" / "native"


def served(binary: Binary) -> bool:
    return isinstance(binary.entry("main"), NativeEntry)


def no_compiler(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)


VALUES = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)


def test_a_library_is_built_once(cache, monkeypatch, tmp_path):
    first = series_binary()
    made = accelerate(first)
    assert made.path == library_path(first) and made.path.parent == cache and served(first)
    np.testing.assert_allclose(first.run([VALUES])[0], series_binary().run([VALUES])[0], rtol=1e-5, atol=1e-6)
    assert sorted(path.name for path in cache.iterdir()) == [made.path.name], "what was needed to build it is gone"
    no_compiler(monkeypatch, tmp_path)
    again = series_binary()
    assert accelerate(again).path == made.path and served(again)


def test_another_binary_another_machine_another_generator_have_other_files(monkeypatch):
    paths = {library_path(series_binary()), library_path(series_binary(seed=1))}
    monkeypatch.setattr(native, "machine_key", lambda: "0" * 12)
    paths.add(library_path(series_binary()))
    monkeypatch.setattr(native, "_generator_key", lambda: "0" * 12)
    paths.add(library_path(series_binary()))
    assert len(paths) == 4


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "other", "foreign"])
def test_a_damaged_library_is_built_anew(damage):
    path = accelerate(series_binary()).path
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    elif damage == "foreign":
        path.chmod(0o666)
    else:
        content = {"empty": bytearray(), "truncated": content[: len(content) // 2], "other": bytearray(b"\x7fELF" * 999)}[damage]
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)
    again = series_binary()
    assert accelerate(again).path == path and served(again)
    np.testing.assert_allclose(again.run([VALUES])[0], series_binary().run([VALUES])[0], rtol=1e-5, atol=1e-6)
    assert not path.stat().st_mode & 0o022


def test_two_processes_that_build_at_once_both_end_with_it(tmp_path):
    series_binary().save(tmp_path / "a.tacit")
    script = "import sys, tacit; b = tacit.load(sys.argv[1], native=True); print(type(b.entry('main')).__name__)"
    words = [sys.executable, "-W", "error", "-c", script, str(tmp_path / "a.tacit")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=120)[0].strip() for process in running] == ["NativeEntry"] * 3


def test_without_a_compiler_the_interpreter_serves_and_says_so(tmp_path, monkeypatch):
    series_binary().save(tmp_path / "a.tacit")
    no_compiler(monkeypatch, tmp_path)
    with pytest.warns(RuntimeWarning, match="the interpreter serves, not native code: expected a C compiler, got none"):
        binary = load(tmp_path / "a.tacit", native=True)
    assert not served(binary)
    np.testing.assert_array_equal(binary.run([VALUES])[0], series_binary().run([VALUES])[0])


@pytest.mark.parametrize("compiler", ["false", "/no/such/compiler"])
def test_a_compiler_that_fails_is_no_failure(monkeypatch, compiler, cache):
    monkeypatch.setenv("CC", compiler)
    binary = series_binary()
    made = accelerate(binary)
    assert made.path is None and compiler.rpartition("/")[2] in made.reason and made.wanted and not served(binary)
    assert list(cache.iterdir()) == []


def test_a_cache_that_can_t_be_written_is_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    made = accelerate(series_binary())
    assert made.path is None and made.reason


def test_a_folder_that_others_can_write_to_is_not_trusted(cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    assert accelerate(series_binary()).path is None


def test_a_relative_cache_folder_is_not_taken(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == Path(os.path.expanduser("~")) / ".cache" / "tacit" / "native"


def test_few_examples_don_t_pay_for_a_build():
    binary = series_binary()
    made = accelerate(binary, examples=3)
    assert made.path is None and not made.wanted and not served(binary)
    assert accelerate(binary, examples=10**12).path is not None
    other = series_binary()
    assert accelerate(other, examples=3).path is not None, "it is in the cache"


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [VALUES[:, :1]],
        [np.where(VALUES > 1, np.nan, VALUES)],
        [VALUES[:1] * np.float32(np.inf)],
        [VALUES.astype(str)],
    ],
)
def test_what_is_refused_is_refused_in_the_same_words(arrays):
    binary, plain = series_binary(), series_binary()
    assert accelerate(binary).path
    with pytest.raises(InputError) as wanted:
        plain.run(arrays)
    with pytest.raises(InputError) as got:
        binary.run(arrays)
    assert str(got.value) == str(wanted.value)


def test_rows_that_are_not_there_are_refused_in_the_same_words():
    binary, plain = words_binary(), words_binary()
    assert accelerate(binary).path
    for pieces in (np.full((2, 4, 2), 50), np.full((1, 4, 2), -1, np.int32), np.full((1, 4, 2), 2**32 + 1), np.zeros((1, 4, 2))):
        with pytest.raises(InputError) as wanted:
            plain.run([pieces])
        with pytest.raises(InputError) as got:
            binary.run([pieces])
        assert str(got.value) == str(wanted.value)


@pytest.mark.parametrize("dtype", ["float64", "float16", "int64", "uint8", "bool"])
def test_other_types_of_numbers_are_taken_as_the_interpreter_takes_them(dtype):
    binary, plain = bright_binary(), bright_binary()
    assert accelerate(binary).path
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 4, 1)).astype(dtype)
    np.testing.assert_allclose(binary.run([values])[0], plain.run([values])[0], rtol=1e-6)
    big = np.full((1, 2, 3), 1e300)
    both = series_binary(), series_binary()
    assert accelerate(both[0]).path
    np.testing.assert_array_equal(both[0].run([big])[0], both[1].run([big])[0])


def test_a_binary_answers_and_stays_equal():
    binary = bright_binary()
    assert accelerate(binary).path
    assert binary(np.full((4, 4), 255, np.uint8)) == "bright"
    assert binary == bright_binary() and binary.to_bytes() == bright_binary().to_bytes()
