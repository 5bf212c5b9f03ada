"""Both binaries on the same examples: those that both can be held to, and what each answered."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tacit.binary.binary import Binary
from tacit.binary.native import accelerate
from tacit.examples.examples import Examples
from tacit.examples.load import load_inputs
from tacit.examples.store import Record, read_store
from tacit.ground.errors import InputError
from tacit.ground.progress import Reporter
from tacit.instruments.behaviour.outcomes import Common, Outcome, common_to, comparable_rows, outcome
from tacit.program import Program
from tacit.signature.base import InputType

_BATCH = 4096


@dataclass(frozen=True, eq=False)
class Compared:
    """The examples that both can be held to, what both did on them, and what stands in their records."""

    examples: Examples
    first: Outcome
    second: Outcome
    scores: tuple[np.ndarray, np.ndarray]
    records: Mapping[str, Record]
    places: Mapping[str, tuple[str, int]]
    common: Common


def compare(
    program: Program,
    first: Binary,
    second: Binary,
    splits: Sequence[str],
    notes: list[str],
    *,
    within: float | None,
    native: bool | None,
    reporter: Reporter,
) -> Compared:
    """Run both on the examples that both can be held to."""
    labels = program.signature.output
    common = common_to(first.signature.output, second.signature.output, labels)
    chosen = np.isin(program.examples.splits, list(splits))
    known = comparable_rows(common, labels, program.examples.targets)
    examples = program.examples.take(chosen & known)
    for names, who in ((common.only_first, "the first"), (common.only_second, "the second")):
        if names:
            notes.append(f"only {who} knows {', '.join(names[:10])}")
    if (chosen & ~known).any():
        notes.append(f"{int((chosen & ~known).sum()):,} examples are left out: their class is not known to both")
    if not len(examples):
        raise InputError(f"expected examples to compare on, got none of {', '.join(splits)} - at `{program.directory or program.name}`")
    store = None if program.directory is None else read_store(program.directory)
    records = {} if store is None else {record.id: record for record in store.records}
    scores = []
    for which, binary in (("first", first), ("second", second)):
        if native is not False:
            accelerate(binary, examples=None if native else len(examples))
        inputs = _inputs(program, binary.signature.input, examples, records)
        reporter.phase(f"running the {which}")
        scores.append(_scores(binary, inputs, reporter))
    near = 0.0 if within is None else within
    one, two = (
        outcome(binary.signature.output, given, labels, examples.targets, common, within=near)
        for binary, given in zip((first, second), scores, strict=True)
    )
    places = {} if store is None else store.places
    return Compared(examples, one, two, (scores[0], scores[1]), records, places, common)


def _inputs(program: Program, type_: InputType, examples: Examples, records: Mapping[str, Record]) -> tuple[np.ndarray, ...]:
    """Give the inputs as a binary wants them: as they are, or read anew for one whose input type is another."""
    if type_ == program.signature.input:
        return examples.inputs
    if program.directory is None:
        raise InputError(f"expected binaries for {program.signature.input!r}, got one for {type_!r}")
    try:
        return load_inputs(program.directory, type_, [records[str(name)] for name in examples.ids])
    except InputError as error:
        raise InputError(
            f"expected a binary that can read the inputs of `{program.directory}`, got one for {type_!r}",
            cause=error.message.split("\n")[0],
        ) from error


def _scores(binary: Binary, inputs: Sequence[np.ndarray], reporter: Reporter) -> np.ndarray:
    """Run on all examples, some at a time: float32[example, width]."""
    count, begun = len(inputs[0]), time.monotonic()
    parts = []
    for start in range(0, count, _BATCH):
        parts.append(binary.run([array[start : start + _BATCH] for array in inputs])[0])
        share = min(1.0, (start + _BATCH) / count)
        reporter.progress(share, (time.monotonic() - begun) * (1 - share) / share, f"{min(count, start + _BATCH):,} of {count:,}")
    return np.concatenate(parts).reshape(count, binary.signature.output.width)
