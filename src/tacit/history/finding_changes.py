"""What changed in the labels between two versions, example by example.

Git names the files that differ; of those only the lines that differ are read. A change is one record that one source (an
import, or an annotator's opinions) has, lost, or says something else about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tacit.examples.label_files import LABELS
from tacit.examples.records import Record, same_label
from tacit.ground.errors import TacitError, raise_all
from tacit.history.change import Change, Kind
from tacit.history.git import Blobs, Entry, Repository, find_repository
from tacit.history.lines import Line, annotator_of, differing, is_labels, parse, source_of
from tacit.history.overlays import with_chunks

__all__ = ["Change", "changes_between", "changes_of", "label_changes", "tree_of", "versions", "working_content"]


@dataclass(frozen=True, slots=True)
class _Found:
    record: Record
    file: str
    line: int


def label_changes(directory: Path, a: str | None = "HEAD", b: str | None = None) -> list[Change]:
    """List how the labels of a program directory differ from revision `a` to revision `b`, sorted by id; None is the working tree.

    Raises: UnknownName for a revision that is not known; TacitError outside of a repository; InputError naming every changed
    line that is no record, with its file.
    """
    repository = find_repository(directory)
    changes, problems = changes_between(repository, a, b)
    fix = "resolve the places named; every record is one line of JSON with an empty line after it"
    raise_all(problems, heading=f"expected sound labels - at `{repository.directory / LABELS}`", fix=fix, most=100)
    return changes


def changes_between(repository: Repository, a: str | None, b: str | None) -> tuple[list[Change], list[str]]:
    """Give the changes from `a` to `b`, and what is wrong with the lines that differ. A revision may also be the id of a tree."""
    if a is None:
        if b is None:
            return [], []
        changes, problems = changes_between(repository, b, None)
        return [_reversed(change) for change in changes], problems
    first = tree_of(repository, a)
    second = None if b is None else tree_of(repository, b)
    found = repository.differing(first, second, repository.path(LABELS))
    with repository.blobs() as blobs:
        return changes_of(repository, blobs, found)


def tree_of(repository: Repository, revision: str) -> str:
    """Give the commit of a revision; ``HEAD`` before the first commit is the empty tree. Raises: UnknownName."""
    if revision == "HEAD" and repository.head is None:
        return repository.empty_tree
    return revision if revision == repository.empty_tree else repository.commit(revision)


def changes_of(repository: Repository, blobs: Blobs, found: Iterable[Entry]) -> tuple[list[Change], list[str]]:
    """Compare the files that differ, line by line; also give what is wrong with those lines."""
    before: dict[tuple[str, str], _Found] = {}
    after: dict[tuple[str, str], _Found] = {}
    problems: list[str] = []
    for file, old, new in versions(repository, blobs, found):
        gone, came = differing(old, new)
        _collect(before, file, gone, [])  # what is wrong with a version that is no more needs no mending
        _collect(after, file, came, problems)
    changes = _moves(before, after)
    for key in before.keys() | after.keys():
        change = _change(before.get(key), after.get(key))
        if change is not None:
            changes.append(change)
    changes = with_chunks(repository.directory, changes)
    return sorted(changes, key=lambda change: (change.id, change.annotator or "", change.file)), problems


def versions(repository: Repository, blobs: Blobs, found: Iterable[Entry]) -> Iterator[tuple[str, bytes, bytes]]:
    """Give ``(file, content before, content after)`` of the label files among entries; empty where the file is not there."""
    wanted = {entry.path: entry for entry in found if is_labels(repository.relative(entry.path))}
    names = [name for entry in wanted.values() for name in (entry.before, entry.after if entry.status != "U" else None) if name]
    contents = blobs.read_many(names)
    for path, entry in wanted.items():
        old = next(contents) if entry.before else b""
        stored = next(contents) if entry.after and entry.status != "U" else None
        if stored is None:
            stored = b"" if entry.status == "D" else working_content(repository, path)
        yield repository.relative(path), old, stored


def working_content(repository: Repository, path: str) -> bytes:
    """Read a file of the working tree; empty when it is not there. Raises: TacitError when it can't be read."""
    file = repository.root / path
    try:
        # A link to nothing is no file, and reading a pipe would wait for ever.
        return file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise TacitError(f"could not read labels - at `{file}`", cause=f"the system says: {error.strerror}") from error


def _collect(into: dict[tuple[str, str], _Found], file: str, lines: Sequence[Line], problems: list[str]) -> None:
    source = source_of(file)
    for number, text in lines:
        record = parse(text, f"{file}:{number}", problems)
        if record is not None:
            into[source, record.id] = _Found(record, file, number)


def _moves(before: dict[tuple[str, str], _Found], after: dict[tuple[str, str], _Found]) -> list[Change]:
    """Take out what left one import and came in another: the same example, moved, maybe relabelled on the way."""
    gone = {key[1]: key for key in before.keys() - after.keys() if annotator_of(key[0]) is None}
    moved = []
    for key in sorted(after.keys() - before.keys()):
        if annotator_of(key[0]) is None and key[1] in gone:
            old, new = before.pop(gone.pop(key[1])), after.pop(key)
            kind: Kind = "moved" if old.record == new.record else _kind(old.record, new.record)
            moved.append(Change(key[1], kind, old.record.label, new.record.label, new.file, new.line, old.record, new.record))
    return moved


def _change(old: _Found | None, new: _Found | None) -> Change | None:
    if old is None and new is not None:
        return Change(new.record.id, "added", None, new.record.label, new.file, new.line, None, new.record)
    if new is None and old is not None:
        return Change(old.record.id, "removed", old.record.label, None, old.file, old.line, old.record, None)
    if old is None or new is None or old.record == new.record:
        return None
    return Change(
        new.record.id, _kind(old.record, new.record), old.record.label, new.record.label, new.file, new.line, old.record, new.record
    )


def _kind(old: Record, new: Record) -> Kind:
    return "changed" if same_label(old.label, new.label) else "relabelled"


def _reversed(change: Change) -> Change:
    kinds: dict[Kind, Kind] = {"added": "removed", "removed": "added"}
    kind = kinds.get(change.kind, change.kind)
    return Change(change.id, kind, change.after, change.before, change.file, change.line, change.new, change.old)
