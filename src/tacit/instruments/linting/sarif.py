"""Findings as SARIF 2.1.0, which GitHub shows on the line of the label.

Source of the format: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", sections 3.13 to 3.55; what
GitHub reads of it, and its limits (5,000 results are shown), is said in its documentation of code scanning.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from tacit.ground.errors import TacitError
from tacit.ground.files import write_atomic
from tacit.history.git import find_repository
from tacit.instruments.linting.finding import Code, Finding, Place, Severity
from tacit.instruments.linting.report import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 5_000
TOML = "tacit.toml"
_PAGE = "docs/howto/lint.md"


def sarif(report: Report, *, version: str, below: str = "") -> str:
    """Give the report as the text of a SARIF file.

    version: of Tacit. below: the program directory within its repository, for places are relative to the repository's root.
    """
    rules = {code.code: place for place, code in enumerate(report.codes)}
    results = [_result(finding, rules, below) for finding in report.findings[:MOST_RESULTS]]
    driver = {
        "name": "tacit lint",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(code) for code in report.codes],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"tacit-lint/{report.name}/"},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=1) + "\n"


def write_sarif(path: Path, report: Report, directory: Path, *, version: str) -> None:
    """Write the report as a SARIF file, with places from the root of the directory's repository. Raises: TacitError."""
    below = ""
    with suppress(TacitError):  # outside of a repository places stay relative to the program directory
        below = find_repository(directory).prefix
    write_atomic(path, sarif(report, version=version, below=below))


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.code,
        "name": "".join(word.capitalize() for word in code.name.split("-")),
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.help},
        "help": {"text": f"{code.help}\ntry: {code.fix}", "markdown": f"{code.help}\n\n**Try:** {code.fix}\n\nAll codes: `{_PAGE}`."},
        "defaultConfiguration": {"level": _level(code.severity)},
        "properties": {"tags": ["data", code.name], "precision": "high"},
    }


def _level(severity: Severity) -> str:
    return str(severity)  # SARIF has the same three words, and `none`


def _result(finding: Finding, rules: dict[str, int], below: str) -> dict[str, Any]:
    places = finding.places or (Place(TOML, 1),)
    message = f"{finding.title}: {finding.message}."
    if finding.examples:
        message += f" Example {finding.examples[0]}."
    result = {
        "ruleId": finding.code,
        "ruleIndex": rules[finding.code],
        "level": _level(finding.severity),
        "message": {"text": f"{message}\ntry: {finding.fix}"},
        "locations": [_location(places[0], below)],
        # GitHub follows a result through edits by these; one of its own name is kept as it is given.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint[:16]}:1",
            "tacit/v1": finding.fingerprint,
        },
        "properties": {"examples": list(finding.examples[:100]), "evidence": dict(finding.evidence)},
    }
    if len(places) > 1:
        others = [{"id": number, **_location(place, below)} for number, place in enumerate(places[1:20], 1)]
        result["relatedLocations"] = [{**other, "message": {"text": "the other example"}} for other in others]
    return result


def _location(place: Place, below: str) -> dict[str, Any]:
    path = PurePosixPath(below, place.file).as_posix()
    return {"physicalLocation": {"artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"}, "region": {"startLine": max(1, place.line)}}}
