"""Fast path: the C of a program, compiled once into a cache and called in place of the interpreter.

The file is named after the binary's digest, the processor and the text of the generator, so that it is never stale: another
binary, machine or release of Tacit has another file; how it is kept whole stands in `tacit.ground.caches`. Nothing here is needed:
whatever goes wrong, the interpreter computes the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.entry import EntryPoint
from tacit.ground import caches
from tacit.ground.errors import TacitError
from tacit.ir import memory
from tacit.ir.graph import Graph
from tacit.targets.c import emit
from tacit.targets.c.boundary import macs_of
from tacit.targets.c.emit import emit_c
from tacit.targets.c.library import Function, Library, build_library
from tacit.targets.c.machine import machine_key, native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source, identifier

#: A build pays when the interpreter would need longer than a compiler does: 1 to 3 s, at some 1e10 multiply-accumulates a second.
WORTH_BUILDING = 20_000_000_000


@dataclass(frozen=True)
class Native:
    """What came of `accelerate`: the library that serves, or the reason why the interpreter does.

    wanted: a library would have been worth it, so the reason is worth telling.
    """

    path: Path | None
    reason: str = ""
    wanted: bool = True


class NativeEntry(EntryPoint):
    """An entry point that runs a function of a library; what its boundary refuses goes to the interpreter, which says why."""

    def __init__(self, name: str, graph: Graph, function: Function) -> None:
        super().__init__(name, graph)
        self._function = function

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Give the outputs as `EntryPoint` does. Raises: InputError as it does."""
        outputs = self._function(arrays)
        if outputs is not None:
            return outputs
        plain = [_plain(array, kind) for array, kind in zip(self._check(arrays), self._function.entry.dtypes, strict=True)]
        whole = [array for array in plain if array is not None]
        outputs = self._function(whole) if len(whole) == len(plain) else None
        return super().__call__(arrays) if outputs is None else outputs


def _plain(array: np.ndarray, kind: str) -> np.ndarray | None:
    """Give an array in the dtype that the program takes, or None when that would change integers or is not a number."""
    if array.dtype.kind not in ("iu" if kind == "int32" else "fiub"):
        return None
    with np.errstate(all="ignore"):
        plain = array.astype(kind, copy=False)
    return plain if kind == "float32" or np.array_equal(plain, array) else None


def accelerate(binary: Binary, *, examples: int | None = None) -> Native:
    """Let the entry points of a binary run as native code from now on; say what came of it. Never fails.

    examples: how many are to be run; a library that is not in the cache is then built only if that pays. Without it: build.
    """
    try:
        path = library_path(binary)
        library = _opened(path, binary)
        if library is None:
            if examples is not None and examples * macs_of(binary.graphs["main"]) < WORTH_BUILDING:
                return Native(None, "building a library would take longer than running this", wanted=False)
            _build(path, binary)
            library = _opened(path, binary)
        if library is None:
            return Native(None, f"the library could not be opened - at `{path}`")
    except (TacitError, OSError) as error:
        return Native(None, str(error))
    for name, function in library.functions.items():
        binary.serve(NativeEntry(name, binary.graphs[name], function))
    return Native(path)


def library_path(binary: Binary) -> Path:
    """Give the place of a binary's library in the cache, whether it is there or not."""
    return cache_folder() / f"{binary.digest[:32]}-{machine_key()}-{_generator_key()}.so"


def cache_folder() -> Path:
    """Give the folder of the cache: ``$XDG_CACHE_HOME/tacit/native``, or below ``~/.cache``."""
    return caches.cache_folder("native")


@cache
def _generator_key() -> str:
    """Give 12 hex digits of the sources that decide what is compiled."""
    digest = hashlib.sha256()
    for folder in (Path(emit.__file__).parent, Path(memory.__file__).parent):
        for file in sorted(folder.glob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _opened(path: Path, binary: Binary) -> Library | None:
    """Open a library of the cache if it is whole and nobody else's."""
    if not caches.is_sealed(path):
        return None
    try:
        return Library(path, binary.graphs)
    except (OSError, ValueError, AttributeError):
        return None


def _build(path: Path, binary: Binary) -> None:
    """Compile the library beside its place and rename it. Raises: TacitError, OSError."""
    with caches.making_sealed(path) as (folder, built):
        compiler, isa = need_compiler(), native_isa()
        source = Source(identifier(str(binary.evidence.get("name") or "")), binary.graphs, binary.signature, binary.digest)
        for file, content in emit_c(source, isa).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        build_library(built, name=source.name, graphs=source.graphs, sources=folder, compiler=compiler, isa=isa)
