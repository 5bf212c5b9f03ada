"""The seam of targets: what a target builds from, what it is asked for, and the table of them all.

A target is one class with two methods and one row in `TARGETS`. It writes files that need nothing of Tacit to run, and it runs
them again, so that `tacit build` can hold what was built against the interpreter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tacit.ground.tables import Table
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.signature.base import Signature


@dataclass(frozen=True, eq=False)
class Source:
    """What a target builds from.

    name: an identifier in every language, ``[a-z][a-z0-9_]*``. graphs: the entry points, ``main`` first; all of them `Graph`, or all
    `IntegerGraph` for int8. digest: of the binary that it was made from. evidence: JSON that came with the binary.
    """

    name: str
    graphs: Mapping[str, Graph | IntegerGraph]
    signature: Signature
    digest: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def integer(self) -> bool:
        """Tell whether this is an int8 program."""
        return isinstance(self.graphs["main"], IntegerGraph)


@dataclass(frozen=True)
class Options:
    """What a person may ask of a target; a target refuses what it can't do.

    isa: the instruction set of C (``native``: that of this machine). triple: build C for another machine, as `zig cc` names them.
    tune: measure tile sizes instead of estimating them.
    """

    isa: str = "native"
    triple: str | None = None
    tune: bool = False


class Target(Protocol):
    """What a graph is built into.

    A target may have more: ``check(options)`` refuses options before any work (without it every option but the default is refused),
    ``runs_on(source, folder)`` says on what `run` runs, and ``same_bits = False`` says that its int8 follows rules of its own.
    """

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write all files into `folder`, which exists and is empty. Raises: MissingPackage, TacitError with a fix."""

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run entry point ``main`` of what was written to `folder`.

        arrays: one per input, [example, *shape], of the dtypes that the signature reads. Gives float32[example, *shape] per output.
        Raises: MissingPackage, TacitError with a fix when what runs it is not installed.
        """


def identifier(name: str) -> str:
    """Turn the name of a program into one that every language takes: ``[a-z][a-z0-9_]*``, ``program`` where nothing is left.

    >>> identifier("My cats-v2"), identifier("2048"), identifier("猫")
    ('my_cats_v2', 'program_2048', 'program')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return plain if plain[:1].isalpha() else "_".join(filter(None, ("program", plain)))


#: Name of a target -> where it is. Other packages add rows through the entry-point group ``tacit.targets``.
TARGETS = Table(
    "target",
    {
        "numpy": "tacit.targets.numpy.target:NumpyTarget",
        "onnx": "tacit.targets.onnx.target:OnnxTarget",
        "c": "tacit.targets.c.target:CTarget",
        "wasm": "tacit.targets.wasm.target:WasmTarget",
    },
    group="tacit.targets",
)
