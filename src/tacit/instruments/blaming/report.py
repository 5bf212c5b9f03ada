"""How a blame is shown: grids, a contact sheet, and what it can't know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tacit.examples.inputs import Inputs
from tacit.examples.sheet import Cell, contact_sheet
from tacit.ground.errors import InputError
from tacit.instruments.blaming.answer import Blame, Witness, records_of
from tacit.instruments.blaming.commit import CommitBlame, Touched
from tacit.instruments.labelling.wording import SHORT, label_words, plural
from tacit.instruments.layout import Grid, Part
from tacit.signature.base import InputType

ESTIMATE = (
    "An influence is an estimate, not a measurement: by how much the margin would fall had the program been trained without the example.\n"
    "Only training again tells for sure; docs/howto/blame.md says how well the two agree."
)


def parts(found: Blame) -> list[Part]:
    """Lay out the examples behind an answer for a person."""
    said = label_words(found.answer)
    about = "" if found.margin_of == found.answer else f", why not {label_words(found.margin_of)}"
    head = f"{found.name}: {said}{about}, by {plural(found.examples, 'training example')}"
    columns = ("example", "label", "split", f"influence ({found.unit})", "±", "where", "who")
    grids: list[Part] = []
    for title, rows in (("for this answer", found.supporting), ("against it", found.opposing)):
        if rows:
            grids.append(Grid(title, columns, tuple(_cells(row) for row in rows)))
    return [head, *grids, "", ESTIMATE]


def _cells(row: Witness) -> tuple[str, ...]:
    place = f"{row.file}:{row.line}" if row.file else "-"
    who = str(row.written) if row.written else "-"
    return (row.id[:SHORT], label_words(row.label), row.split, f"{row.influence:+.4f}", f"{row.spread:.4f}", place, who)


def commit_parts(found: CommitBlame) -> list[Part]:
    """Lay out what a commit of labels did to the answers for a person."""
    head = f"{found.name}: {found.commit[:10]} {found.subject}\n{found.summary}"
    classes = tuple((row.label, f"{row.count:,}", f"{row.mean:+.4f}", f"{row.helped:,}", f"{row.hurt:,}") for row in found.classes)
    grids: list[Part] = []
    if classes:
        title = f"estimated change of the right answer's margin ({found.unit}), by label"
        grids.append(Grid(title, ("label", "examples", "mean", "helped", "hurt"), classes))
    columns = ("example", "label", "split", "change", "margin without it", "where")
    for title, rows in (("helped most", found.helped), ("hurt most", found.hurt)):
        if rows:
            grids.append(Grid(title, columns, tuple(_touched(row) for row in rows)))
    return [head, *grids, "", *found.notes, ESTIMATE]


def _touched(row: Touched) -> tuple[str, ...]:
    place = f"{row.file}:{row.line}" if row.file else "-"
    return (row.id[:SHORT], label_words(row.label), row.split, f"{row.change:+.4f}", f"{row.margin - row.change:+.3f}", place)


def sheet(found: Blame, type_: InputType) -> bytes:
    """Draw the input and the examples for and against its answer as a PNG; an example whose medium is missing is left out."""
    cells = [Cell(type_, found.arrays, f"{found.name}\n{label_words(found.answer)}", section="the input")]
    for title, tone, rows in (("for", "good", found.supporting), ("against", "bad", found.opposing)):
        cells += _drawn(found, type_, rows, f"{title}: {label_words(found.margin_of)}", tone)
    return contact_sheet(cells, title=f"{found.program_name}: who wrote the answer {label_words(found.answer)}")


def _drawn(found: Blame, type_: InputType, rows: Sequence[Witness], section: str, tone: str) -> list[Cell]:
    if found.directory is None:
        return []
    records = records_of(found.directory, [row.id for row in rows])
    inputs = Inputs(found.directory)
    cells = []
    for row in rows:
        record: Any = records.get(row.id)
        if record is None:
            continue
        try:
            arrays = type_.read(inputs.value(record))
        except InputError:
            continue
        who = f"\n{row.written.author}" if row.written and row.written.author else ""
        caption = f"{label_words(row.label)} {row.influence:+.3f}\n{row.id[:SHORT]}{who}"
        cells.append(Cell(type_, arrays, caption, value=record.input, tone=tone, section=section))
    return cells
