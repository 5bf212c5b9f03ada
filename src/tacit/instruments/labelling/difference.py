"""`label_diff`: what changed in the labels between two versions, for a terminal and for a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.examples.label_files import LABELS
from tacit.ground.errors import raise_all
from tacit.history.change import Change
from tacit.history.finding_changes import changes_between, tree_of
from tacit.history.git import find_repository
from tacit.history.opinions import Opinions, disputes_at
from tacit.instruments.labelling.wording import SHORT, headline, label_words, relabels, step_words
from tacit.instruments.layout import Grid, Part, markdown_cell

_IDS = 3  # ids that stand beside a group
_GROUPS = 40  # rows of a table on a terminal or in a pull request
_EXAMPLES = 100  # relabels that are listed one by one in a pull request


@dataclass(frozen=True)
class LabelDiff:
    """What changed from `first` to `second` (None: the working tree). disputes: changed examples in dispute in the second, by source."""

    first: str
    second: str | None
    changes: tuple[Change, ...]
    disputes: dict[str, Opinions]

    @property
    def summary(self) -> str:
        """What changed, in one line."""
        return headline(self.changes, len(self.disputes))

    def counts(self) -> dict[str, int]:
        """Count the changes by kind, those of annotators apart."""
        return dict(Counter(f"opinions {change.kind}" if change.annotator else change.kind for change in self.changes))

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        groups = [
            {"before": items[0].before, "after": items[0].after, "count": len(items), "examples": [item.id for item in items[:_IDS]]}
            for items in relabels(self.changes).values()
        ]
        return {
            "first": self.first,
            "second": self.second,
            "summary": self.summary,
            "counts": self.counts(),
            "relabelled": groups,
            "changes": [change.to_json() for change in self.changes],
            "disputes": {name: {source: record.label for source, record in said.items()} for name, said in self.disputes.items()},
        }

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        where = f"{self.first} → {self.second or 'the working tree'}"
        return [f"{where}: {self.summary}", *(grid for grid in self._grids() if grid.rows)]

    def markdown(self, *, most: int = _EXAMPLES) -> str:
        """Write for a pull request: the summary, the groups, the examples folded away."""
        out = [f"### Labels: {markdown_cell(self.summary)}", "", f"`{self.first}` → `{self.second or 'working tree'}`"]
        for grid in self._grids():
            if grid.rows:
                out += ["", f"**{grid.title}**", "", *_table(grid.columns, grid.rows)]
        listed = [change for change in self.changes if change.kind != "added"]
        if listed:
            more = f", the first {most}" if len(listed) > most else ""
            rows = tuple((f"`{change.id}`", _what(change), f"{change.file}:{change.line}") for change in listed[:most])
            out += [
                "",
                f"<details><summary>{len(listed):,} examples{more}</summary>",
                "",
                *_table(("example", "change", "at"), rows),
                "",
                "</details>",
            ]
        return "\n".join(out) + "\n"

    def _grids(self) -> list[Grid]:
        moves = list(relabels(self.changes).items())
        rows = [(step_words(*key), f"{len(items):,}", _ids(items)) for key, items in moves[:_GROUPS]]
        if len(moves) > _GROUPS:
            rest = moves[_GROUPS:]
            rows.append((f"{len(rest):,} more", f"{sum(len(items) for _, items in rest):,}", ""))
        return [
            Grid("relabelled", ("from → to", "count", "examples"), tuple(rows)),
            self._by_label("added"),
            self._by_label("removed"),
            self._fields(),
            Grid("opinions", ("annotator", "change", "count", "examples"), tuple(self._opinions())),
            Grid("in dispute", ("example", "labels"), tuple(_dispute(name, said) for name, said in list(self.disputes.items())[:_GROUPS])),
        ]

    def _by_label(self, kind: str) -> Grid:
        groups: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.kind == kind and not change.annotator:
                groups.setdefault(label_words(change.after if kind == "added" else change.before), []).append(change)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        rows = tuple((label, f"{len(items):,}", _ids(items)) for label, items in ordered[:_GROUPS])
        return Grid(kind, ("label", "count", "examples"), rows)

    def _fields(self) -> Grid:
        groups: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.kind in ("changed", "moved"):
                groups.setdefault(_what(change), []).append(change)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        return Grid(
            "other changes",
            ("change", "count", "examples"),
            tuple((what, f"{len(items):,}", _ids(items)) for what, items in ordered[:_GROUPS]),
        )

    def _opinions(self) -> list[tuple[str, ...]]:
        groups: dict[tuple[str, str], list[Change]] = {}
        for change in self.changes:
            if change.annotator:
                groups.setdefault((change.annotator, _what(change)), []).append(change)
        ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
        return [(who, what, f"{len(items):,}", _ids(items)) for (who, what), items in ordered[:_GROUPS]]


def label_diff(directory: Path, first: str = "HEAD", second: str | None = None) -> LabelDiff:
    """Say what changed in the labels of a program directory from one revision to another; None is the working tree.

    Raises: UnknownName for a revision that is not known; InputError naming every changed line that is no record.
    """
    repository = find_repository(directory)
    changes, problems = changes_between(repository, first, second)
    fix = "resolve the places named; every record is one line of JSON with an empty line after it"
    raise_all(problems, heading=f"expected sound labels - at `{repository.directory / LABELS}`", fix=fix, most=100)
    revision = None if second is None else tree_of(repository, second)
    disputes = disputes_at(repository, {change.id for change in changes}, revision)
    return LabelDiff(first, second, tuple(changes), disputes)


def _ids(items: Sequence[Change]) -> str:
    return ", ".join(item.id[:SHORT] for item in items[:_IDS]) + (", ..." if len(items) > _IDS else "")


def _what(change: Change) -> str:
    if change.kind in ("added", "removed"):
        return f"{change.kind} {label_words(change.after if change.kind == 'added' else change.before)}"
    if change.kind == "changed":
        fields = change.to_json().get("fields", {})
        return ", ".join(f"{name} {_short(before)}→{_short(after)}" for name, (before, after) in fields.items())
    return f"moved to {change.source}" if change.kind == "moved" else step_words(change.before, change.after)


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 30 else text[:27] + "..."


def _dispute(name: str, said: Opinions) -> tuple[str, str]:
    return name[:SHORT], ", ".join(f"{source}: {label_words(record.label)}" for source, record in said.items())


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Write a Markdown table; what would end a cell is written otherwise."""
    cells = [[markdown_cell(cell) for cell in row] for row in (columns, *rows)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return [lines[0], "|" + " --- |" * len(columns), *lines[1:]]
