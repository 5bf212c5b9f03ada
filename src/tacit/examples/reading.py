"""The records of a label file, be it text or chunks."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from tacit.examples.chunks import read_chunks, read_manifest
from tacit.examples.label_files import LabelFile, Lines, Wanted, label_files, read_lines
from tacit.ground.digests import ID_LENGTH, example_id


def read_file(directory: Path, file: LabelFile, problems: list[str], *, names: Collection[str] | None = None) -> Lines:
    """Read the records of a file, or those whose id begins with one of `names`; what is wrong with the file joins `problems`, by line."""
    if file.kind == "chunks":
        return read_chunks(directory, file, problems, names=names)
    return read_lines(file, problems, wanted=None if names is None else _one_of(names))


def _one_of(names: Collection[str]) -> Wanted:
    whole = frozenset(name for name in names if len(name) == ID_LENGTH)
    begun = tuple(name for name in names if len(name) != ID_LENGTH)
    return whole.__contains__ if not begun else lambda name: name in whole or name.startswith(begun)


def files_in_force(directory: Path) -> list[LabelFile]:
    """List the label files without those whose records have moved into chunks and which nobody has changed since."""
    files = label_files(directory)
    moved = set()
    for file in files:
        if file.kind == "chunks":
            moved |= {path for path, same in replaced_by(file).items() if same}
    return [file for file in files if file.path not in moved] if moved else files


def replaced_by(file: LabelFile) -> dict[Path, bool]:
    """Give the text shards that are still there though a manifest has taken their place, and whether they are as they were then."""
    replaces = read_manifest(file.path, file.shown, []).replaces
    paths = {file.path.parent / name: digest for name, digest in replaces.items() if name.endswith(".jsonl") and ".." not in name}
    return {path: example_id(path.read_bytes()) == digest for path, digest in paths.items() if path.is_file()}
