"""Give labels away, for a tool that does not read label files: a table, COCO-style JSON, or a folder per class."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.intake import split_of
from tacit.examples.labels import SEPARATOR
from tacit.examples.load import label_check
from tacit.examples.media import MediaReader
from tacit.examples.records import Record
from tacit.examples.splits import SplitRule, normal_split
from tacit.examples.store import Store, read_store
from tacit.ground.errors import ConfigError, InputError, TacitError, raise_all
from tacit.ground.files import write_atomic
from tacit.ground.progress import Reporter
from tacit.ground.tables import did_you_mean
from tacit.signature.base import Signature
from tacit.signature.outputs import Class, Labels

_OWN = ("id", "label", "split", "group", "file")


@dataclass(frozen=True)
class Exported:
    """What was written: the path, the format, how many examples with a label and how many without (in dispute, on a tie)."""

    path: Path
    format: str
    labelled: int
    undecided: int


@dataclass(frozen=True)
class _Given:
    """What an exporter sees."""

    directory: Path
    signature: Signature
    rule: SplitRule
    store: Store

    def examples(self) -> Iterator[tuple[Record, Any]]:
        """Give every example and its label in force, None where there is none, sorted by id."""
        both = [(record, record.label) for record in self.store.records]
        both += [(record, None) for record in self.store.undecided.values()]
        yield from sorted(both, key=lambda pair: pair[0].id)

    def files(self) -> Mapping[str, str]:
        """Give the name of the medium of each example that has one; those that are not here have no suffix."""
        media = MediaReader(self.directory)
        names = [record.id for record, _ in self.examples() if record.input is None]
        return {name: f"{name}.{media.suffix(name)}" if name in media else name for name in names}


def export(
    directory: Path, path: Path, signature: Signature, rule: SplitRule, *, format: str | None = None, reporter: Reporter | None = None
) -> Exported:
    """Write the labels in force to `path`; `format`: csv, jsonl, coco or folder, else the suffix of the path decides.

    Raises: InputError for labels that the format can't hold, or media that are missing; ConfigError for a format that is not known.
    """
    name = format or _SUFFIXES.get(path.suffix.lower())
    if name is None or name not in FORMATS:
        got = f"`{format}`" if format else f"the suffix `{path.suffix}`"
        fix = did_you_mean(format, list(FORMATS)) if format else f"--format with one of {', '.join(FORMATS)}"
        raise ConfigError(f"expected a format of labels, got {got}", fix=fix)
    store = read_store(directory, check=label_check(signature.output))
    given = _Given(directory, signature, rule, store)
    FORMATS[name](given, path, reporter or Reporter())
    return Exported(path, name, len(store.records), len(store.undecided))


def _rows(given: _Given) -> Iterator[dict[str, Any]]:
    """Give id, label, split and, where there are any, group, file and the input that stands in the record."""
    files = given.files()
    grouped = any(record.group is not None for record, _ in given.examples())
    for record, label in given.examples():
        row: dict[str, Any] = {"id": record.id, "label": label, "split": split_of(record, given.rule)}
        if grouped:
            row["group"] = record.group
        if record.input is None:
            row["file"] = files[record.id]
        elif isinstance(record.input, str):
            row["text"] = record.input
        else:
            row |= {_column(name): cell for name, cell in record.input.items()}
        yield row


def _column(name: str) -> str:
    return f"input.{name}" if name in _OWN else name


def _csv(given: _Given, path: Path, _reporter: Reporter) -> None:
    stream = io.StringIO(newline="")
    fields = ["id", "label", "split"]
    rows = list(_rows(given))
    if rows:
        fields = list(dict.fromkeys(name for row in rows for name in row))
    usual = csv.DictWriter(stream, fields, lineterminator="\n", restval="")
    careful = csv.DictWriter(stream, fields, lineterminator="\n", restval="", quoting=csv.QUOTE_ALL)  # a bare CR is not quoted else
    usual.writeheader()
    for row in rows:
        cells = {**row, "label": _cell(row["label"])}
        (careful if any("\r" in str(cell) for cell in cells.values()) else usual).writerow(cells)
    write_atomic(path, stream.getvalue())


def _cell(label: Any) -> Any:
    """Write a label into a cell; several names as `a;b`, or as JSON where that could be read in another way."""
    if not isinstance(label, list):
        return "" if label is None else label if isinstance(label, str) else json.dumps(label)
    plain = label and not any(SEPARATOR in name or name.startswith("[") or name != name.strip() for name in label)
    return SEPARATOR.join(label) if plain else json.dumps(label, ensure_ascii=False)


def _jsonl(given: _Given, path: Path, _reporter: Reporter) -> None:
    write_atomic(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(given)))


def _coco(given: _Given, path: Path, _reporter: Reporter) -> None:
    """Write images, annotations and categories; an annotation is of a whole image and has no box."""
    output = given.signature.output
    if not isinstance(output, Class | Labels):
        raise InputError(f"expected classes for COCO-style JSON, the labels are {output!r}", fix="--format csv")
    numbers = {name: number for number, name in enumerate(output.names, 1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, int]] = []
    files = given.files()
    for number, (record, label) in enumerate(given.examples(), 1):
        image = {"id": number, "file_name": files.get(record.id, record.id), "split": split_of(record, given.rule)}
        images.append(image | {"labelled": label is not None})
        for name in label if isinstance(label, list) else [] if label is None else [label]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": numbers[name]})
    categories = [{"id": number, "name": name} for name, number in numbers.items()]
    document = {"info": {"description": "labels of whole inputs"}, "images": images, "annotations": annotations, "categories": categories}
    write_atomic(path, json.dumps(document, ensure_ascii=False) + "\n")


def _folder(given: _Given, path: Path, reporter: Reporter) -> None:
    """Write ``<path>/<class>/<id>.<suffix>``, below folders of the splits where the person gave some; whole or not at all."""
    output = given.signature.output
    if given.signature.input.kind not in ("image", "audio") or not isinstance(output, Class):
        raise InputError(f"expected media and classes for a folder per class, the program is {given.signature!r}", fix="--format csv")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"expected a new or empty folder - at `{path}`", fix="give another name, or remove it first")
    media = MediaReader(given.directory)
    problems = [f"`{name}`: no name for a folder" for name in output.names if not _is_folder_name(name)]
    problems += [f"{record.id}: its medium is not here" for record in given.store.records if record.id not in media]
    other = sorted({media.suffix(record.id) for record in given.store.records if record.id in media} & {"npy"})
    problems += [f"examples are arrays (.{suffix}), which no folder per class can hold" for suffix in other]
    raise_all(
        problems, heading=f"expected what a folder per class can hold - at `{path}`", fix="--format csv, or tacit media pull", most=100
    )
    by_split = any(record.split for record in given.store.records) or any(normal_split(name) for name in output.names)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".new"))
    except OSError as error:
        raise TacitError(f"could not make the folder - at `{path}`", cause=f"the system says: {error.strerror}") from error
    places = {}
    for record in given.store.records:
        split = split_of(record, given.rule) if by_split else "."
        places[record.id] = building / split / record.label / f"{record.id}.{media.suffix(record.id)}"
    try:
        for folder in {place.parent for place in places.values()}:
            folder.mkdir(parents=True)
        for done, (name, content) in enumerate(media.read_many(list(places)), 1):
            places[name].write_bytes(content)
            if done % 1000 == 0:
                reporter.progress(done / len(places), None, f"{done:,} of {len(places):,} files")
        building.chmod(0o755)
        if path.exists():
            path.rmdir()
        building.rename(path)
    except OSError as error:
        raise TacitError(f"could not write the files - at `{path}`", cause=f"the system says: {error.strerror}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _is_folder_name(name: str) -> bool:
    return name.strip() == name and not name.startswith(".") and not name.endswith(".program") and not set(name) & set('/\\:*?"<>|\0')


Exporter = Callable[[_Given, Path, Reporter], None]
#: Name of a format -> what writes it.
FORMATS: dict[str, Exporter] = {"csv": _csv, "jsonl": _jsonl, "coco": _coco, "folder": _folder}
_SUFFIXES: Mapping[str, str] = {".csv": "csv", ".jsonl": "jsonl", ".json": "coco", "": "folder"}
