"""Look at what a person has and find the examples in it: a folder or zip, a table, or arrays."""

from __future__ import annotations

from pathlib import Path

from tacit.examples.found import Found
from tacit.examples.probe import media_kind
from tacit.examples.sources_arrays import find_in_idx, find_in_npz, idx_images
from tacit.examples.sources_folder import find_by_pattern, find_in_folders, is_flat, media_root
from tacit.examples.sources_table import find_in_tables
from tacit.examples.splits import normal_split
from tacit.examples.table_files import table_suffix
from tacit.examples.tree import FolderTree, Tree, open_tree, there
from tacit.ground.errors import InputError
from tacit.signature.base import InputType

UNDERSTOOD = (
    "a folder or zip with one folder of images or WAV files per class, a table (.csv, .tsv, .jsonl, .parquet) with a column of labels, "
    "or arrays (.npz)"
)


def find_examples(path: Path, *, label: str | None = None, group: str | None = None, like: InputType | None = None) -> Found:
    """Find the examples at a path.

    label: the column or array of labels; for a folder of media a pattern such as ``{label}_{group}_{}`` over their names.
    group: the column or array whose values must not straddle a split.
    like: the input type of the program that they are for, which decides what a table is read as; without one its cells do.
    Raises: InputError, naming what is there and what was expected.
    """
    if not there(path, Path.exists):
        near = [other.name for other in path.parent.iterdir()][:10] if there(path.parent, Path.is_dir) else []
        cause = f"beside it there are {', '.join(sorted(near))}" if near else None
        raise InputError(f"expected examples, there is nothing - at `{path}`", cause=cause, fix="give the path of " + UNDERSTOOD)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return _find_in_tree(path, open_tree(path), label, group, like)
    if path.suffix.lower() == ".npz":
        return find_in_npz(path, label=label, group=group)
    if table_suffix(path.name) is not None:
        return find_in_tables(FileTree(path), [path.name], place=str(path), label=label, group=group, like=like)
    raise InputError(f"expected examples, got a file of a kind that is not understood - at `{path}`", fix="give " + UNDERSTOOD)


class FileTree(FolderTree):
    """One file as a tree: reads what lies beside it when it is asked for, without walking the folder."""

    def __init__(self, path: Path) -> None:
        self.root = path.parent
        Tree.__init__(self, str(path.parent), [path.name], [])


def _find_in_tree(path: Path, tree: Tree, label: str | None, group: str | None, like: InputType | None) -> Found:
    place = str(path)
    media = [name for name in tree.files if media_kind(name)]
    tables = [name for name in tree.files if table_suffix(name) and name.count("/") <= 1]
    if label is not None and "{" in label:
        return find_by_pattern(tree, label)
    if path.is_dir() and not media and idx_images(path):
        return find_in_idx(path)
    if tables and (not media or is_flat(tree) or label is not None or _lists_media(tables)):
        by_split = len(tables) > 1 and all(normal_split(name.rpartition("/")[2].partition(".")[0]) for name in tables)
        if len(tables) == 1 or by_split:
            return find_in_tables(tree, tables, place=place, label=label, group=group, like=like)
        raise InputError(
            f"expected one table, or tables named for the splits (train.csv, test.csv), got {len(tables)} - at `{place}`",
            cause=", ".join(tables[:20]),
            fix=f"give one of them: {path / tables[0]}" if path.is_dir() else None,
        )
    if not media:
        arrays = [name for name in tree.files if name.endswith(".npz")]
        if path.is_dir() and len(arrays) == 1:
            return find_in_npz(path / arrays[0], label=label, group=group)
        shown = ", ".join(tree.files[:5]) or "no file at all"
        raise InputError(f"expected examples, found none - at `{place}`", cause=f"it holds {shown}", fix="give " + UNDERSTOOD)
    if label is not None or group is not None:
        wanted = f"--label {label}" if label is not None else f"--group {group}"
        raise InputError(
            f"expected a table for `{wanted}`, got a folder of media - at `{place}`",
            fix="leave it out: folders are the labels; a pattern over the files' names is written --label '{label}_{group}_{}'",
        )
    if is_flat(tree) and (like is None or not all("/" in name for name in media)):  # a program that stands takes a folder of one class
        raise _flat(place, media)
    return find_in_folders(tree, root=media_root(tree))


def _lists_media(tables: list[str]) -> bool:
    return any(name.rpartition("/")[2].lower().startswith(("metadata.", "labels.")) for name in tables)


def _files(count: int) -> str:
    return f"{count:,} files" if count != 1 else "one file"


def _flat(place: str, media: list[str]) -> InputError:
    return InputError(
        f"expected one folder per class and at least two, got {_files(len(media))} in a single folder - at `{place}`",
        cause=f"there are {', '.join(media[:3])}{' ...' if len(media) > 3 else ''}",
        fix="make a folder per class; or a labels.csv with the columns path,label beside them; "
        "or, when the label stands in the names, --label '{label}_{group}_{}'",
    )
