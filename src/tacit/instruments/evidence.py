"""Reading evidence: every part of it may be absent, and what is absent is not shown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tacit.binary.binary import Binary
from tacit.goals.acting import GAME_METRICS, RETURN
from tacit.instruments.layout import Grid, Part, decimal

SPLITS = ("train", "validation", "test")
MET, NOT_MET = "met", "NOT MET"


@dataclass(frozen=True)
class GoalRow:
    """One goal held against what was measured."""

    metric: str
    split: str
    label: str | None
    threshold: float | None
    value: float | None
    met: bool

    @property
    def name(self) -> str:
        """Say what is measured where."""
        if self.metric in (RETURN, *GAME_METRICS):
            return self.metric if self.label is None else f"{self.metric} against {self.label}"
        return f"{self.metric} of `{self.label}` on {self.split}" if self.label is not None else f"{self.metric} on {self.split}"

    def cells(self) -> tuple[str, str, str, str]:
        """Give name, threshold, value and verdict as texts."""
        verdict = "" if self.threshold is None else MET if self.met else NOT_MET
        return self.name, decimal(self.threshold), decimal(self.value), verdict


def goal_rows(goals: Sequence[Mapping[str, Any]] | None) -> tuple[GoalRow, ...]:
    """Read the rows of `tacit.goals.evidence.check_goals`."""
    return tuple(
        GoalRow(
            str(row["metric"]),
            str(row.get("split", "test")),
            row.get("label"),
            row.get("threshold"),
            row.get("value"),
            bool(row.get("met")),
        )
        for row in goals or ()
    )


@dataclass(frozen=True)
class EvidenceReport(ABC):
    """What is told of a binary that was just made, from its evidence alone."""

    binary: Binary
    goals: tuple[GoalRow, ...]

    @property
    def met(self) -> bool:
        """Tell whether every goal with a threshold is met."""
        return all(goal.met for goal in self.goals)

    def to_json(self) -> dict[str, Any]:
        """Give the evidence with digest, signature and verdict."""
        evidence = {key: value for key, value in self.binary.evidence.items() if key != "probes"}
        return {"met": self.met, "digest": self.binary.digest, "signature": str(self.binary.signature), "evidence": evidence}

    @abstractmethod
    def parts(self) -> list[Part]:
        """Lay out for a person."""


def block_of(evidence: Mapping[str, Any], split: str) -> Mapping[str, Any]:
    """Give the scores of one split, empty when it was not measured."""
    return (evidence.get("scores") or {}).get(split) or {}


def numbers_of(block: Mapping[str, Any]) -> dict[str, float]:
    """Give the metrics of a block of `tacit.goals.evidence.evaluate_scores`, or of one that was measured by acting, that have a value."""
    if "against" in block:
        return {f"{metric}_against_{name}": float(row[metric]) for name, row in block["against"].items() for metric in GAME_METRICS}
    if "of" in block:
        return {name: float(block[name]) for name in (RETURN, "return_standard_error") if name in block}
    return {name: float(value) for name, value in block.items() if name != "count" and isinstance(value, int | float)}


def scores_grid(blocks: Mapping[str, Mapping[str, Any]], *, title: str = "scores") -> Grid | None:
    """Lay out the metrics by split, or None when nothing was measured."""
    acted = next((block for block in blocks.values() if "of" in block), None)
    if acted is not None:
        return acting_grid(acted)
    measured = {split: numbers_of(block) for split, block in blocks.items() if numbers_of(block)}
    metrics = list(dict.fromkeys(metric for numbers in measured.values() for metric in numbers))
    if not metrics:
        return None
    rows = [(metric, *(decimal(numbers.get(metric)) for numbers in measured.values())) for metric in metrics]
    counts = [str(blocks[split].get("count", "-")) for split in measured]
    return Grid(title, ("metric", *measured), (*rows, ("examples", *counts)))


def acting_grid(block: Mapping[str, Any]) -> Grid:
    """Lay out what was measured by acting: the spread of returns, or games won, drawn and lost against each opponent."""
    if "against" in block:
        title = f"{block['count']} games against each, half of them begun, {block['evaluations']} evaluations per move"
        columns = ("opponent", "won", "drawn", "lost", "win rate", "95 % interval", "non-loss rate")
        rows = tuple(
            (
                name,
                *(str(row[key]) for key in ("wins", "draws", "losses")),
                decimal(row["win_rate"]),
                " to ".join(decimal(end, 3) for end in row["win_rate_interval"]),
                decimal(row["non_loss_rate"]),
            )
            for name, row in block["against"].items()
        )
        return Grid(title, columns, rows)
    keys = ("return", "return_standard_error", "return_deviation", "return_least", "return_greatest", "steps")
    names = ("mean return", "standard error", "deviation", "least", "greatest", "mean steps")
    return Grid(f"{block['count']} fresh episodes", names, (tuple(decimal(block.get(key), 2) for key in keys),))


def classes_grid(block: Mapping[str, Any], *, title: str, most: int = 50) -> Grid | None:
    """Lay out precision, recall and F1 per class, the worst first when there are more than `most`; None when there are no classes."""
    classes: Mapping[str, Mapping[str, Any]] = block.get("per_class") or {}
    if not classes:
        return None
    names = list(classes)
    if len(names) > most:
        names = sorted(names, key=lambda name: classes[name].get("f1") or 0.0)[:most]
        title = f"{title}, the {most} worst of {len(classes)}"
    columns = ("precision", "recall", "f1")
    rows = tuple(
        (name, *(decimal(classes[name].get(column)) for column in columns), str(classes[name].get("count", "-"))) for name in names
    )
    return Grid(title, ("class", *columns, "examples"), rows)
