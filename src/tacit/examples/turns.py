"""Who writes labels takes turns with others who do, and clears away what a killed one left half done."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tacit.examples.label_files import LABELS
from tacit.examples.media import MEDIA
from tacit.examples.packing import finish_packing
from tacit.examples.writing import NEW
from tacit.ground.locks import locked

LOCK = ".tacit/labels.lock"
_TEMPORARY = re.compile(r"\..+\.tmp")  # as `write_atomic` and `MediaWriter` name them


@contextmanager
def writing(directory: Path, doing: str, *, wait: float | None = None) -> Iterator[None]:
    """Be the only one that writes labels while the block runs; what a killed writer left half done is cleared away first.

    doing: the command, for whoever has to wait. wait: seconds, None for the usual. Raises: TacitError that names the process which writes.
    """
    with locked(directory / LOCK, doing, wait=wait):
        clear_leftovers(directory)
        finish_packing(directory)
        yield


def clear_leftovers(directory: Path) -> list[Path]:
    """Remove what writers that were killed left behind, and give it; only for who holds the lock."""
    found = list((directory / LABELS).glob(f"{NEW}*"))
    for here, below, names in os.walk(directory / LABELS):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(here) / name for name in names if _TEMPORARY.fullmatch(name)]
    found += (directory / MEDIA).glob(".pack.*.tmp")
    for path in found:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return found
