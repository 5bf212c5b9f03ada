"""Reading a `.tacit` file back into a binary, trusting nothing in it."""

from __future__ import annotations

import json
import warnings
from os import PathLike
from pathlib import Path

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.container import REBUILD, unpack
from tacit.ground.errors import FormatError, InputError, TacitError
from tacit.ground.tables import resolve
from tacit.ir.graph import Graph
from tacit.ir.text import parse_graph
from tacit.ir.verifier import verify
from tacit.signature.types import signature_from_json

#: What Python raises on the way through JSON and text that are not what they should be.
_MALFORMED = (KeyError, ValueError, TypeError, AttributeError, RecursionError, OverflowError, MemoryError)
_MOST_SAID = 2000  # letters of a cause
#: Reached on use: most who load a binary don't need the generator of C.
ACCELERATE = "tacit.binary.native:accelerate"


def load(path: str | PathLike[str], *, native: bool = False) -> Binary:
    """Read a binary from a file: ``load("digits.tacit")("five.png")``. Needs NumPy, Pillow and safetensors alone.

    native: run it as machine code. Its C is compiled once into a cache (seconds); without a C compiler the interpreter serves, and a
    warning says so.
    Raises: InputError when there is no such file; FormatError when it is not a Tacit file, is truncated or changed, is of
    a version to come, or holds instructions that break a rule.
    """
    file = Path(path)
    if file.is_dir():
        raise InputError(f"expected a `.tacit` file, got a folder - at `{file}`", fix=f"tacit compile {file}")
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        fix = "tacit compile, to make one; or give the path of one"
        raise InputError(f"expected a `.tacit` file, got nothing - at `{file}`", cause=_neighbours(file), fix=fix) from error
    except OSError as error:
        raise InputError(f"could not read the file - at `{file}`", cause=f"the system says: {error.strerror}") from error
    binary = from_bytes(data, where=str(file))
    if native:
        made = resolve(ACCELERATE)(binary)
        if made.path is None:
            warnings.warn(f"the interpreter serves, not native code: {made.reason}", RuntimeWarning, stacklevel=2)
    return binary


def from_bytes(data: bytes, *, where: str = "memory") -> Binary:
    """Read a binary from the bytes of a file; `where` names it in errors. Raises: FormatError as `load` does."""
    tensors, metadata = unpack(data, where=where)
    try:
        signature = signature_from_json(json.loads(metadata["signature"]))
        entries: dict[str, dict[str, str]] = json.loads(metadata["entries"])
        graphs = {name: _graph(metadata[f"instructions.{name}"], tensors, keys) for name, keys in entries.items()}
        evidence = json.loads(metadata["evidence"])
        if not isinstance(evidence, dict):
            raise TypeError(f"expected evidence as an object, got {type(evidence).__name__}")
        signatures = {name: signature_from_json(value) for name, value in json.loads(metadata.get("signatures", "{}")).items()}
        binary = Binary(graphs, signature, metadata["driver"], evidence, signatures)
        stated, digest = metadata["digest"], binary.digest
    except TacitError as error:
        raise FormatError(f"expected a valid program - at `{where}`", cause=_shortened(str(error)), fix=REBUILD) from error
    except _MALFORMED as error:
        cause = f"{type(error).__name__}: {_shortened(str(error))}"
        raise FormatError(f"expected instructions, signature, driver and evidence - at `{where}`", cause=cause, fix=REBUILD) from error
    if stated != digest:
        raise FormatError(f"expected the digest {digest[:12]}, got {stated[:12]} - at `{where}`", fix=REBUILD)
    return binary


def _shortened(text: str) -> str:
    """Cut a cause that a file could make as long as itself."""
    return text if len(text) <= _MOST_SAID else f"{text[:_MOST_SAID]} ..."


def _graph(text: str, tensors: dict[str, np.ndarray], keys: dict[str, str]) -> Graph:
    """Parse one entry point with its weights and check that it obeys the rules."""
    graph: Graph = parse_graph(text, {name: tensors[key] for name, key in keys.items()})
    verify(graph)
    return graph


def _neighbours(file: Path) -> str | None:
    """Name the `.tacit` files that stand in the same folder."""
    found = sorted(path for path in file.parent.glob("*.tacit") if path.is_file())
    return f"`.tacit` files there: {', '.join(path.name for path in found[:5])}" if found else None
