"""Conflicts of a merge as a person sees them: both labels, who wrote each; and how they are left side by side."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from tacit.examples.label_files import ANNOTATORS, LABELS
from tacit.history.authorship import Written, blame_lines
from tacit.history.git import Repository
from tacit.history.lines import annotator_of, find_lines, parse, source_of
from tacit.history.three_way import Conflict, Merge, Place, Versions

_BLAMED = 200  # conflicts whose authors are looked up for a list; nobody reads more of them one by one


@dataclass(frozen=True)
class Clash:
    """One example about which two sides contradict each other.

    base, ours, theirs: the labels; None where there is no record. fields: in what; none when one side removed the example.
    """

    id: str
    file: str
    base: Any
    ours: Any
    theirs: Any
    fields: tuple[str, ...]
    ours_by: Written | None = None
    theirs_by: Written | None = None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        written = {name: who.to_json() for name, who in (("ours_by", self.ours_by), ("theirs_by", self.theirs_by)) if who}
        values = {"id": self.id, "file": self.file, "base": self.base, "ours": self.ours, "theirs": self.theirs}
        return {**values, "fields": list(self.fields), **written}


def describe(repository: Repository, conflicts: Iterable[Conflict], ours: str | None, theirs: str | None) -> list[Clash]:
    """Give conflicts with their labels; the first few hundred also with who wrote them.

    repository: with the prefix of the program directory that they are in. ours, theirs: the commits, None where there is none.
    """
    found = list(conflicts)
    mine = _authors(repository, [item.ours for item in found[:_BLAMED]], ours)
    other = _authors(repository, [item.theirs for item in found[:_BLAMED]], theirs)
    return [
        Clash(
            item.id,
            repository.path(item.file),
            _label(item.base),
            _label(item.ours),
            _label(item.theirs),
            item.fields,
            mine.get((item.ours.file, item.ours.number)) if item.ours else None,
            other.get((item.theirs.file, item.theirs.number)) if item.theirs else None,
        )
        for item in found
    ]


def _authors(repository: Repository, places: Iterable[Place | None], commit: str | None) -> dict[tuple[str, int], Written]:
    if commit is None:
        return {}
    return blame_lines(repository, {(place.file, place.number) for place in places if place is not None}, commit)


def _label(place: Place | None) -> Any:
    record = parse(place.text, "", []) if place is not None else None
    return record.label if record is not None else None


def keep_both(
    repository: Repository, merge: Merge, *, ours: str | None, theirs: str | None, branch: str, read: Callable[[str], bytes]
) -> tuple[list[Clash], list[str]]:
    """Leave the labels of both sides side by side: theirs become opinions of whoever wrote them. Give what was kept, and the sources.

    The source is ``by/<author>``; ``by/<branch>`` where the same person wrote both, or has another opinion on record.
    read: the content of a file (named from the program directory) on our side, empty when there is none.
    """
    conflicts = list(merge.conflicts)
    mine = _authors(repository, [item.ours for item in conflicts], ours)
    other = _authors(repository, [item.theirs for item in conflicts], theirs)
    kept, sources = [], set()
    for conflict in conflicts:
        clash = describe(repository, [conflict], None, None)[0]
        one = mine.get((conflict.ours.file, conflict.ours.number)) if conflict.ours else None
        two = other.get((conflict.theirs.file, conflict.theirs.number)) if conflict.theirs else None
        clash = replace(clash, ours_by=one, theirs_by=two)
        named = [two.author] if two is not None and two.author and (one is None or one.author != two.author) else []
        file = _free(merge, conflict, [*named, branch], read)
        if merge.keep_both(conflict, file):
            kept.append(clash)
            if conflict.ours and conflict.theirs:
                sources.add(source_of(file))
    return kept, sorted(sources)


def _free(merge: Merge, conflict: Conflict, names: list[str], read: Callable[[str], bytes]) -> str:
    """Give the file of the first annotator among the names who has no opinion on the example yet."""
    taken = {annotator_of(source_of(place.file)) for place in (conflict.ours, conflict.theirs) if place}
    numbered = [f"{names[-1]} {number}" for number in range(2, 100)]
    file = ""
    for name in map(slug, [*names, *numbered]):
        folder = f"{LABELS}/{ANNOTATORS}/{name}"
        shards = [f"{folder}/{conflict.id[:digits] or 'all'}.jsonl" for digits in (0, 1, 2)]  # an annotator's file has any of these names
        for shard in shards:
            if shard not in merge.files:
                content = read(shard) or None
                merge.files[shard] = Versions(content, content, content)
        there = [shard for shard in shards if merge.files[shard].ours or merge.files[shard].theirs]
        file = there[0] if there else shards[1]
        standing = [content for shard in there for content in (merge.files[shard].ours, merge.files[shard].theirs) if content]
        if name not in taken and not any(True for content in standing for _ in find_lines(content, [conflict.id])):
            break
    return file


def slug(name: str) -> str:
    """Make the name of a folder from the name of a person or branch.

    >>> slug("Ann-Marie O'Hara"), slug("origin/fix cats"), slug("安")
    ('ann-marie-o-hara', 'origin-fix-cats', '安')
    """
    return re.sub(r"[^\w.-]+", "-", name.strip().lower()).strip("-.")[:64] or "unknown"
