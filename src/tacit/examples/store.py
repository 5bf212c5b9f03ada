"""The store of labels: sharded text that stock git merges rightly.

``labels/<import>/<shard>.jsonl`` holds one record per line, sorted by id, **with a blank line between records**: git merges
two edits of neighbouring lines as a conflict, of lines with an unchanged one between them not. Each import writes its own
folder, so two branches that both add examples touch different files; a relabel is an edit in place. Who and when are git's
own knowledge and stay off the line.

Several people may label one example: each record that names an id is an *opinion*, and its source is the folder below `labels/`
that it stands in, an import or ``by/<annotator>``. Where opinions differ the example is *in dispute*: the strict plurality is its
label, and on a tie it has none until a person decides.
"""

from __future__ import annotations

import gc
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import attrgetter, lt
from pathlib import Path
from typing import Any

from tacit.examples.label_files import ANNOTATORS, LABELS, LabelFile, Lines
from tacit.examples.reading import files_in_force, read_file
from tacit.examples.records import Record, input_id, label_key, same_label
from tacit.examples.writing import write_labels
from tacit.ground.errors import raise_all

__all__ = ["LABELS", "Record", "Store", "in_force", "input_id", "read_labels", "read_store", "write_labels"]

_id = attrgetter("id")


@dataclass(frozen=True)
class Store:
    """Every label of a program directory.

    records: one per example with the label in force, sorted by id; examples whose dispute is a tie are in `undecided` instead, as
    they were introduced. places: id -> (file below the program directory, line) of the record that introduced the example; of an
    import in chunks, the line of its last edit or of its chunk. opinions: id -> {source: label} of examples with several.
    disputes: those of them that differ.
    """

    records: list[Record]
    places: Mapping[str, tuple[str, int]]
    opinions: dict[str, dict[str, Any]]
    disputes: dict[str, dict[str, Any]]
    undecided: dict[str, Record]

    def row(self, name: str) -> int | None:
        """Give the place of an example in `records`, None when it has no label in force or is none."""
        at = bisect_left(self.records, name, key=_id)
        return at if at < len(self.records) and self.records[at].id == name else None


class Places(Mapping[str, tuple[str, int]]):
    """id -> (file, line), in a tenth of the memory that a dict of tuples takes."""

    def __init__(self, ids: Sequence[str], files: Sequence[str], file_of: array[int], line_of: array[int]) -> None:
        self._ids, self._files, self._file_of, self._line_of = ids, files, file_of, line_of

    def __getitem__(self, name: str) -> tuple[str, int]:
        row = bisect_left(self._ids, name)
        if row == len(self._ids) or self._ids[row] != name:
            raise KeyError(name)
        return self._files[self._file_of[row]], self._line_of[row]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)


def read_labels(directory: Path, *, check: Callable[[Any], str | None] | None = None) -> list[Record]:
    """Read the records with a label in force, sorted by id; see `read_store`."""
    return read_store(directory, check=check).records


def read_store(directory: Path, *, check: Callable[[Any], str | None] | None = None) -> Store:
    """Read every label below ``labels/``.

    check: says what is wrong with a label, None when nothing is (for instance a class that the signature does not know).

    Raises: InputError naming every problem with its file and line: broken JSON, merge markers, CRLF, unknown or missing keys, ids
    that are not the hash of their input, an id twice in one source, an id that no import introduced, labels that `check` refuses.
    """
    reading = _Reading(check)
    files = files_in_force(directory)
    if not any(file.kind in ("import", "chunks") for file in files):
        reading.problems.append(f"expected label files `{LABELS}/<import>/<shard>.jsonl`, found none - at `{directory / LABELS}`")
    with _without_collector():
        for file in files:
            reading.add(file, read_file(directory, file, reading.problems))
    fix = "resolve the places named; every record is one line of JSON with an empty line after it"
    raise_all(reading.problems, heading=f"expected sound labels - at `{directory / LABELS}`", fix=fix, most=100)
    return reading.store()


def in_force(opinions: Mapping[str, Any]) -> tuple[bool, Any]:
    """Give whether there is a label in force, and which: the one that strictly more sources give than any other.

    >>> in_force({"photos": "cat", "by/ann": "dog", "by/bob": "dog"}), in_force({"photos": "cat", "by/ann": "dog"})
    ((True, 'dog'), (False, None))
    """
    (first, most), *others = Counter(map(label_key, opinions.values())).most_common(2)
    if others and others[0][1] == most:
        return False, None
    return True, next(label for label in opinions.values() if label_key(label) == first)


class _Reading:
    """Takes file after file; what is wrong gathers in `problems`."""

    def __init__(self, check: Callable[[Any], str | None] | None) -> None:
        self.check = check
        self.problems: list[str] = []
        self.records: list[Record] = []
        self.rows: dict[str, int] = {}
        self.files: list[str] = []
        self.sources: list[str] = []
        self.file_of, self.line_of = array("I"), array("I")
        self.opinions: dict[str, dict[str, Any]] = {}
        self.said: dict[tuple[str, str], str] = {}  # (id, source) of second and later opinions -> place
        self.edited: dict[tuple[str, str], tuple[str, Any]] = {}  # (id, source) -> place, label

    def add(self, file: LabelFile, lines: Lines) -> None:
        number = len(self.files)
        self.files.append(file.shown)
        self.sources.append(file.source)
        self._check(file, lines)
        ids = list(map(_id, lines.records))
        fresh = self.rows.keys().isdisjoint(ids) and len(set(ids)) == len(ids)
        if file.kind in ("import", "chunks") and fresh:
            self._introduce(ids, lines.records, number, lines.numbers)
            return
        for record, line in zip(lines.records, lines.numbers, strict=True):
            place = f"{file.shown}:{line}"
            row = self.rows.get(record.id)
            if file.kind == "edits":
                self._edit(record, row, file, number, line)
            elif row is not None:
                self._opinion(record, row, file.source, place)
            elif file.kind == "opinions":
                self.problems.append(f"{place}: example {record.id} is in no import; an annotator's file only says what is in the imports")
            else:
                self._introduce([record.id], [record], number, [line])

    def _introduce(self, ids: Sequence[str], records: Sequence[Record], number: int, lines: Sequence[int]) -> None:
        first = len(self.records)
        self.records.extend(records)
        self.rows.update(zip(ids, range(first, first + len(ids)), strict=True))
        self.file_of.extend(array("I", [number]) * len(ids))
        self.line_of.extend(lines)

    def _place(self, row: int) -> str:
        return f"{self.files[self.file_of[row]]}:{self.line_of[row]}"

    def _opinion(self, record: Record, row: int, source: str, place: str) -> None:
        earlier = self.records[row]
        own = self.sources[self.file_of[row]]
        before = self._place(row) if source == own else self.said.get((record.id, source))
        if before is not None:
            if source != own and source.startswith(f"{ANNOTATORS}/") and same_label(self.opinions[record.id][source], record.label):
                return  # git's union of two branches repeats what stands between two additions
            self.problems.append(f"{place}: example {record.id} stands in `{source}` twice, also at {before}")
            return
        if not source.startswith(f"{ANNOTATORS}/") or _more_than_label(record):
            difference = _difference(earlier, record)
            if difference:
                self.problems.append(f"{place}: example {record.id} has {difference} at {self._place(row)}")
        self.said[record.id, source] = place
        self.opinions.setdefault(record.id, {own: earlier.label})[source] = record.label

    def _edit(self, record: Record, row: int | None, file: LabelFile, number: int, line: int) -> None:
        """Put a person's label in the place of a chunk's, and the place of the edit in that of the chunk."""
        place = f"{file.shown}:{line}"
        own = row is not None and self.sources[self.file_of[row]] == file.source
        said = self.opinions.get(record.id, {})
        before, label = self.edited.setdefault((record.id, file.source), (place, record.label))
        if row is None or not (own or file.source in said):
            self.problems.append(f"{place}: example {record.id} is not in the chunks of `{file.source}`, whose edits stand here")
        elif before != place and same_label(label, record.label):
            return  # git's union of two branches repeats what stands between two additions
        elif before != place:
            self.problems.append(f"{place}: example {record.id} is edited twice, also at {before}")
        elif _more_than_label(record):
            self.problems.append(f"{place}: expected an edit of the label alone; the rest of example {record.id} stands in its chunk")
        else:
            if own:
                self.records[row] = replace(self.records[row], label=record.label)
                self.file_of[row], self.line_of[row] = number, line
            if file.source in said:
                said[file.source] = record.label

    def _check(self, file: LabelFile, lines: Lines) -> None:
        """Hold every label against the signature: each distinct object once, for equal labels of a plain file are one object."""
        if self.check is None:
            return
        distinct = {id(record.label): record.label for record in lines.records}
        bad = {key: problem for key, label in distinct.items() if (problem := self.check(label))}
        if bad:
            for record, line in zip(lines.records, lines.numbers, strict=True):
                if id(record.label) in bad:
                    self.problems.append(f"{file.shown}:{line}: {bad[id(record.label)]}")

    def store(self) -> Store:
        """Sort, settle the disputes and give the whole."""
        records, ids = self.records, list(map(_id, self.records))
        self.rows.clear()
        file_of, line_of = self.file_of, self.line_of
        if not all(map(lt, ids, ids[1:])):
            order = sorted(range(len(ids)), key=ids.__getitem__)
            records = [records[row] for row in order]
            ids = [ids[row] for row in order]
            file_of = array("I", (file_of[row] for row in order))
            line_of = array("I", (line_of[row] for row in order))
        disputes = {name: said for name, said in sorted(self.opinions.items()) if len(set(map(label_key, said.values()))) > 1}
        undecided: dict[str, Record] = {}
        for name, said in disputes.items():
            row = bisect_left(ids, name)
            decided, label = in_force(said)
            if decided:
                records[row] = replace(records[row], label=label)
            else:
                undecided[name] = records[row]
        if undecided:
            records = [record for record in records if record.id not in undecided]
        return Store(records, Places(ids, self.files, file_of, line_of), dict(sorted(self.opinions.items())), disputes, undecided)


def _more_than_label(record: Record) -> bool:
    return record.split is not None or record.group is not None or record.copy != 1 or record.input is not None


def _difference(earlier: Record, record: Record) -> str | None:
    """Say in what, besides the label, two records of one example differ; None when in nothing."""
    for field in ("split", "group", "copy"):
        if getattr(earlier, field) != getattr(record, field):
            return f"the {field} {getattr(record, field)} but {getattr(earlier, field)}"
    return None if earlier.input == record.input else "another input than"


@contextmanager
def _without_collector() -> Iterator[None]:
    """Pause the garbage collector: it would walk a million fresh records again and again, for a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
