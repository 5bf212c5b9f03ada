"""Writing label files: each import a folder of shards that a review can show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tacit.examples.label_files import LABELS
from tacit.examples.records import Record
from tacit.ground.files import write_atomic

SHARD_BYTES = 400_000  # a shard stays well below the 1 MB that a review on GitHub shows


def write_labels(directory: Path, name: str, records: Iterable[Record]) -> list[Path]:
    """Write one import as ``labels/<name>/<shard>.jsonl`` below `directory`; give the files written.

    Shards are named by the first hexadecimal digits of the ids in them: none (`all`), one or two, so that a shard stays
    below some 400 kB.
    """
    written = []
    for shard, content in shards(records).items():
        path = directory / LABELS / name / f"{shard}.jsonl"
        write_atomic(path, content)
        written.append(path)
    return written


def shards(records: Iterable[Record]) -> dict[str, str]:
    """Give the text of every shard of an import, by the name of the shard."""
    ordered = sorted(records, key=lambda record: record.id)
    lines = [record.line() for record in ordered]
    size = sum(len(line.encode()) + 2 for line in lines)
    digits = 0 if size <= SHARD_BYTES else 1 if size <= 16 * SHARD_BYTES else 2
    found: dict[str, list[str]] = {}
    for record, line in zip(ordered, lines, strict=True):
        found.setdefault(record.id[:digits] or "all", []).append(line)
    return {shard: "\n\n".join(content) + "\n" for shard, content in found.items()}
