"""The short report after `tacit meld`: what the parts did together before and after, and what each does alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tacit.binary.binary import Binary
from tacit.ground.errors import InputError
from tacit.instruments.compile_report import facts
from tacit.instruments.evidence import EvidenceReport, block_of, goal_rows, scores_grid
from tacit.instruments.layout import Grid, Part, decimal, size


@dataclass(frozen=True)
class MeldReport(EvidenceReport):
    """What a person wants to know after melding; made from the evidence alone."""

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        evidence = self.binary.evidence
        melded = evidence["meld"]
        metric, pipeline = melded["joint"]["metric"], melded["joint"]["pipeline"]
        joint = tuple(
            (split, decimal(pipeline.get(split)), decimal((evidence["scores"].get(split) or {}).get(metric))) for split in pipeline
        )
        own = tuple(_own(part) for part in melded["parts"])
        goals = tuple(goal.cells() for goal in self.goals)
        grids = [
            Grid("goals", ("goal", "threshold", "measured", ""), goals) if goals else None,
            Grid(f"together: {metric}", ("split", "each on the other's answer", "melded"), joint),
            Grid("each alone, on its own examples", ("program", "metric", "split", "before", "after", ""), own),
            scores_grid({split: block_of(evidence, split) for split in ("validation", "test")}),
        ]
        wires = [f"  {line}" for line in melded["wires"]]
        shared = [f"{size(melded['shared_bytes'])} of weights are stored once for several entry points"] if melded["shared_bytes"] else []
        encoder = [f"one encoder for {', '.join(melded['encoder'])}"] if melded["encoder"] else []
        weight = [f"weight of the parts' own goals: {melded['own_weight']:g}"]
        head = f"{evidence.get('name') or 'binary'}: {self.binary.signature}"
        return [head, *wires, *(grid for grid in grids if grid is not None), "", *encoder, *shared, *weight, *facts(evidence)]


def _own(part: Any) -> tuple[str, str, str, str, str, str]:
    own = part.get("own")
    note = "lifted from its instructions" if part.get("lifted") else ""
    if own is None:
        return part["name"], "", "", "", "", ", ".join(filter(None, [note, "no examples of its own"]))
    return part["name"], own["metric"], own["split"], decimal(own["before"]), decimal(own["after"]), note


def meld_report(binary: Binary) -> MeldReport:
    """Make the report of a melded binary from its evidence. Raises: InputError for one that was not melded."""
    if not isinstance(binary.evidence.get("meld"), dict):
        raise InputError("expected a melded program, got one that was not")
    return MeldReport(binary, goal_rows(binary.evidence.get("goals")))
