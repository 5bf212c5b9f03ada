"""The end of an integer kernel: how 32-bit sums become the numbers of a buffer, as text of C.

The formula is that of `tacit.ir.integer.Requantise`; the rounding before the first shift is part of the sum already.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tacit.ir.integer import Requantise


@dataclass(frozen=True)
class Requantiser:
    """Writes the requantisation and the store of sums. kind: C type of the output. stride: between lanes, where they are scattered.

    zero: of the output. unit: the multiplier is 1 everywhere. accumulate: the old values are added.
    """

    rule: Requantise
    zero: int
    kind: str
    unit: bool
    accumulate: bool
    stride: int | None

    @property
    def old_is_plain(self) -> bool:
        """Say whether old values are added as they are, after the last shift."""
        return not self.accumulate or self.rule.addend == 1 << self.rule.after

    def four(self, places: list[str], names: list[str], multiplier: str) -> str:
        """Write the requantisation of four rows of sixteen sums in 16-bit numbers."""
        rule = self.rule
        zero = self.zero - (rule.old_zero if self.accumulate else 0)
        operation = "REQUANTISE4_ONTO" if self.accumulate else "REQUANTISE4"
        return f"{operation}({', '.join([*places, *names])}, {rule.before}, {multiplier}, {zero}, {rule.low}, {rule.high});"

    def one(self, name: str, at: int | str, multiplier: str, lanes: int, partial: int) -> Iterator[str]:
        """Write the requantisation of one vector of sums, and its store."""
        rule = self.rule
        simple_old = self.accumulate and self.old_is_plain
        shift = _Text(lanes)
        text = shift.right(name, rule.before)
        if not self.unit:
            text = shift.times(text, multiplier)
        old = self._old(at, lanes, partial) if self.accumulate else ""
        added = (1 << rule.after) >> 1
        if old and not simple_old:
            text = shift.plus(text, shift.times_number(old, rule.addend))
            added -= rule.old_zero * rule.addend
        text = shift.right(shift.plus_number(text, added), rule.after)
        zero = self.zero
        if simple_old:
            text = shift.plus(text, old)
            zero -= rule.old_zero
        text = shift.plus_number(text, zero)
        yield f"{name} = {shift.clip(text, rule.low, rule.high)};"
        yield self._store(at, name, lanes, partial)

    def _old(self, at: int | str, lanes: int, partial: int) -> str:
        if lanes == 1:
            return f"(int32_t)out_[{at}]"
        if self.stride is not None:
            return f"INT_GATHER{lanes}_{self.kind}(out_ + {at}, {self.stride})".replace("+ -", "- ")
        return f"WIDEN{lanes}_{self.kind}_PART(out_ + {at}, {partial})" if partial else f"WIDEN{lanes}_{self.kind}(out_ + {at})"

    def _store(self, at: int | str, name: str, lanes: int, partial: int) -> str:
        if lanes == 1:
            return f"out_[{at}] = ({self.kind}){name};"
        if self.stride is not None:
            return f"INT_SCATTER{lanes}_{self.kind}(out_ + {at}, {self.stride}, {name}, {partial or lanes});".replace("+ -", "- ")
        if partial:
            return f"NARROW{lanes}_{self.kind}_PART(out_ + {at}, {name}, {partial});"
        return f"NARROW{lanes}_{self.kind}(out_ + {at}, {name});"


class _Text:
    """Writes 32-bit arithmetic for vectors of some lanes."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes

    def _call(self, operation: str, *arguments: str) -> str:
        return f"{operation}{self.lanes}({', '.join(arguments)})"

    def right(self, value: str, by: int) -> str:
        return value if not by else self._call("INT_RIGHT", value, str(by))

    def times(self, value: str, other: str) -> str:
        return self._call("INT_MUL", value, other)

    def times_number(self, value: str, number: int) -> str:
        return self._call("INT_SCALE", value, str(number))

    def plus(self, value: str, other: str) -> str:
        return self._call("INT_ADDV", value, other)

    def plus_number(self, value: str, number: int) -> str:
        return value if not number else self._call("INT_SHIFTED", value, f"({number})")

    def clip(self, value: str, low: int, high: int) -> str:
        return self._call("INT_CLIP", value, str(low), str(high))
