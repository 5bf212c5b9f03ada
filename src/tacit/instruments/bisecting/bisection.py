"""The result of a bisection, as data and for a person."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from tacit.history.finding_changes import Change
from tacit.instruments.bisecting.commits import SHORT, Commit
from tacit.instruments.labelling.wording import headline, label_words
from tacit.instruments.layout import Grid, Part

_SHOWN = 20


@dataclass(frozen=True)
class Tried:
    """One commit that was judged: good, bad or skipped; sure: further from the border than the noise of the runs; said: its measure."""

    commit: Commit
    verdict: str
    said: str
    sure: bool = True
    runs: int = 1


@dataclass(frozen=True)
class Bisection:
    """What `bisect` found.

    culprit: the first bad commit. suspects: it and the commits before it that could not be judged. before: the last good commit.
    changes: its label diff against its first parent. binaries: the kept files of `before` and `culprit`, for `tacit diff`.
    """

    question: str
    culprit: Commit
    suspects: tuple[Commit, ...]
    before: Commit
    tried: tuple[Tried, ...]
    changes: tuple[Change, ...]
    pull_request: int | None
    settings_changed: bool
    binaries: tuple[str, str]
    directory: str
    compiled: int
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        plain = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        plain["changes"] = [change.to_json() for change in self.changes]
        for name in ("culprit", "before"):
            plain[name] = dataclasses.asdict(plain[name])
        plain["suspects"] = [dataclasses.asdict(commit) for commit in self.suspects]
        plain["tried"] = [dataclasses.asdict(item) for item in self.tried]
        return {**plain, "binaries": list(self.binaries), "notes": list(self.notes)}

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        rows = tuple(
            (item.commit.hash[:SHORT], item.verdict, item.said + ("" if item.sure else " (within noise)"), item.commit.subject[:60])
            for item in self.tried
        )
        commit = self.culprit
        request = f", pull request {self.pull_request}" if self.pull_request else ""
        lines: list[Part] = [*self.notes, f"asked: {self.question}", Grid("judged", ("commit", "", "measured", "subject"), rows), ""]
        if len(self.suspects) > 1:
            lines.append(f"the first bad commit is one of these {len(self.suspects)}; the others could not be judged:")
            lines += [f"  {other}" for other in self.suspects]
        lines += [f"first bad commit: {commit.hash}", f"  {commit.subject}", f"  {commit.author}, {commit.date[:10]}{request}"]
        lines.append(f"  its labels: {headline(self.changes, 0)}{'; it changed tacit.toml' if self.settings_changed else ''}")
        if self.changes:
            shown = tuple(
                (change.id[:12], change.kind, label_words(change.before), label_words(change.after), f"{change.file}:{change.line}")
                for change in self.changes[:_SHOWN]
            )
            more = f", {_SHOWN} of {len(self.changes):,}" if len(self.changes) > _SHOWN else ""
            lines.append(Grid(f"what it changed{more}", ("example", "", "before", "after", "at"), shown))
        lines += ["", f"what it did to the program: tacit diff {self.binaries[0]} {self.binaries[1]} --in {self.directory}"]
        return lines
