"""`tacit.blame_commit`: what a commit of labels did to the answers on validation and test examples, estimated without training again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from tacit.attribution.directions import right_margins
from tacit.binary.binary import Binary
from tacit.directory.reading import read_program
from tacit.examples.examples import Examples
from tacit.examples.inputs import Inputs
from tacit.examples.records import Record
from tacit.examples.store import read_store
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.history.finding_changes import Change, label_changes
from tacit.history.git import Repository, find_repository
from tacit.instruments.blaming.answer import TOP, Opened, open_blame
from tacit.instruments.labelling.wording import label_words, plural
from tacit.program import Program

MOST_QUERIES = 2_000
BATCH = 250


@dataclass(frozen=True)
class Touched:
    """A validation or test example and what a commit did to it: the change of its right answer's margin, and the margin now."""

    id: str
    label: Any
    split: str
    change: float
    margin: float
    file: str | None
    line: int | None


@dataclass(frozen=True)
class ClassChange:
    """The examples of one label: how many, the mean change, and how many were helped and hurt."""

    label: str
    count: int
    mean: float
    helped: int
    hurt: int


@dataclass(frozen=True)
class CommitBlame:
    """What `blame_commit` found; helped and hurt have the strongest first. notes: what was left out, and why."""

    name: str
    commit: str
    subject: str
    changes: int
    summary: str
    unit: str
    mean: float
    classes: tuple[ClassChange, ...]
    helped: tuple[Touched, ...]
    hurt: tuple[Touched, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        rows = {name: [vars(row) for row in getattr(self, name)] for name in ("classes", "helped", "hurt")}
        about = {"commit": self.commit, "subject": self.subject, "changes": self.changes, "unit": self.unit, "mean": self.mean}
        return {**about, **rows, "notes": list(self.notes), "estimate": True}


def blame_commit(
    binary: Binary | str | PathLike[str],
    commit: str,
    *,
    against: str | PathLike[str] | None = None,
    top: int = TOP,
    reporter: Reporter | None = None,
) -> CommitBlame:
    """Estimate what the labels that a commit changed did to the right answers of validation and test examples.

    Every relabelled, added or removed training example pulls at the weights as its label does now, less as it did before; the sum over
    all of them, on the margin of an example's right answer, is the change. A merge is held against its first parent.
    Raises: InputError when the commit changed no label of a training example; UnknownName for a commit that is not known.
    """
    reporter = reporter or Reporter()
    opened = open_blame(binary, against=against, reporter=reporter)
    if opened.directory is None:
        raise InputError("expected a program directory in git, got a program in memory", fix="--in DIR")
    repository = find_repository(opened.directory)
    name, subject, parent = _about(repository, commit)
    changes = [change for change in label_changes(opened.directory, parent, name) if change.annotator is None]
    program = read_program(opened.directory, reporter=reporter)
    kept, notes = _learnt_from(changes, program, opened)
    if not kept:
        raise InputError(
            f"expected a commit that changed labels of training examples, got {name[:10]}, which changed {len(changes)} of others",
            fix="git log --oneline -- labels",
        )
    queries = _queries(program.examples)
    if len(queries) == MOST_QUERIES:
        notes.append(f"Looked at {MOST_QUERIES:,} of the validation and test examples, drawn by their ids.")
    effects = _effects(opened, queries, kept, notes, reporter)
    return _told(opened, queries, effects, name, subject, kept, notes, top)


def _about(repository: Repository, commit: str) -> tuple[str, str, str]:
    """Give the full name of a commit, its subject, and what it is held against."""
    name = repository.commit(commit)
    text = repository.run("show", "-s", "--format=%P%n%s", name).decode("utf-8", "replace").split("\n")
    parents = text[0].split()
    return name, text[1] if len(text) > 1 else "", parents[0] if parents else repository.empty_tree


def _learnt_from(changes: Sequence[Change], program: Program, opened: Opened) -> tuple[list[Change], list[str]]:
    """Keep the changes of labels of training examples, and say what is left out."""
    learnt = set(opened.features.ids.tolist())
    held = set(program.examples.ids[~np.isin(program.examples.ids, opened.features.ids)].tolist())
    kept, elsewhere, other = [], 0, 0
    for change in changes:
        if change.kind not in ("relabelled", "added", "removed"):
            other += 1
        elif change.id in held:
            elsewhere += 1
        else:
            kept.append(change)
    notes = []
    if elsewhere:
        notes.append(
            f"{plural(elsewhere, 'change')} of validation or test labels left out: they changed what is measured, not the program."
        )
    if other:
        notes.append(f"{plural(other, 'change')} of splits, groups or places left out.")
    now = dict(zip(program.examples.ids.tolist(), program.examples.targets, strict=True))
    output = program.signature.output
    later = sum(1 for c in kept if c.id in learnt and label_words(output.label(now[c.id])) != label_words(c.after))
    if later:
        notes.append(f"{plural(later, 'label')} of this commit changed again since; shown is what the commit did.")
    return kept, notes


def _queries(examples: Examples) -> Examples:
    held = examples.take(examples.splits != "train")
    return held if len(held) <= MOST_QUERIES else held.take(np.arange(MOST_QUERIES))  # sorted by id, a hash: as good as a draw


def _effects(opened: Opened, queries: Examples, changes: list[Change], notes: list[str], reporter: Reporter) -> np.ndarray:
    """Give float32[query]: the summed estimate over all changes; a change whose input can't be had is left out and counted."""
    if opened.directory is None or not len(queries):
        return np.zeros(len(queries), np.float32)
    store = read_store(opened.directory)
    inputs, signature = Inputs(opened.directory), opened.binary.signature
    total, missing = np.zeros(len(queries), np.float32), 0
    for start in range(0, len(changes), BATCH):
        reporter.progress(start / len(changes), None, f"{start:,} of {len(changes):,} changes")
        arrays, after, before = [], [], []
        for change in changes[start : start + BATCH]:
            row = store.row(change.id)
            record: Record | None = store.records[row] if row is not None else change.new or change.old
            try:
                if record is None:
                    raise InputError("no record")
                given = signature.input.read(inputs.value(record))
                new = None if change.after is None else signature.output.encode(change.after)
                old = None if change.before is None else signature.output.encode(change.before)
            except TacitError:
                missing += 1
                continue
            arrays.append(given)
            after.append(new)
            before.append(old)
        if arrays:
            stacked = tuple(np.stack(column) for column in zip(*arrays, strict=True))
            for at in range(0, len(queries), BATCH):
                some = tuple(array[at : at + BATCH] for array in queries.inputs)
                found = opened.features.attribution.effects(some, queries.targets[at : at + BATCH], stacked, after, before)
                total[at : at + BATCH] += found.sum(1)
    if missing:
        notes.append(f"{plural(missing, 'change')} left out: the input is not here, or the label is none of the program's.")
    return total


def _told(
    opened: Opened, queries: Examples, effects: np.ndarray, name: str, subject: str, changes: list[Change], notes: list[str], top: int
) -> CommitBlame:
    output = opened.binary.signature.output
    scores = opened.binary.evaluate(queries) if len(queries) else np.zeros((0, output.width), np.float32)
    margins = right_margins(scores, output, queries.targets)
    labels = [output.label(target) for target in queries.targets]
    places = read_store(opened.directory).places if opened.directory is not None else {}

    def touched(row: int) -> Touched:
        own = str(queries.ids[row])
        file, line = places.get(own, (None, None))
        return Touched(own, labels[row], str(queries.splits[row]), float(effects[row]), float(margins[row]), file, line)

    order = np.argsort(-effects, kind="stable")
    helped = tuple(touched(int(row)) for row in order[:top] if effects[row] > 0)
    hurt = tuple(touched(int(row)) for row in order[::-1][:top] if effects[row] < 0)
    unit = "log odds" if output.loss == "cross_entropy" else "standard deviations" if output.kind == "number" else "score"
    counts = {kind: sum(1 for change in changes if change.kind == kind) for kind in ("relabelled", "added", "removed")}
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count)
    mean = float(effects.mean()) if len(effects) else 0.0
    where = f"on {plural(len(queries), 'validation or test example')}"
    summary = f"{said}; {where} the right answer's margin changed by {mean:+.4f} {unit} on average"
    classes = _by_class(output, labels, effects)
    return CommitBlame(opened.name, name, subject, len(changes), summary, unit, mean, classes, helped, hurt, tuple(notes))


def _by_class(output: Any, labels: list[Any], effects: np.ndarray) -> tuple[ClassChange, ...]:
    """Sum up by label, the greatest change first; numbers have no classes."""
    if output.kind == "number":
        return ()
    groups: dict[str, list[float]] = {}
    for label, effect in zip(labels, effects.tolist(), strict=True):
        for name in label if isinstance(label, list) else [label_words(label)]:
            groups.setdefault(str(name), []).append(effect)
    rows = [
        ClassChange(name, len(own), float(np.mean(own)), sum(value > 0 for value in own), sum(value < 0 for value in own))
        for name, own in groups.items()
    ]
    return tuple(sorted(rows, key=lambda row: -abs(row.mean)))
