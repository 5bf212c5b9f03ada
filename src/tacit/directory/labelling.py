"""Setting the labels of examples that a program has: by a person who settles them, or as an annotator's opinion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tacit.directory.reading import read_outline
from tacit.examples.conforming import conform
from tacit.examples.relabelling import Relabelled, relabel
from tacit.examples.writing import annotator_source, writing
from tacit.ground.errors import InputError


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
    stored = conform(output, label)
    with writing(directory, f"tacit labels set {' '.join(ids[:3])}{' ...' if len(ids) > 3 else ''}"):
        return relabel(directory, dict.fromkeys(ids, stored), by=by)
