"""Compile straight from a folder or table: the program directory is made beside the result, and kept for the next time."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tacit.directory.making import new_program
from tacit.directory.reading import is_program
from tacit.directory.schema import TOML
from tacit.examples.store import LABELS
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter

_NOTE = ".tacit/source.json"


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
    unchanged; it is made anew when the source has changed and nobody edited it.
    Raises: InputError as `new_program`; ConfigError when the source and the directory have both changed.
    """
    source, reporter = Path(source), reporter or Reporter()
    if is_program(source):
        return source
    directory = (beside or Path.cwd()) / f"{_stem(source)}.program"
    asked = {"source": str(source.resolve()), "label": label, "group": group}
    if not is_program(directory):
        return _make(directory, source, asked, reporter)
    try:
        note = json.loads((directory / _NOTE).read_text())
        made_from, state, own = note["asked"], note["state"], note["directory"]
    except (OSError, ValueError, KeyError, TypeError):
        made_from, state, own = None, None, None
    if made_from == asked and state == _state(source):
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
    old = directory.with_name(f".{directory.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    directory.rename(old)
    try:
        _make(directory, source, asked, reporter)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        old.rename(directory)
        raise
    for path in old.iterdir():  # the binary and its card, and what a person put beside them
        if not (directory / path.name).exists():
            path.rename(directory / path.name)
    shutil.rmtree(old, ignore_errors=True)
    return directory


def _make(directory: Path, source: Path, asked: dict[str, Any], reporter: Reporter) -> Path:
    state = _state(source) if source.exists() else ""
    new_program(directory, source=source, label=asked["label"], group=asked["group"], name=_stem(source), reporter=reporter)
    note = {"asked": asked, "state": state, "directory": _edited(directory)}
    write_atomic(directory / _NOTE, json.dumps(note, indent=1) + "\n")
    return directory


def _stem(source: Path) -> str:
    return source.resolve().name.partition(".")[0] or "examples"


def _state(source: Path) -> str:
    """Hash names, sizes and times of the source's files: reading them all would cost as much as taking them in."""
    files = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    entries = [[path.relative_to(source).as_posix(), path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    return sha256(canonical_json(entries).encode())


def _edited(directory: Path) -> str:
    """Hash what a person may edit: the settings, the tests and the labels."""
    files = [directory / TOML, directory / "tests.toml", *sorted((directory / LABELS).rglob("*.jsonl"))]
    return sha256("".join(sha256(path.read_bytes()) if path.is_file() else "-" for path in files).encode())
