"""The machines and compilers on which generated C is held against its definition: how to build for each, and how to run there.

A program reads examples from stdin and writes its outputs as raw bytes. Code for other machines is built by `zig cc` as a static
executable for Linux, for a Cortex-M without any system, and runs under qemu-user; code for x86-64 runs here where the processor has
its instructions.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tacit.targets.c.emit import emit_c
from tacit.targets.c.foreign import RUNNER, emulator_of, runner
from tacit.targets.c.isa import isa_named
from tacit.targets.c.machine import runs_here
from tacit.targets.c.toolchain import MACHINES, Compiler, Machine, find_zig
from tacit.targets.target import Source

SECONDS = 900
#: The strictest C that gcc holds a text against when its own extensions are hidden from it.
PLAIN = ("-U__GNUC__", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-DTACIT_WEIGHTS_ELSEWHERE")
_TILES = """#define _GNU_SOURCE
#include <unistd.h>
#include <sys/syscall.h>
__attribute__((constructor)) static void ask_for_tiles(void) { syscall(SYS_arch_prctl, 0x1023, 18); }
"""


@dataclass(frozen=True)
class Place:
    """One way to build and run. machine: None for this one. flags: after those of the instruction set. plain: hide the extensions
    of gcc from the text, so that what is left is C99."""

    name: str
    isa: str
    compiler: str = "gcc"
    machine: Machine | None = None
    flags: tuple[str, ...] = field(default=())

    @property
    def plain(self) -> bool:
        return self.flags == PLAIN

    @property
    def runs(self) -> bool:
        """Tell whether the processor here can run it, or an emulator is for it."""
        return self.machine is not None or runs_here(isa_named(self.isa))


_HERE = Machine("x86_64-linux")
_ARM64 = Machine("aarch64-linux-musl", None, ("qemu-aarch64",))
_RISCV = Machine("riscv64-linux-musl", None, ("qemu-riscv64",))
_X86 = Machine("x86_64-linux-musl", None, ("qemu-x86_64",))
PLACES = (
    Place("x86-64 AMX, gcc", "amx"),
    Place("x86-64 AVX-512 VNNI, gcc", "avx512vnni"),
    Place("x86-64 AVX-512 VNNI, zig", "avx512vnni", "zig"),
    Place("x86-64 AVX-512, gcc", "avx512"),
    Place("x86-64 AVX2, gcc", "avx2"),
    Place("x86-64 AVX2, zig", "avx2", "zig"),
    Place("x86-64 SSE2, gcc", "sse2"),
    Place("x86-64 without vectors, gcc", "scalar"),
    Place("x86-64 generic vectors, gcc", "vector128"),
    Place("x86-64 C99 without extensions, gcc", "scalar", flags=PLAIN),
    Place("x86-64 C99 with vectors as structures, gcc", "vector128", flags=PLAIN),
    Place("x86-64 SSE2, zig, qemu", "sse2", "zig", _X86),
    Place("aarch64 NEON, zig, qemu", "neon", "zig", _ARM64),
    Place("aarch64 without vectors, zig, qemu", "scalar", "zig", _ARM64),
    Place("riscv64, zig, qemu", "scalar", "zig", _RISCV),
    Place("riscv64 generic vectors, zig, qemu", "vector128", "zig", _RISCV),
    Place("Cortex-M7, zig, qemu", "scalar", "zig", MACHINES["cortex-m7"]),
    Place("Cortex-M7 generic vectors, zig, qemu", "vector128", "zig", MACHINES["cortex-m7"]),
    Place("Cortex-M0, zig, qemu", "scalar", "zig", MACHINES["cortex-m0"]),
)


def compiler_of(place: Place) -> Compiler:
    """Give the compiler of a place. Raises: SystemExit that says what to install."""
    if place.compiler == "zig":
        zig = find_zig()
        if zig is None:
            raise SystemExit('expected the package ziglang, got none\ntry: pip install "tacit[native]"')
        return zig
    if shutil.which("gcc") is None:
        raise SystemExit("expected gcc on the path, got none\ntry: apt-get install gcc")
    return Compiler(("gcc",))


def words_before(place: Place) -> list[str]:
    """Give the emulator of a place, if it needs one. Raises: SystemExit that says what to install."""
    if place.machine is None:
        return []
    program = shutil.which(place.machine.emulator[0])
    if program is None:
        found = emulator_of(place.machine, isa_named(place.isa))
        if not found:
            raise SystemExit(f"expected {place.machine.emulator[0]} on the path, got none\ntry: apt-get install qemu-user")
        return found
    return [program]


def build(source: Source, place: Place, folder: Path, *, edit: Callable[[str], str] = str) -> Path:
    """Write the C of `source` into `folder`, compile it with a program that feeds it, and give the executable.

    edit: changes the generated text first, to see a checker fail.
    """
    isa = isa_named(place.isa)
    for file, content in emit_c(source, isa).files.items():
        data = content if isinstance(content, bytes) else (edit(content) if file.endswith(".c") else content).encode()
        (folder / file).write_bytes(data)
    (folder / RUNNER).write_text(runner(source, place.machine or _HERE), encoding="utf-8")
    compiler = compiler_of(place)
    flags = [*compiler.flags(isa, integer=source.integer, machine=place.machine), *place.flags]
    compiler.compile([*flags, "-c", "-o", "net.o", f"{source.name}.c"], folder=folder)
    rest = [RUNNER]
    if place.plain:
        (folder / "elsewhere.c").write_text(_elsewhere(source, folder), encoding="utf-8")
        rest.append("elsewhere.c")
    if isa.tiles:
        (folder / "tiles.c").write_text(_TILES, encoding="utf-8")
        rest.append("tiles.c")
    static = ["-static"] if place.machine is not None else []
    linking = [flag for flag in flags if flag not in PLAIN and not flag.startswith("-std")]
    compiler.compile([*linking, *static, "-o", "program", "net.o", *rest], folder=folder)
    return folder / "program"


def _elsewhere(source: Source, folder: Path) -> str:
    """Give the weights as a text of C, as somebody would whose compiler has neither `#embed` nor `.incbin`."""
    data = (folder / f"{source.name}_weights.bin").read_bytes()
    numbers = ",".join(map(str, data))
    return f"__attribute__((aligned(64))) const unsigned char {source.name}_weights[] = {{{numbers}}};\n"


def run(source: Source, place: Place, program: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Run a built program on arrays [example, *shape]; give float32[example, *shape] per output. Raises: CalledProcessError."""
    inputs, outputs = (source.graphs["main"].of_kind(kind) for kind in ("input", "output"))  # type: ignore[arg-type]
    columns = [
        np.ascontiguousarray(array, "<i4" if buffer.dtype == "int32" else "<f4").reshape(len(array), -1).view(np.uint8)
        for array, buffer in zip(arrays, inputs, strict=True)
    ]
    data = np.concatenate(columns, axis=1).tobytes()
    done = subprocess.run([*words_before(place), str(program)], input=data, capture_output=True, check=True, timeout=SECONDS)
    table = np.frombuffer(done.stdout, "<f4").reshape(len(arrays[0]), -1)
    cuts = np.split(table, np.cumsum([buffer.size for buffer in outputs])[:-1], axis=1)
    return [cut.reshape(len(cut), *buffer.shape) for cut, buffer in zip(cuts, outputs, strict=True)]


def outputs_at(source: Source, place: Place, arrays: Sequence[np.ndarray], *, edit: Callable[[str], str] = str) -> list[np.ndarray]:
    """Build and run at a place."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return run(source, place, build(source, place, folder, edit=edit), arrays)


def differing_bits(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> int:
    """Count the examples of which any output has other bits."""
    rows = [
        (np.ascontiguousarray(one).view(np.uint32) != np.ascontiguousarray(other).view(np.uint32)).reshape(len(one), -1).any(1)
        for one, other in zip(found, wanted, strict=True)
    ]
    return int(np.logical_or.reduce(rows).sum())


def greatest_difference(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Give the greatest difference of two sets of outputs, relative to the greatest output."""
    return max(float(np.abs(one - other).max() / max(1e-30, np.abs(other).max())) for one, other in zip(found, wanted, strict=True))
