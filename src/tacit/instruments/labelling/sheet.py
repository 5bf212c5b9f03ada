"""A contact sheet of the examples whose labels changed: each as its type shows it, old and new label below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tacit.directory.reading import read_outline
from tacit.examples.inputs import Inputs
from tacit.examples.records import Record
from tacit.examples.sheet import MOST, Cell, contact_sheet
from tacit.ground.errors import InputError
from tacit.history.change import Change
from tacit.history.opinions import Opinions
from tacit.instruments.labelling.difference import LabelDiff
from tacit.instruments.labelling.wording import SHORT, label_words, step_words
from tacit.signature.base import InputType

_TONES = {"relabelled": "changed", "added": "good", "removed": "bad"}
_TITLES = {"relabelled": "relabelled", "removed": "removed", "added": "added", "changed": "other changes"}
_EACH = 48  # of one section, so that ten thousand additions don't hide the relabels


def diff_sheet(directory: Path, diff: LabelDiff, *, each: int = _EACH) -> tuple[bytes, list[str]]:
    """Draw the changed examples, at most so many of each kind, as a PNG; give also what could not be drawn, and why.

    Relabels come first, the pairs of labels that changed most at the front; then disputes, what was removed, and what was added.
    Raises: ConfigError when the program directory has no `tacit.toml` that is understood.
    """
    type_ = read_outline(directory).signature.input
    counted = {(str(key), str(change.after)): 0 for change in diff.changes for key in [change.before]}
    for change in diff.changes:
        counted[str(change.before), str(change.after)] += 1
    drawing = _Drawing(directory, type_)
    cells: list[Cell] = []
    for kind, title in _TITLES.items():
        items = [change for change in diff.changes if change.kind == kind and not change.annotator]
        items.sort(key=lambda change: (-counted[str(change.before), str(change.after)], str(change.before), str(change.after), change.id))
        more = f", {each} of them shown" if len(items) > each else ""
        section = f"{title}: {len(items):,}{more}"
        cells += drawing.cells(
            [(change.id, change.new or change.old, _caption(change)) for change in items[:each]], _TONES.get(kind, ""), section
        )
        if kind == "relabelled" and diff.disputes:
            told = [(name, next(iter(said.values())), _said(said)) for name, said in list(diff.disputes.items())[:each]]
            cells += drawing.cells(told, "bad", f"in dispute: {len(diff.disputes):,}")
    title = f"{diff.first} → {diff.second or 'the working tree'}: {diff.summary}"
    return contact_sheet(cells[:MOST], title=title), drawing.missing


class _Drawing:
    """Makes cells of examples; those whose input can't be had are named in `missing`."""

    def __init__(self, directory: Path, type_: InputType) -> None:
        self.inputs, self.type = Inputs(directory), type_
        self.missing: list[str] = []

    def cells(self, items: Sequence[tuple[str, Record | None, str]], tone: str, section: str) -> list[Cell]:
        """Make a cell for each example that can be had."""
        found = []
        for name, record, caption in items:
            try:
                arrays = self.type.read(self.inputs.value(record) if record is not None else self.inputs.medium(name))
            except InputError as error:
                self.missing.append(f"{name}: {error.message}")
                continue
            found.append(Cell(self.type, arrays, caption, value=record.input if record is not None else None, tone=tone, section=section))
        return found


def _caption(change: Change) -> str:
    words = {
        "added": label_words(change.after),
        "removed": label_words(change.before),
        "relabelled": step_words(change.before, change.after),
    }
    return f"{words.get(change.kind, label_words(change.after))}\n{change.id[:SHORT]}"


def _said(said: Opinions) -> str:
    return "\n".join(f"{source.removeprefix('by/')}: {label_words(record.label)}" for source, record in said.items())
