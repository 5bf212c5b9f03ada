"""Parity: what was built gives what the interpreter gives, on real examples.

Floats may differ by the order of summation; an int8 program gives the same bits, or it is not the same program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tacit.building.sample import Sample
from tacit.signature.base import Joint, OutputType
from tacit.signature.outputs import Number

#: Relative to the greatest score of an example: the order of summation differs between machines, float32 has 6e-8.
TOLERANCE = 1e-4
#: An example whose scores are all small is compared as if its greatest one were this share of the greatest of all.
_LEAST_SHARE = 0.1
#: For a target that computes int8 by rules of its own (QDQ): so many answers are the same.
LEAST_AGREEMENT = 0.98


@dataclass(frozen=True)
class Parity:
    """How far what was built is from the interpreter.

    rule: in words. count: examples. on: what they are. runs_on: what ran the build. differing: scores whose bits differ, of `scores`.
    greatest: the greatest difference, relative. where: the example, output and score of the greatest difference, with both
    values; None when all bits are equal. agreement: the share of examples with the same answer.
    """

    rule: str
    met: bool
    count: int
    on: str
    runs_on: str
    scores: int
    differing: int
    greatest: float
    where: dict[str, Any] | None
    agreement: float

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return asdict(self)


def compare_floats(
    wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], sample: Sample, *, output: OutputType, runs_on: str = ""
) -> Parity:
    """Hold float scores against the interpreter's, to `TOLERANCE`."""
    found = _compare(wanted, got, sample, output=output)
    rule = f"within {TOLERANCE:g} of the greatest score"
    return Parity(rule=rule, met=found["greatest"] <= TOLERANCE, on=sample.described, runs_on=runs_on, **found)


def compare_bits(
    wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], sample: Sample, *, output: OutputType, runs_on: str = ""
) -> Parity:
    """Hold int8 scores against the interpreter's: every bit."""
    found = _compare(wanted, got, sample, output=output)
    return Parity(rule="all bits equal", met=found["differing"] == 0, on=sample.described, runs_on=runs_on, **found)


def compare_answers(
    wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], sample: Sample, *, output: OutputType, runs_on: str = ""
) -> Parity:
    """Hold answers against the interpreter's, for a target with another arithmetic: `LEAST_AGREEMENT` of them are the same."""
    found = _compare(wanted, got, sample, output=output)
    rule = f"at least {100 * LEAST_AGREEMENT:g} % of the answers the same"
    return Parity(rule=rule, met=found["agreement"] >= LEAST_AGREEMENT, on=sample.described, runs_on=runs_on, **found)


def _compare(wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], sample: Sample, *, output: OutputType) -> dict[str, Any]:
    """Give what all comparisons report."""
    least = 1.0 if isinstance(output, Number) else 0.0  # its scores are in standard deviations: near 0 they are compared as they are
    greatest, where, differing, scores = 0.0, None, 0, 0
    shapes = [array.shape for array in wanted]
    if shapes != [np.shape(array) for array in got]:
        raise ValueError(f"expected outputs {shapes}, got {[np.shape(array) for array in got]}")
    for number, (first, second) in enumerate(zip(wanted, got, strict=True)):
        true = np.asarray(first, np.float32).reshape(len(first), -1)
        made = np.asarray(second, np.float32).reshape(true.shape)
        unequal = true.view(np.uint32) != made.view(np.uint32)
        differing, scores = differing + int(unequal.sum()), scores + true.size
        own = np.abs(true).max(axis=1, keepdims=True, initial=0.0)
        scale = np.maximum(own, max(_LEAST_SHARE * float(own.max(initial=0.0)), least, 1e-12))
        relative = np.abs(true.astype(np.float64) - made) / scale
        relative[np.isnan(relative)] = np.inf
        relative[~unequal] = 0.0
        if not relative.size or float(relative.max()) < greatest or not unequal.any():
            continue
        row, column = (int(place) for place in np.unravel_index(np.argmax(relative), relative.shape))
        greatest = float(relative[row, column])
        where = {
            "example": sample.names[row],
            "output": number,
            "score": column,
            "interpreter": float(true[row, column]),
            "built": float(made[row, column]),
        }
    agreement = _agreement(output, np.asarray(wanted[0]), np.asarray(got[0]))
    return {
        "count": len(sample),
        "scores": scores,
        "differing": differing,
        "greatest": greatest,
        "where": where,
        "agreement": agreement,
    }


def _agreement(output: OutputType, wanted: np.ndarray, got: np.ndarray) -> float:
    """Give the share of examples whose answers are the same; numbers agree within a tenth of their deviation."""
    first, second = (array.reshape(len(array), output.width) for array in (wanted, got))
    return float(_same_answers(output, first, second).mean()) if len(first) else 1.0


def _same_answers(output: OutputType, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Tell of each example whether its answers are the same, bool[example]."""
    if isinstance(output, Joint):
        pieces = zip(output.parts, output.divide_scores(first), output.divide_scores(second), strict=True)
        return np.asarray(np.all([_same_answers(part, one, other) for part, one, other in pieces], axis=0))
    if isinstance(output, Number):
        return np.asarray(np.abs(first[:, 0] - second[:, 0]) <= 0.1)
    return np.array([output.decode(one) == output.decode(other) for one, other in zip(first, second, strict=True)])
