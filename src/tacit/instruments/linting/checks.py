"""The table of checks: a name and where its `Check` stands. Another distribution adds rows through the entry-point group `tacit.lint`.

Codes by their hundreds: 0 label files and labels, 1 duplicates, 2 splits, 3 balance, 4 inputs, 5 shortcuts, 6 label errors.
"""

from __future__ import annotations

from tacit.ground.tables import Table
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.finding import Code

_HERE = "tacit.instruments.linting"

CHECKS = Table(
    "check of lint",
    {
        "label-files": f"{_HERE}.unsound_files:CHECK",
        "labels": f"{_HERE}.labels:CHECK",
        "duplicates": f"{_HERE}.duplicates:CHECK",
        "groups": f"{_HERE}.groups:CHECK",
        "balance": f"{_HERE}.balance:CHECK",
        "inputs": f"{_HERE}.inputs:CHECK",
        "shortcuts": f"{_HERE}.shortcuts:CHECK",
        "label-errors": f"{_HERE}.label_errors:CHECK",
    },
    group="tacit.lint",
)


def all_checks() -> dict[str, Check]:
    """Give every check by its name."""
    return {name: CHECKS.get(name) for name in CHECKS.rows()}


def all_codes() -> dict[str, Code]:
    """Give every code that some check may report, sorted."""
    codes = [code for check in all_checks().values() for code in check.codes]
    return {code.code: code for code in sorted(codes, key=lambda code: code.code)}
