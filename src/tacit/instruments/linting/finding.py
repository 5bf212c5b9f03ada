"""What a check of `tacit lint` gives: codes and findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tacit.ground.digests import canonical_json, sha256

Severity = Literal["note", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("note", "warning", "error")  # in rising order


@dataclass(frozen=True)
class Place:
    """Where a finding is shown: a file relative to the program directory, and a line from 1 on."""

    file: str
    line: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Code:
    """A kind of finding. A code never changes its meaning; one that is dropped is not used again.

    code: ``TL`` and three digits. name: in a few words with hyphens. severity: the usual one; a finding may differ. title: what is
    the matter, one short sentence. help: why it matters, and how it is measured. fix: what a person does about it.
    """

    code: str
    name: str
    severity: Severity
    title: str
    help: str
    fix: str

    def finding(
        self,
        message: str,
        *,
        examples: Iterable[str] = (),
        evidence: Mapping[str, Any] | None = None,
        severity: Severity | None = None,
        key: str | None = None,
        fix: str | None = None,
        mend: Mend | None = None,
        places: Iterable[Place] = (),
    ) -> Finding:
        """Make a finding of this code; what is not given is the code's own.

        key: what tells this finding from others of the code, whatever else changes (see `Finding.fingerprint`).
        """
        named = tuple(str(name) for name in examples)
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            title=self.title,
            message=message,
            examples=named,
            evidence=dict(evidence or {}),
            fix=fix or self.fix,
            key=key if key is not None else canonical_json(sorted(named)),
            mend=mend,
            places=tuple(places),
        )


@dataclass(frozen=True)
class Mend:
    """What ``--fix`` does about a finding, only where nothing can be lost that a person would have to decide.

    said: what is done, in words. remove: ids of examples all of whose records are taken out. drop: single lines that are taken out.
    lines: files (relative to the directory) whose line ends become LF.
    """

    said: str
    remove: tuple[str, ...] = ()
    drop: tuple[Place, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    message: one sentence with the numbers. examples: ids, the one to show first; a finding about a class or a feature names a few that
    show it. evidence: JSON values. places: of the examples' labels, filled in by `lint`; a check gives them only for what has no example.
    """

    code: str
    severity: Severity
    title: str
    message: str
    examples: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    fix: str = ""
    key: str = ""
    mend: Mend | None = None
    places: tuple[Place, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Name this finding so that it is known again after other examples came or went, or lines moved: 24 hexadecimal digits."""
        return sha256(f"{self.code}\n{self.key}".encode())[:24]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "message": self.message,
            "examples": list(self.examples),
            "places": [{"file": place.file, "line": place.line} for place in self.places],
            "evidence": dict(self.evidence),
            "fix": self.fix,
            "fixable": self.mend is not None,
            "fingerprint": self.fingerprint,
        }


def at_least(severity: Severity, least: Severity) -> bool:
    """Tell whether a severity is as grave as another, or graver.

    >>> at_least("error", "warning"), at_least("note", "warning")
    (True, False)
    """
    return SEVERITIES.index(severity) >= SEVERITIES.index(least)
