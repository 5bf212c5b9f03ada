"""Who wrote a label, when, and in which commit and pull request."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from tacit.examples.label_files import LABELS
from tacit.history.finding_changes import working_content
from tacit.history.git import GitFailed, Repository, find_repository
from tacit.history.lines import annotator_of, find_lines, is_labels, may_hold, source_of

#: How a subject names its pull request: squashed `Relabel cats (#12)`, merged `Merge pull request #12 from ann/cats`, GitLab's `!12`.
_PULL_REQUEST = re.compile(r"\(([#!])(\d+)\)\s*$|^Merge pull request (#)(\d+)\b|See merge request \S*(!)(\d+)")
_SHORT = 10


@dataclass(frozen=True, slots=True)
class Written:
    """Who wrote a line. commit: None while the edit is not committed. date: ISO 8601 with the author's time zone."""

    commit: str | None
    author: str
    email: str
    date: str
    subject: str
    pull_request: int | None
    file: str
    line: int

    def __str__(self) -> str:
        if self.commit is None:
            return "not committed yet"
        request = f" (#{self.pull_request})" if self.pull_request and f"#{self.pull_request}" not in self.subject else ""
        return f"{self.author}, {self.date[:10]}, {self.commit[:_SHORT]} {self.subject}{request}"

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {name: getattr(self, name) for name in self.__slots__}


def who_wrote(directory: Path, ids: Iterable[str], revision: str | None = None) -> dict[str, Written]:
    """Say for each example who last wrote its record in the import that introduced it; an example that is not there is left out.

    revision: None for the working tree, where an edit that is not committed says so. Runs `git blame` on the lines needed only.
    Raises: UnknownName for a revision that is not known; TacitError outside of a repository.
    """
    repository = find_repository(directory)
    places = find_places(repository, ids, revision)
    first = {name: min(found, key=lambda place: (annotator_of(source_of(place[0])) is not None, place)) for name, found in places.items()}
    written = blame_lines(repository, set(first.values()), revision)
    return {name: written[place] for name, place in first.items() if place in written}


def find_places(repository: Repository, ids: Iterable[str], revision: str | None = None) -> dict[str, list[tuple[str, int]]]:
    """Find every ``(file, line)`` at which examples stand, opinions included; reads only the shards that may hold them."""
    wanted = set(ids)
    under = repository.path(LABELS)
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)

    def look(file: str, names: set[str], content: bytes) -> None:
        for name, number, _ in find_lines(content, names):
            found[name].append((file, number))

    if revision is None:
        for path in dict.fromkeys([*repository.tracked(under), *repository.untracked(under)]):
            if names := _wanted_in(repository.relative(path), wanted):
                look(repository.relative(path), names, working_content(repository, path))
        return dict(found)
    listing = repository.files(repository.commit(revision), under)
    asked = {path: names for path in listing if (names := _wanted_in(repository.relative(path), wanted))}
    with repository.blobs() as blobs:
        for (path, names), content in zip(asked.items(), blobs.read_many(listing[path] for path in asked), strict=True):
            look(repository.relative(path), names, content)
    return dict(found)


def _wanted_in(file: str, wanted: set[str]) -> set[str]:
    return {name for name in wanted if may_hold(file, name)} if is_labels(file) else set()


def blame_lines(repository: Repository, places: Iterable[tuple[str, int]], revision: str | None = None) -> dict[tuple[str, int], Written]:
    """Say who wrote each ``(file, line)``; one `git blame` per file, two at a time."""
    by_file: dict[str, list[int]] = defaultdict(list)
    for file, line in places:
        by_file[file].append(line)
    commit = None if revision is None else repository.commit(revision)

    def blame(file: str) -> dict[tuple[str, int], Written]:
        return _blame(repository, file, sorted(by_file[file]), commit)

    written: dict[tuple[str, int], Written] = {}
    with ThreadPoolExecutor(max_workers=max(1, min(4, os.cpu_count() or 1))) as pool:
        for part in pool.map(blame, sorted(by_file)):
            written.update(part)
    requests = pull_requests(repository, {item.commit for item in written.values() if item.commit and item.pull_request is None}, revision)
    return {place: replace(item, pull_request=requests.get(item.commit or "", item.pull_request)) for place, item in written.items()}


def _blame(repository: Repository, file: str, lines: list[int], commit: str | None) -> dict[tuple[str, int], Written]:
    ranges = [word for line in lines for word in ("-L", f"{line},{line}")]
    try:
        text = repository.run("blame", "--porcelain", *ranges, *([commit] if commit else []), "--", repository.path(file))
    except GitFailed as error:
        if commit is None and ("no such path" in error.said or "no such ref" in error.said):  # a file, or a repository, without a commit
            return {(file, line): _uncommitted(file, line) for line in lines}
        raise
    about: dict[str, dict[str, str]] = {}
    written = {}
    current, number = "", 0
    for row in text.decode("utf-8", "replace").split("\n"):
        if row.startswith("\t"):
            written[file, number] = _written(current, about[current], file, number)
        elif found := re.match(r"([0-9a-f]{40,64}) \d+ (\d+)", row):
            current, number = found.group(1), int(found.group(2))
            about.setdefault(current, {})
        elif row:
            key, _, value = row.partition(" ")
            about[current][key] = value
    return written


def _uncommitted(file: str, line: int) -> Written:
    return Written(None, "", "", "", "", None, file, line)


def _written(commit: str, about: Mapping[str, str], file: str, line: int) -> Written:
    if not commit.strip("0"):
        return _uncommitted(file, line)
    subject = about.get("summary", "")
    date = iso_date(int(about.get("author-time", 0)), about.get("author-tz", "+0000"))
    return Written(
        commit, about.get("author", ""), about.get("author-mail", "").strip("<>"), date, subject, request_in(subject), file, line
    )


def iso_date(seconds: int, zone: str) -> str:
    """Write a time as ISO 8601 in the author's own time zone.

    >>> iso_date(0, "+0530")
    '1970-01-01T05:30:00+05:30'
    """
    sign = -1 if zone.startswith("-") else 1
    digits = zone.lstrip("+-").rjust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return datetime.fromtimestamp(seconds, UTC).astimezone(timezone(sign * offset)).isoformat()


def request_in(subject: str) -> int | None:
    """Give the number of the pull request that the subject of a commit names.

    >>> request_in("Relabel cats (#12)"), request_in("Merge pull request #7 from ann/cats"), request_in("Fix #3")
    (12, 7, None)
    """
    found = _PULL_REQUEST.search(subject)
    return next((int(text) for text in found.groups() if text and text.isdigit()), None) if found else None


def pull_requests(repository: Repository, commits: Iterable[str], revision: str | None = None) -> dict[str, int]:
    """Give the pull request that brought each commit in: the merge on the main line that names one; others are left out.

    Walks the main line (first parents) from the oldest commit on; what a merge reaches that was not reached before is its own.
    """
    wanted = set(commits)
    tip = repository.head if revision is None else repository.commit(revision)
    if not wanted or tip is None:
        return {}
    if not repository.run("rev-list", "--merges", "--max-count=1", tip):
        return {}
    parents: dict[str, list[str]] = {}
    subjects: dict[str, str] = {}
    for row in repository.run("log", "--format=%H%x00%P%x00%s", tip).decode("utf-8", "replace").splitlines():
        name, line, subject = row.split("\0", 2)
        parents[name], subjects[name] = line.split(), subject
    brought: dict[str, int | None] = {}

    def first_parents(name: str) -> list[str]:
        """Give the first parents of a commit that were not reached yet, oldest first."""
        found = []
        while name in parents and name not in brought:
            found.append(name)
            name = parents[name][0] if parents[name] else ""
        return found[::-1]

    # A stack of (line, where in it, the request that brings it): lines within lines, without recursion.
    stack: list[tuple[list[str], int, int | None]] = [(first_parents(tip), 0, None)]
    while stack:
        names, at, request = stack.pop()
        while at < len(names):
            own = request_in(subjects[names[at]]) or request
            side = next((found for parent in parents[names[at]][1:] if (found := first_parents(parent))), None)
            if side is not None:  # what the merge brings comes first, then the merge itself
                stack += [(names, at, request), (side, 0, own)]
                break
            brought[names[at]] = own
            at += 1
    return {name: request for name in wanted if (request := brought.get(name)) is not None}
