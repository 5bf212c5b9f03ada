"""Compile straight from a folder or table: the program directory is made beside the result, and kept for the next time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tacit.directory.making import new_program
from tacit.directory.reading import is_program
from tacit.directory.schema import TOML
from tacit.examples.store import LABELS
from tacit.examples.tree import FolderTree, printable, there
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter

_NOTE = ".tacit/source.json"
#: Kept inside of folders that a new directory has as well.
_KEPT = (".tacit/runs",)


def adopt(
    source: Path,
    *,
    beside: Path | None = None,
    label: str | None = None,
    group: str | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Give the program directory for a path: itself if it is one, else ``<name>.program`` in `beside` (the working folder).

    A directory made earlier from the same source is used again, with what the person changed in it, while the source is
    unchanged; it is made anew when the source has changed and nobody edited it, and keeps its runs and binaries.
    Raises: InputError as `new_program`; ConfigError when the source and the directory have both changed.
    """
    source, reporter = Path(source), reporter or Reporter()
    if is_program(source):
        return source
    directory = (beside or Path.cwd()) / f"{_stem(source)}.program"
    _mend(directory)
    asked = {"source": str(source.resolve()), "label": label, "group": group}
    state = _state(source)
    if not is_program(directory):
        try:
            return _make(directory, source, asked, state, reporter)
        except TacitError:
            if not is_program(directory) or _note_of(directory)[:2] != (asked, state):
                raise  # otherwise another process has made the same one in the meantime
    made_from, known, own = _note_of(directory)
    if made_from == asked and known == state:
        reporter.note(f"using {directory}, made earlier from the same source")
        return directory
    if own is None or own != _edited(directory):
        cause = f"`{directory}` was edited since, or holds another program" if own else f"`{directory}` was not made by compiling a path"
        raise ConfigError(
            f"expected {source} to be as it was when the program directory was made, it has changed - at `{directory}`",
            cause=cause,
            fix=f"tacit compile {directory}, to compile it as it is; or move it away to begin anew",
        )
    reporter.note(f"the source has changed: making {directory} anew")
    new = directory.with_name(f".{directory.name}.{os.getpid()}")
    shutil.rmtree(new, ignore_errors=True)
    try:
        _make(new, source, asked, state, reporter)
        directory.rename(_old(directory))
        new.rename(directory)
    except OSError as error:
        raise TacitError(
            f"could not put the new program directory in place - at `{directory}`",
            cause=f"the system says: {error.strerror}; another tacit may be making it too",
            fix="the same command again",
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)
        _mend(directory)
    return directory


def _make(directory: Path, source: Path, asked: dict[str, Any], state: str, reporter: Reporter) -> Path:
    def write_note(building: Path) -> None:
        note = {"asked": asked, "state": state, "directory": _edited(building)}
        write_atomic(building / _NOTE, json.dumps(note, indent=1) + "\n")

    return new_program(
        directory,
        source=source,
        label=asked["label"],
        group=asked["group"],
        name=_stem(source),
        workflow=False,
        finish=write_note,
        reporter=reporter,
    )


def _note_of(directory: Path) -> tuple[Any, Any, Any]:
    """Give what a directory was made from: what was asked, the state of the source, and the directory as it was made."""
    try:
        note = json.loads((directory / _NOTE).read_text())
        return note["asked"], note["state"], note["directory"]
    except (OSError, ValueError, KeyError, TypeError):
        return None, None, None


def _old(directory: Path) -> Path:
    return directory.with_name(f".{directory.name}.old")


def _mend(directory: Path) -> None:
    """Finish what a directory that was made anew has left, also when that process was killed: nothing of the old one is lost.

    Without a directory the old one takes its place; with one, the old one's runs and binaries and what a person put beside
    them move into it.
    """
    old = _old(directory)
    with contextlib.suppress(FileNotFoundError):  # another process does the same
        if is_program(old) and not directory.exists():
            old.rename(directory)
        elif old.is_dir() and is_program(directory):
            for name in [*(path.name for path in old.iterdir()), *_KEPT]:
                if (old / name).exists() and not (directory / name).exists():
                    (old / name).rename(directory / name)
            shutil.rmtree(old, ignore_errors=True)


def _stem(source: Path) -> str:
    return printable(source.resolve().name.partition(".")[0]) or "examples"


def _state(source: Path) -> str:
    """Hash names, sizes and times of the source's files: reading them all would cost as much as taking them in.

    Programs made from it, and binaries with their cards that lie beside the examples, are no part of the source.
    """
    if not there(source, Path.exists):
        return ""
    files = FolderTree(source).files if source.is_dir() else [""]
    binaries = {name.removesuffix(".tacit") for name in files if name.endswith(".tacit")}
    entries = [
        [name, *_stamp(source / name)] for name in files if not (name.endswith((".tacit", ".md")) and name.rpartition(".")[0] in binaries)
    ]
    return sha256(canonical_json(entries).encode("utf-8", "surrogateescape"))


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # a link to nothing
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _edited(directory: Path) -> str:
    """Hash what a person may edit: the settings, the tests and the labels."""
    files = [directory / TOML, directory / "tests.toml", *sorted((directory / LABELS).rglob("*.jsonl"))]
    return sha256("".join(sha256(path.read_bytes()) if path.is_file() else "-" for path in files).encode())
