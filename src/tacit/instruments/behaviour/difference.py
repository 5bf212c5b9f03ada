"""The result of a behaviour diff, as data."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BROKE, FIXED, CHANGED = "broke", "fixed", "changed"


@dataclass(frozen=True)
class Moved:
    """One example whose answer is another one now.

    kind: broke (was right, is wrong), fixed (was wrong, is right), changed (both are wrong, or both numbers are near enough). label: as
    it stands in the store. margins: by how much each answer is right. place: file and line of its record; empty without a directory.
    """

    id: str
    kind: str
    split: str
    label: Any
    before: Any
    after: Any
    margin_before: float | None
    margin_after: float | None
    place: str = ""


@dataclass(frozen=True)
class Metric:
    """One score of both, on the same examples; low and high: the 95 % interval of the difference, second minus first."""

    name: str
    before: float
    after: float
    low: float
    high: float
    higher_is_better: bool = True

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.after - self.before


@dataclass(frozen=True)
class Split:
    """The examples of one split: how many, how many moved, and the scores of both. learnt: one of the two has learnt from them."""

    name: str
    count: int
    broke: int
    fixed: int
    changed: int
    probability: float
    metrics: tuple[Metric, ...]
    learnt: bool = False


@dataclass(frozen=True)
class Slice:
    """A part of the examples: how many broke and were fixed; probability: of the sign test, adjusted for the number of slices."""

    name: str
    count: int
    before: float
    after: float
    broke: int
    fixed: int
    probability: float


@dataclass(frozen=True)
class Cost:
    """What one call costs before and after (None: not known); a time is the middle of several turns. sure: the difference is no noise."""

    name: str
    before: float | None
    after: float | None
    sure: bool = True


@dataclass(frozen=True)
class Source:
    """One of the two binaries: its name for the reader, its digest, the commit of its labels as it was recorded."""

    name: str
    digest: str
    commit: str | None


@dataclass(frozen=True)
class BehaviourDiff:
    """Everything that `diff` found.

    headline: the split that counts (test, else validation, else train). classes: per class of the label, on the headline split.
    slices: those whose change is significant. tested: slices that were looked at. labels: what changed between the label commits of
    both, None when that is not known. moved: examples of all splits, the headline's first.
    """

    first: Source
    second: Source
    headline: str
    splits: tuple[Split, ...]
    classes: tuple[Slice, ...] = ()
    confusions: tuple[tuple[str, str, str, int], ...] = ()
    slices: tuple[Slice, ...] = ()
    tested: int = 0
    costs: tuple[Cost, ...] = ()
    labels: Mapping[str, int] | None = None
    moved: tuple[Moved, ...] = ()
    mean_change: float | None = None
    notes: tuple[str, ...] = ()
    #: What is needed to draw the examples: id -> (type, arrays, value).
    shown: Mapping[str, tuple[Any, Any, Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def main(self) -> Split:
        """The split that counts."""
        return next(split for split in self.splits if split.name == self.headline)

    @property
    def same(self) -> bool:
        """Tell whether no answer changed on any example."""
        return not self.moved

    def of(self, kind: str, split: str | None = None) -> list[Moved]:
        """List the examples of one kind (on one split, or on all)."""
        return [item for item in self.moved if item.kind == kind and split in (None, item.split)]

    def breaks_more_than(self, limit: str) -> bool:
        """Tell whether more broke on the headline split than ``12`` examples or ``0.5%`` of them."""
        split = self.main
        if limit.endswith("%"):
            return split.broke > float(limit[:-1]) / 100.0 * split.count
        return split.broke > int(limit)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "shown"}
        plain["same"] = self.same
        document: dict[str, Any] = _json(plain)
        document["confusions"] = [
            {"label": label, "before": before, "after": after, "count": count} for label, before, after, count in self.confusions
        ]
        return document


def confusions_of(moved: list[Moved]) -> tuple[tuple[str, str, str, int], ...]:
    """Count ``(label, before, after)`` over examples, the most frequent first."""
    counts = Counter((str(item.label), str(item.before), str(item.after)) for item in moved)
    return tuple((*key, count) for key, count in sorted(counts.items(), key=lambda row: (-row[1], row[0])))


def _json(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: _json(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {**fields, "difference": value.difference} if isinstance(value, Metric) else fields
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, tuple | list) else value
