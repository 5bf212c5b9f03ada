"""The scoreboard as data: what each program and its predecessor reached on the same test data, and where that was measured."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from tacit.domains.standing import Standing
from tacit.ground.errors import FormatError
from tacit.instruments.layout import Grid, Part, count, decimal, size

_PACKAGES = ("tacit", "numpy", "torch", "scikit-learn")
_COLUMNS = ("program", "data", "contestant", "kind", "metric", "score", "made in", "per answer", "size", "MACs", "note")


@dataclass(frozen=True)
class Section:
    """What was measured for one program on one data set.

    settings: the budget and the seed. machine, versions: where. error: why there are no more rows, "" when all are there.
    """

    program: str
    data: str
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    standings: tuple[Standing, ...] = ()
    error: str = ""

    @property
    def named(self) -> str:
        """What a person calls it."""
        return f"{self.program} on {self.data}" if self.data else self.program

    def same_run(self, other: Section) -> bool:
        """Tell whether another section would be made again in the same way."""
        mine, theirs = ((one.program, one.data, one.settings, one.machine, one.versions) for one in (self, other))
        return mine == theirs

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        named = {"program": self.program, "data": self.data, "settings": dict(self.settings)}
        named |= {"machine": dict(self.machine), "versions": dict(self.versions)}
        return {**named, "standings": [row.to_json() for row in self.standings], "error": self.error}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Section:
        """Read what `to_json` gave. Raises: KeyError, TypeError, ValueError for anything else."""
        rows = tuple(Standing.from_json(row) for row in value["standings"])
        known = ("program", "data", "settings", "machine", "versions", "error")
        return cls(**{name: value[name] for name in known}, standings=rows)


@dataclass(frozen=True)
class Scoreboard:
    """One section for each program that was run, in the order that was asked for."""

    sections: tuple[Section, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """Tell whether no program failed."""
        return all(not section.error for section in self.sections)

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {"scoreboard": [section.to_json() for section in self.sections]}

    def parts(self) -> list[Part]:
        """Lay out for a person: a row for each contestant, and for each program that failed a line that says why."""
        rows = [_row(section, row) for section in self.sections for row in section.standings]
        failed = [f"{section.named}: {section.error}" for section in self.sections if section.error]
        shown: list[Part] = [Grid("scoreboard", _COLUMNS, tuple(rows))] if rows else []
        return [*shown, *(["", *failed] if failed else [])]


def _row(section: Section, row: Standing) -> tuple[str, ...]:
    better = "" if row.higher_is_better else " (lower is better)"
    seconds = "-" if row.made_in is None else f"{row.made_in:,.1f} s"
    microseconds = "-" if row.microseconds is None else f"{row.microseconds:,.2f} µs"
    costs = ("-" if row.bytes is None else size(row.bytes), "-" if row.macs is None else count(row.macs))
    named = (section.program, section.data, row.contestant, row.kind, row.metric + better, decimal(float(row.score)))
    return (*named, seconds, microseconds, *costs, row.note)


def read_scoreboard(path: Path) -> Scoreboard:
    """Read a file that was written before; an empty scoreboard where there is none. Raises: FormatError for another file."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Scoreboard(tuple(Section.from_json(section) for section in document["scoreboard"]))
    except FileNotFoundError:
        return Scoreboard()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"expected a scoreboard - at `{path}`", cause=f"{type(error).__name__}: {error}", fix="-o FILE.json") from error


def this_machine() -> dict[str, Any]:
    """Describe what decides speed: processor, architecture, cores, system; no host name."""
    found = {"cpu": platform.processor() or platform.machine(), "architecture": platform.machine(), "cores": os.cpu_count()}
    try:
        named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(errors="replace"), re.MULTILINE)
    except OSError:
        named = None
    return {**found, **({"cpu": named[1].strip()} if named else {}), "system": platform.system()}


def these_versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Give the versions of Python and of those of `packages` that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
