"""An index as one file: a safetensors file of the keys and the learned knots, sealed. Start positions and trees are built again on reading.

So a file holds nothing that could contradict its keys, and nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
from safetensors.numpy import save as pack

import tacit
from tacit_programs.index.compiled import aligned
from tacit_programs.index.keys import Kind
from tacit_programs.index.numbers import NumberStore, Run
from tacit_programs.index.pieces import Shape
from tacit_programs.index.structure import CHOICES, Choice
from tacit_programs.index.texts import TextRun, Texts, TextStore

_FORMAT = "1"
_OF_SHAPE = ("low", "high", "logarithm", "origin", "scale", "pieces", "layer")
_REBUILD = "copy the file again, or compile the keys again"


def write_index(path: str | PathLike[str], store: NumberStore | TextStore, order: np.ndarray | None, evidence: Mapping[str, Any]) -> None:
    """Write a store of one run, whole or not at all. Raises: TacitError where the file can't be written."""
    run = store.runs[0]
    arrays: dict[str, np.ndarray] = {}
    if isinstance(run, TextRun):
        arrays["text"], arrays["ends"] = run.texts.data, run.texts.ends
    else:
        arrays["codes"] = run.codes
    shape = getattr(run.structure, "shape", None)
    if order is not None:
        arrays["order"] = order
    if shape is not None:
        arrays["knots"] = shape.knots
    document = {
        "kind": store.kind.name,
        "structure": store.choice.name,
        "keys per piece": store.choice.keys_per_piece,
        "shape": None if shape is None else {name: getattr(shape, name) for name in _OF_SHAPE},
        "evidence": dict(evidence),
    }
    text = json.dumps(document)
    metadata = {"tacit_index": _FORMAT, "document": text, "seal": _seal(text, arrays)}
    data = pack({name: np.ascontiguousarray(array) for name, array in arrays.items()}, metadata)
    _write_whole(Path(path), data)


def read_index(path: str | PathLike[str]) -> tuple[NumberStore | TextStore, np.ndarray | None, dict[str, Any]]:
    """Read a store, the order of keys that came unsorted, and the evidence. Raises: TacitError for a damaged file, or no index."""
    arrays, metadata = _opened(Path(path))
    if metadata.get("tacit_index") != _FORMAT:
        raise _damaged(path, f"expected an index of format {_FORMAT}, got {metadata.get('tacit_index', 'another safetensors file')}")
    text = metadata.get("document", "")
    if metadata.get("seal") != _seal(text, arrays):
        raise _damaged(path, "expected contents with the sha256 that the file states, got others")
    try:
        store = _store(json.loads(text), arrays)
        return store, arrays.get("order"), dict(json.loads(text)["evidence"])
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _damaged(path, f"expected the parts of an index, got a file without some ({error!s:.80})") from None


def _store(document: dict[str, Any], arrays: dict[str, np.ndarray]) -> NumberStore | TextStore:
    kind = Kind(document["kind"])
    choice = Choice(document["structure"], int(document["keys per piece"]))
    if choice not in CHOICES.values():
        raise ValueError("structure")
    if kind.is_text:
        texts = Texts(arrays["text"], arrays["ends"])
        if texts.ends[0] != 0 or texts.ends[-1] != len(texts.data) or (np.diff(texts.ends) < 0).any():
            raise ValueError("ends")
        return TextStore(kind, choice, (TextRun(texts, choice),))
    codes = aligned(len(arrays["codes"]), np.uint64)
    codes[:] = arrays["codes"]
    kind.decode(codes[:1])
    if (codes[1:] < codes[:-1]).any():
        raise ValueError("order of keys")
    built = (
        choice
        if document["shape"] is None
        else Choice(choice.name, choice.keys_per_piece, _shape(document["shape"], arrays["knots"], len(codes)))
    )
    return NumberStore(kind, choice, (Run(codes, built.build(codes)),))


def _shape(given: dict[str, Any], knots: np.ndarray, count: int) -> Shape:
    pieces, knots = int(given["pieces"]), np.array(knots, np.float64)
    good = len(knots) > 1 and knots[0] == 0 and knots[-1] == pieces and (np.diff(knots) >= 0).all() and 0 < pieces <= count + 1
    origin, scale = float(given["origin"]), float(given["scale"])
    if not good or not np.isfinite([origin, scale]).all() or scale < 0 or not 0 <= int(given["low"]) <= int(given["high"]) < 2**64:
        raise ValueError("shape")
    return Shape(int(given["low"]), int(given["high"]), bool(given["logarithm"]), origin, scale, knots, pieces, bool(given["layer"]))


def _opened(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except OSError as error:
        raise tacit.TacitError(f"expected a file that can be read - at `{path}`", cause=str(error), fix="an index that was saved") from None
    except safetensors.SafetensorError as error:
        raise _damaged(path, f"expected an index, a safetensors file, got another or a damaged one ({error!s:.80})") from None


def _seal(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def _damaged(path: str | PathLike[str], message: str) -> tacit.TacitError:
    return tacit.TacitError(f"{message} - at `{os.fspath(path)}`", fix=_REBUILD)


def _write_whole(path: Path, data: bytes) -> None:
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
            file.write(data)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as error:
        raise tacit.TacitError(
            f"could not write the index - at `{path}`", cause=f"the system says: {error.strerror}", fix="another folder"
        ) from None
