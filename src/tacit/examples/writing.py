"""Writing label files so that a crash leaves every file whole, an edit is one line, and an import is there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tacit.examples.label_files import ANNOTATORS, LABELS
from tacit.examples.records import Record
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import ConfigError, InputError, TacitError
from tacit.ground.files import write_atomic

SHARD_BYTES = 400_000  # a shard stays well below the 1 MB that a review on GitHub shows
NEW = ".new."  # begins the name of an import that is being written
_ANNOTATOR = re.compile(r"[\w+-][\w.@+-]{0,63}")
ID = re.compile(rf'"id"\s*:\s*"([0-9a-f]{{{ID_LENGTH}}})"'.encode())

#: Stock git keeps the lines of both sides where two branches add to one of these files; nobody's file has an id twice, so the
#: reader names an example that both sides changed.
_ATTRIBUTES = """\
*.jsonl text eol=lf
by/**/*.jsonl merge=union
**/edits/*.jsonl merge=union
media.txt text eol=lf merge=union
"""


def write_labels(directory: Path, name: str, records: Iterable[Record]) -> list[Path]:
    """Write one import as ``labels/<name>/<shard>.jsonl`` below `directory`; give the files written.

    Shards are named by the first hexadecimal digits of the ids in them: none (`all`), one or two, so that a shard stays
    below some 400 kB.
    """
    written = []
    for shard, content in shards(records).items():
        path = directory / LABELS / name / f"{shard}.jsonl"
        write_atomic(path, content)
        written.append(path)
    return written


def shards(records: Iterable[Record]) -> dict[str, str]:
    """Give the text of every shard of an import, by the name of the shard."""
    ordered = sorted(records, key=lambda record: record.id)
    lines = [record.line() for record in ordered]
    size = sum(len(line.encode()) + 2 for line in lines)
    digits = 0 if size <= SHARD_BYTES else 1 if size <= 16 * SHARD_BYTES else 2
    found: dict[str, list[str]] = {}
    for record, line in zip(ordered, lines, strict=True):
        found.setdefault(record.id[:digits] or "all", []).append(line)
    return {shard: "\n\n".join(content) + "\n" for shard, content in found.items()}


def write_attributes(directory: Path) -> None:
    """Tell git how label files are merged and that their lines end in LF; a file that is there already stays."""
    path = directory / LABELS / ".gitattributes"
    if not path.exists():
        write_atomic(path, _ATTRIBUTES)


def begin_import(directory: Path, name: str) -> Path:
    """Make the folder in which an import is written; it is read by nobody until `finish_import`."""
    building = directory / LABELS / f"{NEW}{name}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    return building


def finish_import(directory: Path, name: str) -> Path:
    """Put a whole import under its name in one step. Raises: TacitError."""
    building, target = directory / LABELS / f"{NEW}{name}", directory / LABELS / name
    try:
        _flush_folder(building)
        building.rename(target)
        _flush_folder(target.parent)
    except OSError as error:
        raise TacitError(
            f"could not put the import in place - at `{target}`", cause=f"the system says: {error.strerror}", fix="the same command again"
        ) from error
    return target


def _flush_folder(folder: Path) -> None:
    """Write the names in a folder to disk; systems that can't open a folder do it by themselves."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def annotator_source(name: str) -> str:
    """Give the folder below `labels/` of an annotator's opinions. Raises: ConfigError for a name that can't be a folder's.

    >>> annotator_source("ann")
    'by/ann'
    """
    if not _ANNOTATOR.fullmatch(name):
        raise ConfigError(f"expected the name of an annotator, got `{name}`", fix="letters, digits and . @ + - _, 64 at the most: --by ann")
    return f"{ANNOTATORS}/{name}"


def edit_lines(path: Path, edits: Mapping[int, Record | None], *, ids: Mapping[int, str]) -> None:
    """Put other records in the place of lines, or take lines away (None) with their empty line; every other byte stays.

    edits: by line number, from 1. ids: the example that each of these lines is about. A file that is left empty is removed.
    Raises: InputError when one of the lines is about another example, for somebody has changed the file just now.
    """
    lines = path.read_bytes().split(b"\n")
    for number in sorted(edits, reverse=True):
        record, row = edits[number], number - 1
        found = ID.search(lines[row]) if row < len(lines) else None
        if found is None or found[1].decode() != ids[number]:
            raise InputError(
                f"expected the example {ids[number]}, got other text - at `{path}` line {number}",
                cause="another program has changed the file in this moment",
                fix="the same command again; this file was not changed",
            )
        if record is not None:
            lines[row] = record.line().encode()
            continue
        del lines[row]
        if row < len(lines) and not lines[row].strip():
            del lines[row]
        elif row > 0 and not lines[row - 1].strip():
            del lines[row - 1]
    _replace(path, b"\n".join(lines))


def _replace(path: Path, content: bytes) -> None:
    if content.strip():
        # The last line may have been taken away with the line end behind it.
        write_atomic(path, content if content.endswith(b"\n") else content + b"\n")
        return
    path.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        path.parent.rmdir()
        path.parent.parent.rmdir()


def insert_records(path: Path, records: Sequence[Record]) -> None:
    """Add records to a file where their ids belong, each with an empty line; every other byte stays. A new file is made."""
    ordered = sorted(records, key=lambda record: record.id)
    content = path.read_bytes() if path.exists() else b""
    if not content.strip():
        write_atomic(path, "\n\n".join(record.line() for record in ordered) + "\n")
        return
    lines = content.rstrip(b"\n").split(b"\n")
    known = [(found[1].decode(), row) for row, line in enumerate(lines) if (found := ID.search(line))]
    for record in reversed(ordered):
        at = bisect_left(known, (record.id, -1))
        if at == len(known):
            lines += [b"", record.line().encode()]  # the greatest comes first, so the later ones stand before it
            known.append((record.id, len(lines) - 1))
        else:
            lines[known[at][1] : known[at][1]] = [record.line().encode(), b""]
    write_atomic(path, b"\n".join(lines) + b"\n")


def shard_for(folder: Path, name: str, *, digits: int) -> Path:
    """Give the file of a folder that the record of an example goes to: the one that is there for it, else a new one."""
    for length in range(3):
        path = folder / f"{name[:length] or 'all'}.jsonl"
        if path.exists():
            return path
    return folder / f"{name[:digits] or 'all'}.jsonl"
