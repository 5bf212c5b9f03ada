"""Merge label files three ways by example id, whatever the lines around a record are.

A side's *delta* is what it changed since the base, record by record: found by comparing lines, and parsed only where both
sides changed the same record. What one side alone changed is applied to the other's files in place; what both changed is merged
field by field; what then still contradicts is a conflict of that example.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import le
from typing import Any

from tacit.examples.label_files import EDITS, LABELS
from tacit.examples.records import Record, same_label
from tacit.history.lines import annotator_of, differing, id_of, parse, source_of, split_lines

_FEW = 100  # edits of a file that are made one by one: faster than line by line up to some hundreds

#: A record's name in a merge: its source (the folder below `labels/`) and the id of its example.
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """A line of one version: file, number from 1 on, text."""

    file: str
    number: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """What one side did to one record: where it stood in the base and where it stands now; None where it doesn't."""

    old: Place | None
    new: Place | None


@dataclass(frozen=True, slots=True)
class Versions:
    """The contents of one file in the base, on our side and on theirs; None where the file is not there."""

    base: bytes | None
    ours: bytes | None
    theirs: bytes | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """One example about which the sides contradict each other.

    fields: in what, the `label`, the `split` ...; none when one side removed what the other changed, or has an opinion about.
    """

    id: str
    base: Place | None
    ours: Place | None
    theirs: Place | None
    fields: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        """A file that the conflict is in."""
        place = self.ours or self.theirs or self.base
        return place.file if place else ""


@dataclass
class _Edits:
    """What is to be done to one file of ours."""

    replaced: dict[bytes, bytes] = field(default_factory=dict)
    removed: set[bytes] = field(default_factory=set)
    added: list[bytes] = field(default_factory=list)


class Merge:
    """What theirs changed, taken over into ours.

    conflicts: examples about which the sides contradict each other; ours stands until one is decided. taken: how many records of
    theirs were taken over. problems: changed lines that are no records, by place; with any there is nothing else.
    """

    def __init__(self, files: Mapping[str, Versions], *, packed: Collection[str] = (), packing: Collection[str] = ()) -> None:
        """packed, packing: imports whose records we, or they, moved from text into chunks since the base."""
        self.files = dict(files)
        self._packed, self._packing = frozenset(packed), frozenset(packing)
        self.conflicts: list[Conflict] = []
        self.taken = 0
        self.problems: list[str] = []
        self._edits: defaultdict[str, _Edits] = defaultdict(_Edits)
        self._own: set[str] = set()  # files in which what comes out is not just what theirs has
        ours = _delta(((file, item.base, item.ours) for file, item in files.items()), "ours", self.problems)
        theirs = _delta(((file, item.base, item.theirs) for file, item in files.items()), "theirs", self.problems)
        if not self.problems:
            self._merge(ours, theirs)
            self.conflicts.sort(key=lambda conflict: (conflict.id, conflict.file))

    def _merge(self, ours: Mapping[Key, Step], theirs: Mapping[Key, Step]) -> None:
        by_us, by_them = _removed(ours), _removed(theirs)
        opinions = {name: step.new for (source, name), step in ours.items() if annotator_of(source) and step.new}
        for key, step in theirs.items():
            mine = ours.get(key)
            source, name = key
            if mine is not None:
                self._own.update(place.file for place in (step.old, step.new, mine.old, mine.new) if place)
                conflict = self._both(key, mine, step)
            elif annotator_of(source) and step.new is not None and name in by_us:
                conflict = Conflict(name, ours[by_us[name]].old, None, step.new)
            elif step.new is None and by_them.get(name) == key and name in opinions:
                conflict = Conflict(name, step.old, opinions[name], None)
            else:
                self._apply(step.old, step.new)
                self.taken += 1
                continue
            if conflict is not None:
                self._own.update(place.file for place in (step.old, step.new) if place)
                self.conflicts.append(conflict)

    def _both(self, key: Key, mine: Step, step: Step) -> Conflict | None:
        """Merge a record that both sides changed into ours; give the conflict when that can't be done."""
        if mine.new is None and step.new is None:
            return None
        old = step.old or mine.old
        if mine.new is None or step.new is None:
            if step.new is not None and key[0] in self._packed:
                self._overlay(key, step.new)
            elif mine.new is not None and key[0] in self._packing:
                self._apply(mine.new, None)
                self._overlay(key, mine.new)
            else:
                return Conflict(key[1], old, mine.new, step.new)
            return None
        text = mine.new.text
        if text != step.new.text:
            base, one, other = (parse(place.text, _shown(place), self.problems) if place else None for place in (old, mine.new, step.new))
            if one is None or other is None or (old and base is None):
                return None  # said in `problems`
            merged, fields = _fields(base, one, other)
            if fields:
                return Conflict(key[1], old, mine.new, step.new, fields)
            text = merged.line().encode()
            self.taken += 1
        moved = step.old is not None and step.new.file != step.old.file and mine.old is not None and mine.new.file == mine.old.file
        self._apply(mine.new, Place(step.new.file if moved else mine.new.file, 0, text))
        return None

    def _overlay(self, key: Key, place: Place) -> None:
        """Write what one side changed in an import that the other side packed as an edit of that import."""
        record = parse(place.text, _shown(place), self.problems)
        if record is not None:
            file = f"{LABELS}/{key[0]}/{EDITS}/{record.id[:2]}.jsonl"
            self._apply(None, Place(file, 0, Record(record.id, record.label).line().encode()))
            self.taken += 1

    def unread(self) -> list[str]:
        """List files that get new lines and whose contents on our side are not known yet; they belong into `files`."""
        return sorted(self._edits.keys() - self.files.keys())

    def _apply(self, old: Place | None, new: Place | None) -> None:
        if old is not None and new is not None and old.file == new.file:
            if old.text != new.text:
                self._edits[old.file].replaced[old.text] = new.text
            return
        if old is not None:
            self._edits[old.file].removed.add(old.text)
        if new is not None:
            self._edits[new.file].added.append(new.text)

    def decide(self, conflict: Conflict, line: bytes | None) -> None:
        """Settle a conflict: `line` stands where the record stood, None removes it."""
        place = conflict.ours or conflict.theirs or conflict.base
        self._apply(conflict.ours, Place(place.file, 0, line) if place and line is not None else None)
        self.conflicts.remove(conflict)

    def keep_both(self, conflict: Conflict, file: str) -> bool:
        """Settle a conflict without losing a label; False when that can't be done (the sides differ in the split or group).

        Ours stays and theirs becomes an opinion in `file`. What one side removed and the other changed stays as it was changed.
        """
        ours, theirs = conflict.ours, conflict.theirs
        if ours is not None and theirs is not None:
            if conflict.fields != ("label",):
                return False
            base, one, other = (parse(place.text, _shown(place), []) if place else None for place in (conflict.base, ours, theirs))
            if one is None or other is None:
                return False
            self._apply(ours, Place(ours.file, 0, _fields(base, one, other)[0].line().encode()))
            self._apply(None, Place(file, 0, Record(other.id, other.label).line().encode()))
        elif theirs is not None:
            self._apply(None, theirs)
            if annotator_of(source_of(theirs.file)) and conflict.base is not None:  # an opinion needs the example that it is about
                self._apply(None, conflict.base)
        self.conflicts.remove(conflict)
        return True

    def contents(self) -> dict[str, bytes | None]:
        """Give every file whose content differs from ours, as it is after the merge; None to remove it."""
        found: dict[str, bytes | None] = {}
        for file in self.files.keys() | self._edits.keys():
            item = self.files.get(file, Versions(None, None, None))
            if file not in self._edits and (item.ours != item.base or item.base == item.theirs):
                continue
            plain = item.ours == item.base and file not in self._own and item.base != item.theirs
            content = item.theirs if plain else _edited(item.ours, self._edits[file])
            if content != item.ours:
                found[file] = content
        return found


def _shown(place: Place) -> str:
    return f"{place.file}:{place.number}"


def _delta(files: Iterable[tuple[str, bytes | None, bytes | None]], side: str, problems: list[str]) -> dict[Key, Step]:
    """Give what a side changed; a record that left one import for another keeps its key."""
    gone: dict[Key, Place] = {}
    came: dict[Key, Place] = {}
    for file, base, now in files:
        if base == now:
            continue
        old, new = differing(base or b"", now or b"")
        _gather(gone, file, old, "the base", [])
        _gather(came, file, new, side, problems)
    steps = {key: Step(place, came.get(key)) for key, place in gone.items()}
    left = {key[1]: key for key, step in steps.items() if step.new is None and annotator_of(key[0]) is None}
    for key, place in came.items():
        if key in gone:
            continue
        if annotator_of(key[0]) is None and key[1] in left:
            origin = left.pop(key[1])
            steps[origin] = replace(steps[origin], new=place)
        else:
            steps[key] = Step(None, place)
    return steps


def _gather(into: dict[Key, Place], file: str, lines: Iterable[tuple[int, bytes]], side: str, problems: list[str]) -> None:
    source = source_of(file)
    for number, text in lines:
        name = id_of(text)
        if name is None or text[:1] != b"{":
            parse(text, f"{file}:{number} of {side}", problems)
            continue
        if (source, name) in into and into[source, name].text != text:
            problems.append(
                f"{file}:{number} of {side}: example {name} stands in `{source}` twice, also at line {into[source, name].number}"
            )
        into[source, name] = Place(file, number, text)


def _removed(delta: Mapping[Key, Step]) -> dict[str, Key]:
    """Give the examples that a side removed from the import which introduced them."""
    return {key[1]: key for key, step in delta.items() if step.new is None and annotator_of(key[0]) is None}


def _fields(base: Record | None, ours: Record, theirs: Record) -> tuple[Record, tuple[str, ...]]:
    """Merge two records field by field; give the fields that contradict."""
    values: dict[str, Any] = {}
    conflicting = []
    for name in ("label", "split", "group", "copy", "input"):
        mine, other = getattr(ours, name), getattr(theirs, name)
        before = getattr(base, name) if base else mine if name == "label" and same_label(mine, other) else None
        same = same_label if name == "label" else lambda one, two: one == two
        if same(mine, other) or same(before, other):
            values[name] = mine
        elif same(before, mine) and (base is not None or name != "label"):
            values[name] = other
        else:
            conflicting.append(name)
            values[name] = mine
    return Record(ours.id, **values), tuple(conflicting)


def _edited(content: bytes | None, edits: _Edits) -> bytes | None:
    """Apply edits to a file: in place where lines are only replaced; else records are put together anew, in the order of their ids."""
    if not edits.removed and not edits.added and len(edits.replaced) < _FEW and b"\r" not in (content or b""):
        text = b"\n" + (content or b"") + b"\n"
        for old, new in edits.replaced.items():
            text = text.replace(b"\n" + old + b"\n", b"\n" + new + b"\n")
        return text[1:-1]
    lines = split_lines(content or b"")
    if not edits.removed and not edits.added:
        return b"\n".join([edits.replaced.get(line, line) for line in lines])
    kept = [edits.replaced.get(line, line) for line in lines if line.strip() and line not in edits.removed]
    names = [id_of(line) or "" for line in kept]
    ordered = all(map(le, names, names[1:]))
    for line in sorted(edits.added, key=lambda text: id_of(text) or ""):
        name = id_of(line) or ""
        at = bisect_left(names, name) if ordered else len(names)
        names.insert(at, name)
        kept.insert(at, line)
    return b"\n\n".join(kept) + b"\n" if kept else None
