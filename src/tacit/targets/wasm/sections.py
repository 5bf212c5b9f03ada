"""Reading the outline of a WebAssembly module: enough to tell what it imports and exports and how much memory it has.

Source: WebAssembly Core Specification, chapter 5, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tacit.ground.errors import FormatError

PAGE_BYTES = 65536
_MAGIC = b"\0asm\1\0\0\0"
_IMPORT, _MEMORY, _EXPORT = 2, 5, 7


@dataclass
class Cursor:
    """A place in bytes, moved by what is read from there."""

    data: bytes
    at: int = 0

    def number(self) -> int:
        """Read an unsigned LEB128 number."""
        result = shift = 0
        while True:
            byte = self.take(1)[0]
            result |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return result

    def take(self, count: int) -> bytes:
        """Read `count` bytes. Raises: FormatError when they are not there."""
        part = self.data[self.at : self.at + count]
        if len(part) < count:
            raise FormatError("expected a whole WebAssembly module, got one that ends early")
        self.at += count
        return part

    def name(self) -> str:
        """Read a length and so many bytes of UTF-8."""
        return self.take(self.number()).decode("utf-8", "replace")

    def limits(self) -> tuple[int, int | None]:
        """Read the limits of a memory or table: least, and most where there is one."""
        flags = self.number()
        return self.number(), self.number() if flags & 1 else None


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """Give number and content of each section. Raises: FormatError for what is not a module."""
    if not module.startswith(_MAGIC):
        raise FormatError("expected a WebAssembly module, got other bytes")
    cursor = Cursor(module, len(_MAGIC))
    while cursor.at < len(module):
        number = cursor.take(1)[0]
        yield number, cursor.take(cursor.number())


def imports(module: bytes) -> list[str]:
    """Name what a module imports, ``module.name`` each."""
    found = []
    for cursor in _section(module, _IMPORT):
        for _ in range(cursor.number()):
            found.append(f"{cursor.name()}.{cursor.name()}")
            kind = cursor.take(1)[0]
            if kind == 1:
                cursor.take(1)
            if kind in (1, 2):
                cursor.limits()
            elif kind == 3:
                cursor.take(2)
            else:
                cursor.number()
    return found


def exports(module: bytes) -> list[str]:
    """Name what a module exports."""
    found = []
    for cursor in _section(module, _EXPORT):
        for _ in range(cursor.number()):
            found.append(cursor.name())
            cursor.take(1)
            cursor.number()
    return found


def memory_pages(module: bytes) -> tuple[int, int | None]:
    """Give the least and the most pages of 65,536 bytes of a module's memory."""
    for cursor in _section(module, _MEMORY):
        if cursor.number():
            return cursor.limits()
    return 0, 0


def with_fixed_memory(module: bytes) -> bytes:
    """Give a module whose memory can't grow: its most pages are its least."""
    pages, _ = memory_pages(module)
    if not pages:
        return module
    parts = [_MAGIC]
    for number, content in sections(module):
        fixed = b"\1\1" + _leb128(pages) * 2 if number == _MEMORY else content
        parts += [bytes([number]), _leb128(len(fixed)), fixed]
    return b"".join(parts)


def _leb128(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _section(module: bytes, wanted: int) -> Iterator[Cursor]:
    return (Cursor(content) for number, content in sections(module) if number == wanted)
