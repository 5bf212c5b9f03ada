"""C that a program ships as text: compiled once on the machine that runs it, kept in the cache, and opened.

A wheel that holds machine code has to be built for each system, processor and Python, and is missing on some of them; C sources install
everywhere, and a compiler is one `pip install` away. A program that has such sources keeps a path in NumPy with the same answers, for
the machine that has no compiler.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from tacit.ground.caches import cache_folder, is_sealed, making_sealed
from tacit.ground.errors import InputError, TacitError
from tacit.targets.c.machine import machine_key
from tacit.targets.c.toolchain import LEVEL, Compiler, need_compiler

#: What has been opened by this process.
_opened: dict[Path, ctypes.CDLL] = {}


def native_library(name: str, sources: Sequence[Path], *, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile C sources into a shared library, once per machine, compiler, text and flags, and open it.

    name: what its file begins with. sources: files that end in ``.c`` are compiled together (C99 with GNU's extensions, ``-O3``); others,
    such as headers, only lie beside them. flags: more words for the compiler, before the sources. The code has to choose among instruction
    sets by itself when it runs, or be given one by `flags`.
    Raises: InputError for no source or one that can't be read, MissingPackage without a compiler, TacitError with what it complained of.
    """
    texts = _read(sources)
    compiler = need_compiler()
    path = cache_folder("native") / f"{name}-{_key(texts, compiler, flags)}-{machine_key()}.so"
    if path in _opened:
        return _opened[path]
    try:
        if not is_sealed(path):
            _build(path, texts, compiler, flags)
        if not is_sealed(path):
            raise TacitError(f"expected a folder that nobody else can write to - at `{path.parent}`", fix=f"chmod go-w {path.parent}")
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise TacitError(
            f"could not make the library `{name}` - at `{path}`",
            cause=f"the system says: {error.strerror or error}",
            fix="set XDG_CACHE_HOME to a folder that can be written and run from",
        ) from error
    return _opened.setdefault(path, library)


def _read(sources: Sequence[Path]) -> dict[str, bytes]:
    texts = {}
    for source in map(Path, sources):
        try:
            texts[source.name] = source.read_bytes()
        except OSError as error:
            raise InputError(f"expected a C source - at `{source}`", cause=f"the system says: {error.strerror}") from error
    if not any(name.endswith(".c") for name in texts):
        raise InputError(f"expected at least one file that ends in .c, got {', '.join(texts) or 'none'}")
    return texts


def _key(texts: dict[str, bytes], compiler: Compiler, flags: Sequence[str]) -> str:
    """Give 24 hex digits of all that decides what is compiled."""
    digest = hashlib.sha256(json.dumps([compiler.command, LEVEL, list(flags)]).encode())
    for name in sorted(texts):
        digest.update(f"\n{name} {len(texts[name])}\n".encode() + texts[name])
    return digest.hexdigest()[:24]


def _build(path: Path, texts: dict[str, bytes], compiler: Compiler, flags: Sequence[str]) -> None:
    with making_sealed(path) as (folder, built):
        for name, text in texts.items():
            (folder / name).write_bytes(text)
        compiled = sorted(name for name in texts if name.endswith(".c"))
        plain = ["-fno-sanitize=all"] if compiler.zig else []
        compiler.compile([*LEVEL, *plain, "-fPIC", "-shared", *flags, "-o", built.resolve(), *compiled, "-lm"], folder=folder)
