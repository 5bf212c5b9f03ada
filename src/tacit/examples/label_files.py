"""Label files on disk: which there are, whose they are, and the records of one of them.

``labels/<import>/<shard>.jsonl``              examples as an import brought them, relabelled in place
``labels/by/<annotator>/<shard>.jsonl``        what an annotator says about examples that an import brought
``labels/<import>/chunks.json``                an import too large for text: its records are chunks in `media/`
``labels/<import>/edits/<shard>.jsonl``        what people changed in such an import
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tacit.examples.records import Record, parse_record
from tacit.ground.digests import ID_LENGTH

LABELS = "labels"
ANNOTATORS = "by"
EDITS = "edits"
CHUNKS = "chunks.json"

#: A record as Tacit writes it, without escapes and without an input; other lines are read one by one.
_PLAIN = re.compile(
    rf'\{{"id": "([0-9a-f]{{{ID_LENGTH}}})", "label": ("[^"\\\x00-\x1f]*"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)'
    r'(?:, "split": "(train|validation|test)")?(?:, "group": "([^"\\\x00-\x1f]+)")?\}\n'
)
_FRAME = len('{"id": "", "label": }') + ID_LENGTH
_FIELD = len(', "split": ""')  # as long as `, "group": ""`


Wanted = Callable[[str], bool]


@dataclass(frozen=True)
class LabelFile:
    """path, shown: the file, and its path below the program directory. source: the folder below `labels/` that it belongs to.

    kind: an import's own records, its chunks, edits of its chunks, or an annotator's opinions.
    """

    path: Path
    shown: str
    source: str
    kind: Literal["import", "chunks", "edits", "opinions"]


@dataclass(frozen=True)
class Lines:
    """The records of a file and the line of each."""

    records: list[Record]
    numbers: Sequence[int]


def label_files(directory: Path) -> list[LabelFile]:
    """List the label files of a program directory in the order in which they are read: imports, their edits, opinions; by name.

    Folders and files whose name begins with a dot are none (an import that is being written, an editor's copy).
    """
    root = directory / LABELS
    found: list[LabelFile] = []
    for here, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        parts = Path(here).relative_to(root).parts
        for name in sorted(names):
            if name.startswith(".") or not (name.endswith(".jsonl") or (name == CHUNKS and len(parts) == 1)):
                continue
            path = Path(here) / name
            found.append(_label_file(path, path.relative_to(directory).as_posix(), parts, name))
    order = {"import": 0, "chunks": 0, "edits": 1, "opinions": 2}
    return sorted(found, key=lambda file: (order[file.kind], file.shown))


def _label_file(path: Path, shown: str, parts: tuple[str, ...], name: str) -> LabelFile:
    stem = name.partition(".")[0]
    if parts[:1] == (ANNOTATORS,):
        return LabelFile(path, shown, "/".join(parts[:2]) if len(parts) > 1 else f"{ANNOTATORS}/{stem}", "opinions")
    if name == CHUNKS:
        return LabelFile(path, shown, parts[0], "chunks")
    if parts[1:2] == (EDITS,):
        return LabelFile(path, shown, parts[0], "edits")
    return LabelFile(path, shown, parts[0] if parts else stem, "import")


def read_lines(file: LabelFile, problems: list[str], *, wanted: Wanted | None = None) -> Lines:
    """Read the records of a text file, or those whose id is `wanted`; what is wrong with any of its lines joins `problems`."""
    try:
        content = file.path.read_bytes() if file.path.is_file() else None  # reading a pipe would wait for ever
    except OSError as error:
        problems.append(f"{file.shown}:1: expected a file that can be read, the system says: {error.strerror or error}")
        return Lines([], [])
    if content is None:
        problems.append(f"{file.shown}:1: expected a file, got {'a link to nothing' if file.path.is_symlink() else 'something else'}")
        return Lines([], [])
    if not content.strip():
        problems.append(f"{file.shown}:1: expected records, got an empty file (cut off? `git restore` it, or remove it)")
        return Lines([], [])
    if b"\r" in content:
        number = content[: content.index(b"\r")].count(b"\n") + 1
        problems.append(f"{file.shown}:{number}: expected lines that end in LF, got CR (an editor or `core.autocrlf` converted the file)")
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        number = content[: error.start].count(b"\n") + 1
        problems.append(f"{file.shown}:{number}: expected UTF-8, got the byte 0x{content[error.start]:02x}")
        return Lines([], [])
    plain = _plain_records(text, wanted)
    if plain is not None:
        return plain
    records, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line and not line.isspace():
            record = parse_record(line, f"{file.shown}:{number}", problems)
            if record is not None and (wanted is None or wanted(record.id)):
                records.append(record)
                numbers.append(number)
    return Lines(records, numbers)


def _plain_records(text: str, wanted: Wanted | None) -> Lines | None:
    """Read a whole file at once, some five times faster than line by line; None when a line of it is not plain."""
    found = _PLAIN.findall(text)
    if not found or not text.startswith("{") or not text.endswith("}\n"):
        return None
    ids, labels, splits, groups = zip(*found, strict=True)
    # Matches don't overlap; so when their lengths and the empty lines between them sum up to the file's, nothing else is in it.
    named = sum(map(len, splits)) + sum(map(len, groups)) + _FIELD * (len(splits) - splits.count("") + len(groups) - groups.count(""))
    size = len(found) * _FRAME + sum(map(len, labels)) + named + 2 * len(found) - 1
    if size != len(text) or text.count("}\n\n{") != len(found) - 1:
        return None
    numbers: Sequence[int] = range(1, 2 * len(found) + 1, 2)
    if wanted is not None:
        rows = [row for row, name in enumerate(ids) if wanted(name)]
        ids, labels, splits, groups = (tuple(column[row] for row in rows) for column in (ids, labels, splits, groups))
        numbers = [2 * row + 1 for row in rows]
    values: dict[str, Any] = {label: json.loads(label) for label in set(labels)}  # equal labels are one object
    known = [values[label] for label in labels]
    if splits.count("") == groups.count("") == len(ids):
        return Lines(list(map(Record, ids, known)), numbers)
    shared = {text: text or None for text in {*splits, *groups}}
    return Lines(list(map(Record, ids, known, map(shared.__getitem__, splits), map(shared.__getitem__, groups))), numbers)
