"""C that a program ships as text: compiled once, opened, never stale, and refused in words."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tacit.ground.caches import cache_folder
from tacit.ground.errors import InputError, MissingPackage, TacitError
from tacit.targets.c import sources, toolchain
from tacit.targets.c.sources import native_library

ADD = '#include "by.h"\nlong add(long a) { return a + BY; }\n'


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", os.path.expanduser("~/.cache/zig"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "_opened", {})
    return cache_folder("native")


def write(folder: Path, *, by: int = 1, text: str = ADD) -> list[Path]:
    (folder / "by.h").write_text(f"#define BY {by}\n")
    (folder / "add.c").write_text(text)
    return [folder / "add.c", folder / "by.h"]


def no_compiler(monkeypatch, tmp_path) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)


def test_sources_are_compiled_once_and_anew_when_anything_changes(tmp_path, cache, monkeypatch):
    assert native_library("add", write(tmp_path)).add(41) == 42
    assert [path.name.startswith("add-") for path in cache.iterdir()] == [True], "what was needed to build it is gone"
    built: list[object] = []
    plain = sources._build
    monkeypatch.setattr(sources, "_build", lambda *given: (built.append(given), plain(*given))[1])
    monkeypatch.setattr(sources, "_opened", {})
    assert native_library("add", write(tmp_path)).add(1) == 2 and not built
    assert native_library("add", write(tmp_path, by=5)).add(1) == 6, "a header counts"
    assert native_library("add", write(tmp_path, by=5), flags=["-DMORE"]).add(1) == 6
    assert len(built) == 2 and len(list(cache.iterdir())) == 3


def test_a_library_that_is_damaged_is_built_anew(tmp_path, cache, monkeypatch):
    native_library("add", write(tmp_path))
    (path,) = cache.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()  # what is open stays as it was
    path.write_bytes(content)
    path.chmod(0o600)
    monkeypatch.setattr(sources, "_opened", {})
    assert native_library("add", write(tmp_path)).add(1) == 2
    assert path.read_bytes() != content


def test_a_folder_that_others_can_write_to_is_refused(tmp_path, cache):
    cache.mkdir(parents=True)
    cache.chmod(0o777)
    with pytest.raises(TacitError, match="expected a folder that nobody else can write to"):
        native_library("add", write(tmp_path))


def test_what_the_compiler_says_reaches_the_person(tmp_path):
    with pytest.raises(TacitError, match=r"(?s)expected the C compiler .* to succeed.*add\.c.*error"):
        native_library("add", write(tmp_path, text="long add(long a) { return b; }\n"))


def test_without_a_compiler_it_is_said_what_to_install(tmp_path, monkeypatch):
    no_compiler(monkeypatch, tmp_path)
    with pytest.raises(MissingPackage, match=r"(?s)expected a C compiler, got none.*pip install"):
        native_library("add", write(tmp_path))


def test_without_a_source_there_is_nothing_to_compile(tmp_path):
    with pytest.raises(InputError, match=r"expected a C source - at `.*missing\.c`"):
        native_library("add", [tmp_path / "missing.c"])
    with pytest.raises(InputError, match=r"expected at least one file that ends in \.c, got by\.h"):
        native_library("add", write(tmp_path)[1:])
