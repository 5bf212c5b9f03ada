"""Tests of a program: goals per split and class, pinned examples, invariances, and probes of the machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from tacit.acting.measuring import measure_again
from tacit.binary.binary import Binary
from tacit.binary.drivers import DRIVERS
from tacit.binary.loading import load
from tacit.binary.native import accelerate
from tacit.binary.probes import TOLERANCE, check_probes
from tacit.directory.reading import compiled_in, is_program, read_program
from tacit.examples.examples import SPLITS
from tacit.examples.store import read_labels
from tacit.examples.tree import there
from tacit.goals.acting import hold_acting
from tacit.goals.evidence import check_goals, evaluate_scores
from tacit.goals.goal import Goal
from tacit.goals.own import own_scores
from tacit.ground.errors import ConfigError, InputError, MissingPackage
from tacit.instruments.evidence import MET, NOT_MET, block_of, classes_grid, goal_rows, scores_grid
from tacit.instruments.expectations import Expectations, Invariance, Pinned, read_expectations
from tacit.instruments.layout import Grid, Part, decimal
from tacit.instruments.transforms import TRANSFORMS, apply_to_arrays
from tacit.program import Program
from tacit.signature.outputs import Number


@dataclass(frozen=True)
class Check:
    """One thing that was held against what was wanted; `kind` is goal, pinned, invariance or probe."""

    kind: str
    name: str
    wanted: str
    got: str
    met: bool


@dataclass(frozen=True)
class Verdict:
    """Everything that `test` found; it is met when every check is."""

    name: str
    checks: tuple[Check, ...]
    scores: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Tell whether every check is met."""
        return all(check.met for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "name": self.name,
            "met": self.met,
            "checks": [dataclasses.asdict(check) for check in self.checks],
            "scores": self.scores,
            "notes": list(self.notes),
        }

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        rows = tuple((check.kind, check.name, check.wanted, check.got, MET if check.met else NOT_MET) for check in self.checks)
        grids = [
            scores_grid(self.scores),
            classes_grid(self.scores.get("test", {}), title="per class, on test"),
            Grid("checks", ("what", "name", "wanted", "got", ""), rows) if rows else None,
        ]
        failed = sum(not check.met for check in self.checks)
        summary = f"{failed} of {len(self.checks)} checks NOT MET" if failed else f"all {len(self.checks)} checks met"
        return [
            *self.notes,
            *(grid for grid in grids if grid is not None),
            "",
            f"{self.name}: {summary if self.checks else 'nothing to check'}",
        ]


def test(
    target: str | PathLike[str] | Binary,
    *,
    against: str | PathLike[str] | Program | None = None,
    native: bool | None = None,
) -> Verdict:
    """Check a program directory with the binary in it, or a binary: a file or one in memory.

    against: the program whose examples, goals and `tests.toml` count; for a file that lies in a program directory that
    directory is meant. A binary without a program is held to its own evidence: the goals as they were measured, and the
    probes, which show that this machine computes what the compiler's did. native: run a file as machine code (True), by the
    interpreter (False), or by what takes less time in all (None); a binary in memory runs as it is.
    Raises: InputError, FormatError, ConfigError.
    """
    notes: list[str] = []
    program = against if isinstance(against, Program) else None if against is None else read_program(Path(against))
    if isinstance(target, Binary):
        binary = target
    elif is_program(Path(target)):
        own = read_program(Path(target))
        binary, program = load(compiled_in(Path(target), own.name)), program or own
    else:
        binary = load(target)
        if program is None and is_program(Path(target).parent):
            program = read_program(Path(target).parent)
            notes.append(f"held to the program directory `{Path(target).parent}` in which it lies")
    if native is not False and not isinstance(target, Binary):
        measured = 0 if program is None else int((program.examples.splits != "train").sum())
        made = accelerate(binary, examples=None if native else measured)
        if made.path is None and made.wanted:
            notes.append(f"the interpreter serves, not machine code: {made.reason}")
    return _by_itself(binary, notes) if program is None else _within(binary, program, notes)


def _by_acting(binary: Binary, program: Program | None, notes: list[str]) -> Verdict:
    """Let the binary act again: in its program's environment or game, or in that which the file names.

    The goals are the program's, or those that the file was compiled for. Where the file alone is not enough, its evidence is what is left.
    """
    try:
        block = measure_again(binary, program=program)
    except (ConfigError, MissingPackage) as error:
        if program is not None:
            raise
        notes.append(f"not measured again: {error.message}" + (f"; {error.fix}" if error.fix else ""))
        block = dict(block_of(binary.evidence, "test"))
    goals = program.goals if program is not None else _goals_in(binary)
    apart = [goal.metric for goal in goals if goal.metric not in block and goal.label is None] if program is None else []
    if apart:
        notes.append(f"{', '.join(f'`{name}`' for name in apart)}: a score of the program's own, measured with the program only")
        goals = tuple(goal for goal in goals if goal.metric not in apart)
    checks = [
        Check("goal", goal.name, decimal(goal.threshold), decimal(goal.value), goal.met)
        for goal in goal_rows(hold_acting(goals, block))
        if goal.threshold is not None
    ]
    return Verdict(_name(binary), (*checks, *_probe_checks(binary)), {"test": block}, tuple(notes))


def _goals_in(binary: Binary) -> tuple[Goal, ...]:
    return tuple(Goal(row.metric, row.threshold, label=row.label) for row in goal_rows(binary.evidence.get("goals")))


def _by_itself(binary: Binary, notes: list[str]) -> Verdict:
    if binary.evidence.get("acting"):
        return _by_acting(binary, None, notes)
    scores = {split: block_of(binary.evidence, split) for split in SPLITS if block_of(binary.evidence, split)}
    checks = [
        Check("goal", f"{goal.name}, as measured by the compiler", decimal(goal.threshold), decimal(goal.value), goal.met)
        for goal in goal_rows(binary.evidence.get("goals"))
        if goal.threshold is not None
    ]
    checks += _probe_checks(binary)
    notes.append("without its program directory only the evidence in the file can be checked; for all of it: tacit test FILE --in DIR")
    return Verdict(_name(binary), tuple(checks), scores, tuple(notes))


def _within(binary: Binary, program: Program, notes: list[str]) -> Verdict:
    if binary.signature != program.signature:
        raise InputError(
            f"expected a binary for {program.signature}, got one for {binary.signature}",
            cause="the types in `tacit.toml` have changed since it was compiled" if program.directory else None,
            fix=f"tacit compile {program.directory}" if program.directory else None,
        )
    if program.acts or program.only_scored:
        return _by_acting(binary, program, notes)
    compiled = (binary.evidence.get("labels") or {}).get("digest")
    if compiled and compiled != program.examples.labels_digest:
        notes.append("the labels have changed since this binary was compiled; it is held to the labels as they are now")
    splits = {"test", "validation", *(goal.split for goal in program.goals)}
    scores: dict[str, Mapping[str, Any]] = {}
    for split in (split for split in SPLITS if split in splits):
        examples = program.examples.split(split)
        block = evaluate_scores(binary.signature.output, binary.evaluate(examples), examples.targets) if len(examples) else {}
        block |= own_scores(program.goals, binary, examples, split)
        if block:
            scores[split] = block
    checks = [
        Check("goal", goal.name, decimal(goal.threshold), decimal(goal.value), goal.met)
        for goal in goal_rows(check_goals(program.goals, scores))
        if goal.threshold is not None
    ]
    if program.directory is not None:
        checks += _expected(binary, program, program.directory)
    return Verdict(_name(binary), (*checks, *_probe_checks(binary)), scores, tuple(notes))


def _name(binary: Binary) -> str:
    return str(binary.evidence.get("name") or "binary")


def _probe_checks(binary: Binary) -> list[Check]:
    """Hold the scores of this machine against those of the compiler's, all probes as one check."""
    results = check_probes(binary)
    if not results:
        return []
    greatest = max(result.difference for result in results)
    name = f"this machine computes what the compiler's did ({len(results)} inputs)"
    return [Check("probe", name, f"<= {TOLERANCE:g}", f"{greatest:.2g}", all(result.met for result in results))]


def _expected(binary: Binary, program: Program, directory: Path) -> Iterator[Check]:
    expectations: Expectations = read_expectations(directory, kind=program.signature.input.kind)
    for pinned in expectations.pinned:
        answer = _pinned_answer(binary, program, directory, pinned)
        met = _same(answer, pinned.expect, pinned.within)
        yield Check("pinned", pinned.name, str(pinned.expect), str(answer), met)
    for invariance in expectations.invariances:
        agreeing, count = _agreement(binary, program, directory, invariance)
        wanted = f">= {invariance.agree:g} the same"
        got = f"{agreeing / count:.4f} of {count}" if count else "no examples"
        yield Check(
            "invariance", f"{invariance.transform} {invariance.amount:g}", wanted, got, bool(count) and agreeing >= invariance.agree * count
        )


def _pinned_answer(binary: Binary, program: Program, directory: Path, pinned: Pinned) -> Any:
    if pinned.id is not None:
        rows = np.flatnonzero(program.examples.ids == pinned.id)
        if not len(rows):
            raise InputError(f"expected the id of an example, got `{pinned.id}` - at a pinned example of `{directory / 'tests.toml'}`")
        return _answers(binary, tuple(array[rows[:1]] for array in program.examples.inputs))[0]
    value = pinned.input
    if isinstance(value, str) and there(directory / value):
        value = directory / value
    return binary(tuple(value) if isinstance(value, list) else value)


def _answers(binary: Binary, arrays: tuple[np.ndarray, ...]) -> list[Any]:
    answers: list[Any] = DRIVERS.get(binary.driver)(binary, arrays)
    return answers


def _agreement(binary: Binary, program: Program, directory: Path, invariance: Invariance) -> tuple[int, int]:
    """Count the examples whose answer stays the same under a change, and the examples."""
    examples = program.examples.split(invariance.split)
    examples = examples.take(np.arange(min(len(examples), invariance.examples)))
    if not len(examples):
        return 0, 0
    kind, transform = program.signature.input, TRANSFORMS[invariance.transform]
    if transform.of_value is None:
        changed = apply_to_arrays(invariance.transform, examples.inputs, kind.arrays, amount=invariance.amount)
        before = _answers(binary, examples.inputs)
    else:
        values = {record.id: record.input for record in read_labels(directory)}
        random = np.random.default_rng(0)
        texts = [values[str(name)] for name in examples.ids]
        before = _answers(binary, examples.inputs)
        changed = kind.read_all([transform.of_value(text, invariance.amount, random) for text in texts])
    output = program.signature.output
    within = invariance.within if invariance.within is not None else 0.1 * output.scale if isinstance(output, Number) else 0.0
    after = _answers(binary, changed)
    return sum(_same(first, second, within) for first, second in zip(before, after, strict=True)), len(examples)


def _same(answer: Any, expected: Any, within: float) -> bool:
    """Compare answers: numbers within a distance, lists of labels in any order, mappings part by part."""
    if isinstance(answer, float) and isinstance(expected, int | float):
        return abs(answer - expected) <= within
    if isinstance(answer, dict) and isinstance(expected, dict):
        return answer.keys() == expected.keys() and all(_same(answer[key], expected[key], within) for key in answer)
    if isinstance(answer, list) and isinstance(expected, list):
        return sorted(map(str, answer)) == sorted(map(str, expected))
    return bool(str(answer) == str(expected))
