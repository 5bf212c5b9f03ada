"""One row of the scoreboard: how one contestant did on the test data, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("predecessor", "program", "peer")


@dataclass(frozen=True)
class Standing:
    """How a contestant did.

    kind: ``predecessor`` (the way of Software 1.0), ``program`` (what was compiled), ``peer`` (somebody else's program).
    made_in: seconds of the processor to make it. microseconds: of the processor per answer, one thread, batch 1. bytes: of its file.
    macs: multiply-accumulates per answer. None: not measured, or it has none.
    """

    contestant: str
    kind: str
    metric: str
    score: float
    higher_is_better: bool = True
    made_in: float | None = None
    microseconds: float | None = None
    bytes: int | None = None
    macs: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"expected a kind among {', '.join(KINDS)}, got `{self.kind}`")

    def to_json(self) -> dict[str, Any]:
        """Give the row as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Standing:
        """Read what `to_json` gave. Raises: TypeError, ValueError for anything else."""
        return cls(**row)
