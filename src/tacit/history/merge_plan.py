"""What a merge would do, before anything is written: labels merged by example, other files taken over or merged as text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tacit.examples.label_files import CHUNKS, LABELS
from tacit.examples.media_lists import MEDIA_LIST, merge_lists
from tacit.ground.errors import raise_all
from tacit.history.conflicts import Clash, describe, keep_both
from tacit.history.git import FILE, Entry, Repository
from tacit.history.three_way import Merge, Versions
from tacit.history.working_tree import Blob, Staging

#: A path that holds records; the group is the prefix of its program directory.
LABEL_PATH = re.compile(rf"((?:.*?/)?){LABELS}/(?:.*/)?[^/.][^/]*\.jsonl")
#: A list of media, which merges by its lines.
_LIST_PATH = re.compile(rf"(?:.*/)?{LABELS}/[^/]+/{re.escape(MEDIA_LIST)}")
_MODULE = "160000"


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    state: `merged`, `fast-forward`, `up to date`, `staged` (without a commit), `conflict` (nothing was written).
    taken: records of theirs that came in. conflicts: undecided. kept: conflicts whose labels stand side by side now, theirs in the
    sources `opinions`. remaining: files that are no labels and conflict. files: how many were written.
    """

    branch: str
    state: str
    commit: str | None = None
    taken: int = 0
    files: int = 0
    conflicts: tuple[Clash, ...] = ()
    kept: tuple[Clash, ...] = ()
    opinions: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether nothing is left to decide."""
        return not self.conflicts and not self.remaining

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        values = {name: getattr(self, name) for name in ("branch", "state", "commit", "taken", "files")}
        lists = {name: [clash.to_json() for clash in getattr(self, name)] for name in ("conflicts", "kept")}
        return {**values, **lists, "opinions": list(self.opinions), "remaining": list(self.remaining)}


@dataclass
class Plan:
    """A merge before anything is written. merges: by the prefix of the program directory. Paths are from the repository's root."""

    merges: dict[str, Merge] = field(default_factory=dict)
    paths: dict[str, Blob | None] = field(default_factory=dict)  # other files, taken over whole
    contents: dict[str, bytes | None] = field(default_factory=dict)
    known: dict[str, Blob] = field(default_factory=dict)
    remaining: list[str] = field(default_factory=list)
    kept: list[Clash] = field(default_factory=list)
    opinions: list[str] = field(default_factory=list)

    @property
    def taken(self) -> int:
        """How many records of theirs came in."""
        return sum(merge.taken for merge in self.merges.values())


def plan_merge(repository: Repository, staging: Staging, mine: Mapping[str, Entry], other: Iterable[Entry], *, ours: str = "HEAD") -> Plan:
    """Read what differs and merge the labels; other files are taken whole, or merged as text. ours: the commit or tree of our side."""
    plan = Plan()
    theirs = {entry.path: entry for entry in other}
    plain = [path for path in theirs if not LABEL_PATH.fullmatch(path)]
    with repository.blobs() as blobs:
        labels = [path for path in {**mine, **theirs} if LABEL_PATH.fullmatch(path)]
        if not any(path in mine for path in labels):  # nothing of ours to merge with
            plain, labels = list(theirs), []
        names = [_three(mine.get(path), theirs.get(path)) for path in labels]
        stream = blobs.read_many(name for three in names for name in dict.fromkeys(filter(None, three)))
        groups: defaultdict[str, dict[str, Versions]] = defaultdict(dict)
        for path, three in zip(labels, names, strict=True):
            loaded: dict[str | None, bytes | None] = {name: next(stream) for name in dict.fromkeys(filter(None, three))}
            prefix = match.group(1) if (match := LABEL_PATH.fullmatch(path)) else ""
            groups[prefix][path.removeprefix(prefix)] = Versions(*(loaded.get(name) for name in three))
            if three[2]:
                plan.known[path] = Blob(three[2], theirs[path].mode if path in theirs else FILE)
    for prefix, files in groups.items():
        packed, packing = (_packed(entries, prefix) for entries in (mine, theirs))
        merge = plan.merges[prefix] = Merge(files, packed=packed, packing=packing)
        for file in merge.unread():
            content = repository.run("cat-file", "blob", f"{ours}:{prefix}{file}", codes=(0, 128)) or None
            merge.files[file] = Versions(content, content, content)
    for path in plain:
        _take(repository, staging, plan, mine.get(path), theirs[path])
    return plan


def _packed(entries: Mapping[str, Entry], prefix: str) -> set[str]:
    """Give the imports of a program directory for which a side wrote a list of chunks."""
    begin, end = f"{prefix}{LABELS}/", f"/{CHUNKS}"
    return {
        path[len(begin) : -len(end)]
        for path, entry in entries.items()
        if path.startswith(begin) and path.endswith(end) and not entry.before
    }


def _three(mine: Entry | None, other: Entry | None) -> tuple[str | None, str | None, str | None]:
    """Give the objects of a file in the base, in ours and in theirs."""
    base = mine.before if mine else other.before if other else None
    return base, mine.after if mine else base, other.after if other else base


def _take(repository: Repository, staging: Staging, plan: Plan, mine: Entry | None, theirs: Entry) -> None:
    """Take over a file that is no labels, or that they alone changed."""
    path = theirs.path
    if mine is not None and (mine.after, mine.mode) == (theirs.after, theirs.mode):
        return
    if mine is None and theirs.mode != _MODULE:
        plan.paths[path] = Blob(theirs.after, theirs.mode) if theirs.after else None
        return
    if mine is not None and mine.after and theirs.after and _LIST_PATH.fullmatch(path):
        with repository.blobs() as blobs:
            plan.contents[path] = merge_lists(blobs.read(mine.after), blobs.read(theirs.after))
        return
    if mine is not None and mine.before and mine.after and theirs.after and mine.mode == theirs.mode == FILE:
        text = staging.merge_text(mine.before, mine.after, theirs.after)
        if text is not None:
            plan.contents[path] = text
            return
    plan.remaining.append(path)


def settle(repository: Repository, plan: Plan, branch: str, ours: str | None, theirs: str | None, *, both: bool) -> list[Clash]:
    """Keep both labels of conflicts where asked for, and collect the contents; give the conflicts that are left."""
    problems = [problem for merge in plan.merges.values() for problem in merge.problems]
    fix = "mend the lines named on the branch that has them, and commit"
    raise_all(problems, heading=f"expected sound labels on both sides - at `{repository.root}`", fix=fix, most=100)
    clashes: list[Clash] = []
    for prefix, merge in plan.merges.items():
        within = replace(repository, prefix=prefix)
        if both and merge.conflicts:

            def read(file: str, within: Repository = within) -> bytes:
                return within.run("cat-file", "blob", f"HEAD:{within.path(file)}", codes=(0, 128))

            kept, sources = keep_both(within, merge, ours=ours, theirs=theirs, branch=branch, read=read)
            plan.kept += kept
            plan.opinions += sources
        clashes += describe(within, merge.conflicts, ours, theirs)
        if not clashes:
            for file, content in merge.contents().items():
                path = prefix + file
                plan.contents[path] = content
                if content is not merge.files[file].theirs:
                    plan.known.pop(path, None)
    plan.known = {path: blob for path, blob in plan.known.items() if plan.contents.get(path) is not None}
    return clashes
