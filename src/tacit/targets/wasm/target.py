"""The target `wasm`: two modules, an ES module, a page, and what a person needs to know of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.files import write_atomic
from tacit.ir.graph import Buffer
from tacit.ir.integer import IntegerBuffer
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Options, Source
from tacit.targets.wasm.compilation import MACHINE, Modules, compile_modules
from tacit.targets.wasm.execution import Instance
from tacit.targets.wasm.glue import buffers, takes_integers
from tacit.targets.wasm.page import es_module, page, template
from tacit.targets.wasm.sections import PAGE_BYTES, exports, memory_pages

_ARITHMETIC = {
    False: "It computes in 32-bit floats, with the same bits in every engine.",
    True: "It computes in 8-bit integers, with the same bits in every engine and on every other target; floats go in and come out.",
}
_TOLERANCE = 1e-5  # relative; both modules sum in one order, and WebAssembly has no fused operations


class WasmTarget:
    """WebAssembly for browsers, Node and other engines. Needs the package ziglang to write and wasmtime to run."""

    def check(self, options: Options) -> None:
        """Refuse options that have no meaning here, and a missing compiler. Raises: ConfigError, MissingPackage."""
        if options.triple is not None:
            raise ConfigError(
                f"expected no triple for the target `wasm`, got `{options.triple}`", fix="leave it out; a module runs on every machine"
            )
        if options.isa != "native":
            raise ConfigError(
                f"expected no instruction set for the target `wasm`, got `{options.isa}`", fix="leave it out; it has vectors and a fallback"
            )
        need_compiler(MACHINE)

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write NAME.wasm, NAME_plain.wasm, NAME.mjs, NAME.html and README.md.

        Raises: MissingPackage without zig; ConfigError for an option that has no meaning here; TacitError when the compiler fails.
        """
        self.check(options)
        modules = compile_modules(source)
        texts = {f"{source.name}.mjs": es_module(source), f"{source.name}.html": page(source, modules)}
        contents = {f"{source.name}.wasm": modules.vectors, f"{source.name}_plain.wasm": modules.plain}
        contents |= {name: text.encode() for name, text in texts.items()}
        for name, content in contents.items():
            write_atomic(folder / name, content)
        write_atomic(folder / "README.md", _readme(source, modules, {name: len(content) for name, content in contents.items()}))

    def runs_on(self, source: Source, folder: Path) -> str:
        """Say on what `run` runs."""
        return "wasmtime, with vectors and without"

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run both modules under wasmtime and give what the one with vectors says.

        Raises: MissingPackage without wasmtime; TacitError when the two differ (for int8: in any bit).
        """
        graph = source.graphs["main"]
        results = Instance(folder / f"{source.name}.wasm", graph)(arrays)
        plain = Instance(folder / f"{source.name}_plain.wasm", graph)(arrays)
        for one, other in zip(results, plain, strict=True):
            scale = max(float(np.abs(one).max(initial=0.0)), 1e-6)
            difference = float(np.abs(one - other).max(initial=0.0)) / scale
            if not difference <= (0.0 if source.integer else _TOLERANCE):
                raise TacitError(
                    f"expected equal scores of both WebAssembly modules, got a relative difference of {difference:.2g} - at `{folder}`"
                )
        return results


def _readme(source: Source, modules: Modules, sizes: dict[str, int]) -> str:
    graph, output = source.graphs["main"], source.signature.output
    names = getattr(output, "names", None)
    decode = "console.log(scores);"
    if output.kind == "class" and names:
        decode = "console.log(program.signature.output.names[scores.indexOf(Math.max(...scores))]);"
    arrays = [("Int32Array" if takes_integers(buffer) else "Float32Array", buffer.size) for buffer in buffers(graph, "input")]
    values = {
        "name": source.name,
        "reads": source.signature.input.describe(),
        "answers": output.describe(),
        "digest": source.digest,
        "page_bytes": f"{sizes[f'{source.name}.html']:,}",
        "module_bytes": f"{sizes[f'{source.name}.mjs']:,}",
        "vectors_bytes": f"{len(modules.vectors):,}",
        "plain_bytes": f"{len(modules.plain):,}",
        "memory_bytes": f"{memory_pages(modules.vectors)[0] * PAGE_BYTES:,}",
        "arithmetic": _ARITHMETIC[source.integer],
        "example": ", ".join(f"new {kind}({size})" for kind, size in arrays),
        "decode": decode,
        "inputs": "\n".join(_lines(buffers(graph, "input"))),
        "outputs": "\n".join(_lines(buffers(graph, "output"))),
        "exports": ", ".join(f"`{name}`" for name in exports(modules.vectors) if name != "memory"),
    }
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], template("readme.txt"))


def _lines(given: Sequence[Buffer | IntegerBuffer]) -> Iterator[str]:
    for number, buffer in enumerate(given):
        whole = "whole " if takes_integers(buffer) else ""
        yield f"- {buffer.kind} {number}, `{buffer.name}`: {buffer.size} {whole}numbers, [{', '.join(map(str, buffer.shape))}] row by row"
