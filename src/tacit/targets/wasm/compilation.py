"""From generated C to WebAssembly modules, by the clang of the package ziglang: one with vectors of 128 bits, one without."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tacit.ground.errors import TacitError
from tacit.targets.c.emit import CSource, emit_c
from tacit.targets.c.isa import isa_named
from tacit.targets.c.toolchain import Compiler, Machine, need_compiler
from tacit.targets.target import Source
from tacit.targets.wasm.glue import glue
from tacit.targets.wasm.sections import imports, with_fixed_memory

MACHINE = Machine("wasm32-freestanding")
PLAIN = "vector128"  # instruction set of the text for bytes without vectors
STACK_BYTES = 65536  # kernels keep their sums in registers; zig puts the stack first, so that an overflow traps
_LINK = ("-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", f"-Wl,-z,stack-size={STACK_BYTES}")


@dataclass(frozen=True)
class Modules:
    """The two modules as bytes, the weights as they stand in the first, and the bytes of the arena of each entry point."""

    vectors: bytes
    plain: bytes
    weights: bytes
    arena_bytes: Mapping[str, int]


def compile_modules(source: Source) -> Modules:
    """Compile a program. Raises: MissingPackage without zig; TacitError when the compiler fails or a module wants an import.

    For float32 both modules come from one text, which clang takes apart where there are no vectors: so their weights stand in one
    order, and a page holds them once. The text for bytes names the instructions of vectors, so the plain module has one of its own.
    """
    compiler = need_compiler(MACHINE)
    vectors = emit_c(source, isa_named("wasm"))
    plain = emit_c(source, isa_named(PLAIN)) if source.integer else vectors
    weights = vectors.files[f"{source.name}_weights.bin"]
    return Modules(
        _compiled(compiler, source, vectors, processor="generic+simd128"),
        _compiled(compiler, source, plain, processor="generic"),
        weights if isinstance(weights, bytes) else weights.encode(),
        vectors.arena_bytes,
    )


def _compiled(compiler: Compiler, source: Source, emitted: CSource, *, processor: str) -> bytes:
    flags = compiler.flags(isa_named("wasm"), integer=source.integer, machine=replace(MACHINE, processor=processor))
    with tempfile.TemporaryDirectory(prefix="tacit-wasm-") as temporary:
        folder = Path(temporary)
        for name, content in emitted.files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        (folder / f"{source.name}_wasm.c").write_text(glue(source), encoding="utf-8")
        compiler.compile([*flags, *_LINK, "-o", "module.wasm", f"{source.name}.c", f"{source.name}_wasm.c"], folder=folder)
        module = (folder / "module.wasm").read_bytes()
    wanted = imports(module)
    if wanted:
        raise TacitError(f"expected a WebAssembly module without imports, got {', '.join(wanted)} - at `{source.name}`")
    return with_fixed_memory(module)
