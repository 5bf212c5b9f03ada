"""A cache of decoded inputs: ``.tacit/cache/<key>/<n>.npy``, read by memory map, checked, and rebuilt when it is not sound.

The key is the hash of the ids, the input type and the names of the packs of media. An id is the hash of an input, so relabelling
keeps the cache, and nothing that changes an array can leave it standing; packs that are gone are missed at once, not on the day
when the cache is. A folder appears under its name only when it is whole; sizes and checksums in
``manifest.json`` catch what happened to it later.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tacit.ground.digests import canonical_json, sha256
from tacit.signature.base import InputType

_FORMAT = 1  # to be raised when a type comes to read the same input differently
_KEPT = 3  # signatures whose arrays are kept: a person tries sizes and goes back


def cache_key(type_: InputType, ids: Sequence[str], packs: Sequence[str] = ()) -> str:
    """Give the key of the decoded inputs of these ids, in this order, from packs of these names."""
    return sha256(canonical_json([_FORMAT, type_.to_json(), list(ids), list(packs)]).encode())[:24]


def load_cached(directory: Path, key: str, type_: InputType, count: int) -> tuple[np.ndarray, ...] | None:
    """Give the arrays [example, ...], memory-mapped copy-on-write, or None when there are none or they are not sound."""
    folder = _folder(directory) / key
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        arrays = []
        for number, spec in enumerate(type_.arrays):
            array = np.load(folder / f"{number}.npy", mmap_mode="c", allow_pickle=False)
            if (
                array.shape != (count, *spec.shape)
                or array.dtype != np.dtype(spec.dtype)
                or _checksum(array) != manifest["checksums"][number]
            ):
                return None
            arrays.append(array)
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)
    return tuple(arrays)


def save_cached(directory: Path, key: str, arrays: Sequence[np.ndarray]) -> None:
    """Keep arrays for the next time. A cache that can't be written (full disk, read-only folder) is no error."""
    parent = _folder(directory)
    temporary: str | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        temporary = tempfile.mkdtemp(dir=parent, prefix=".new.")
        for number, array in enumerate(arrays):
            np.save(Path(temporary) / f"{number}.npy", array)
        manifest = {"checksums": [_checksum(array) for array in arrays]}
        (Path(temporary) / "manifest.json").write_text(json.dumps(manifest))
        target = parent / key
        if target.exists():
            shutil.rmtree(target)
        os.rename(temporary, target)
        _forget(parent, keep=key)
    except OSError:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _forget(parent: Path, *, keep: str) -> None:
    others = [folder for folder in parent.iterdir() if folder.name != keep and not folder.name.startswith(".")]
    others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in others[_KEPT - 1 :]:
        shutil.rmtree(folder, ignore_errors=True)


def _folder(directory: Path) -> Path:
    return directory / ".tacit" / "cache"


def _checksum(array: np.ndarray) -> int:
    flat = np.ascontiguousarray(array)
    return zlib.crc32(flat.reshape(-1).view(np.uint8).data) if flat.size else 0
