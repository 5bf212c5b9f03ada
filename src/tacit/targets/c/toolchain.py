"""The C compiler: `$CC`, else `cc`, `gcc` or `clang` of this machine, else `zig cc` of the package ziglang.

zig comes from PyPI, so that a compiler is one `pip install` away on every system, and it compiles for every machine: a triple
always means zig.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tacit.ground.errors import MissingPackage, TacitError, UnknownName
from tacit.ground.tables import did_you_mean, missing
from tacit.targets.c.isa import Isa
from tacit.targets.c.machine import isa_for

INSTALL = missing("ziglang").fix
SECONDS = 600.0  # a compiler that takes longer hangs
LEVEL = ("-std=gnu99", "-O3")
#: An int8 program multiplies and adds floats at its boundary only; fused, they would round otherwise there.
SAME_BITS = ("-ffp-contract=off",)
_ON_PATH = ("cc", "gcc", "clang")
_ERROR_LINES = 12
#: What zig calls the processors that have an instruction set of x86-64; it knows no ``-mavx2``.
_ZIG_PROCESSORS = {
    "sse2": "x86_64",
    "avx2": "x86_64_v3",
    "avx512": "x86_64_v4",
    "avx512vnni": "x86_64_v4+avx512vnni",
    "amx": "x86_64_v4+avx512vnni+amx_tile+amx_int8",
    "wasm": "generic+simd128",
}


@dataclass(frozen=True)
class Machine:
    """What code is made for: a triple as zig knows it, its processor where the triple does not say enough, its emulator."""

    triple: str
    processor: str | None = None
    emulator: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """The first part of the triple."""
        return self.triple.partition("-")[0]

    @property
    def title(self) -> str:
        """What a person calls it."""
        return f"{self.triple} ({self.processor.partition('+')[0]})" if self.processor else self.triple

    @property
    def soft_floats(self) -> bool:
        """Tell whether it is for an ARM without a floating-point unit, or one that is not used."""
        return self.architecture.startswith(("arm", "thumb")) and self.triple.endswith("eabi")

    @property
    def freestanding(self) -> bool:
        """Tell whether there is no operating system."""
        return "freestanding" in self.triple


_ARM = ("qemu-arm",)
#: Short names of machines that people ask for, with the floating-point unit that they are sold with.
MACHINES: dict[str, Machine] = {
    "cortex-m0": Machine("thumb-freestanding-eabi", "cortex_m0", _ARM),
    "cortex-m3": Machine("thumb-freestanding-eabi", "cortex_m3", _ARM),
    "cortex-m4": Machine("thumb-freestanding-eabihf", "cortex_m4+vfp4d16sp", _ARM),
    "cortex-m7": Machine("thumb-freestanding-eabihf", "cortex_m7+fp_armv8d16sp", _ARM),
    "cortex-m33": Machine("thumb-freestanding-eabihf", "cortex_m33+fp_armv8d16sp", _ARM),
}
#: Architecture of a triple for Linux -> the program of qemu-user that runs it.
_EMULATORS = {"x86": "i386", "thumb": "arm"} | {
    name: name for name in ("x86_64", "aarch64", "arm", "riscv32", "riscv64", "loongarch64", "mipsel", "mips64el", "hexagon")
}
#: Architectures that store the highest byte of a number first; the file of weights has the lowest first.
_HIGHEST_FIRST = re.compile(r"(.*(eb|_be|be)|hppa.*|m68k|mips(64)?|or1k|powerpc(64)?|s390x|sparc.*|lanai|m88k|xcore)$")


@dataclass(frozen=True)
class Compiler:
    """A C compiler: the words of its command, and whether it is zig's."""

    command: tuple[str, ...]
    zig: bool = False

    @property
    def name(self) -> str:
        """What a person calls it."""
        return "zig cc" if self.zig else " ".join((Path(self.command[0]).name, *self.command[1:]))

    def flags(self, isa: Isa, *, integer: bool, machine: Machine | None = None) -> list[str]:
        """Give the flags for a program's C: level, instruction set, and for int8 no fused operations at the boundary."""
        found = [*LEVEL, *(SAME_BITS if integer else ())]
        if not self.zig:
            return [*found, *isa.flags]
        found.append("-fno-sanitize=all")
        processor = machine.processor if machine is not None and machine.processor else _ZIG_PROCESSORS.get(isa.name)
        return [
            *found,
            *(["-target", machine.triple] if machine is not None else []),
            *([f"-mcpu={processor}"] if processor is not None else []),
        ]

    def compile(self, arguments: Sequence[str | Path], *, folder: Path) -> None:
        """Run the compiler in `folder`. Raises: TacitError with the first lines that it complained in."""
        words = [*self.command, *map(str, arguments)]
        try:
            done = subprocess.run(words, cwd=folder, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TacitError(f"could not run the C compiler `{self.name}`", cause=str(error), fix=f"CC=gcc, or {INSTALL}") from error
        if done.returncode:
            lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            lines = ([line for line in lines if "error" in line] or lines)[:_ERROR_LINES]
            raise TacitError(
                f"expected the C compiler `{self.name}` to succeed, got exit code {done.returncode}",
                cause="\n".join(lines) or None,
                fix=f"another compiler: CC=gcc, or {INSTALL}",
            )


def find_compiler() -> Compiler | None:
    """Give the compiler for this machine, or None: `$CC`, then `cc`, `gcc`, `clang`, then zig."""
    chosen = shlex.split(os.environ.get("CC", ""))
    if chosen:
        return Compiler(tuple(chosen), zig=len(chosen) > 1 and chosen[-1] == "cc" and "zig" in Path(chosen[0]).name)
    for name in _ON_PATH:
        path = shutil.which(name)
        if path is not None:
            return Compiler((path,))
    return find_zig()


def find_zig() -> Compiler | None:
    """Give the compiler of the package ziglang, or of a zig on the path, or None."""
    package = find_spec("ziglang")
    for folder in (package.submodule_search_locations or ()) if package is not None else ():
        for name in ("zig", "zig.exe"):
            path = Path(folder) / name
            if path.is_file():
                return Compiler((str(path), "cc"), zig=True)
    found = shutil.which("zig")
    return Compiler((found, "cc"), zig=True) if found is not None else None


def need_compiler(machine: Machine | None = None) -> Compiler:
    """Give the compiler for this machine, or for another one. Raises: MissingPackage that says what to install."""
    found = find_compiler() if machine is None else find_zig()
    if found is None and machine is None:
        raise MissingPackage(
            "expected a C compiler, got none",
            cause="there is no $CC, no cc, gcc or clang on the path, and no package `ziglang`",
            fix=INSTALL,
        )
    if found is None:
        raise missing("ziglang")
    return found


def machine_named(name: str) -> Machine:
    """Give a machine by a short name or by a triple of zig's (``aarch64-linux-musl``).

    Raises: UnknownName, which names the part that is not known; MissingPackage without zig.
    """
    if name in MACHINES:
        return MACHINES[name]
    need_compiler(Machine(name))
    parts = name.split("-")
    known = _known_parts()
    if len(parts) not in (2, 3):
        examples = ["aarch64-linux-musl", "riscv64-linux-musl", "x86_64-linux-gnu", *MACHINES]
        raise UnknownName(f"expected a triple such as aarch64-linux-musl, got `{name}`", fix=did_you_mean(name, examples))
    for kind, part in zip(("arch", "os", "abi"), parts, strict=False):
        word = part if kind == "arch" else part.partition(".")[0]  # linux.5.10, gnu.2.31
        if known[kind] and word not in known[kind]:
            spelt = {"arch": "architecture", "os": "operating system", "abi": "ABI"}[kind]
            raise UnknownName(
                f"expected a known {spelt}, got `{part}` - in the triple `{name}`",
                fix=_nearest(name, word, known[kind]),
            )
    architecture, system = parts[0], parts[1].partition(".")[0]
    if _HIGHEST_FIRST.match(architecture):
        raise TacitError(
            f"expected a machine that stores the lowest byte of a number first, got `{architecture}` - in the triple `{name}`",
            fix="--target numpy or --target onnx",
        )
    runs = system == "linux" or (system == "freestanding" and architecture == "thumb")
    emulator = _EMULATORS.get(architecture) if runs else None
    return Machine(name, emulator=(f"qemu-{emulator}",) if emulator else ())


def _nearest(name: str, word: str, known: Sequence[str]) -> str:
    """Suggest the whole triple with its wrong part mended."""
    hint = did_you_mean(word, list(known))
    found = re.fullmatch(r"did you mean `(.+)`\?", hint)
    return f"did you mean `{name.replace(word, found[1], 1)}`?" if found else hint


@cache
def _known_parts() -> dict[str, tuple[str, ...]]:
    """Ask zig which architectures, systems and ABIs there are."""
    zig = find_zig()
    text = ""
    if zig is not None:
        done = subprocess.run([zig.command[0], "targets"], capture_output=True, text=True, timeout=60, check=False)
        text = done.stdout
    return {kind: _listed(text, kind) for kind in ("arch", "os", "abi")}


def _listed(text: str, kind: str) -> tuple[str, ...]:
    """Read one list of names of `zig targets`, which is JSON or, since 0.15, zig's own notation."""
    found = re.search(rf'(?:\.|")\b{kind}"?\s*[=:]\s*(?:\.\{{|\[)(.*?)(?:\}}|\])', text, re.DOTALL)
    return tuple(re.findall(r'"([^"]+)"', found[1])) if found else ()


def isa_of(name: str, machine: Machine | None) -> Isa:
    """Give the instruction set to build for. Raises: UnknownName."""
    return isa_for(name, architecture=None if machine is None else machine.architecture)
