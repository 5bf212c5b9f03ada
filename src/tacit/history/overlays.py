"""Edits of imports in chunks: what a line of such an edit was before stands in a chunk, outside git."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tacit.examples.chunks import read_chunks
from tacit.examples.label_files import CHUNKS, EDITS, LABELS, LabelFile
from tacit.examples.records import Record, same_label
from tacit.ground.errors import TacitError
from tacit.history.change import Change, Kind


def with_chunks(directory: Path, changes: Iterable[Change]) -> list[Change]:
    """Tell edits of imports in chunks as what they are: relabels, not additions. A chunk that is not here leaves the label unknown."""
    found = list(changes)
    wanted: dict[str, set[str]] = defaultdict(set)
    for change in found:
        if change.source.endswith(f"/{EDITS}") and change.kind in ("added", "removed"):
            wanted[change.source.removesuffix(f"/{EDITS}")].add(change.id)
    if not wanted:
        return found
    base = {source: _records(directory, source, ids) for source, ids in wanted.items()}
    return [_overlaid(change, base.get(change.source.removesuffix(f"/{EDITS}"), {})) for change in found]


def _overlaid(change: Change, base: dict[str, Record]) -> Change:
    if not change.source.endswith(f"/{EDITS}") or change.kind not in ("added", "removed"):
        return change
    under = base.get(change.id)
    label = under.label if under is not None else None
    before, after = (label, change.after) if change.kind == "added" else (change.before, label)
    kind: Kind = "changed" if under is not None and same_label(before, after) else "relabelled"
    old, new = (under, change.new) if change.kind == "added" else (change.old, under)
    return replace(change, kind=kind, before=before, after=after, old=old, new=new)


def _records(directory: Path, source: str, ids: set[str]) -> dict[str, Record]:
    """Read records of an import in chunks; none when the manifest or the chunks are not here."""
    shown = f"{LABELS}/{source}/{CHUNKS}"
    if not (directory / shown).is_file():
        return {}
    try:
        lines = read_chunks(directory, LabelFile(directory / shown, shown, source, "chunks"), [], names=ids)
    except TacitError:  # without the package that reads chunks the labels stay unknown
        return {}
    return {record.id: record for record in lines.records}
