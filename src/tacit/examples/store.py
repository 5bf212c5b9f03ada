"""The store of labels: sharded text that stock git merges rightly.

``labels/<import>/<shard>.jsonl`` holds one record per line, sorted by id, **with a blank line between records**: git merges
two edits of neighbouring lines as a conflict, of lines with an unchanged one between them not. Each import writes its own
folder, so two branches that both add examples touch different files; a relabel is an edit in place. Who and when are git's
own knowledge and stay off the line.

A record is ``{"id": ..., "label": ...}`` and, only where there is one, ``"split"`` (given by the person), ``"group"``,
``"copy"`` (the second, third ... row of a table with equal contents) and ``"input"`` (text and rows; media stand in `media/`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.examples import SPLITS
from tacit.ground.digests import ID_LENGTH, canonical_json, example_id
from tacit.ground.errors import raise_all
from tacit.ground.files import write_atomic
from tacit.ground.tables import did_you_mean

LABELS = "labels"
SHARD_BYTES = 400_000  # a shard stays well below the 1 MB that a review on GitHub shows
KEYS = ("id", "label", "split", "group", "copy", "input")
_ID = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
_MERGE_MARKERS = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass(frozen=True, slots=True)
class Record:
    """One example as it stands in the store; `input` is None when it stands in `media/`."""

    id: str
    label: Any
    split: str | None = None
    group: str | None = None
    copy: int = 1
    input: Any = None

    @property
    def key(self) -> str:
        """What decides the split by content: the hash of the input, the same for every copy of a row."""
        return self.id if self.copy == 1 else input_id(self.input)

    def line(self) -> str:
        """Give the line of text of this record, without the line end.

        >>> Record("0" * 24, "cat").line()
        '{"id": "000000000000000000000000", "label": "cat"}'
        """
        fields: dict[str, Any] = {"id": self.id, "label": self.label}
        if self.split is not None:
            fields["split"] = self.split
        if self.group is not None:
            fields["group"] = self.group
        if self.copy != 1:
            fields["copy"] = self.copy
        if self.input is not None:
            fields["input"] = self.input
        return _ENCODER.encode(fields)


def input_id(value: Any, *, copy: int = 1) -> str:
    """Give the id of an example whose input stands in the record: a text, or a row of a table.

    Equal texts are one example. Equal rows of a table are not (two people can have the same age and the same job), so the
    second, third ... of them count as copies with ids of their own.
    """
    text = value if isinstance(value, str) else canonical_json(value)
    return example_id((text if copy == 1 else f"{text}\n{copy}").encode())


def write_labels(directory: Path, name: str, records: Iterable[Record]) -> list[Path]:
    """Write one import as ``labels/<name>/<shard>.jsonl`` below `directory`; give the files written.

    Shards are named by the first hexadecimal digits of the ids in them: none (`all`), one or two, so that a shard stays
    below some 400 kB.
    """
    ordered = sorted(records, key=lambda record: record.id)
    lines = [record.line() for record in ordered]
    size = sum(len(line.encode()) + 2 for line in lines)
    digits = 0 if size <= SHARD_BYTES else 1 if size <= 16 * SHARD_BYTES else 2
    shards: dict[str, list[str]] = {}
    for record, line in zip(ordered, lines, strict=True):
        shards.setdefault(record.id[:digits] or "all", []).append(line)
    written = []
    for shard, content in shards.items():
        path = directory / LABELS / name / f"{shard}.jsonl"
        write_atomic(path, "\n\n".join(content) + "\n")
        written.append(path)
    return written


def read_labels(directory: Path, *, check: Callable[[Any], str | None] | None = None) -> list[Record]:
    """Read every record below ``labels/``, sorted by id.

    check: says what is wrong with a label, None when nothing is (for instance a class that the signature does not know).

    The same record in two imports (two people added the same file) counts once.

    Raises: InputError naming every problem with its file and line: broken JSON, merge markers, CRLF, unknown or missing
    keys, ids that are not the hash of their input, two different labels for one id, labels that `check` refuses.
    """
    problems: list[str] = []
    records: dict[str, Record] = {}
    places: dict[str, str] = {}
    files = sorted((directory / LABELS).glob("**/*.jsonl"))
    if not files:
        problems.append(f"expected label files `{LABELS}/<import>/<shard>.jsonl`, found none - at `{directory / LABELS}`")
    for path in files:
        shown = path.relative_to(directory).as_posix()
        for number, line in _lines(path, shown, problems):
            place = f"{shown}:{number}"
            record = _parse(line, place, problems)
            if record is None:
                continue
            problem = check(record.label) if check else None
            if problem:
                problems.append(f"{place}: {problem}")
            earlier = records.get(record.id)
            if earlier is None:
                records[record.id], places[record.id] = record, place
            elif earlier != record:
                problems.append(f"{place}: example {record.id} has {_difference(earlier, record)} at {places[record.id]}")
    fix = "resolve the places named; every record is one line of JSON with an empty line after it"
    raise_all(problems, heading=f"expected sound labels - at `{directory / LABELS}`", fix=fix, most=100)
    return [records[key] for key in sorted(records)]


def _difference(earlier: Record, record: Record) -> str:
    if earlier.label != record.label:
        return f"the label {json.dumps(record.label, ensure_ascii=False)} but {json.dumps(earlier.label, ensure_ascii=False)}"
    for field in ("split", "group", "copy"):
        if getattr(earlier, field) != getattr(record, field):
            return f"the {field} {getattr(record, field)} but {getattr(earlier, field)}"
    return "another input than"


def _lines(path: Path, shown: str, problems: list[str]) -> list[tuple[int, str]]:
    """Give the numbered lines that are not empty; note what is wrong with the file as a whole."""
    content = path.read_bytes()
    if b"\r" in content:
        number = content[: content.index(b"\r")].count(b"\n") + 1
        problems.append(f"{shown}:{number}: expected lines that end in LF, got CR (an editor or `core.autocrlf` converted the file)")
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        problems.append(f"{shown}:{number}: expected UTF-8, got the byte 0x{content[error.start]:02x}")
        return []
    return [(number, line) for number, line in enumerate(text.split("\n"), 1) if line and not line.isspace()]


def _parse(line: str, place: str, problems: list[str]) -> Record | None:
    if line.startswith(_MERGE_MARKERS):
        problems.append(f"{place}: expected a record, got the merge marker `{line[:20]}` (a conflict that is not resolved)")
        return None
    try:
        fields = json.loads(line)
    except ValueError as error:
        problems.append(f"{place}: expected one JSON object, got `{line[:40]}` ({error})")
        return None
    problem = _fault(fields)
    if problem:
        problems.append(f"{place}: {problem}")
        return None
    return Record(fields["id"], fields["label"], fields.get("split"), fields.get("group"), fields.get("copy", 1), fields.get("input"))


def _fault(fields: Any) -> str | None:
    """Say what is wrong with the fields of a record, None when nothing is."""
    if not isinstance(fields, dict):
        return f"expected one JSON object, got a {type(fields).__name__}"
    for key in fields:
        if key not in KEYS:
            return f"unknown key `{key}`; {did_you_mean(key, list(KEYS))}"
    for key in ("id", "label"):
        if key not in fields:
            return f"expected the key `{key}`, it is not there"
    name, label, split = fields["id"], fields["label"], fields.get("split")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        return f"expected an id of {ID_LENGTH} hexadecimal digits, got {json.dumps(name)}"
    listed = isinstance(label, list) and all(isinstance(item, str) for item in label)
    if not (isinstance(label, str | int | float) or listed) or isinstance(label, bool) or label != label:
        return f"expected a label that is a text, a number or a list of texts, got {json.dumps(label)}"
    if split is not None and split not in SPLITS:
        return f"expected a split of {', '.join(SPLITS)}, got {json.dumps(split)}"
    if "group" in fields and not isinstance(fields["group"], str):
        return f"expected a group that is a text, got {json.dumps(fields['group'])}"
    return _input_fault(fields)


def _input_fault(fields: Mapping[str, Any]) -> str | None:
    copy, value = fields.get("copy", 1), fields.get("input")
    if not isinstance(copy, int) or isinstance(copy, bool) or copy < 1 or (copy > 1 and value is None):
        return f"expected a copy that is a whole number from 1 on, beside an input, got {json.dumps(copy)}"
    if value is None:
        return None
    if not isinstance(value, str | dict):
        return f"expected an input that is a text or a row (an object), got a {type(value).__name__}"
    if input_id(value, copy=copy) != fields["id"]:
        return f"the input is not the one that the id {fields['id']} was made from (it was edited: a changed input is a new example)"
    return None
