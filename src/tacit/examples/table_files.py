"""Reading tables: CSV and TSV, JSON lines, and (through `pyarrow`) Parquet, as columns of cells as they stand in the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tacit.ground.errors import InputError, raise_all
from tacit.ground.tables import Table
from tacit.signature.cells import is_missing

#: Suffix (without `.gz`) -> function ``(content, place) -> Cells``.
READERS = Table(
    "kind of table",
    {
        "csv": "tacit.examples.table_files:read_csv",
        "tsv": "tacit.examples.table_files:read_csv",
        "tab": "tacit.examples.table_files:read_csv",
        "jsonl": "tacit.examples.table_files:read_jsonl",
        "ndjson": "tacit.examples.table_files:read_jsonl",
        "parquet": "tacit.examples.table_parquet:read_parquet",
        "pq": "tacit.examples.table_parquet:read_parquet",
    },
    group="tacit.tables",
)


@dataclass(frozen=True)
class Cells:
    """A table: column -> cells. where: what a person calls a row, such as `line 17`. classes: column -> names of its integers.

    data_in_header: why the first line looks like data and not like names, None when it does not.
    """

    columns: dict[str, list[Any]]
    where: Callable[[int], str]
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    data_in_header: str | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


def table_suffix(name: str) -> str | None:
    """Give the row of `READERS` for a file's name, None when it is no table.

    >>> table_suffix("a/train.CSV.gz"), table_suffix("a.png")
    ('csv', None)
    """
    parts = name.lower().rpartition("/")[2].split(".")
    if len(parts) > 2 and parts[-1] == "gz":
        parts.pop()
    return parts[-1] if len(parts) > 1 and parts[-1] in _suffixes() else None


@lru_cache
def _suffixes() -> frozenset[str]:
    return frozenset(READERS.rows())  # asked for every file of a folder; installed distributions are searched once


def read_table(name: str, content: bytes, place: str) -> Cells:
    """Read the table in a file of this name. Raises: InputError; MissingPackage for Parquet without pyarrow."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"expected a whole gzip file - at `{place}`", cause=str(error)) from error
    if not content.strip():
        raise InputError(f"expected a table, got an empty file - at `{place}`")
    reader: Callable[[bytes, str], Cells] = READERS.get(table_suffix(name) or "csv")
    cells = reader(content, place)
    if not len(cells):
        raise InputError(f"expected rows below the header, got none - at `{place}`")
    return cells


def _text(content: bytes, place: str) -> str:
    """Decode UTF-8 (with or without a byte order mark). Raises: InputError naming every line that is something else."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"expected UTF-8 text, got UTF-16 - at `{place}`", fix=f"iconv -f utf-16 -t utf-8 {place}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        problems = []
        for number, line in enumerate(content.split(b"\n"), 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                problems.append(f"line {number}: the byte 0x{line[error.start]:02x} at column {error.start + 1} is not UTF-8")
        fix = f"iconv -f latin1 -t utf-8 {place} > utf8.csv, if it is Latin-1"
        raise_all(problems, heading=f"expected UTF-8 text - at `{place}`", fix=fix)
        raise


def read_csv(content: bytes, place: str) -> Cells:
    """Read CSV or TSV with a header line; the separator is the one of `,` tab `;` `|` that splits the lines evenly.

    Raises: InputError naming lines with more or fewer cells than the header, and a header that can't be one.
    """
    text = _text(content, place)
    if "\0" in text:
        raise InputError(f"expected a text table, got binary data - at `{place}`")
    separator = _separator(text)
    rows = _tab_rows(text) if separator == "\t" else _quoted_rows(text, separator, place)
    if not rows:
        raise InputError(f"expected a table, got an empty file - at `{place}`")
    (_, header), *body = rows
    header = [name.strip() for name in header]
    problems = [f"line {line}: {len(row)} cells" for line, row in body if len(row) != len(header)]
    shown = {"\t": "a tab"}.get(separator, f"`{separator}`")
    heading = f"expected {len(header)} cells in every line, separated by {shown}, as in the header - at `{place}`"
    raise_all(problems, heading=heading, most=100)
    cells = [[row[index].strip() for _, row in body] for index in range(len(header))]
    hint = _data_in_header(header, cells)
    repeated = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    if not hint:
        raise_all([f"`{name}` stands there twice" for name in repeated], heading=f"expected different names in the header - at `{place}`")
    names = [name if name and header.index(name) == index else f"column {index + 1}" for index, name in enumerate(header)]
    lines = [line for line, _ in body]
    return Cells(dict(zip(names, cells, strict=True)), lambda row: f"line {lines[row]}", data_in_header=hint)


def _separator(text: str) -> str:
    lines = [line for line in text[:100_000].split("\n")[:50] if line.strip()]
    if len(lines) > 1 and len(text) > 100_000:
        lines.pop()

    def evenness(separator: str) -> tuple[float, int]:
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=separator)]
        except csv.Error:  # reading it as a whole says what is wrong
            return 0.0, 0
        usual, times = Counter(counts).most_common(1)[0]
        return (times / len(counts) if usual > 1 else 0.0, usual)

    return max((",", "\t", ";", "|"), key=evenness)


def _quoted_rows(text: str, separator: str, place: str) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    rows = []
    line = 1
    try:
        for row in reader:
            if row:
                rows.append((line, row))
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"expected CSV - at `{place}` line {line}", cause=str(error), fix="look for a quote that is not closed") from error
    return rows


def _tab_rows(text: str) -> list[tuple[int, list[str]]]:
    """Split by tabs: there quotes are text, as TSV has it, unless they enclose a whole cell."""
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if line:
            rows.append((number, [_unquoted(cell) for cell in line.split("\t")]))
    return rows


def _unquoted(cell: str) -> str:
    inner = cell[1:-1]
    whole = len(cell) >= 2 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else cell


def _data_in_header(header: list[str], cells: list[list[str]]) -> str | None:
    """Say why the first line looks like data and not like names."""
    for index, name in enumerate(header):
        if _is_number(name):
            return f"its cell {index + 1} is the number `{name}`"
        if len(name) > 80:
            return f"its cell {index + 1} is a text of {len(name)} letters"
        if name and cells[index].count(name) > 1 + len(cells[index]) // 50:
            return f"`{name}` stands {cells[index].count(name):,} times more in its column"
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not is_missing(text)


def read_jsonl(content: bytes, place: str) -> Cells:
    """Read one JSON object per line; a key that is not there is a missing cell. Raises: InputError naming every bad line."""
    problems: list[str] = []
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in enumerate(_text(content, place).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
            continue
        if not isinstance(value, dict):
            problems.append(f"line {number}: expected an object {{...}}, got a {type(value).__name__}")
            continue
        rows.append(value)
        numbers.append(number)
    raise_all(problems, heading=f"expected one JSON object per line - at `{place}`", fix="mend the lines named", most=100)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in names}
    return Cells(columns, lambda row: f"line {numbers[row]}")
