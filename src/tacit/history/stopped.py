"""Finish a `git merge`, rebase or cherry-pick that stopped at conflicts in labels: they are merged anew, by example.

What the person has resolved by hand already stands: a conflicting file without merge markers as a whole, else each line
outside of the markers that neither side has.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tacit.ground.errors import TacitError
from tacit.ground.files import write_atomic
from tacit.history.finding_changes import working_content
from tacit.history.git import Repository
from tacit.history.lines import id_of, split_lines
from tacit.history.merge_plan import LABEL_PATH, Merged, Plan, settle
from tacit.history.three_way import Merge, Versions
from tacit.history.working_tree import Staging, commit_tree, move_branch

_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD", "REVERT_HEAD")
_DONE = ("MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "AUTO_MERGE")
_NOTE = "tacit-merge.json"
_BEGIN, _END = b"<<<<<<<", b">>>>>>>"


@dataclass(frozen=True)
class Stopped:
    """A merge that has stopped. theirs: the commit that comes in, if git names it. parents: of the commit to make; empty in a rebase.

    versions: the three sides of each label file that conflicts, by its path from the repository's root.
    """

    name: str
    theirs: str | None
    parents: tuple[str, ...]
    versions: Mapping[str, Versions]
    others: tuple[str, ...]


@dataclass
class _ByHand:
    """What a person resolved: whole files; lines that no side has, by file and id; every line outside of merge markers."""

    whole: dict[str, bytes] = field(default_factory=dict)
    lines: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    standing: dict[str, dict[str, list[bytes]]] = field(default_factory=dict)


def stopped_merge(repository: Repository) -> Stopped | None:
    """Find the merge that has stopped in a repository; None when there is none."""
    stages: dict[str, dict[str, str]] = defaultdict(dict)
    for row in repository.run("ls-files", "-u", "-z").split(b"\0")[:-1]:
        about, _, path = row.partition(b"\t")
        _, name, stage = about.decode().split(" ")
        stages[os.fsdecode(path)][stage] = name
    heads = {name: _lines(repository, name) for name in _HEADS}
    merge = heads["MERGE_HEAD"]
    if not merge and not stages:
        return None
    theirs = next((lines[0] for lines in heads.values() if lines), None)
    names = {path: item for path, item in stages.items() if LABEL_PATH.fullmatch(path)}
    with repository.blobs() as blobs:
        versions = {
            path: Versions(*(blobs.read(item[stage]) if stage in item else None for stage in "123")) for path, item in names.items()
        }
    said = re.search(r"'([^']+)'", (_lines(repository, "MERGE_MSG") or [""])[0]) if merge else None
    name = said.group(1) if said else (theirs or "theirs")[:10]
    parents = (repository.head, *merge) if merge and repository.head else ()
    return Stopped(name, theirs, parents, versions, tuple(sorted(stages.keys() - names.keys())))


def _lines(repository: Repository, name: str) -> list[str]:
    with contextlib.suppress(OSError):
        return (repository.git_dir / name).read_text(encoding="utf-8", errors="replace").split("\n")[: None if name == "MERGE_MSG" else -1]
    return []


def finish_stopped(
    repository: Repository, stopped: Stopped, branch: str | None, *, both: bool, commit: bool, message: str | None
) -> Merged:
    """Resolve the labels of a merge that has stopped, and commit it when nothing else is left."""
    if branch is not None and stopped.theirs is not None and repository.commit(branch) != stopped.theirs:
        cause = f"the merge of {stopped.name} has stopped here and is to be finished first"
        fix = "tacit labels merge, to finish it; git merge --abort, to drop it"
        raise TacitError(f"expected no other merge in progress, got `{branch}` - at `{repository.root}`", cause=cause, fix=fix)
    name = branch or stopped.name
    staging = Staging(repository)
    plan, own = _replan(repository, stopped)
    contents = _unfinished(repository, stopped)
    if contents is None:
        clashes = settle(repository, plan, name, repository.head, stopped.theirs, both=both)
        if clashes:
            return Merged(name, "conflict", conflicts=tuple(clashes), remaining=stopped.others)
        contents = {**{path: item.ours for path, item in stopped.versions.items()}, **plan.contents, **own.whole}
        contents = {path: _with_lines(content, own.lines.get(path, {})) for path, content in contents.items()}
    staging.write(contents, {})
    staging.build_index()
    remaining = staging.unmerged()
    done = None
    if commit and stopped.parents and not remaining:
        text = message or "\n".join(line for line in _lines(repository, "MERGE_MSG") if not line.startswith("#"))
        done = commit_tree(repository, staging.tree(), stopped.parents, text or f"Merge '{name}'\n")
    _note_unfinished(repository, stopped, staging)
    staging.put(contents)
    (repository.git_dir / _NOTE).unlink(missing_ok=True)
    if done is not None:
        move_branch(repository, done, stopped.parents[0], f"merge {name}: labels merged by example")
        for leftover in _DONE:
            (repository.git_dir / leftover).unlink(missing_ok=True)
    state = "merged" if done else "staged"
    kept, opinions = tuple(plan.kept), tuple(plan.opinions)
    return Merged(name, state, done, plan.taken, len(contents), kept=kept, opinions=opinions, remaining=tuple(remaining))


def _replan(repository: Repository, stopped: Stopped) -> tuple[Plan, _ByHand]:
    """Merge the conflicting label files anew; what was resolved by hand is decided so. Gives that by path from the root."""
    plan, own = Plan(), _ByHand()
    groups: dict[str, dict[str, Versions]] = defaultdict(dict)
    for path, item in stopped.versions.items():
        prefix = match.group(1) if (match := LABEL_PATH.fullmatch(path)) else ""
        groups[prefix][path.removeprefix(prefix)] = item
    for prefix, files in groups.items():
        hand = _by_hand(repository, prefix, files)
        merge = plan.merges[prefix] = Merge({file: item for file, item in files.items() if file not in hand.whole})
        for conflict in list(merge.conflicts):
            standing = hand.standing.get(conflict.file, {}).get(conflict.id, [])
            if len(standing) == 1:
                merge.decide(conflict, standing[0])
                hand.lines.get(conflict.file, {}).pop(conflict.id, None)
        own.whole.update({prefix + file: content for file, content in hand.whole.items()})
        own.lines.update({prefix + file: edits for file, edits in hand.lines.items()})
    return plan, own


def _state(repository: Repository, stopped: Stopped) -> list[str | None]:
    return [repository.head, stopped.theirs]


def _note_unfinished(repository: Repository, stopped: Stopped, staging: Staging) -> None:
    """Note what is about to be written: after a kill half of the files are resolved already, and can't be told from a person's edits."""
    paths = {path: blob.name if blob else None for path, blob in staging.paths.items()}
    write_atomic(repository.git_dir / _NOTE, json.dumps({"state": _state(repository, stopped), "paths": paths}))


def _unfinished(repository: Repository, stopped: Stopped) -> dict[str, bytes | None] | None:
    """Give the contents that a killed run of this command was writing; None when there was none, or files were edited since."""
    try:
        note = json.loads((repository.git_dir / _NOTE).read_text())
        paths: dict[str, str | None] = note["paths"]
        if note["state"] != _state(repository, stopped):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with repository.blobs() as blobs:
        contents = {path: blobs.read(name) if name else None for path, name in paths.items()}
    for path, content in contents.items():
        now = working_content(repository, path)
        marked = any(row.startswith((_BEGIN, _END)) for row in split_lines(now))
        if now not in (content or b"", b"") and not marked:
            return None
    return contents


def _by_hand(repository: Repository, prefix: str, files: Mapping[str, Versions]) -> _ByHand:
    found = _ByHand()
    for file, item in files.items():
        content = working_content(repository, prefix + file)
        rows = split_lines(content)
        marked = any(row.startswith((_BEGIN, _END)) for row in rows)
        if not marked:
            if content and None not in (item.base, item.ours, item.theirs):
                found.whole[file] = content
            continue
        known = {row for side in (item.base, item.ours, item.theirs) if side for row in split_lines(side)}
        inside = False
        standing = found.standing[file] = defaultdict(list)
        for row in rows:
            if row.startswith(_BEGIN):
                inside = True
            elif row.startswith(_END):
                inside = False
            elif not inside and (name := id_of(row)):
                standing[name].append(row)
                if row not in known:
                    found.lines[file][name] = row
    return found


def _with_lines(content: bytes | None, own: Mapping[str, bytes]) -> bytes | None:
    """Put a person's own lines in the place of those with the same ids."""
    if content is None or not own:
        return content
    return b"\n".join(own.get(id_of(row) or "", row) for row in split_lines(content))
