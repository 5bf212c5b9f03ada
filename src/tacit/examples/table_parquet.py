"""Reading Parquet; the one file that needs pyarrow, reached through `tacit.examples.table_files.READERS`."""

from __future__ import annotations

import datetime
import io
import json
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet

from tacit.examples.table_files import Cells
from tacit.ground.errors import InputError


def read_parquet(content: bytes, place: str) -> Cells:
    """Read a Parquet table. Pictures and sounds in columns of bytes stay bytes; names of classes that a `datasets` file
    carries in its metadata are kept.

    Raises: InputError when it is no whole Parquet file.
    """
    try:
        table = parquet.read_table(io.BytesIO(content))
    except (arrow.ArrowException, OSError) as error:
        raise InputError(f"expected a whole Parquet file - at `{place}`", cause=str(error).split("\n")[0]) from error
    columns: dict[str, list[Any]] = {}
    for name in table.column_names:
        cells = table[name].to_pylist()
        dated = any(isinstance(cell, datetime.date | datetime.time) for cell in cells[:100])
        columns[name] = [None if cell is None else str(cell) for cell in cells] if dated else cells
    return Cells(columns, lambda row: f"row {row + 1}", _class_names(table.schema.metadata or {}))


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """Read ``info.features.<column>.names`` as `datasets` writes it; nothing when it is not there."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {name: tuple(feature["names"]) for name, feature in features.items() if feature.get("_type") == "ClassLabel"}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
