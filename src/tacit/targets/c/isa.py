"""Instruction sets: how wide a vector is, how many registers hold one, and what multiplies bytes.

The text of a kernel is the same for all; only these numbers differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tacit.ground.errors import UnknownName
from tacit.ground.tables import did_you_mean


@dataclass(frozen=True)
class Isa:
    """One instruction set.

    lanes: float32 or int32 numbers in a vector (1: scalar code). registers: vectors that fit in registers. flags: for gcc and
    clang on that machine. group: bytes that one integer instruction multiplies and sums per lane (1: there is none; 2: pairs of
    16-bit numbers; 4: bytes). activation: how an 8-bit activation is stored, ``uint8_t``, or ``int16_t`` where pairs of 16 bits
    are multiplied. tiles: the machine multiplies whole tiles of bytes (AMX).
    """

    name: str
    lanes: int
    registers: int
    flags: tuple[str, ...]
    group: int
    activation: str = "uint8_t"
    tiles: bool = False


_AVX2 = ("-mavx2", "-mfma")
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mfma", "-mprefer-vector-width=512")
_VNNI = (*_AVX512, "-mavx512vnni")
_ROWS = (
    Isa("scalar", 1, 8, (), 1),
    Isa("sse2", 4, 16, ("-msse2",), 2, "int16_t"),
    Isa("avx2", 8, 16, _AVX2, 2, "int16_t"),
    Isa("avx512", 16, 32, _AVX512, 2, "int16_t"),
    Isa("avx512vnni", 16, 32, _VNNI, 4),
    Isa("amx", 16, 32, (*_VNNI, "-mamx-tile", "-mamx-int8"), 4, tiles=True),
    Isa("neon", 4, 32, (), 2, "int16_t"),
    Isa("wasm", 4, 48, ("-msimd128",), 2, "int16_t"),  # engines compile it again: large tiles were measured to be best
    Isa("vector128", 4, 16, (), 1),
)

#: Name -> instruction set.
ISAS: Mapping[str, Isa] = MappingProxyType({row.name: row for row in _ROWS})


def isa_named(name: str) -> Isa:
    """Give an instruction set by its name. Raises: UnknownName."""
    if name not in ISAS:
        raise UnknownName(f"expected a known instruction set, got `{name}`", fix=did_you_mean(name, list(ISAS)))
    return ISAS[name]
