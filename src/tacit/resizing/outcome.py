"""What came of resizing: two binaries, and everything that differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tacit.binary.binary import Binary
from tacit.resizing.sizing import Timing
from tacit.resizing.wishes import FASTER, MACS, SMALLER, Wish


@dataclass(frozen=True)
class Width:
    """The channels of one group before and after. name: of the first layer that makes them."""

    name: str
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class Resized:
    """What came of resizing.

    original, binary: before and after. widths: per group of channels. timing: None without a C compiler. validation: the goal's metric
    of the original, of the network as cut, and as trained on; None where nothing is held out. steps: taken after the cut.
    family: of `pareto`, from the mildest on.
    """

    original: Binary
    binary: Binary
    wish: Wish
    widths: tuple[Width, ...]
    timing: Timing | None
    metric: str
    validation: Mapping[str, float | None]
    steps: int
    family: tuple[Resized, ...] = field(default=())

    @property
    def small_enough(self) -> bool:
        """Tell whether the measured result is what was asked for."""
        before, after = (binary.evidence.get("costs") or {} for binary in (self.original, self.binary))
        if self.wish.kind == MACS:
            return bool(after["macs"] <= self.wish.value)
        if self.wish.kind == SMALLER:
            return bool(after["weight_bytes"] * self.wish.value <= before["weight_bytes"])
        if self.timing is None:
            return False
        return self.timing.ratio >= self.wish.value if self.wish.kind == FASTER else self.timing.after <= self.wish.value

    @property
    def goals_met(self) -> bool:
        """Tell whether every goal with a threshold is met by the resized program."""
        return all(goal["met"] for goal in self.binary.evidence.get("goals") or ())

    @property
    def met(self) -> bool:
        """Tell whether it's small enough and meets its goals."""
        return self.small_enough and self.goals_met

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        before, after = self.original.evidence, self.binary.evidence
        return {
            "met": self.met,
            "small_enough": self.small_enough,
            "goals_met": self.goals_met,
            "digest": self.binary.digest,
            "from": self.original.digest,
            "wish": asdict(self.wish),
            "widths": [asdict(width) for width in self.widths],
            "costs": {"before": before.get("costs"), "after": after.get("costs")},
            "timing": None if self.timing is None else self.timing.to_json(),
            "metric": self.metric,
            "validation": dict(self.validation),
            "test": {"before": _of(before, self.metric), "after": _of(after, self.metric)},
            "goals": after.get("goals"),
            "steps": self.steps,
            "family": [one.to_json() for one in self.family],
        }


def _of(evidence: Mapping[str, Any], metric: str) -> float | None:
    block = (evidence.get("scores") or {}).get("test") or {}
    value: float | None = block.get(metric)
    return value
