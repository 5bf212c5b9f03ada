"""One record that differs between two versions of the labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tacit.examples.records import Record
from tacit.history.lines import annotator_of, source_of

Kind = Literal["added", "removed", "relabelled", "moved", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One record that differs.

    kind: `added`, `removed`, `relabelled`; `changed` when not the label but the split, group or input differs; `moved` when it only
    stands in another source. before, after: the labels; None where there is none. file (from the program directory) and line:
    where it stands now, or stood before it was removed. old, new: the whole records.
    """

    id: str
    kind: Kind
    before: Any
    after: Any
    file: str
    line: int
    old: Record | None = None
    new: Record | None = None

    @property
    def source(self) -> str:
        """The folder below `labels/`: an import, or ``by/<annotator>``."""
        return source_of(self.file)

    @property
    def annotator(self) -> str | None:
        """Whose opinion it is; None for the record that introduced the example."""
        return annotator_of(self.source)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        values = {"id": self.id, "kind": self.kind, "before": self.before, "after": self.after, "file": self.file, "line": self.line}
        if self.annotator:
            values["annotator"] = self.annotator
        if self.kind == "changed" and self.old and self.new:
            names = [name for name in ("split", "group", "copy", "input") if getattr(self.old, name) != getattr(self.new, name)]
            values["fields"] = {name: [getattr(self.old, name), getattr(self.new, name)] for name in names}
        return values
