"""Changing labels: a relabel is an edit of one line, an annotator's opinion a line in a file of their own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tacit.examples.label_files import EDITS, LABELS, LabelFile
from tacit.examples.reading import files_in_force, read_file
from tacit.examples.records import Record, same_label
from tacit.examples.store import in_force
from tacit.examples.writing import ID, annotator_source, edit_lines, insert_records, shard_for, write_attributes
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import raise_all

_SHARD = re.compile(r"[0-9a-f]{1,2}")
_AMBIGUOUS = 4  # ids that a message shows
_MANY = 100_000  # opinions at once, for which 16 files would be too few


@dataclass(frozen=True, slots=True)
class Entry:
    """A record and where it stands."""

    file: LabelFile
    line: int
    record: Record


@dataclass(slots=True)
class Located:
    """One example: everything that the label files say about it, in the order in which they are read."""

    id: str
    entries: list[Entry] = field(default_factory=list)

    def opinions(self) -> dict[str, Entry]:
        """Give the entry that counts for each source; an edit comes after what it edits."""
        return {entry.file.source: entry for entry in self.entries}


@dataclass(frozen=True, slots=True)
class Relabelled:
    """What became of one example.

    before: the label in force, None when there was none. after: the label that was given. source: whose opinion was written. file,
    line: where. removed: the sources whose opinions were resolved. changed: False when it said so already.
    """

    id: str
    before: Any
    after: Any
    source: str
    file: str
    line: int
    removed: tuple[str, ...]
    changed: bool


def locate(directory: Path, names: Collection[str]) -> dict[str, Located]:
    """Find examples by their ids or by the beginnings of them; give them by what was asked for.

    Reads only files whose names fit, all of them when that finds too little.
    Raises: InputError naming every id that is unknown or not the beginning of a single one, or everything wrong with the files.
    """
    files = files_in_force(directory)
    likely = [file for file in files if _may_hold(file, names)]
    found = _search(directory, likely, names)
    if any(not ids for ids in found.values()) and len(likely) < len(files):
        found = _search(directory, files, names)
    problems = []
    for name, ids in found.items():
        if not ids:
            problems.append(f"`{name}`: no example has this id" if name else "an empty id")
        elif len(ids) > 1:
            shown = ", ".join(sorted(ids)[:_AMBIGUOUS]) + (" ..." if len(ids) > _AMBIGUOUS else "")
            problems.append(f"`{name}`: {len(ids):,} examples begin so: {shown}")
    fix = "give more digits; ids stand in the label files and in what `tacit lint` and `tacit compile` say"
    raise_all(problems, heading=f"expected the ids of examples - at `{directory / LABELS}`", fix=fix, most=100)
    return {name: next(iter(ids.values())) for name, ids in found.items()}


def _may_hold(file: LabelFile, names: Collection[str]) -> bool:
    stem = file.path.stem
    return file.kind == "chunks" or not _SHARD.fullmatch(stem) or any(name.startswith(stem) or stem.startswith(name) for name in names)


def _twice(example: Located) -> Iterator[str]:
    """Name the sources that hold an example twice, as after a merge that was resolved by keeping both lines: neither counts."""
    seen: dict[tuple[str, bool], Entry] = {}
    for entry in example.entries:
        earlier = seen.setdefault((entry.file.source, entry.file.kind == "edits"), entry)
        repeated = entry.file.kind in ("edits", "opinions") and same_label(earlier.record.label, entry.record.label)  # by git's union
        if earlier is not entry and not repeated:
            where = f"also at {earlier.file.shown}:{earlier.line}"
            yield f"{entry.file.shown}:{entry.line}: example {example.id} stands in `{entry.file.source}` twice, {where}"


def _search(directory: Path, files: Sequence[LabelFile], names: Collection[str]) -> dict[str, dict[str, Located]]:
    whole = {name for name in names if len(name) == ID_LENGTH}
    begun = [name for name in names if len(name) != ID_LENGTH]
    problems: list[str] = []
    found: dict[str, Located] = {}
    for file in files:
        lines = read_file(directory, file, problems, names=names)
        for record, number in zip(lines.records, lines.numbers, strict=True):
            found.setdefault(record.id, Located(record.id)).entries.append(Entry(file, number, record))
    problems += [problem for example in found.values() for problem in _twice(example)]
    fix = "resolve the places named; every record is one line of JSON with an empty line after it"
    raise_all(problems, heading=f"expected sound labels - at `{directory / LABELS}`", fix=fix, most=100)
    introduced = {name: example for name, example in found.items() if any(entry.file.kind != "opinions" for entry in example.entries)}
    answer = {name: {name: introduced[name]} if name in introduced else {} for name in whole}
    for name in begun:
        answer[name] = {key: example for key, example in introduced.items() if name and key.startswith(name)}
    return {name: answer[name] for name in names}


def relabel(directory: Path, wanted: Mapping[str, Any], *, by: str | None = None) -> list[Relabelled]:
    """Give examples other labels; `wanted` maps an id, or the beginning of one, to a label as it is stored.

    Without `by` the label is settled: it is written into the record that introduced the example, and every other opinion about it
    is taken away. With `by` it is recorded as that annotator's opinion. Whoever calls this holds the lock (`writing`).

    Each file is replaced whole; after a crash in between, the same call does what is left.
    Raises: InputError naming every id that is unknown or ambiguous, or given twice with different labels, before anything is written.
    """
    located = locate(directory, wanted)
    labels: dict[str, Any] = {}
    problems = []
    for name, example in located.items():
        if not same_label(labels.setdefault(example.id, wanted[name]), wanted[name]):
            problems.append(f"`{name}`: example {example.id} is given two labels")
    raise_all(problems, heading="expected one label for each example")
    plan = _Plan(directory, len(located))
    examples = {example.id: example for example in located.values()}
    if by is None:
        done = [plan.settle(example, labels[name]) for name, example in examples.items()]
    else:
        done = [plan.record(example, labels[name], annotator_source(by)) for name, example in examples.items()]
    plan.carry_out()
    return [replace(item, line=plan.line_of(item)) for item in done]


class _Plan:
    """What is to be written, file by file."""

    def __init__(self, directory: Path, count: int) -> None:
        self.directory = directory
        self.digits = 1 if count < _MANY else 2
        self.changed: dict[Path, dict[int, Record | None]] = {}
        self.ids: dict[Path, dict[int, str]] = {}
        self.added: dict[Path, list[Record]] = {}
        self.removed: dict[Path, dict[int, Record | None]] = {}
        self.moved: set[Path] = set()
        self.lines: dict[Path, dict[str, int]] = {}

    def settle(self, example: Located, label: Any) -> Relabelled:
        opinions = example.opinions()
        self._drop_repeated(example, opinions)
        first = next(entry.file.source for entry in example.entries if entry.file.kind != "opinions")
        before = _before(opinions)
        said = opinions[first]
        changed = False
        others = []
        for source, entry in opinions.items():
            if source == first or entry.file.kind in ("chunks", "edits"):  # what stands in a chunk can't be taken away
                agrees = same_label(entry.record.label, label)
                place = entry if agrees else self._put(entry, label)
                changed |= not agrees
                if source == first:
                    said = place
            else:
                self._note(self.removed, entry, None)
                others.append(source)
        return Relabelled(example.id, before, label, first, said.file.shown, said.line, tuple(others), changed or bool(others))

    def record(self, example: Located, label: Any, source: str) -> Relabelled:
        opinions = example.opinions()
        self._drop_repeated(example, {source: opinions[source]} if source in opinions else {})
        before = _before(opinions)
        entry = opinions.get(source)
        if entry is not None:
            changed = not same_label(entry.record.label, label)
            if changed:
                self._note(self.changed, entry, replace(entry.record, label=label))
            return Relabelled(example.id, before, label, source, entry.file.shown, entry.line, (), changed)
        path = shard_for(self.directory / LABELS / source, example.id, digits=self.digits)
        self.added.setdefault(path, []).append(Record(example.id, label))
        return Relabelled(example.id, before, label, source, path.relative_to(self.directory).as_posix(), 0, (), True)

    def _put(self, entry: Entry, label: Any) -> Entry:
        """Write a label over a record, or beside the chunk that the record stands in."""
        if entry.file.kind != "chunks":
            record = entry.record if entry.file.kind != "edits" else Record(entry.record.id, label)
            self._note(self.changed, entry, replace(record, label=label))
            return entry
        folder = entry.file.path.parent / EDITS
        path = shard_for(folder, entry.record.id, digits=2)
        self.added.setdefault(path, []).append(Record(entry.record.id, label))
        return Entry(LabelFile(path, path.relative_to(self.directory).as_posix(), entry.file.source, "edits"), 0, entry.record)

    def _drop_repeated(self, example: Located, opinions: Mapping[str, Entry]) -> None:
        """Take away lines that say the same as the one that is edited now: git's union of two branches may leave such."""
        for entry in example.entries:
            counts = opinions.get(entry.file.source, entry)
            if counts is not entry and entry.file.kind in ("edits", "opinions"):
                self._note(self.removed, entry, None)

    def _note(self, where: dict[Path, dict[int, Record | None]], entry: Entry, record: Record | None) -> None:
        where.setdefault(entry.file.path, {})[entry.line] = record
        self.ids.setdefault(entry.file.path, {})[entry.line] = entry.record.id

    def carry_out(self) -> None:
        """Write what is said before taking away what it settles: after a crash in between nothing is lost.

        A file in which lines are changed and others taken away is written once, with the changes.
        """
        if self.added:
            write_attributes(self.directory)
        self.moved = {*self.added, *self.removed}
        for path, edits in self.changed.items():
            edit_lines(path, edits | self.removed.pop(path, {}), ids=self.ids[path])
        for path, records in self.added.items():
            insert_records(path, records)
        for path, edits in self.removed.items():
            edit_lines(path, edits, ids=self.ids[path])

    def line_of(self, item: Relabelled) -> int:
        """Give the line of what was written; what was added or taken away before it has moved it."""
        path = self.directory / item.file
        if path not in self.moved:
            return item.line
        if path not in self.lines:
            pairs = ((found[1].decode(), row) for row, line in enumerate(path.read_bytes().split(b"\n"), 1) if (found := ID.search(line)))
            self.lines[path] = dict(pairs)
        return self.lines[path].get(item.id, item.line)


def _before(opinions: Mapping[str, Entry]) -> Any:
    """Give the label in force, None when there is none."""
    return in_force({source: entry.record.label for source, entry in opinions.items()})[1]
