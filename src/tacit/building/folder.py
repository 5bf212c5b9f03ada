"""The folder of a build: written beside its place and renamed, so that it is whole or not there."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tacit.ground.errors import TacitError
from tacit.ground.processes import is_running

#: The file that every build holds; a folder without it is a person's and is never replaced.
MARK = "build.json"


def check_folder(folder: Path) -> None:
    """Refuse a place that can't be written to, or that holds anything but a former build, before any work. Raises: TacitError."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise TacitError(f"expected a folder to build into, got a file - at `{folder}`", fix="-o FOLDER, one that does not exist yet")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise TacitError(
            f"expected a new folder or a former build, got a folder of other things - at `{folder}`",
            cause=f"there is no `{MARK}` in it, so nothing there was made by `tacit build`",
            fix="-o FOLDER, one that does not exist yet",
        )
    above = next((parent for parent in folder.absolute().parents if parent.exists()), Path("/"))
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise TacitError(
            f"expected a folder that can be made - at `{folder}`", cause=f"`{above}` can't be written to", fix="-o FOLDER elsewhere"
        )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder`, and put it in the place of `folder` at the end; after an error nothing has changed.

    What a killed build left beside is removed by the next one.
    """
    folder = folder.absolute()
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.{os.getpid()}.", suffix=".tmp"))
    except OSError as error:
        raise TacitError(f"could not make a folder - at `{folder}`", cause=f"the system says: {error.strerror or error}") from error
    try:
        yield made
        umask = os.umask(0)
        os.umask(umask)
        made.chmod(0o777 & ~umask)
        if folder.is_dir():
            old = made.with_name(made.name.removesuffix(".tmp") + ".old.tmp")
            folder.rename(old)
            made.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            made.rename(folder)
    except OSError as error:
        raise TacitError(
            f"could not write the build - at `{folder}`",
            cause=f"the system says: {error.strerror or error}",
            fix="free some disk space or give another folder",
        ) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what builds into the same folder left whose processes are gone."""
    for left in folder.parent.glob(f".{folder.name}.*.tmp"):
        found = re.fullmatch(rf"\.{re.escape(folder.name)}\.(\d+)\..*", left.name)
        if found and not is_running(int(found[1])):
            shutil.rmtree(left, ignore_errors=True)
