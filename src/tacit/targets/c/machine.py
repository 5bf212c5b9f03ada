"""This machine: what its processor can do, which instruction set suits it, and a short name for all of that."""

from __future__ import annotations

import ctypes
import hashlib
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

from tacit.targets.c.isa import Isa, isa_named

NATIVE = "native"
_INFORMATION = Path("/proc/cpuinfo")
#: ``arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)`` of x86-64 Linux.
_ARCH_PRCTL, _REQUEST_STATE, _TILE_DATA = 158, 0x1023, 18
_ENOUGH = 1 << 14  # bytes that hold the first processor; the kernel works out each further one when it is read
#: Instruction set -> the features that it needs, best first; the names are those of Linux.
_NEEDS: dict[str, frozenset[str]] = {
    "amx": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "fma", "amx_tile", "amx_int8"}),
    "avx512vnni": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni", "fma"}),
    "avx512": frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq", "fma"}),
    "avx2": frozenset({"avx2", "fma"}),
    "sse2": frozenset(),
}
#: Architecture as a triple or the system spells it -> the instruction set that every machine of it has.
_BASES = {
    **dict.fromkeys(("x86_64", "amd64"), "sse2"),
    **dict.fromkeys(("aarch64", "arm64"), "neon"),
    **dict.fromkeys(("wasm32", "wasm64"), "wasm"),
}


@cache
def features() -> frozenset[str]:
    """Name what the processor can do, as far as the system says: the flags of Linux, the `sysctl` of macOS, nothing elsewhere."""
    if _INFORMATION.exists():
        with _INFORMATION.open("rb") as file:
            text = file.read(_ENOUGH).decode(errors="replace")
        lines = (line.partition(":") for line in text.splitlines())
        return frozenset(next((words.split() for key, _, words in lines if key.strip().lower() in ("flags", "features")), []))
    if sys.platform == "darwin":
        names = ["machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.brand_string"]
        try:
            done = subprocess.run(["sysctl", "-n", *names], capture_output=True, text=True, timeout=5, check=False)
        except OSError:
            return frozenset()
        return frozenset(done.stdout.lower().split())
    return frozenset()


def native_isa() -> Isa:
    """Give the best instruction set of this machine."""
    base = base_isa(platform.machine().lower())
    if base.name != "sse2":
        return base
    return isa_named(next(name for name, needs in _NEEDS.items() if needs <= features() and (name != "amx" or allow_tiles())))


def runs_here(isa: Isa) -> bool:
    """Tell whether code for an instruction set runs on this machine; text without flags of its own runs on any."""
    base = base_isa(platform.machine().lower())
    known = base.name == "sse2" and isa.name in _NEEDS and _NEEDS[isa.name] <= features()
    return not isa.flags or (known and (not isa.tiles or allow_tiles()))


@cache
def allow_tiles() -> bool:
    """Ask Linux to let this process multiply tiles (AMX); tell whether it does. Without it the first tile ends the process."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_STATE, _TILE_DATA) == 0)


def base_isa(architecture: str) -> Isa:
    """Give the instruction set that every machine of an architecture has.

    >>> base_isa("aarch64").name, base_isa("riscv64").name
    ('neon', 'scalar')
    """
    return isa_named(_BASES.get(architecture, "scalar"))


def isa_for(name: str, *, architecture: str | None = None) -> Isa:
    """Give an instruction set by its name; ``native`` is this machine's, or what all machines of `architecture` have.

    Raises: UnknownName.
    """
    if name != NATIVE:
        return isa_named(name)
    return native_isa() if architecture is None else base_isa(architecture)


@cache
def machine_key() -> str:
    """Give 12 hex digits that differ between machines which can't share a library."""
    parts = [sys.platform, platform.machine().lower(), str(sys.maxsize), *sorted(features())]
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:12]
