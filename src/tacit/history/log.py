"""The history of one example, and of the labels as a whole: commit by commit, who, when, which pull request, from what to what."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tacit.examples.label_files import LABELS
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import InputError
from tacit.history.authorship import Written, find_places, iso_date, pull_requests, request_in
from tacit.history.change import Change
from tacit.history.finding_changes import changes_between, changes_of
from tacit.history.git import Blobs, Entry, Repository, find_repository
from tacit.history.lines import find_lines, is_labels, may_hold, parse, source_of, split_lines

_FORMAT = "--format=%x01%H%x00%P%x00%an%x00%ae%x00%ad%x00%s"


@dataclass(frozen=True, slots=True)
class Event:
    """One commit's change of one example. written: who, when, where; before, after: the labels, None where there is no record."""

    written: Written
    kind: str  # as of a `Change`
    before: Any
    after: Any

    @property
    def source(self) -> str:
        """The import or annotator whose record changed."""
        return source_of(self.written.file)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {"kind": self.kind, "before": self.before, "after": self.after, "source": self.source, **self.written.to_json()}


@dataclass(frozen=True, slots=True)
class Step:
    """One commit that changed labels. counts: kind of change -> how many; moves: (before, after) of relabels -> how many."""

    written: Written
    counts: dict[str, int]
    moves: dict[tuple[Any, Any], int]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        moves = [{"before": before, "after": after, "count": count} for (before, after), count in self.moves.items()]
        return {**self.written.to_json(), "counts": self.counts, "relabelled": moves}


def example_log(directory: Path, example: str, revision: str | None = None) -> tuple[str, list[Event]]:
    """Give the full id of an example and what commits did to it, newest first; edits that are not committed come before all.

    example: its id or a beginning of one that no other has. It is followed from file to file. revision: where to begin; None is the
    working tree.
    Raises: InputError for an id that was never there; UnknownName for a revision that is not known.
    """
    repository = find_repository(directory)
    example = example.strip().lower()
    name = example if len(example) == ID_LENGTH else _complete(repository, example, revision)
    events = list(_events(repository, name, repository.commit(revision) if revision else repository.head))
    if revision is None and repository.head is not None:
        changes, _ = changes_between(repository, "HEAD", None)
        own = [change for change in changes if change.id == name]
        events = [Event(_uncommitted(change), change.kind, change.before, change.after) for change in own] + events
    elif revision is None:
        found = find_places(repository, [name])
        events = [Event(Written(None, "", "", "", "", None, file, line), "added", None, None) for file, line in found.get(name, [])]
    if not events:
        fix = "give the id as it stands in the label files; `tacit labels diff` shows ids, too"
        raise InputError(f"expected an example with a history, got `{example}` - at `{repository.directory / LABELS}`", fix=fix)
    requests = pull_requests(repository, {event.written.commit for event in events if event.written.commit}, revision)
    return name, [replace(event, written=_with_request(event.written, requests)) for event in events]


def _uncommitted(change: Change) -> Written:
    return Written(None, "", "", "", "", None, change.file, change.line)


def _with_request(written: Written, requests: dict[str, int]) -> Written:
    number = written.pull_request if written.pull_request is not None else requests.get(written.commit or "")
    return replace(written, pull_request=number)


def _complete(repository: Repository, begin: str, revision: str | None) -> str:
    """Give the one id that begins so. Raises: InputError."""
    matches: set[str] = set()
    if begin and begin.strip("0123456789abcdef") == "":
        matches = set(_beginning(repository, begin, revision))
    if len(matches) == 1:
        return matches.pop()
    many = f"{len(matches):,} examples begin so" if matches else "no example begins so"
    fix = "give more digits" if matches else f"give all {ID_LENGTH} digits for an example that was removed"
    raise InputError(f"expected the id of an example, got `{begin}`: {many} - at `{repository.directory / LABELS}`", fix=fix)


def _beginning(repository: Repository, begin: str, revision: str | None) -> Iterator[str]:
    key = b'"' + begin.encode()
    under = repository.path(LABELS)

    def ids(content: bytes) -> Iterator[str]:
        at = content.find(key)
        while at >= 0:
            end = content.find(b'"', at + 1)
            if end - at == ID_LENGTH + 1:
                yield content[at + 1 : end].decode("ascii", "replace")
            at = content.find(key, at + 1)

    if revision is None:
        for path in dict.fromkeys([*repository.tracked(under), *repository.untracked(under)]):
            if is_labels(path) and _begins(path, begin):
                yield from ids((repository.root / path).read_bytes() if (repository.root / path).is_file() else b"")
        return
    listing = {
        path: name
        for path, name in repository.files(repository.commit(revision), under).items()
        if is_labels(path) and _begins(path, begin)
    }
    with repository.blobs() as blobs:
        for content in blobs.read_many(listing.values()):
            yield from ids(content)


def _begins(path: str, begin: str) -> bool:
    """Say whether a shard may hold ids that begin so: its own name is a beginning, of two digits at the most."""
    stem = path.rpartition("/")[2].partition(".")[0]
    return may_hold(path, begin) or stem.startswith(begin)


def _events(repository: Repository, name: str, tip: str | None) -> Iterator[Event]:
    """Walk the commits that touched shards which may hold the example; compare its lines before and after each."""
    if tip is None:
        return
    with repository.blobs() as blobs:
        for written, parents, entries in _commits(repository, tip):
            mine = [entry for entry in entries if is_labels(entry.path) and may_hold(entry.path, name)]
            if not mine:
                continue
            for change in _changes_of_one(repository, blobs, mine, name):
                if len(parents) > 1 and _as_in_a_parent(repository, blobs, change, name, parents):
                    continue  # the merge brought it from that side, where a commit of its own says so
                yield Event(replace(written, file=change.file, line=change.line), change.kind, change.before, change.after)


def _changes_of_one(repository: Repository, blobs: Blobs, entries: list[Entry], name: str) -> list[Change]:
    """Give what entries changed about one example, its line being the only one that is read."""
    changes, _ = changes_of(repository, _Narrowed(blobs, name), entries)
    return [change for change in changes if change.id == name]


class _Narrowed(Blobs):
    """Gives contents in which only the lines about one example are left, the others being empty."""

    def __init__(self, blobs: Blobs, name: str) -> None:
        super().__init__(blobs.root)
        self._inner, self._name = blobs, name

    def read_many(self, names: Any) -> Iterator[bytes]:
        """Give the contents, narrowed."""
        for content in self._inner.read_many(names):
            lines = [b""] * (content.count(b"\n") + 1)
            for _, number, line in find_lines(content, [self._name]):
                lines[number - 1] = line
            yield b"\n".join(lines)


def _as_in_a_parent(repository: Repository, blobs: Blobs, change: Change, name: str, parents: list[str]) -> bool:
    """Say whether another parent of a merge has the example as the merge has it."""
    for parent in parents[1:]:
        path = repository.path(change.file)
        content = repository.run("cat-file", "blob", f"{parent}:{path}", codes=(0, 128))
        lines = [line for _, _, line in find_lines(content, [name])]
        records = [parse(line, "", []) for line in lines]
        if (change.new is None and not records) or (change.new is not None and change.new in records):
            return True
    return False


def _commits(repository: Repository, tip: str) -> Iterator[tuple[Written, list[str], list[Entry]]]:
    """Give the commits that touched labels, newest first, with their parents and files; a merge against its first parent."""
    under = repository.path(LABELS)
    flags = ("--raw", "-z", "--no-renames", "--no-abbrev", "--diff-merges=first-parent", "--full-history", "--date=raw", _FORMAT)
    for block in repository.run("log", *flags, tip, "--", under).split(b"\x01")[1:]:
        head, _, raw = block.partition(b":")
        commit, parents, author, email, date, subject = head.rstrip(b"\0\n").decode("utf-8", "replace").split("\0")[:6]
        seconds, _, zone = date.partition(" ")
        subject = subject.strip("\n")
        written = Written(commit, author, email, iso_date(int(seconds), zone), subject, request_in(subject), "", 0)
        yield written, parents.split(), _raw(b":" + raw) if raw else []


def _raw(listing: bytes) -> list[Entry]:
    words = listing.strip(b"\n").split(b"\0")
    found = []
    for about, path in zip(words[::2], words[1::2], strict=False):
        fields = about.decode().strip("\n").lstrip(":").split(" ")
        if len(fields) == 5:
            before, after = (None if not name.strip("0") else name for name in fields[2:4])
            found.append(Entry(os.fsdecode(path), before, after, fields[4], fields[1]))
    return found


def labels_log(directory: Path, *, most: int | None = 20, revision: str | None = None) -> list[Step]:
    """Give the commits that changed labels, newest first, at most so many, with what each changed.

    Merges are left out: what they bring in is listed under the commits that made it.

    Raises: UnknownName for a revision that is not known.
    """
    repository = find_repository(directory)
    tip = repository.commit(revision) if revision else repository.head
    steps: list[Step] = []
    if tip is None:
        return steps
    with repository.blobs() as blobs:
        for written, parents, entries in _commits(repository, tip):
            if most is not None and len(steps) == most:
                break
            if len(parents) > 1:
                continue
            mine = [entry for entry in entries if is_labels(entry.path)]
            if mine:
                steps.append(_step(repository, blobs, written, mine))
    requests = pull_requests(repository, {step.written.commit for step in steps if step.written.commit}, revision)
    return [replace(step, written=_with_request(step.written, requests)) for step in steps]


def _step(repository: Repository, blobs: Blobs, written: Written, entries: list[Entry]) -> Step:
    if all(entry.before is None for entry in entries):  # an import: no need to read each of its records
        contents = blobs.read_many(entry.after for entry in entries if entry.after)
        return Step(written, {"added": sum(1 for content in contents for line in split_lines(content) if line.strip())}, {})
    changes, _ = changes_of(repository, blobs, entries)
    counts = Counter(f"opinions {change.kind}" if change.annotator else change.kind for change in changes)
    moves = Counter((_key(change.before), _key(change.after)) for change in changes if change.kind == "relabelled" and not change.annotator)
    return Step(written, dict(counts), dict(moves.most_common()))


def _key(label: Any) -> Any:
    return tuple(label) if isinstance(label, list) else label
