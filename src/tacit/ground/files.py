"""Writing files so that a crash at any moment leaves the old file or the new one, never a torn one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tacit.ground.errors import TacitError


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` to a temporary file beside `path`, flush it to disk, then rename it over `path`.

    Raises: TacitError when the disk is full or the folder can't be written; `path` is then as it was before.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise TacitError(
            f"could not write {len(content)} bytes - at `{path}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some disk space or give another path; nothing was changed",
        ) from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and flush it to disk; a line that a crash tore before is ended first.

    Raises: TacitError when the disk is full or the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise TacitError(
            f"could not add a line - at `{path}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some disk space; what was written before is still there",
        ) from error
