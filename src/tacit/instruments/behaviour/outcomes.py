"""What a binary answers on examples, and whether that is right, for each type of output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.base import Joint, OutputType
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.symbols import Symbols


@dataclass(frozen=True, eq=False)
class Outcome:
    """Columns over examples.

    answers: in a person's terms. right: bool[example]. margins: float64[example], by how much an answer is right (negative: wrong):
    the label's score minus the best other one; of several labels the least; of a number minus its error. NaN where there is none.
    values: what is compared to see whether an answer changed, [example, ...].
    """

    answers: Sequence[Any]
    right: np.ndarray
    margins: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Common:
    """What two outputs and the labels have in common. names: of classes or labels; only_first, only_second: what one of them lacks."""

    names: tuple[str, ...] = ()
    only_first: tuple[str, ...] = ()
    only_second: tuple[str, ...] = ()


def common_to(first: OutputType, second: OutputType, labels: OutputType) -> Common:
    """Find the classes that two binaries and the labels share. Raises: InputError when the outputs can't be compared."""
    kinds = {first.kind, second.kind, labels.kind}
    if len(kinds) > 1:
        raise InputError(
            f"expected two binaries with outputs of one kind, got {first.describe()}, {second.describe()} and labels of {labels.describe()}"
        )
    if isinstance(first, Class | Labels) and isinstance(second, Class | Labels) and isinstance(labels, Class | Labels):
        names = tuple(name for name in labels.names if name in first.names and name in second.names)
        if not names:
            raise InputError(
                f"expected classes in common, got none: {first.describe()}; {second.describe()}; the labels are {labels.describe()}"
            )
        only_first = tuple(name for name in first.names if name not in second.names)
        return Common(names, only_first, tuple(name for name in second.names if name not in first.names))
    if first != second and isinstance(first, Joint):
        raise InputError(f"expected two joint outputs of the same parts, got {first!r} and {second!r}")
    return Common()


def comparable_rows(common: Common, labels: OutputType, targets: np.ndarray) -> np.ndarray:
    """Give bool[example]: whether both binaries can know the label of an example."""
    if isinstance(labels, Class):
        known = np.array([name in common.names for name in labels.names])
        return np.asarray(known[targets.astype(np.int64)])
    return np.ones(len(targets), bool)


def outcome(output: OutputType, scores: np.ndarray, labels: OutputType, targets: np.ndarray, common: Common, *, within: float) -> Outcome:
    """Hold scores float32[example, width] of a binary with the type `output` against targets of the type `labels`.

    within: a number that is at most so far off counts as right.
    """
    for kind, make in _KINDS.items():
        if isinstance(output, kind):
            return make(output, scores, labels, targets, common, within)
    raise InputError(f"expected an output that can be compared, got {output.describe()}")


def _of_class(output: Any, scores: np.ndarray, labels: Any, targets: np.ndarray, common: Common, within: float) -> Outcome:
    places = np.array([output.names.index(name) if name in common.names else 0 for name in labels.names], np.int64)
    wanted = places[targets.astype(np.int64)]
    given = np.argmax(scores, axis=1)
    rows = np.arange(len(scores))
    others = scores.astype(np.float64, copy=True)
    own = others[rows, wanted].copy()
    others[rows, wanted] = -np.inf
    names = np.array(output.names, dtype=object)
    return Outcome(names[given].tolist(), given == wanted, own - others.max(axis=1), names[given])


def _of_labels(output: Any, scores: np.ndarray, labels: Any, targets: np.ndarray, common: Common, within: float) -> Outcome:
    columns = [output.names.index(name) for name in common.names]
    wanted = targets[:, [labels.names.index(name) for name in common.names]] > 0.5
    narrow = scores[:, columns].astype(np.float64)
    given = narrow >= 0
    names = np.array(common.names, dtype=object)
    answers = [names[row].tolist() for row in given]
    return Outcome(answers, (given == wanted).all(axis=1), np.where(wanted, narrow, -narrow).min(axis=1), given)


def _of_number(output: Any, scores: np.ndarray, labels: Any, targets: np.ndarray, common: Common, within: float) -> Outcome:
    given = scores.astype(np.float64).reshape(-1) * output.scale + output.mean
    wanted = targets.astype(np.float64).reshape(-1) * labels.scale + labels.mean
    off = np.abs(given - wanted)
    return Outcome(given.tolist(), off <= within, -off, given)


def _of_joint(output: Any, scores: np.ndarray, labels: Any, targets: np.ndarray, common: Common, within: float) -> Outcome:
    pieces = zip(output.parts, output.divide_scores(scores), labels.parts, labels.divide_targets(targets), strict=True)
    parts = [outcome(own, part, true, wanted, common_to(own, own, true), within=within) for own, part, true, wanted in pieces]
    answers = [dict(zip(output.names, values, strict=True)) for values in zip(*(part.answers for part in parts), strict=True)]
    right = np.logical_and.reduce([part.right for part in parts])
    values = np.array([repr(answer) for answer in answers], dtype=object)
    return Outcome(answers, right, np.full(len(scores), np.nan), values)


def _of_symbols(output: Any, scores: np.ndarray, labels: Any, targets: np.ndarray, common: Common, within: float) -> Outcome:
    answers = [output.decode(row) for row in scores]
    right = np.array([answer == labels.label(target) for answer, target in zip(answers, targets, strict=True)], bool)
    return Outcome(answers, right, np.full(len(scores), np.nan), np.array(answers, dtype=object))


_KINDS: dict[type[OutputType], Callable[..., Outcome]] = {
    Class: _of_class,
    Labels: _of_labels,
    Number: _of_number,
    Symbols: _of_symbols,
    Joint: _of_joint,
}


def changed(first: Outcome, second: Outcome) -> np.ndarray:
    """Give bool[example]: whether the answer is another one."""
    different = first.values != second.values
    return np.asarray(different if different.ndim == 1 else different.any(axis=1), bool)
