"""What Tacit keeps for itself below one folder: libraries that were compiled, data sets that were fetched.

A file that is to be run is sealed: it carries its own sha256, so that a damaged one is made anew and never opened, and it is taken
only when nobody else can have written it. It is made in a folder beside and renamed, so that two processes which make it at once both
end with a whole file.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SEAL = b"\ntacit sha256 "
_SEAL_BYTES = len(_SEAL) + 64


def cache_folder(name: str) -> Path:
    """Give a folder of the cache, whether it is there or not: ``$XDG_CACHE_HOME/tacit/<name>``, or below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if os.path.isabs(base) else Path(os.path.expanduser("~")) / ".cache"
    return home / "tacit" / name


def is_sealed(path: Path) -> bool:
    """Tell whether a file of the cache is there, is whole, and can have been written by nobody else."""
    try:
        if not _is_ours(path.parent) or not _is_ours(path):
            return False
        data = path.read_bytes()
    except OSError:
        return False
    return data[-_SEAL_BYTES:] == _seal(data[:-_SEAL_BYTES])


@contextmanager
def making_sealed(path: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder to work in and the file to make in it; when the block ends well, that file is sealed and renamed to `path`.

    Raises: OSError when the cache can't be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as name:
        made = Path(name) / f"built{path.suffix}"
        yield Path(name), made
        content = made.read_bytes()
        made.write_bytes(content + _seal(content))
        made.chmod(0o600)
        os.replace(made, path)


def _is_ours(path: Path) -> bool:
    """Tell whether nobody else can write what would be run here."""
    if not hasattr(os, "getuid"):
        return True
    found = path.stat()
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _seal(content: bytes) -> bytes:
    return _SEAL + hashlib.sha256(content).hexdigest().encode()
