"""Imports too large for text: immutable chunks of records outside git, a manifest of them in git, people's edits as text.

``labels/<import>/chunks.json`` names the chunks, a line for each; a chunk is ``media/<24 hex>.parquet``, named by the hash of its
bytes, sorted by id. What a person changes stands in ``labels/<import>/edits/<shard>.jsonl`` as slim records: people edit
thousands, so a review stays text whatever the size of the set.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.label_files import LabelFile, Lines
from tacit.examples.media import MEDIA
from tacit.examples.records import Record
from tacit.ground.digests import ID_LENGTH, example_id
from tacit.ground.errors import InputError
from tacit.ground.files import write_atomic
from tacit.ground.tables import resolve

CHUNKED_ABOVE = 2_000_000  # examples of one import; below, text is quick enough to read, and every line can be reviewed
CHUNK_RECORDS = 250_000
FORMAT = 1
_SUFFIX = ".parquet"
_NAME = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}\{_SUFFIX}")


@dataclass(frozen=True)
class Chunk:
    """A line of the manifest: the file in `media/`, how many records it has, the first and last of their ids; its line number."""

    file: str
    records: int
    first: str
    last: str
    line: int = 0

    def text(self) -> str:
        """Give the line, without comma and line end."""
        return json.dumps({"file": self.file, "records": self.records, "first": self.first, "last": self.last})

    def may_hold(self, name: str) -> bool:
        """Tell whether an id that begins with `name` can be in this chunk."""
        return self.first[: len(name)] <= name <= self.last[: len(name)]


@dataclass(frozen=True)
class Manifest:
    """chunks: in the order of their ids. replaces: text shards that this manifest has taken the place of, and their hashes.

    A shard stands there only between the two steps of moving an import; see `tacit.examples.packing`.
    """

    chunks: tuple[Chunk, ...]
    replaces: dict[str, str]

    def text(self) -> str:
        """Give the text of the file, a line for each chunk."""
        lines = ",\n".join(chunk.text() for chunk in self.chunks)
        replaces = f'"replaces": {json.dumps(self.replaces)},\n' if self.replaces else ""
        return f'{{"format": {FORMAT},\n{replaces}"chunks": [\n{lines}\n]}}\n'


def write_chunks(directory: Path, records: Sequence[Record]) -> Manifest:
    """Write records into chunks below ``media/`` and give the manifest, which is the caller's to write."""
    encode = resolve("tacit.examples.chunks_parquet:chunk_bytes")
    ordered = sorted(records, key=lambda record: record.id)
    chunks = []
    for start in range(0, len(ordered), CHUNK_RECORDS):
        part = ordered[start : start + CHUNK_RECORDS]
        content = encode(part)
        name = example_id(content) + _SUFFIX
        if not (directory / MEDIA / name).exists():
            write_atomic(directory / MEDIA / name, content)
        chunks.append(Chunk(name, len(part), part[0].id, part[-1].id))
    return Manifest(tuple(chunks), {})


def read_manifest(path: Path, shown: str, problems: list[str]) -> Manifest:
    """Read a manifest; what is wrong with it joins `problems`, by line."""
    text = path.read_bytes().decode(errors="replace")
    try:
        fields = json.loads(text)
    except ValueError as error:
        problems.append(f"{shown}:{getattr(error, 'lineno', 1)}: expected JSON, a line for each chunk ({error})")
        return Manifest((), {})
    if not isinstance(fields, dict) or fields.get("format") != FORMAT or not isinstance(fields.get("chunks"), list):
        problems.append(f'{shown}:1: expected {{"format": {FORMAT}, "chunks": [...]}} (a newer tacit may have written it)')
        return Manifest((), {})
    chunks = []
    for chunk in fields["chunks"]:
        file = chunk.get("file") if isinstance(chunk, dict) else None
        number = text[: max(0, text.find(f'"{file}"'))].count("\n") + 1
        try:
            chunks.append(Chunk(str(chunk["file"]), int(chunk["records"]), str(chunk["first"]), str(chunk["last"]), number))
        except (KeyError, TypeError, ValueError, AttributeError):
            problems.append(f"{shown}:{number}: expected a chunk with file, records, first and last, got {json.dumps(chunk)[:80]}")
            continue
        if not _NAME.fullmatch(chunks[-1].file):
            problems.append(f"{shown}:{number}: expected the name of a chunk, {ID_LENGTH} hexadecimal digits and {_SUFFIX}, got `{file}`")
            chunks.pop()
    replaces: Any = fields.get("replaces")
    return Manifest(tuple(chunks), {str(key): str(value) for key, value in replaces.items()} if isinstance(replaces, dict) else {})


def read_chunks(directory: Path, file: LabelFile, problems: list[str], *, names: Collection[str] | None = None) -> Lines:
    """Read the records of an import in chunks, or those whose ids begin with one of `names`; the line of each is its chunk's."""
    records: list[Record] = []
    numbers = array("I")
    for chunk in read_manifest(file.path, file.shown, problems).chunks:
        wanted = None if names is None else [name for name in names if chunk.may_hold(name)]
        if wanted == []:
            continue
        path = directory / MEDIA / chunk.file
        place = f"{file.shown}:{chunk.line}"
        try:
            content = path.read_bytes()
        except OSError as error:
            why = "is not here (`tacit media pull` brings it)" if isinstance(error, FileNotFoundError) else str(error.strerror)
            problems.append(f"{place}: the chunk `{MEDIA}/{chunk.file}` {why}")
            continue
        if example_id(content) != path.stem:
            problems.append(
                f"{place}: the chunk `{MEDIA}/{chunk.file}` has other bytes than its name says (damaged; take it away and pull)"
            )
            continue
        try:
            found = resolve("tacit.examples.chunks_parquet:read_chunk")(content, f"{MEDIA}/{chunk.file}", wanted)
        except InputError as error:
            problems.append(f"{place}: {error.message} ({error.cause})")
            continue
        records += found
        numbers.extend(array("I", [chunk.line]) * len(found))
    return Lines(records, numbers)
