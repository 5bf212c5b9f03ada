"""Labels of a program that stands: setting them, bringing examples and labels in, giving them away."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tacit.directory.reading import read_outline
from tacit.examples.conforming import conform
from tacit.examples.exporting import Exported, export
from tacit.examples.importing import Brought, bring_in
from tacit.examples.packing import pack_import
from tacit.examples.pairs import find_pairs, take_labels
from tacit.examples.relabelling import Relabelled, relabel
from tacit.examples.sources import find_examples
from tacit.examples.turns import writing
from tacit.examples.writing import annotator_source
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter


def set_labels(directory: Path, ids: Sequence[str], label: Any, *, by: str | None = None) -> list[Relabelled]:
    """Give examples a label; an id may be shortened to a beginning that no other one has.

    label: a class name, a number, or names (a list, or a text with `;` between them), as the output of `tacit.toml` has it.
    Without `by` the label is settled: it is written into the record that introduced the example, one line in place, and other
    opinions about it are taken away. With `by` it is recorded as that annotator's opinion in ``labels/by/<by>/``.

    Raises: InputError for a label that the program does not know, and naming every id that is unknown or ambiguous; TacitError
    when another process writes labels. Nothing is written then.
    """
    directory = Path(directory)
    output = read_outline(directory).signature.output
    if by is not None:
        annotator_source(by)
    if not ids:
        raise InputError("expected the id of an example, got none", fix="tacit labels set ID... LABEL")
    ids = [name.strip().lower() for name in ids]
    stored = conform(output, label)
    with writing(directory, f"tacit labels set {' '.join(ids[:3])}{' ...' if len(ids) > 3 else ''}"):
        return relabel(directory, dict.fromkeys(ids, stored), by=by)


def import_labels(
    directory: Path,
    source: Path,
    *,
    by: str | None = None,
    label: str | None = None,
    group: str | None = None,
    only_new: bool = False,
    reporter: Reporter | None = None,
) -> Brought:
    """Bring examples, or labels for examples that are there, into a program; its signature is kept.

    source: a folder, zip, table or arrays as for `new_program`; or a table or COCO-style JSON that names examples by id. by: whose
    labels they are; without it, labels of new examples are the import's, and labels given by id are settled. label, group: columns.
    only_new: examples that the program has are passed over.
    Raises: InputError naming everything that can't be used, TacitError when another process writes labels; nothing is written then.
    """
    directory, source = Path(directory), Path(source)
    outline = read_outline(directory)
    if by is not None:
        annotator_source(by)
    pairs = find_pairs(source, label=label)
    if pairs is not None and (group is not None or only_new):
        option = "--group" if group is not None else "--new-only"
        raise ConfigError(f"expected new examples for `{option}`, got labels of known ones - at `{source}`", fix=f"leave {option} out")
    found = None if pairs is not None else find_examples(source, label=label, group=group, like=outline.signature.input)
    with writing(directory, f"tacit labels import {source}"):
        if found is None:
            return take_labels(pairs or [], source, directory, outline.signature.output, by=by)
        return bring_in(found, directory, outline.signature, by=by, only_new=only_new, reporter=reporter)


def export_labels(directory: Path, path: Path, *, format: str | None = None, reporter: Reporter | None = None) -> Exported:
    """Write the labels in force as a table, COCO-style JSON, or a folder per class.

    format: csv, jsonl, coco or folder; without it the suffix of `path` decides (.csv, .jsonl, .json, none).
    Raises: InputError for labels that the format can't hold or media that are missing; ConfigError for an unknown format.
    """
    directory = Path(directory)
    outline = read_outline(directory)
    return export(directory, Path(path), outline.signature, outline.rule, format=format, reporter=reporter)


def pack_labels(directory: Path, name: str) -> int:
    """Move the records of a text import into chunks outside git, and give how many; relabels stay text beside their manifest.

    Raises: InputError when there is no such import or its files are not sound; TacitError when another process writes labels.
    """
    directory = Path(directory)
    read_outline(directory)
    with writing(directory, f"tacit labels pack {name}"):
        return pack_import(directory, name)
