"""int8 for a build: calibrated on training examples, measured beside float32 on test examples, refused where it loses too much."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.binary.binary import MAIN, Binary
from tacit.building.sample import check_signature
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.goals.own import of_scores_alone
from tacit.goals.table import metric_of
from tacit.ground.errors import InputError, TacitError
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.program import Program
from tacit.quantisation.quantise import FINE_TUNED, attempts
from tacit.signature.base import OutputType
from tacit.signature.outputs import Number

ALLOWED_DROP = 0.3
_AT_ONCE = 256


@dataclass(frozen=True)
class Drop:
    """What int8 loses by one metric, in points: hundredths of a score, or of a number's standard deviation."""

    metric: str
    float32: float
    int8: float
    points: float


@dataclass(frozen=True, eq=False)
class Integers:
    """The int8 program of a binary and what it lost. measured_on: a split and how many examples. made_by: the attempt."""

    graphs: Mapping[str, IntegerGraph]
    drops: tuple[Drop, ...]
    measured_on: str
    made_by: str

    @property
    def tuned(self) -> bool:
        """Whether it was fine-tuned."""
        return self.made_by == FINE_TUNED

    @property
    def worst(self) -> Drop:
        """The metric that lost most."""
        return max(self.drops, key=lambda drop: drop.points)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {"measured_on": self.measured_on, "made_by": self.made_by, "drops": [vars(drop) for drop in self.drops]}


def integers_of(binary: Binary, program: Program | None, *, allow_drop: float, reporter: Reporter) -> Integers:
    """Make the int8 program of a binary.

    Raises: InputError without examples, or for several entry points; TacitError when it loses more than `allow_drop` points.
    """
    if program is None:
        raise InputError(
            "expected a program directory to make int8 of a binary, got none",
            cause="the ranges of its numbers are measured on training examples, and what it loses on test examples",
            fix="--in DIR",
        )
    if set(binary.graphs) - set(binary.signatures) != {MAIN}:  # a driver would miss them
        raise InputError(f"expected one entry point to make int8 of, got {', '.join(binary.graphs)}", fix="build it without --int8")
    if binary.signatures:
        reporter.note(f"int8 holds `{MAIN}` alone; {', '.join(f'`{name}`' for name in binary.signatures)} can be split off and built apart")
    check_signature(binary, program)
    train, (split, test) = program.examples.split("train"), _measured_on(program)
    if not len(train):
        raise InputError("expected training examples to calibrate int8 on, got none", fix="--in DIR of the examples it learned from")
    goals = tuple(filter(of_scores_alone, program.goals)) or (Goal(program.signature.output.metric),)
    graph = binary.graphs[MAIN]
    reporter.phase("measuring float32")
    before = evaluate(graph, test.inputs)[0]
    made_by, made = _good_enough(graph, program, goals, allow_drop=allow_drop, reporter=reporter)
    reporter.phase("measuring int8")
    drops = _drops(made, before, test, goals, reporter)
    result = Integers({MAIN: made}, drops, f"{len(test)} {split} examples", made_by)
    if _worst(drops) > allow_drop:
        raise _too_much(result, allow_drop)
    return result


def _too_much(result: Integers, allowed: float) -> TacitError:
    worst = result.worst
    return TacitError(
        f"expected int8 to lose at most {allowed:g} points, got {worst.points:.2f} of {worst.metric} "
        f"({worst.float32:.4f} -> {worst.int8:.4f}) - on {result.measured_on}",
        cause="fine-tuning did not mend it" if result.tuned else None,
        fix=f"--allow-drop {np.ceil(worst.points * 10) / 10:g} to accept it, or build without --int8",
    )


def _good_enough(
    graph: Graph, program: Program, goals: Sequence[Goal], *, allow_drop: float, reporter: Reporter
) -> tuple[str, IntegerGraph]:
    """Give the first attempt that loses little enough on validation examples, else the best; test examples choose nothing."""
    train, held = program.examples.split("train"), program.examples.split("validation")
    deciding = held if len(held) else train
    before = evaluate(graph, deciding.inputs)[0]
    best: tuple[float, str, IntegerGraph] | None = None
    reporter.phase("calibrating int8")
    for name, made in attempts(graph, train.inputs, reporter=reporter):
        lost = _worst(_drops(made.graph, before, deciding, goals, reporter))
        if best is None or lost < best[0]:
            best = lost, name, made.graph
        if lost <= allow_drop:
            break
        reporter.phase("making int8 with more effort")
    if best is None:
        raise TacitError("expected an int8 program, got none")
    return best[1], best[2]


def _measured_on(program: Program) -> tuple[str, Examples]:
    """Give the test split, or the one that stands in for it where there is none. Raises: InputError, ConfigError."""
    program.need_examples("int8, whose ranges are measured on them")
    for split in ("test", "validation", "train"):
        examples = program.examples.split(split)
        if len(examples):
            return split, examples
    raise InputError(f"expected examples, got none - at `{program.directory or program.name}`")


def _worst(drops: Sequence[Drop]) -> float:
    return max(drop.points for drop in drops)


def _drops(graph: IntegerGraph, before: np.ndarray, test: Examples, goals: Sequence[Goal], reporter: Reporter) -> tuple[Drop, ...]:
    """Measure int8 by the metric of every goal."""
    after = in_pieces(lambda arrays: evaluate_integers(graph, arrays), test.inputs, reporter)[0]
    return tuple(_drop(goal, before, after, test) for goal in {(goal.metric, goal.label): goal for goal in goals}.values())


def _drop(goal: Goal, before: np.ndarray, after: np.ndarray, test: Examples) -> Drop:
    output: OutputType = test.signature.output
    metric = metric_of(goal)
    first, second = (metric(scores.reshape(len(scores), output.width), test.targets, output) for scores in (before, after))
    unit = output.scale if isinstance(output, Number) and not metric.higher_is_better else 1.0
    lost = (first - second) if metric.higher_is_better else (second - first)
    name = f"{goal.metric} of {goal.label}" if goal.label is not None else goal.metric
    return Drop(name, first, second, 0.0 if np.isnan(lost) else round(100 * lost / unit, 6))


def in_pieces(
    run: Callable[[Sequence[np.ndarray]], list[np.ndarray]], inputs: Sequence[np.ndarray], reporter: Reporter
) -> list[np.ndarray]:
    """Run on some hundred examples at a time, and tell how far it is."""
    count = len(inputs[0])
    found = []
    for start in range(0, count, _AT_ONCE):
        found.append(run([array[start : start + _AT_ONCE] for array in inputs]))
        reporter.progress(min(1.0, (start + _AT_ONCE) / count), None)
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]
