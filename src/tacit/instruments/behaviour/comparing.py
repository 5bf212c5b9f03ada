"""`tacit diff`: run two binaries on the same examples and say what broke, what got fixed, where, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.loading import load
from tacit.directory.reading import is_program, read_program
from tacit.examples.examples import SPLITS
from tacit.ground.errors import ConfigError, InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.history.finding_changes import label_changes
from tacit.history.git import find_repository
from tacit.instruments.behaviour.difference import BehaviourDiff, Cost, Moved, Source, confusions_of
from tacit.instruments.behaviour.measuring import classes_of, kinds_of, mean_change, moved_in, named, significant_slices, split_of
from tacit.instruments.behaviour.running import Compared, compare
from tacit.program import Program

_ROUNDS, _TIMED = 9, 64  # turns, and examples of each, for the time of a call


@dataclass(frozen=True, eq=False)
class Side:
    """One binary with the name by which the reader knows it."""

    name: str
    binary: Binary

    @property
    def commit(self) -> str | None:
        """The commit of the labels it was compiled from."""
        return (self.binary.evidence.get("labels") or {}).get("commit")

    @property
    def source(self) -> Source:
        """What the report says of it."""
        return Source(self.name, self.binary.digest, self.commit)


def diff(
    first: str | PathLike[str] | Binary,
    second: str | PathLike[str] | Binary,
    *,
    against: str | PathLike[str] | Program | None = None,
    splits: Sequence[str] = SPLITS,
    within: float | None = None,
    native: bool | None = None,
    timed: bool = True,
    reporter: Reporter | None = None,
) -> BehaviourDiff:
    """Compare what two binaries answer on the examples of a program.

    against: the program whose examples count; for a file, by default, the program directory in which it lies. splits: those to run.
    within: a number that is at most so far off counts as right (without it no number breaks or is fixed). native: machine code or the
    interpreter, as `tacit.test`. timed: measure the time of a call, in turns.
    Raises: InputError for binaries that can't be compared, or a program without examples; ConfigError, FormatError.
    """
    reporter = reporter or Reporter()
    reporter.phase("reading")
    one, two = _side(first, "first"), _side(second, "second")
    program = _program(against, first, second)
    notes = _notes(program, one, two)
    _check_splits(splits)
    compared = compare(program, one.binary, two.binary, splits, notes, within=within, native=native, reporter=reporter)
    examples, kinds = compared.examples, kinds_of(compared, program, within)
    found = tuple(split_of(name, compared, kinds, program, one.binary, two.binary) for name in SPLITS if (examples.splits == name).any())
    headline = next(name for name in ("test", "validation", "train") if any(split.name == name for split in found))
    moved = moved_in(compared, kinds, headline)
    rows = np.flatnonzero(examples.splits == headline)
    held = np.flatnonzero(examples.splits != "train") if headline != "train" else rows
    slices, tested = significant_slices(compared, held, within)
    reporter.phase("measuring")
    return BehaviourDiff(
        one.source,
        two.source,
        headline,
        found,
        classes=classes_of(compared, rows),
        confusions=confusions_of([item for item in moved if item.split == headline]) if named(program) else (),
        slices=slices,
        tested=tested,
        costs=_costs(one.binary, two.binary, compared, timed),
        labels=_label_changes(program.directory, one.commit, two.commit, notes),
        moved=moved,
        mean_change=mean_change(compared, rows),
        notes=tuple(notes),
        shown=_shown(compared, moved),
    )


def _side(given: str | PathLike[str] | Binary, name: str) -> Side:
    if isinstance(given, Binary):
        return Side(str(given.evidence.get("name") or name), given)
    return Side(Path(given).name, load(given))


def _program(against: Any, first: Any, second: Any) -> Program:
    if isinstance(against, Program):
        return against
    if against is not None:
        return read_program(Path(against))
    for given in (second, first):
        if not isinstance(given, Binary) and is_program(Path(given).parent):
            return read_program(Path(given).parent)
    raise InputError(
        "expected examples to compare two binaries on, got two that lie in no program directory", fix="tacit diff A.tacit B.tacit --in DIR"
    )


def _check_splits(splits: Sequence[str]) -> None:
    wrong = [name for name in splits if name not in SPLITS]
    if wrong or not splits:
        raise ConfigError(f"expected splits of {', '.join(SPLITS)}, got {', '.join(wrong) or 'none'}")


def _notes(program: Program, one: Side, two: Side) -> list[str]:
    notes = []
    digests = {(side.binary.evidence.get("labels") or {}).get("digest") for side in (one, two)}
    if program.examples.labels_digest not in digests and digests != {None}:
        notes.append("both are held to the labels as they are now; neither was compiled from exactly these")
    if one.binary.signature != two.binary.signature:
        notes.append(f"the signatures differ: {one.binary.signature} and {two.binary.signature}")
    if one.binary.digest == two.binary.digest:
        notes.append("the two binaries compute the same thing")
    return notes


def _costs(first: Binary, second: Binary, compared: Compared, timed: bool) -> tuple[Cost, ...]:
    rows = []
    for key, name in (
        ("macs", "MACs"),
        ("weight_bytes", "bytes of weights"),
        ("arena_bytes", "bytes of arena"),
        ("instructions", "instructions"),
    ):
        before, after = ((binary.evidence.get("costs") or {}).get(key) for binary in (first, second))
        if before is not None or after is not None:
            rows.append(Cost(name, before, after))
    if timed and first.signature.input == second.signature.input == compared.examples.signature.input:
        rows.append(_times(first, second, [array[:_TIMED] for array in compared.examples.inputs]))
    return tuple(rows)


def _times(first: Binary, second: Binary, arrays: Sequence[np.ndarray]) -> Cost:
    """Time both in turns, so that a busy machine disturbs both alike; a difference counts when most turns agree on it."""
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(_ROUNDS + 1):
        for which, binary in ((0, first), (1, second)) if turn % 2 == 0 else ((1, second), (0, first)):
            begun = time.perf_counter()
            binary.run(arrays)
            if turn:  # the first turn only warms up
                taken[which].append(time.perf_counter() - begun)
    one, two = (float(np.median(times)) / len(arrays[0]) for times in taken)
    low, high = np.percentile(np.divide(taken[1], taken[0]), [15, 85])
    return Cost("seconds per example", one, two, sure=bool(low > 1.0 or high < 1.0))


def _label_changes(directory: Path | None, first: str | None, second: str | None, notes: list[str]) -> dict[str, int] | None:
    """Count what changed in the labels between the commits of two binaries, where git knows both."""
    if directory is None or not first or not second:
        return None
    one, two = first.removesuffix("-dirty"), second.removesuffix("-dirty")
    if "-dirty" in first + second:
        notes.append(
            "a binary was compiled from labels that were not committed (-dirty): the count of changed labels leaves those edits out"
        )
    if one == two:
        return {}
    try:
        repository = find_repository(directory)
        counts: dict[str, int] = {}
        for change in label_changes(directory, repository.commit(one), repository.commit(two)):
            counts[change.kind] = counts.get(change.kind, 0) + 1
    except TacitError as error:
        notes.append(f"what changed in the labels between the two is not known: {error.message}")
        return None
    return counts


def _shown(compared: Compared, moved: Sequence[Moved]) -> dict[str, tuple[Any, Any, Any]]:
    """Give type, arrays and stored value of the examples that a sheet may show, by id."""
    rows = {str(name): row for row, name in enumerate(compared.examples.ids)}
    type_ = compared.examples.signature.input
    found: dict[str, tuple[Any, Any, Any]] = {}
    for item in moved:
        record = compared.records.get(item.id)
        found[item.id] = (type_, [array[rows[item.id]] for array in compared.examples.inputs], None if record is None else record.input)
    return found
