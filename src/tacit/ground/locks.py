"""One writer at a time: a lock that the system itself takes away from a process that died."""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from tacit.ground.errors import TacitError

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[Any]) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(file: IO[Any]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


WAIT = 10.0  # seconds; most commands that write labels take less than one
_PAUSE = 0.02


@contextmanager
def locked(path: Path, doing: str, *, wait: float | None = None) -> Iterator[None]:
    """Hold the lock file `path` while the block runs; `doing` tells others what for.

    The lock belongs to the open file and not to the file's being there, so one that a killed process left behind holds nobody up.
    wait: seconds to wait for another process (None: `WAIT`). Raises: TacitError that names who holds it, or when it can't be written.
    """
    until = time.monotonic() + (WAIT if wait is None else wait)
    while (file := _open_and_take(path)) is None:
        if time.monotonic() >= until:
            raise TacitError(
                f"expected to be the only one that writes here, another process does - at `{path}`",
                cause=_holder(path),
                fix="the same command when it has finished; nothing was changed",
            )
        time.sleep(_PAUSE)
    with file:
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"process": os.getpid(), "doing": doing, "since": now}) + "\n")
        file.flush()
        try:
            yield
        finally:
            with suppress(OSError):  # some systems remove no open file; it is free all the same
                path.unlink()


def _open_and_take(path: Path) -> IO[str] | None:
    """Open the file and take its lock; None when another process holds it. Raises: TacitError when it can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise TacitError(
            f"could not make the lock file - at `{path}`", cause=f"the system says: {error.strerror}", fix="look at who may write there"
        ) from error
    with suppress(FileNotFoundError):
        # Who held it removes it at the end: a lock on a file that is no longer there keeps nobody out.
        if _take(file) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
    file.close()
    return None


def _holder(path: Path) -> str:
    """Say in words who holds a lock, as far as the file tells."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        note = json.loads(path.read_text(encoding="utf-8"))
        return f"process {note['process']} is at `{note['doing']}` since {note['since']}"
    return "it has not said what it does"
