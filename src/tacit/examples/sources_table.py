"""Tables: which column is the label, the group, the split, and what the others make: a row, a text, or a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from tacit.examples.columns import Column, look_at
from tacit.examples.found import File, Found, Item, Kind
from tacit.examples.probe import IMAGE_SUFFIXES, SOUND_SUFFIXES, media_kind, suffix_of
from tacit.examples.splits import normal_split, split_hint
from tacit.examples.table_files import Cells, read_table
from tacit.examples.tree import Tree, ZipTree
from tacit.ground.errors import InputError
from tacit.ground.tables import did_you_mean
from tacit.signature.base import InputType
from tacit.signature.cells import category_text, is_missing, number_of
from tacit.signature.row import Row
from tacit.signature.text import Text

LABEL_NAMES = (
    *("label", "labels", "class", "target", "targets", "y", "category", "categories", "tags"),
    *("classname", "class_name", "class_label"),
)
GROUP_NAMES = ("group", "groups", "group_id")
SPLIT_NAMES = ("split", "subset", "partition", "set", "fold")
TEXT_NAMES = (
    *("text", "message", "sentence", "review", "comment", "content", "body", "description"),
    *("question", "title", "tweet", "sms", "document"),
)


@dataclass
class _Tables:
    """Tables read one under the other; `splits`: the split of every row when the files were named for it."""

    place: str
    columns: dict[str, list[Any]]
    where: Callable[[int], str]
    splits: list[str | None] | None
    classes: dict[str, tuple[str, ...]]
    data_in_header: str | None
    left_out: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(next(iter(self.columns.values())))


def find_in_tables(
    tree: Tree, names: Sequence[str], *, place: str, label: str | None, group: str | None, like: InputType | None = None
) -> Found:
    """Find examples in one table, or in tables named for the splits (`train.csv`, `test.csv`).

    like: the input type of the program that they are for.
    Raises: InputError when a table can't be read, or a column that was asked for is not there.
    """
    table = _read(tree, names, place)
    label = _label_column(table, label)
    group = _group_column(table, group)
    splits, problems, split_column = _splits(table)
    others = [name for name in table.columns if name not in {label, group, split_column}]
    if not others:
        raise InputError(f"expected a column beside `{label}` to learn from, got none - at `{place}`", cause=_hint(table))
    inputs = (
        _inputs_like(table, others, like) if isinstance(like, Row | Text) else _inputs(table, others, tree, PurePosixPath(names[0]).parent)
    )
    labels = table.columns[label]
    cells = [None] * table.count if group is None else table.columns[group]
    groups = [category_text(cell) for cell in cells]
    items = [
        Item(table.where(row), content, labels[row], None if splits is None else splits[row], groups[row])
        for row, content in enumerate(inputs.contents)
        if content is not None
    ]
    notes = [*table.left_out, *inputs.notes]
    if group is not None and any(value is None for value in groups):
        notes.append(f"{sum(value is None for value in groups):,} rows have no `{group}`; each counts as a group of its own")
    return Found(
        place,
        inputs.kind,
        items,
        f"the column `{label}`",
        (*problems, *inputs.problems),
        tuple(notes),
        inputs.columns,
        table.classes.get(label, ()),
        None if group is None else f"the column `{group}`",
    )


def _read(tree: Tree, names: Sequence[str], place: str) -> _Tables:
    read: list[tuple[str, Cells]] = []
    for name in names:
        shown = place if len(names) == 1 else f"{place}/{name}"
        read.append((PurePosixPath(name).name, read_table(name, tree.read(name), shown)))
    first = read[0][1]
    if len(read) == 1:
        return _Tables(place, first.columns, first.where, None, first.classes, first.data_in_header)
    for name, cells in read[1:]:
        if set(cells.columns) != set(first.columns):
            differing = ", ".join(f"`{column}`" for column in sorted(set(cells.columns) ^ set(first.columns)))
            raise InputError(f"expected the same columns in `{read[0][0]}` and `{name}`, they differ in {differing} - at `{place}`")
    places = [(name, row) for name, cells in read for row in range(len(cells))]
    by_name = dict(read)
    columns = {column: [cell for _, cells in read for cell in cells.columns[column]] for column in first.columns}
    splits = [normal_split(name.partition(".")[0]) for name, _ in places]

    def where(row: int) -> str:
        name, inner = places[row]
        return f"{name} {by_name[name].where(inner)}"

    return _Tables(place, columns, where, splits, first.classes, first.data_in_header)


def _listed(table: _Tables) -> str:
    names = list(table.columns)
    return "the columns are " + ", ".join(f"`{name[:40]}`" for name in names[:40]) + (" ..." if len(names) > 40 else "")


def _hint(table: _Tables) -> str:
    if table.data_in_header:
        return f"the first line looks like data, not like names: {table.data_in_header}"
    return _listed(table)


def _label_column(table: _Tables, wanted: str | None) -> str:
    names = {name.lower(): name for name in table.columns}
    if wanted is not None:
        if wanted in table.columns:
            return wanted
        if table.data_in_header:
            raise _no_header(table)
        fix = f"{did_you_mean(wanted, list(table.columns))} (--label COLUMN)"
        raise InputError(f"expected a label column `{wanted}`, it is not there - at `{table.place}`", cause=_listed(table), fix=fix)
    found = [names[name] for name in LABEL_NAMES if name in names]
    if len(found) == 1:
        return found[0]
    if found and found[0].lower() == "label":
        table.left_out.append(f"`label` was taken for the label, though there is {' and '.join(f'`{name}`' for name in found[1:])}, too")
        return found[0]
    if table.data_in_header and not found:
        raise _no_header(table)
    if not found and len(table.columns) == 2:
        looks = {name: look_at(cells, name=name) for name, cells in table.columns.items()}
        labelish = [name for name, look in looks.items() if look.kind == "category" and not media_column(table.columns[name])]
        if len(labelish) == 1:
            return labelish[0]
    several = f"got {len(found)} that could be: {', '.join(found)}" if found else "none is named for it"
    message = f"expected one column of labels, {several}"
    raise InputError(f"{message} - at `{table.place}`", cause=_listed(table), fix=f"name it: --label {(found or list(table.columns))[-1]}")


def _no_header(table: _Tables) -> InputError:
    count = len(table.columns)
    names = "label,text" if count == 2 else ",".join(["label", *(f"column{index}" for index in range(2, count + 1))])
    return InputError(
        f"expected a first line with the names of the {count} columns - at `{table.place}`",
        cause=f"the first line looks like data, not like names: {table.data_in_header}",
        fix=f"add a line such as `{names[:80]}` (with the separator of the file) at the top",
    )


def _group_column(table: _Tables, wanted: str | None) -> str | None:
    if wanted is not None and wanted not in table.columns:
        fix = f"{did_you_mean(wanted, list(table.columns))} (--group COLUMN)"
        raise InputError(f"expected a group column `{wanted}`, it is not there - at `{table.place}`", cause=_hint(table), fix=fix)
    names = {name.lower(): name for name in table.columns}
    return wanted or next((names[name] for name in GROUP_NAMES if name in names), None)


def _splits(table: _Tables) -> tuple[list[str | None] | None, list[str], str | None]:
    """Give the split of every row (None: none is given), what is wrong with them, and the column they came from."""
    if table.splits is not None:
        return table.splits, [], None
    names = {name.lower(): name for name in table.columns}
    for name in SPLIT_NAMES:
        if name not in names:
            continue
        cells = table.columns[names[name]]
        splits = [None if is_missing(cell) else normal_split(cell) for cell in cells]
        if not any(splits):
            continue  # a column of this name that holds something else is an ordinary column
        wrong = [
            f"{table.where(row)}: expected train, validation or test in `{names[name]}`, got `{cell}`; {split_hint(cell)}"
            for row, cell in enumerate(cells)
            if splits[row] is None and not is_missing(cell)
        ]
        return splits, wrong, names[name]
    for name, yes, no in (("is_test", "test", "train"), ("is_train", "train", "test")):
        if name in names:
            cells = [str(cell).strip().lower() for cell in table.columns[names[name]]]
            if set(cells) <= {"true", "false", "1", "0"}:
                return [yes if cell in ("true", "1") else no for cell in cells], [], names[name]
    return None, [], None


@dataclass
class _Inputs:
    kind: Kind
    contents: Sequence[Any]
    columns: tuple[tuple[str, Literal["number", "category"]], ...] = ()
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _inputs(table: _Tables, others: list[str], tree: Tree, folder: PurePosixPath) -> _Inputs:
    """Decide what the columns that are neither label, group nor split make."""
    for name in others:
        if _holds_bytes(table.columns[name]):
            return _bytes_column(table, name, others)
    for name in others:
        if media_column(table.columns[name]):
            return _path_column(table, name, others, tree, folder)
    looks = {name: look_at(table.columns[name], name=name) for name in others}
    texts = [name for name in others if looks[name].kind == "text"]
    useful = [name for name in others if looks[name].kind in ("number", "category")]
    named = [name for name in texts if name.lower() in TEXT_NAMES]
    long_texts = [name for name in texts if looks[name].words >= 4]
    if texts and (named or long_texts or not useful):
        chosen = max(named or long_texts or texts, key=lambda name: looks[name].letters)
        return _text_column(table, chosen, others)
    return _row_columns(table, others, looks)


def _inputs_like(table: _Tables, others: list[str], like: Row | Text) -> _Inputs:
    """Read the columns that a program reads already, as it reads them: the same row has the same id."""
    if isinstance(like, Text):
        named = [name for name in others if name.lower() in TEXT_NAMES]
        looks = {name: look_at(table.columns[name], name=name) for name in named or others}
        return _text_column(table, max(looks, key=lambda name: looks[name].letters), others)
    missing = [name for name in like.columns if name not in others]
    if missing:
        raise InputError(
            f"expected the columns of the program, {len(missing)} are not there: {', '.join(missing[:20])} - at `{table.place}`",
            cause=_listed(table),
            fix=did_you_mean(missing[0], others),
        )
    looks = {name: Column("number", "") for name in like.numbers} | {name: Column("category", "") for name, _ in like.categories}
    odd = [(name, row) for name in like.numbers for row, cell in enumerate(table.columns[name]) if not _is_numeric(cell)]
    problems = [f"{table.where(row)}: expected a number in `{name}`, got `{table.columns[name][row]}`" for name, row in odd]
    if problems:
        return _Inputs("rows", [], problems=problems)
    inputs = _row_columns(table, list(like.columns), looks)
    unused = [f"`{name}`" for name in others if name not in looks]
    inputs.notes += [f"left out, for the program does not read it: {', '.join(unused)}"] if unused else []
    return inputs


def _is_numeric(cell: Any) -> bool:
    try:
        return is_missing(cell) or (not isinstance(cell, bool) and number_of(cell) is not None)
    except InputError:
        return False


def media_column(cells: Sequence[Any]) -> bool:
    """Say whether a column holds the names of images or WAV files."""
    names = [cell for cell in cells if not is_missing(cell)]
    return bool(names) and all(isinstance(name, str) and media_kind(name) for name in names)


def _left_out(others: list[str], taken: str) -> list[str]:
    rest = [f"`{name}`" for name in others if name != taken]
    return [f"the input is the column `{taken}`; left out: {', '.join(rest)}"] if rest else []


def _holds_bytes(cells: Sequence[Any]) -> bool:
    first = next((cell for cell in cells if cell is not None), None)
    return isinstance(first, bytes) or (isinstance(first, dict) and isinstance(first.get("bytes"), bytes))


def _bytes_column(table: _Tables, name: str, others: list[str]) -> _Inputs:
    contents: list[File | None] = []
    problems: list[str] = []
    kinds: Counter[str] = Counter()
    for row, cell in enumerate(table.columns[name]):
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        if not content:
            problems.append(f"{table.where(row)}: `{name}` is empty")
            contents.append(None)
            continue
        suffix = "wav" if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else _image_suffix(content)
        kinds["sounds" if suffix == "wav" else "images"] += 1
        contents.append(File(suffix, partial(bytes, content)))
    kind: Kind = "sounds" if kinds["sounds"] > kinds["images"] else "images"
    return _Inputs(kind, contents, notes=_left_out(others, name), problems=problems)


def _image_suffix(content: bytes) -> str:
    starts = {b"\xff\xd8": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp", b"RIFF": "webp", b"II*": "tif", b"MM\0": "tif"}
    return next((suffix for start, suffix in starts.items() if content.startswith(start)), "png")


def _path_column(table: _Tables, name: str, others: list[str], tree: Tree, folder: PurePosixPath) -> _Inputs:
    find = _Finder(tree, folder)
    contents: list[File | None] = []
    problems: list[str] = []
    kinds: Counter[str] = Counter()
    for row, cell in enumerate(table.columns[name]):
        reader = None if is_missing(cell) else find(cell)
        if reader is None:
            problems.append(f"{table.where(row)}: " + (f"`{name}` is empty" if is_missing(cell) else f"there is no file `{cell}`"))
            contents.append(None)
            continue
        kinds[str(media_kind(cell))] += 1
        contents.append(File(suffix_of(cell), reader))
    if len(kinds) > 1:
        suffixes = IMAGE_SUFFIXES if kinds["images"] < kinds["sounds"] else SOUND_SUFFIXES
        odd = [row for row, content in enumerate(contents) if content is not None and content.suffix in suffixes]
        problems += [f"{table.where(row)}: expected only images or only WAV files, got `{table.columns[name][row]}`" for row in odd]
    kind: Kind = "sounds" if kinds["sounds"] > kinds["images"] else "images"
    return _Inputs(kind, contents, notes=_left_out(others, name), problems=problems)


class _Finder:
    """Find the file that a cell names: relative to the table, to the top of the source, or inside a zip (`a.zip/b.wav`)."""

    def __init__(self, tree: Tree, folder: PurePosixPath) -> None:
        self.tree, self.folder = tree, folder
        self.zips: dict[str, ZipTree] = {}

    def __call__(self, cell: str) -> Callable[[], bytes] | None:
        name = cell.strip().replace("\\", "/").removeprefix("./")
        for candidate in (str(self.folder / name), name):
            if self.tree.has(candidate):
                return partial(self.tree.read, candidate)
        head, dot_zip, inner = name.partition(".zip/")
        archive = Path(self.tree.place) / self.folder / f"{head}.zip"
        if not dot_zip or not archive.is_file():
            return None
        if str(archive) not in self.zips:
            self.zips[str(archive)] = ZipTree(archive)
        inside = self.zips[str(archive)]
        return partial(inside.read, inner) if inside.has(inner) else None


def _text_column(table: _Tables, name: str, others: list[str]) -> _Inputs:
    cells = table.columns[name]
    blank = [row for row, cell in enumerate(cells) if cell is None or not str(cell).strip()]
    problems = [f"{table.where(row)}: the text in `{name}` is empty" for row in blank]
    return _Inputs("texts", [str(cell) if cell is not None else "" for cell in cells], notes=_left_out(others, name), problems=problems)


def _row_columns(table: _Tables, others: list[str], looks: dict[str, Column]) -> _Inputs:
    notes = [f"left out: `{name}`, {looks[name].why}" for name in others if looks[name].kind in ("unusable", "text")]
    problems = [f"{table.where(row)}: {problem}" for name in others for row, problem in looks[name].problems]
    chosen = [name for name in others if looks[name].kind in ("number", "category")]
    if not chosen and not problems:
        raise InputError(f"expected columns of numbers or categories, found none of use - at `{table.place}`", cause="; ".join(notes))
    columns: list[tuple[str, Literal["number", "category"]]] = []
    converted: list[list[Any]] = []
    for name in chosen:
        number = looks[name].kind == "number"
        columns.append((name, "number" if number else "category"))
        if not problems:
            convert = _number if number else category_text
            known = {cell: convert(cell) for cell in set(table.columns[name])}
            converted.append([known[cell] for cell in table.columns[name]])
    if problems:
        return _Inputs("rows", [], tuple(columns), notes, problems)
    names = [name for name, _ in columns]
    contents = [dict(zip(names, values, strict=True)) for values in zip(*converted, strict=True)]
    return _Inputs("rows", contents, tuple(columns), notes)


def _number(cell: Any) -> int | float | None:
    if is_missing(cell):
        return None
    number = number_of(cell)
    return int(number) if number == int(number) and abs(number) < 2**53 else number
