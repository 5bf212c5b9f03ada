"""Labels for examples that a program has: tables and JSON that name them by id, as `tacit labels export` writes them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.conforming import conform
from tacit.examples.importing import Brought
from tacit.examples.load import label_check
from tacit.examples.records import label_key, same_label
from tacit.examples.relabelling import relabel
from tacit.examples.sources_table import LABEL_NAMES
from tacit.examples.store import read_store
from tacit.examples.table_files import read_table, table_suffix
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import InputError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.signature.base import OutputType
from tacit.signature.outputs import Labels
from tacit.signature.symbols import Symbols

_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


@dataclass(frozen=True)
class Pair:
    """An example's id, the label that is given to it (None: none is given), and where that stands in the file."""

    id: str
    label: Any
    where: str


def find_pairs(path: Path, *, label: str | None = None) -> list[Pair] | None:
    """Read a file that names examples by id; None when it is something else, such as a table of new examples.

    label: the column of the labels; without it, the one that is named for it.
    Raises: InputError for a file that names examples by id and can't be understood.
    """
    if path.suffix.lower() == ".json" and path.is_file():
        return _coco(path)
    if table_suffix(path.name) is None or not path.is_file():
        return None
    content = path.read_bytes()
    table = _own_csv(content) if table_suffix(path.name) == "csv" else None
    if table is None:
        cells = read_table(path.name, content, str(path))
        table = cells.columns, cells.where
    columns, where = table
    key = next((name for name in columns if name.strip().lower() == "id"), None)
    ids = [str(cell).strip().lower() for cell in columns[key]] if key is not None else []
    wrong = [row for row, name in enumerate(ids) if not _ID.fullmatch(name)]
    if len(wrong) == len(ids):
        return None
    problems = [f"{where(row)}: expected an id of {ID_LENGTH} hexadecimal digits, got `{ids[row][:40]}`" for row in wrong]
    fix = "mend them; if these are new examples, give the column another name"
    raise_all(problems, heading=f"expected ids of examples in the column `{key}` - at `{path}`", fix=fix, most=200)
    column = _label_column(path, [name for name in columns if name != key], label)
    return [Pair(name, cell, where(row)) for row, (name, cell) in enumerate(zip(ids, columns[column], strict=True))]


def _own_csv(content: bytes) -> tuple[dict[str, list[Any]], Callable[[int], str]] | None:
    """Read CSV as `tacit labels export` writes it, cell for cell; None for any other, whose form has to be guessed."""
    try:
        text = content.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, [])
        if "id" not in header or len(set(header)) != len(header):
            return None
        rows, lines = [], []
        last = reader.line_num
        for row in reader:
            if len(row) != len(header):
                return None
            rows.append(row)
            lines.append(last + 1)
            last = reader.line_num
    except (UnicodeDecodeError, csv.Error):
        return None
    return {name: [row[at] for row in rows] for at, name in enumerate(header)}, lambda row: f"line {lines[row]}"


def _label_column(path: Path, columns: list[str], wanted: str | None) -> str:
    listed = f"the columns are {', '.join(f'`{name}`' for name in columns[:40])}"
    if wanted is not None:
        if wanted not in columns:
            fix = f"{did_you_mean(wanted, columns)} (--label COLUMN)"
            raise InputError(f"expected a label column `{wanted}`, it is not there - at `{path}`", cause=listed, fix=fix)
        return wanted
    found = [name for name in columns if name.lower() in LABEL_NAMES]
    if len(found) == 1 or "label" in found:
        return "label" if "label" in found else found[0]
    message = f"expected one column of labels beside `id`, got {len(found)} that are named for it - at `{path}`"
    raise InputError(message, cause=listed, fix="name it: --label COLUMN")


def _coco(path: Path) -> list[Pair]:
    """Read images, annotations and categories; an image's example is the stem of its `file_name`."""
    try:
        document = json.loads(path.read_bytes())
    except ValueError as error:
        raise InputError(f"expected JSON - at `{path}`", cause=str(error)) from error
    if not isinstance(document, dict) or not all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories")):
        raise InputError(f"expected an object with the lists images, annotations and categories - at `{path}`")
    problems: list[str] = []
    names = _by_id(document["categories"], "categories", "name", problems)
    files = _by_id(document["images"], "images", "file_name", problems)
    given: dict[Any, list[Any]] = {key: [] for key in files}
    for at, annotation in enumerate(document["annotations"]):
        place = f"annotations[{at}]"
        image, category = (annotation.get(key) if isinstance(annotation, dict) else None for key in ("image_id", "category_id"))
        if not _is_key(image) or image not in files:
            problems.append(f"{place}: there is no image with the id {json.dumps(image)}")
        elif not _is_key(category) or category not in names:
            problems.append(f"{place}: there is no category with the id {json.dumps(category)}")
        elif names[category] not in given[image]:
            given[image].append(names[category])
    pairs = []
    for at, (key, file) in enumerate(files.items()):
        name = Path(str(file)).name.partition(".")[0]
        if not _ID.fullmatch(name):
            problems.append(f"images[{at}]: expected a file named by the id of an example, got `{file}`")
        # Without an annotation it says nothing, unless it says that nothing is in it.
        empty: list[str] | None = [] if document["images"][at].get("labelled") is True else None
        pairs.append(Pair(name, given[key] or empty, f"images[{at}]"))
    raise_all(problems, heading=f"expected labels as `tacit labels export` writes them - at `{path}`", most=100)
    return pairs


def _is_key(value: Any) -> bool:
    return isinstance(value, int | str)


def _by_id(rows: Sequence[Any], place: str, field: str, problems: list[str]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for at, row in enumerate(rows):
        if not isinstance(row, dict) or not _is_key(row.get("id")) or not isinstance(row.get(field), str):
            problems.append(f"{place}[{at}]: expected an object with `id` and `{field}`")
        elif row["id"] in found:
            problems.append(f"{place}[{at}]: the id {json.dumps(row['id'])} stands there twice")
        else:
            found[row["id"]] = row[field]
    return found


def take_labels(pairs: Sequence[Pair], path: Path, directory: Path, output: OutputType, *, by: str | None = None) -> Brought:
    """Give labels to examples of a program; whoever calls this holds the lock (`turns.writing`).

    Without `by`, labels that differ from those in force are settled, in place; with it, all are recorded as that annotator's.
    Raises: InputError naming every id that the program lacks, every label it does not know, and ids with two labels.
    """
    store = read_store(directory, check=label_check(output))
    wanted: dict[str, Any] = {}
    places: dict[str, str] = {}
    problems: list[str] = []
    empty = 0
    for pair in pairs:
        if pair.id not in store.places:
            problems.append(f"{pair.where}: no example has the id {pair.id}")
            continue
        if pair.label is None or (isinstance(pair.label, str) and not pair.label.strip()):
            empty += 1
            continue
        try:
            label = conform(output, _single(pair.label, output))
        except InputError as error:
            problems.append(f"{pair.where}: {error.message}" + (f"; {error.fix}" if error.fix else ""))
            continue
        if not same_label(wanted.setdefault(pair.id, label), label):
            problems.append(f"{pair.where}: example {pair.id} has another label at {places[pair.id]}")
        places.setdefault(pair.id, pair.where)
    fix = "mend or remove what is named; nothing was written"
    raise_all(problems, heading=f"expected labels for examples of the program - at `{path}`", fix=fix, most=200)
    in_force = {name: store.records[row].label for name in wanted if (row := store.row(name)) is not None}
    agreeing = {name for name, label in wanted.items() if name in in_force and label_key(in_force[name]) == label_key(label)}
    notes = (f"{empty:,} examples have no label in the file and stay as they are",) if empty else ()
    if by is not None:
        changed = tuple(item.id for item in relabel(directory, wanted, by=by) if item.changed) if wanted else ()
        disputes = tuple(name for name in read_store(directory).disputes if name in wanted)
        return Brought(known=len(agreeing), opinions=changed, opinions_of=by, disputes=disputes, notes=notes)
    rest = {name: label for name, label in wanted.items() if name not in agreeing}
    done = relabel(directory, rest) if rest else []
    return Brought(known=len(agreeing), relabelled=tuple(item.id for item in done if item.changed), notes=notes)


def _single(label: Any, output: OutputType) -> Any:
    """Give the only name of a list for an output that takes one. Raises: InputError for several."""
    if not isinstance(label, list) or isinstance(output, Labels | Symbols):
        return label
    if len(label) != 1:
        raise InputError(f"expected one label, got {len(label)}: {', '.join(map(str, label[:5]))}")
    return label[0]
