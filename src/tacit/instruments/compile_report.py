"""The short report after `tacit compile`: goal met or not, per class, cost, the most suspicious labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tacit.binary.binary import Binary
from tacit.examples.load import dispute_note
from tacit.instruments.evidence import EvidenceReport, block_of, classes_grid, goal_rows, scores_grid
from tacit.instruments.layout import Grid, Part, count, decimal, size
from tacit.instruments.trial_table import trial_parts

MOST_SUSPICIOUS = 10


@dataclass(frozen=True)
class Report(EvidenceReport):
    """What a person wants to know after compiling; made from the evidence alone."""

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        evidence = self.binary.evidence
        grids = [
            Grid("goals", ("goal", "threshold", "measured", ""), tuple(goal.cells() for goal in self.goals)) if self.goals else None,
            scores_grid({split: block_of(evidence, split) for split in ("validation", "test")}),
            classes_grid(block_of(evidence, "test"), title="per class, on test"),
            _suspicious(evidence.get("suspicious") or ()),
        ]
        tried = trial_parts(evidence.get("run") or {})
        return [self._headline(), *(grid for grid in grids if grid is not None), *tried, "", *facts(evidence)]

    def _headline(self) -> str:
        name = self.binary.evidence.get("name") or "binary"
        required = [goal for goal in self.goals if goal.threshold is not None]
        if not required:
            return f"{name}: {self.binary.signature}"
        missed = [goal.name for goal in required if not goal.met]
        verdict = f"goal NOT MET: {', '.join(missed)}" if missed else "goal met" if len(required) == 1 else f"all {len(required)} goals met"
        return f"{name}: {self.binary.signature}\n{verdict}"


def report(binary: Binary) -> Report:
    """Make the report of a binary from its evidence; it runs nothing."""
    return Report(binary, goal_rows(binary.evidence.get("goals")))


def _suspicious(rows: Any) -> Grid | None:
    if not rows:
        return None
    shown = tuple(
        (str(row.get("id", "")), str(row.get("label", "")), str(row.get("guess", "")), decimal(row.get("margin"), 2))
        for row in list(rows)[:MOST_SUSPICIOUS]
    )
    return Grid(
        "labels to look at first: the program disagreed with them while it was trained", ("example", "label", "guess", "margin"), shown
    )


def facts(evidence: Any) -> list[str]:
    """Say what is in dispute, cost, distance from the trained network and how to repeat the run, one line each."""
    lines = []
    labels = evidence.get("labels") or {}
    if labels.get("disputes"):
        lines.append(dispute_note(labels["disputes"], labels["left_out"]))
    costs, run, lowering = (evidence.get(key) or {} for key in ("costs", "run", "lowering"))
    if costs:
        known = [
            count(costs["macs"], "MACs") if "macs" in costs else "",
            f"{costs['instructions']} instructions" if "instructions" in costs else "",
            f"{size(costs['weight_bytes'])} of weights" if "weight_bytes" in costs else "",
            f"{size(costs['arena_bytes'])} of arena" if "arena_bytes" in costs else "",
        ]
        lines.append(f"cost of one call: {', '.join(filter(None, known))}")
    if lowering.get("max_relative_error") is not None:
        lines.append(f"greatest relative difference from the trained network: {lowering['max_relative_error']:.2g}")
    spent = [
        f"{run['seconds']:.0f} s" if isinstance(run.get("seconds"), int | float) else "",
        f"{run['steps']} {run.get('unit', 'steps')}" if run.get("steps") else "",
    ]
    if any(spent):
        lines.append(f"took {', '.join(filter(None, spent))}")
    if run.get("shared_by"):
        lines.append(f"each batch of the final run was shared by {run['shared_by']} workers")
    if run.get("warm"):
        lines.append(_warm(run["warm"]))
    if run.get("interrupted"):
        lines.append("interrupted: this is the best so far; `--resume` goes on")
    if run.get("repeat"):
        lines.append(f"to repeat it: {run['repeat']}")
    return lines


def _warm(warm: Any) -> str:
    """Say what a warm start went on from, and what validation said before and after."""
    scores = warm.get("validation") or {}
    before, after = scores.get("before"), scores.get("after")
    judged = f": {warm.get('metric')} on validation {decimal(before)} before, {decimal(after)} after" if before is not None else ""
    kept = "; nothing that was trained was better, so the weights stay as they were" if warm.get("kept") == "start" else ""
    return f"warm start from {str(warm.get('from'))[:12]}{judged}{kept}"
