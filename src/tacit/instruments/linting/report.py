"""What `lint` gives: the findings, and how they are shown to a person, in a pull request, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tacit.instruments.layout import Grid, Part
from tacit.instruments.linting.finding import SEVERITIES, Code, Finding, Severity, at_least

SHOWN = 10  # findings of one code that a person is shown; all of them are in the JSON
SHOWN_MARKDOWN = 5
_SIGNS = {"error": ":x:", "warning": ":warning:", "note": ":information_source:"}


@dataclass(frozen=True)
class Report:
    """Everything that `lint` found, the gravest first; it fails when a finding is at least as grave as `fail_on`.

    known: how many more findings the baseline holds. codes: all that could be reported. examples: how many were looked at.
    done: what ``--fix`` did. notes: what was left out, and why.
    """

    name: str
    findings: tuple[Finding, ...]
    codes: tuple[Code, ...]
    examples: int = 0
    known: int = 0
    fail_on: Severity = "error"
    done: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Tell whether a finding remains that is at least as grave as `fail_on`."""
        return any(at_least(finding.severity, self.fail_on) for finding in self.findings)

    @property
    def summary(self) -> str:
        """Say in one sentence how many findings there are."""
        counts = Counter(finding.severity for finding in self.findings)
        parts = [
            f"{counts[severity]:,} {severity}{'s' if counts[severity] != 1 else ''}"
            for severity in reversed(SEVERITIES)
            if counts[severity]
        ]
        said = ", ".join(parts) if parts else "nothing found"
        known = f"; {self.known:,} known from the baseline" if self.known else ""
        return f"{self.name}: {said} in {self.examples:,} examples{known}"

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return {
            "name": self.name,
            "failed": self.failed,
            "examples": self.examples,
            "known": self.known,
            "counts": {severity: sum(finding.severity == severity for finding in self.findings) for severity in SEVERITIES},
            "findings": [finding.to_json() for finding in self.findings],
            "done": list(self.done),
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
        }

    def parts(self) -> list[Part]:
        """Lay out for a person: per code what it is, the first findings, and what to do."""
        parts: list[Part] = [*(f"fixed: {line}" for line in self.done), *self.notes]
        for code, findings in self._by_code():
            rows = tuple((finding.severity, _where(finding), _examples(finding), finding.message) for finding in findings[:SHOWN])
            more = f"{len(findings):,}" if len(findings) > SHOWN else ""
            title = f"{code.code} {code.name}: {code.title.lower()}" + (f" ({SHOWN} of {more})" if more else "")
            parts += [Grid(title, ("severity", "where", "examples", "what"), rows), f"  try: {findings[0].fix}"]
        return [*parts, "", self.summary]

    def markdown(self) -> str:
        """Give the report as a comment for a pull request."""
        lines = [f"### tacit lint: {self.summary}", ""]
        lines += [f"- fixed: {_escaped(line)}" for line in self.done] + [f"- {_escaped(note)}" for note in self.notes]
        for code, findings in self._by_code():
            lines += ["", f"**{code.code} {code.title}** ({len(findings):,})", "", "| | where | examples | what |", "|---|---|---|---|"]
            for finding in findings[:SHOWN_MARKDOWN]:
                cells = (_SIGNS[finding.severity], f"`{_where(finding)}`", _examples(finding), finding.message)
                lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
            if len(findings) > SHOWN_MARKDOWN:
                lines.append(f"| | | | ... and {len(findings) - SHOWN_MARKDOWN:,} more |")
            lines += ["", f"Try: {_escaped(findings[0].fix)}"]
        return "\n".join(lines) + "\n"

    def _by_code(self) -> Iterator[tuple[Code, Sequence[Finding]]]:
        codes = {code.code: code for code in self.codes}
        for name in dict.fromkeys(finding.code for finding in self.findings):
            yield codes[name], [finding for finding in self.findings if finding.code == name]


def _where(finding: Finding) -> str:
    return str(finding.places[0]) if finding.places else "-"


def _examples(finding: Finding) -> str:
    shown = " ".join(name[:12] for name in finding.examples[:2])
    more = len(finding.examples) - 2
    return (shown + (f" +{more:,}" if more > 0 else "")) or "-"


def _escaped(text: str) -> str:
    """Keep a text within one cell of a table, and its angle brackets from being taken for HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
