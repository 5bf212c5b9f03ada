"""Hold int8 programs on every machine against their definition: 1,000 real examples, the bits of every output.

    python benchmarks/portability.py [CASE ...] [--programs FOLDER] [--cache DIR] [--count N]

CASE is a program of `int8.py` (default: all). Where the test split is smaller, validation and training examples follow. The
definition is the NumPy interpreter of integers. Machines and compilers stand in `machines.py`; besides them the NumPy build,
WebAssembly under wasmtime and, for pictures, in Chromium. Floats are measured too: their bits may differ, their greatest relative
difference may not pass 1e-5.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import datasets
import harness
import int8
import numpy as np
from machines import PLACES, compiler_of, differing_bits, greatest_difference, outputs_at

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.program import Program
from tacit.quantisation.quantise import quantise
from tacit.signature.base import Signature
from tacit.targets.c.emit import emit_c
from tacit.targets.c.isa import isa_named
from tacit.targets.c.stack import compile_object
from tacit.targets.target import TARGETS, Options, Source, identifier
from tacit.targets.wasm.execution import Instance
from tacit.targets.wasm.target import WasmTarget

sys.path.insert(0, str(harness.ROOT))
from tests.targets.wasm.chromium import chromium, scores_in_page

COUNT = 1000
STACKS = ("x86-64 AVX-512 VNNI, gcc", "aarch64 NEON, zig, qemu", "Cortex-M7, zig, qemu")
Arrays = Sequence[np.ndarray]
#: The name of a machine, and what gives the outputs there.
Way = tuple[str, Callable[[], list[np.ndarray]]]


def definition(graph: Graph | IntegerGraph, arrays: Arrays) -> list[np.ndarray]:
    """Run the interpreter."""
    return evaluate(graph, arrays) if isinstance(graph, Graph) else evaluate_integers(graph, arrays)


def ways(source: Source, arrays: Arrays, folder: Path) -> Iterator[Way]:
    """Give every machine that can be had here; the processor may lack an instruction set."""
    plain = [np.asarray(array, np.int32 if array.dtype == np.int32 else np.float32) for array in arrays]
    for place in PLACES:
        if place.runs:
            yield place.name, lambda place=place: outputs_at(source, place, plain)
    yield "NumPy build", lambda: _built("numpy", source, plain, folder)
    wasm = folder / "wasm"
    wasm.mkdir()
    WasmTarget().write(source, wasm, Options())
    modules = {"vectors": f"{source.name}.wasm", "no vectors": f"{source.name}_plain.wasm"}
    for kind, file in modules.items():
        yield f"WebAssembly with {kind}, wasmtime", lambda file=file: Instance(wasm / file, source.graphs["main"])(plain)
    if arrays[0].dtype == np.uint8 and len(arrays) == 1 and source.integer:
        for kind, file in modules.items():
            yield f"WebAssembly with {kind}, Chromium", lambda file=file: _in_chromium(source, wasm, file, arrays[0], folder)


def _built(target: str, source: Source, arrays: Arrays, folder: Path) -> list[np.ndarray]:
    place = folder / target
    place.mkdir()
    maker = TARGETS.get(target)()
    maker.write(source, place, Options())
    return maker.run(source, place, arrays)


def _in_chromium(source: Source, wasm: Path, file: str, pictures: np.ndarray, folder: Path) -> list[np.ndarray]:
    with chromium(folder / f"profile-{file}") as browser:
        bits = scores_in_page(browser, wasm / f"{source.name}.mjs", wasm / file, pictures)
    return [bits.view(np.float32).reshape(len(pictures), *source.graphs["main"].of_kind("output")[0].shape)]


def measured(name: str, graph: Graph | IntegerGraph, signature: Signature, arrays: Arrays, *, digest: str) -> Iterator[dict[str, object]]:
    """Give a row per machine."""
    source = Source(identifier(name), {"main": graph}, signature, digest)
    wanted = definition(graph, arrays)
    arithmetic = "int8" if source.integer else "float32"
    with tempfile.TemporaryDirectory() as folder:
        for machine, run in ways(source, arrays, Path(folder)):
            started = time.perf_counter()
            found = run()
            row: dict[str, object] = {
                "key": f"{name} {arithmetic} {machine}",
                "program": name,
                "arithmetic": arithmetic,
                "machine": machine,
            }
            row["examples"] = len(arrays[0])
            row["examples with other bits"] = differing_bits(found, wanted)
            row["greatest relative difference"] = greatest_difference(found, wanted)
            row["seconds"] = round(time.perf_counter() - started, 1)
            said = f"{row['examples with other bits']} of {len(arrays[0])} differ, by {row['greatest relative difference']:.1e} at most"
            print(f"{name:14} {arithmetic:8} {machine:44} {said}", flush=True)
            yield row


def stacks(name: str, graph: Graph | IntegerGraph, signature: Signature) -> Iterator[tuple[str, int]]:
    """Give the bytes of stack that a call takes, as compilers state it."""
    source = Source(identifier(name), {"main": graph}, signature, "0" * 64)
    for place in (place for place in PLACES if place.name in STACKS):
        compiler, isa = compiler_of(place), isa_named(place.isa)
        with tempfile.TemporaryDirectory() as folder:
            for file, content in emit_c(source, isa).files.items():
                (Path(folder) / file).write_bytes(content if isinstance(content, bytes) else content.encode())
            flags = compiler.flags(isa, integer=source.integer, machine=place.machine)
            output = Path(folder) / "object.o"
            stack = compile_object(compiler, flags, name=source.name, folder=Path(folder), output=output, entries=[source.name])
        if stack is None or not stack.bounded:
            raise SystemExit(f"expected a bounded stack - at {name}, {place.name}")
        yield f"{name} {'int8' if source.integer else 'float32'} {place.name.removesuffix(', qemu')}", stack.call


def examples(subject: Program, count: int) -> list[np.ndarray]:
    """Give `count` examples of a program: of the test split first."""
    splits = [subject.examples.split(split).inputs for split in ("test", "validation", "train")]
    return [np.concatenate([np.asarray(array[:count]) for array in column])[:count] for column in zip(*splits, strict=True)]


def emulator() -> str:
    """Give the version of qemu."""
    done = subprocess.run(["qemu-arm", "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold int8 programs on every machine against their definition.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(int8.PROGRAMS)} (default: all)")
    parser.add_argument("--programs", type=Path, help="folder of compiled programs: NAME.tacit beside its program directory NAME")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--count", type=int, default=COUNT, help="examples (default: 1000)")
    options = parser.parse_args()
    folder = (options.programs or options.cache / "int8").resolve()
    rows: list[dict[str, object]] = []
    stack: dict[str, int] = {}
    for name in options.cases or int8.PROGRAMS:
        binary, subject = int8.program(name, folder, options.cache.resolve())
        graph = binary.graphs["main"]
        some = examples(subject, options.count)
        integer = quantise(graph, subject.examples.split("train").inputs)
        for each, arrays in ((integer, some), (graph, [array[:100] for array in some])):
            rows += measured(name, each, binary.signature, arrays, digest=binary.digest)
            stack |= stacks(name, each, binary.signature)
    if options.count != COUNT:
        return
    of_integers = [row for row in rows if row["arithmetic"] == "int8"]
    of_floats = [row for row in rows if row["arithmetic"] == "float32"]
    harness.record(
        "portability",
        {
            "int8: examples with other bits than NumPy": {row["key"]: row["examples with other bits"] for row in of_integers},
            "int8: machines and compilers": len({row["machine"] for row in of_integers}),
            "float32: greatest relative difference": {row["key"]: row["greatest relative difference"] for row in of_floats},
            "stack of a call, bytes": stack,
        },
        command=harness.command_line(),
        target={
            "int8: examples with other bits than NumPy": "max <= 0",
            "float32: greatest relative difference": "max <= 1e-05",
            "stack of a call, bytes": "max <= 16384",
        },
        notes=[f"int8: {options.count} examples of each program; float32: 100", emulator()],
        runs=rows,
    )


if __name__ == "__main__":
    main()
