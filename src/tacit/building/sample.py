"""The examples that a build is held against: test examples of the program, else the probes that the binary carries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.probes import probe_inputs
from tacit.ground.errors import InputError
from tacit.program import Program

MOST = 1000
_RANDOM = 32


@dataclass(frozen=True, eq=False)
class Sample:
    """Inputs [example, *shape], a name for each example, and in words what they are."""

    inputs: tuple[np.ndarray, ...]
    names: tuple[str, ...]
    described: str

    def __len__(self) -> int:
        return len(self.names)


def sample_of(binary: Binary, program: Program | None) -> Sample:
    """Choose at most `MOST` examples, evenly spaced over the test split (validation or train where there is none).

    Without a program: the probes; without those, random numbers in the range of each input.
    """
    if program is not None:
        check_signature(binary, program)
        for split in ("test", "validation", "train"):
            examples = program.examples.split(split)
            if len(examples):
                rows = np.unique(np.linspace(0, len(examples) - 1, MOST).round().astype(int))
                chosen = examples.take(rows)
                return Sample(chosen.inputs, tuple(map(str, chosen.ids)), f"{split} examples of `{program.name}`")
    arrays = probe_inputs(binary)
    if arrays:
        return Sample(arrays, tuple(f"probe {number}" for number in range(len(arrays[0]))), "probes in the binary")
    random = np.random.default_rng(0)
    drawn = tuple(_drawn(random, spec.dtype, spec.shape, spec.limit) for spec in binary.signature.input.arrays)
    return Sample(drawn, tuple(f"draw {number}" for number in range(_RANDOM)), "random inputs, for the binary carries no probes")


def check_signature(binary: Binary, program: Program) -> None:
    """Refuse a program whose inputs or outputs are not the binary's. Raises: InputError."""
    if binary.signature != program.signature:
        raise InputError(
            f"expected a program of {binary.signature}, got {program.signature} - at `{program.directory or program.name}`",
            cause="the types in `tacit.toml` have changed since the binary was compiled, or it is another program",
            fix="tacit compile, or --in DIR with the directory that it was compiled from",
        )


def _drawn(random: np.random.Generator, dtype: str, shape: tuple[int, ...], limit: int | None) -> np.ndarray:
    size = (_RANDOM, *shape)
    if limit is not None:
        return random.integers(0, limit, size).astype(dtype)
    if dtype == "uint8":
        return random.integers(0, 256, size).astype(dtype)
    if dtype == "int16":
        return random.integers(-4096, 4096, size).astype(dtype)
    return random.normal(size=size).astype(dtype)
