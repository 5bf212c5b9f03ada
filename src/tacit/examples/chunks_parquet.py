"""Chunks of records as Parquet; with `table_parquet` the only files that need pyarrow, reached through `tacit.examples.chunks`."""

from __future__ import annotations

import io
import json
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet

from tacit.examples.records import Record
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import InputError

_LABEL, _LABEL_JSON = "label", "label_json"
_SHARED = ("split", "group")  # columns of few different texts


def chunk_bytes(records: Sequence[Record]) -> bytes:
    """Give sorted records as a Parquet file: columns id, label and, where a record has one, split, group, copy, input.

    Labels of one kind keep their type; a mixture of kinds is written as JSON, and so are inputs.
    """
    labels = [record.label for record in records]
    kinds = {type(label) for label in labels}
    alike = len(kinds) == 1 and (kinds != {int} or all(-(2**63) <= label < 2**63 for label in labels))
    columns: dict[str, Any] = {"id": arrow.array([record.id for record in records], arrow.string())}
    columns[_LABEL if alike else _LABEL_JSON] = labels if alike else [_json(label) for label in labels]
    for name in _SHARED:
        values = [getattr(record, name) for record in records]
        if any(value is not None for value in values):
            columns[name] = arrow.array(values, arrow.string())
    if any(record.copy != 1 for record in records):
        columns["copy"] = arrow.array([record.copy for record in records], arrow.int32())
    if any(record.input is not None for record in records):
        columns["input"] = [None if record.input is None else _json(record.input) for record in records]
    stream = io.BytesIO()
    lists = kinds == {list} and alike
    few = [name for name in columns if name in (*_SHARED, _LABEL, _LABEL_JSON) and not (lists and name == _LABEL)]
    parquet.write_table(arrow.table(columns), stream, compression="zstd", use_dictionary=few)
    return stream.getvalue()


def read_chunk(content: bytes, place: str, names: Collection[str] | None = None) -> list[Record]:
    """Read the records of a chunk, or those whose ids begin with one of `names`. Raises: InputError for a damaged file."""
    try:
        table = parquet.read_table(io.BytesIO(content), read_dictionary=[_LABEL, _LABEL_JSON, *_SHARED])
        ids = table["id"].to_pylist()
        if names is not None:
            rows = _rows(ids, names)
            table, ids = table.take(arrow.array(rows, arrow.int64())), [ids[row] for row in rows]
        labels = _values(table, _LABEL_JSON) if _LABEL_JSON in table.column_names else _values(table, _LABEL)
        if _LABEL_JSON in table.column_names:
            known = {text: json.loads(text) for text in set(labels)}
            labels = [known[text] for text in labels]
        if table.num_columns == 2:
            return list(map(Record, ids, labels))
        empty = [None] * len(ids)
        splits, groups = (_values(table, name) if name in table.column_names else empty for name in _SHARED)
        copies = table["copy"].to_pylist() if "copy" in table.column_names else [1] * len(ids)
        texts = table["input"].to_pylist() if "input" in table.column_names else empty
        inputs = [None if text is None else json.loads(text) for text in texts]
        return list(map(Record, ids, labels, splits, groups, copies, inputs))
    except (arrow.ArrowException, OSError, KeyError, ValueError) as error:
        raise InputError(f"expected a chunk of labels - at `{place}`", cause=str(error).split("\n")[0]) from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _rows(ids: Sequence[str], names: Collection[str]) -> list[int]:
    """Give the rows whose ids begin with one of the names; ids are sorted."""
    found: set[int] = set()
    for name in names:
        first = bisect_left(ids, name)
        last = first + 1 if len(name) == ID_LENGTH else bisect_left(ids, name + "g")
        found.update(row for row in range(first, min(last, len(ids))) if ids[row].startswith(name))
    return sorted(found)


def _values(table: Any, name: str) -> list[Any]:
    """Give a column; of a column of few different texts each is one object."""
    found: list[Any] = []
    for piece in table[name].chunks:
        if arrow.types.is_dictionary(piece.type):
            values = piece.dictionary.to_pylist()
            found += [None if row is None else values[row] for row in piece.indices.to_pylist()]
        else:
            found += piece.to_pylist()
    return found
