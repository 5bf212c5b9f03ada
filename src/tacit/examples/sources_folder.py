"""Folders and zips of media: a folder per class, with or without split folders above, or labels in the files' names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import PurePosixPath

from tacit.examples.found import File, Found, Item, Kind
from tacit.examples.probe import media_kind, suffix_of
from tacit.examples.splits import normal_split
from tacit.examples.tree import Tree, printable
from tacit.ground.errors import InputError

_QUIET = {"readme", "license", "licence", "copying", "citation", "changelog"}


def find_in_folders(tree: Tree, *, root: PurePosixPath) -> Found:
    """Find examples in ``root/<class>/...`` or ``root/<split>/<class>/...``; labels are the names of the folders."""
    media = {name: kind for name in tree.files if _under(name, root) and (kind := media_kind(name))}
    kind, problems = _one_kind(media)
    top = [name for name in tree.folders if PurePosixPath(name).parent == root]
    split_of = {name: normal_split(PurePosixPath(name).name) for name in top}
    by_split = len(top) > 0 and all(split_of.values()) and "train" in split_of.values()
    classes = [name for name in tree.folders if split_of.get(str(PurePosixPath(name).parent))] if by_split else top
    depth = len(root.parts) + (2 if by_split else 1)
    items: list[Item] = []
    counts: Counter[str] = Counter()
    for name in media:
        parts = PurePosixPath(name).parts
        if len(parts) <= depth:
            problems.append(f"{name}: stands in no class folder")
            continue
        folder = str(PurePosixPath(*parts[:depth]))
        counts[folder] += 1
        split = split_of[str(PurePosixPath(*parts[: depth - 1]))] if by_split else None
        items.append(Item(name, File(suffix_of(name), partial(tree.read, name)), parts[depth - 1], split))
    problems += [f"{folder}/: the class folder holds no {_word(kind)}" for folder in classes if not counts[folder]]
    label_from = "the names of the folders" + (" below the split folders" if by_split else "")
    return Found(tree.place, kind, items, label_from, tuple(problems), _strays(tree, root, media))


def find_by_pattern(tree: Tree, pattern: str) -> Found:
    """Find examples whose labels stand in the files' names: ``{label}_{group}_{}`` matches `7_theo_12.wav`.

    The pattern is that of the end of the path without the suffix; `{label}`, `{group}` and `{split}` are taken, `{}` is skipped.
    """
    matcher = _compile(pattern)
    media = {name: kind for name in tree.files if (kind := media_kind(name))}
    kind, problems = _one_kind(media)
    items: list[Item] = []
    for name in media:
        match = matcher.search(name.rpartition(".")[0])
        if match is None:
            problems.append(f"{name}: does not match the pattern `{pattern}`")
            continue
        parts = match.groupdict()
        split = normal_split(parts["split"]) if "split" in parts else None
        if "split" in parts and split is None:
            problems.append(f"{name}: expected a split (train, validation or test), got `{parts['split']}`")
        items.append(Item(name, File(suffix_of(name), partial(tree.read, name)), parts["label"], split, parts.get("group")))
    grouped = "`{group}` in the files' names" if "{group}" in pattern else None
    label_from = f"`{{label}}` in the files' names, by the pattern `{pattern}`"
    return Found(tree.place, kind, items, label_from, tuple(problems), _strays(tree, PurePosixPath("."), media), grouped_by=grouped)


def _compile(pattern: str) -> re.Pattern[str]:
    names = re.findall(r"\{(\w*)\}", pattern)
    wrong = [name for name in names if name not in {"", "label", "group", "split"}]
    if wrong or names.count("label") != 1 or any(names.count(name) > 1 for name in ("group", "split")):
        raise InputError(
            f"expected a pattern with one {{label}} and at most one {{group}} and {{split}}, got `{pattern}`",
            fix='write it like "{label}_{group}_{}" for names like 7_theo_12.wav',
        )
    # The last piece may hold separators, the ones before it stop at the next literal.
    text = re.sub(r"\\\{(\w*)\\\}", lambda match: f"(?P<{match[1]}>[^/]+?)" if match[1] else "[^/]+?", re.escape(pattern))
    return re.compile(rf"(?:^|/){text}$")


def media_root(tree: Tree) -> PurePosixPath:
    """Go down through folders that hold nothing but one folder: `Dataset/<class>/...` begins at `Dataset`."""
    root = PurePosixPath(".")
    while True:
        below = [name for name in tree.folders if PurePosixPath(name).parent == root]
        here = [name for name in tree.files if PurePosixPath(name).parent == root and not _is_quiet(name)]
        deeper = len(below) == 1 and any(PurePosixPath(name).parent == PurePosixPath(below[0]) for name in tree.folders)
        if here or not deeper or normal_split(PurePosixPath(below[0]).name):
            return root
        root = PurePosixPath(below[0])


def is_flat(tree: Tree) -> bool:
    """Say whether media stand together in one folder with no other folder beside it, so that folders can't be the classes."""
    folders = {PurePosixPath(name).parent for name in tree.files if media_kind(name)}
    if len(folders) != 1:
        return False
    (only,) = folders
    return all(PurePosixPath(name) in (only, *only.parents) for name in tree.folders)


def _one_kind(media: dict[str, str]) -> tuple[Kind, list[str]]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for name, kind in media.items():
        by_kind[kind].append(name)
    if len(by_kind) > 1:
        fewer = min(by_kind.values(), key=len)
        more = "images" if by_kind["images"] is not fewer else "sounds"
        return ("images" if more == "images" else "sounds"), [f"{name}: is no {_word(more)[:-1]}, as most files are" for name in fewer]
    return ("sounds" if "sounds" in by_kind else "images"), []


def _word(kind: str) -> str:
    return "WAV files" if kind == "sounds" else "images"


def _under(name: str, root: PurePosixPath) -> bool:
    return str(root) == "." or name.startswith(f"{root}/")


def _is_quiet(name: str) -> bool:
    return PurePosixPath(name).name.partition(".")[0].lower() in _QUIET


def _strays(tree: Tree, root: PurePosixPath, media: dict[str, str]) -> tuple[str, ...]:
    others = [name for name in tree.files if name not in media]
    if not others:
        return ()
    shown = ", ".join(map(printable, others[:5])) + (f" and {len(others) - 5:,} more" if len(others) > 5 else "")
    return (f"left out, for they are neither images nor WAV files: {shown}",)
