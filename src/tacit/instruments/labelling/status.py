"""`label_status`: how many labels there are, what is not committed, what is in dispute, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit.directory.reading import read_outline
from tacit.examples.examples import SPLITS
from tacit.examples.labels import natural
from tacit.ground.errors import TacitError
from tacit.history.finding_changes import changes_between
from tacit.history.git import find_repository
from tacit.history.stopped import stopped_merge
from tacit.instruments.labelling.tally import Tally, count_labels
from tacit.instruments.labelling.wording import SHORT, headline, label_words, plural
from tacit.instruments.layout import Grid, Part

_ROWS = 40


@dataclass(frozen=True)
class Status:
    """What `tacit labels status` shows.

    uncommitted: what changed since the last commit, in one line; None without git. state: what git is in the middle of, if anything.
    history: why there is no history, if there is none.
    """

    name: str
    tally: Tally
    branch: str | None
    uncommitted: str | None
    counts: Mapping[str, int]
    state: str | None
    history: str | None

    @property
    def met(self) -> bool:
        """Whether the labels can be read."""
        return not self.tally.problems

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        labels: dict[str, dict[str, int]] = {}
        for (label, split), count in sorted(self.tally.counts.items(), key=lambda item: (natural(label_words(item[0][0])), item[0][1])):
            labels.setdefault(label_words(label), {})[split] = count
        return {
            "name": self.name,
            "examples": self.tally.examples,
            "labels": labels,
            "branch": self.branch,
            "uncommitted": self.uncommitted,
            "changes": dict(self.counts),
            "state": self.state,
            "disputes": self.tally.disputes,
            "left_out": self.tally.left_out,
            "problems": self.tally.problems,
        }

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        shown: list[Part] = [
            f"{self.name}: {plural(self.tally.examples, 'labelled example')}" + (f", on {self.branch}" if self.branch else "")
        ]
        if self.state:
            shown.append(self.state)
        shown.append(f"not committed: {self.uncommitted}" if self.uncommitted is not None else f"no history: {self.history}")
        if self.tally.counts:
            shown.append(_table(self.tally))
        disputes = self.tally.disputes
        if disputes:
            rows = tuple(
                (name, ", ".join(f"{source}: {label_words(label)}" for source, label in said.items()))
                for name, said in list(disputes.items())[:_ROWS]
            )
            more = f", {_ROWS} of {len(disputes):,}" if len(disputes) > _ROWS else ""
            shown.append(Grid(f"in dispute{more}", ("example", "labels"), rows))
            out = f"; {self.tally.left_out:,} without a majority are left out of compiling" if self.tally.left_out else ""
            shown.append(f"settle one: tacit labels set {next(iter(disputes))[:SHORT]} LABEL{out}")
        if self.tally.problems:
            shown.append(Grid("problems", ("place and what is wrong",), tuple((text,) for text in self.tally.problems[:_ROWS])))
            if len(self.tally.problems) > _ROWS:
                shown.append(f"  ... and {len(self.tally.problems) - _ROWS:,} more")
        return shown


def label_status(directory: Path) -> Status:
    """Count the labels of a program directory by split and class, and say what changed since the last commit.

    What is wrong with label files is part of the answer. Raises: ConfigError when `tacit.toml` is not understood.
    """
    directory = Path(directory)
    outline = read_outline(directory)
    tally = count_labels(directory, outline)
    branch = uncommitted = state = history = None
    counts: dict[str, int] = {}
    try:
        repository = find_repository(directory)
    except TacitError as error:
        history = error.message
    else:
        branch = repository.line("symbolic-ref", "--quiet", "--short", "HEAD", codes=(0, 1)) or None
        changes, problems = changes_between(repository, "HEAD", None)
        tally.problems += [problem for problem in problems if problem not in tally.problems and not tally.problems]
        uncommitted = headline(changes, len(tally.disputes.keys() & {change.id for change in changes}))
        for change in changes:
            counts[change.kind] = counts.get(change.kind, 0) + 1
        stopped = stopped_merge(repository)
        if stopped is not None:
            state = f"a merge of {stopped.name} has stopped: tacit labels merge finishes it, git merge --abort drops it"
    return Status(outline.name, tally, branch, uncommitted, counts, state, history)


def _table(tally: Tally) -> Grid:
    """A row for each label, a column for each split; the most frequent when there are many (amounts)."""
    labels: dict[Any, dict[str, int]] = {}
    for (label, split), count in tally.counts.items():
        labels.setdefault(label, {})[split] = count
    ordered = sorted(labels, key=lambda label: natural(label_words(label)))
    more = ""
    if len(labels) > _ROWS:
        ordered = sorted(labels, key=lambda label: (-sum(labels[label].values()), natural(label_words(label))))[:_ROWS]
        more = f", the {_ROWS} most frequent of {len(labels):,}"
    splits = [split for split in SPLITS if any(split in found for found in labels.values())]
    rows = [
        (label_words(label), *(f"{labels[label].get(split, 0):,}" for split in splits), f"{sum(labels[label].values()):,}")
        for label in ordered
    ]
    totals = [sum(found.get(split, 0) for found in labels.values()) for split in splits]
    rows.append(("all", *(f"{count:,}" for count in totals), f"{sum(totals):,}"))
    return Grid(f"labels{more}", ("label", *splits, "all"), tuple(rows))
