"""The outline of modules, on modules that are small enough to write by hand."""

from __future__ import annotations

import pytest

from tacit.ground.errors import FormatError
from tacit.targets.wasm.sections import exports, imports, memory_pages, with_fixed_memory

HEAD = b"\0asm\1\0\0\0"
TYPE = bytes([1, 4, 1, 0x60, 0, 0])  # one type: a function of nothing
IMPORT = bytes([2, 9, 1, 3, *b"env", 1, *b"f", 0, 0])
MEMORY = bytes([5, 3, 1, 0, 2])  # two pages, no limit
EXPORT = bytes([7, 10, 1, 6, *b"memory", 2, 0])


def test_outline():
    module = HEAD + TYPE + IMPORT + MEMORY + EXPORT
    assert imports(module) == ["env.f"]
    assert exports(module) == ["memory"]
    assert memory_pages(module) == (2, None)


def test_no_imports():
    assert imports(HEAD + TYPE + MEMORY) == []


def test_a_memory_is_fixed_once():
    module = HEAD + TYPE + MEMORY + EXPORT
    fixed = with_fixed_memory(module)
    assert memory_pages(fixed) == (2, 2)
    assert exports(fixed) == ["memory"]
    assert with_fixed_memory(fixed) == fixed
    assert with_fixed_memory(HEAD + TYPE) == HEAD + TYPE


def test_large_memory():
    module = HEAD + bytes([5, 4, 1, 0, 0xAC, 0x02])  # 300 pages
    assert memory_pages(with_fixed_memory(module)) == (300, 300)


@pytest.mark.parametrize("module", [b"", b"\0asm\2\0\0\0", b"GIF89a", HEAD + IMPORT[:5], HEAD + bytes([2, 0x80])])
def test_damaged(module):
    with pytest.raises(FormatError, match="WebAssembly module"):
        imports(module)
