"""Errors that a person can act on.

Every error raised for a mistake of a person is a `TacitError`: line 1 says what was expected, what came and where;
line 2 the cause, if known; line 3 begins with ``try:`` and names an action that works.
The command line prints `str(error)` without a traceback and exits with `error.exit_code`.
"""

from __future__ import annotations

from collections.abc import Iterable


class TacitError(Exception):
    """Say what went wrong in at most three parts: message, cause, and what to try.

    >>> print(TacitError("expected a folder, got a file - at `photos.txt`", fix="give the folder that holds the images"))
    expected a folder, got a file - at `photos.txt`
    try: give the folder that holds the images
    """

    exit_code = 2

    def __init__(self, message: str, *, cause: str | None = None, fix: str | None = None) -> None:
        self.message, self.cause, self.fix = message, cause, fix
        lines = [message]
        if cause:
            lines.append(cause)
        if fix:
            lines.append(f"try: {fix}")
        super().__init__("\n".join(lines))


class InputError(TacitError):
    """A value, file or table from a person is not what the signature expects."""


class ConfigError(TacitError):
    """`tacit.toml`, `tests.toml` or an option holds something that is not understood."""


class UnknownName(TacitError):
    """A name that is in no table; the message suggests the nearest one."""


class MissingPackage(TacitError):
    """An optional package is not installed; the fix is the `pip install` line that mends it."""


class FormatError(TacitError):
    """A `.tacit` file is truncated, tampered with, or of a version that this release can't read."""


class LoweringError(TacitError):
    """A network uses an operation that is not within the two operations."""


class GraphError(TacitError):
    """A graph of instructions breaks a rule of the intermediate representation."""


class BudgetError(TacitError):
    """What was asked for can't be had within the budget."""


class GoalNotMet(TacitError):
    """A goal, pinned example or invariance does not hold."""

    exit_code = 1


def raise_all(
    problems: Iterable[str], *, heading: str, fix: str | None = None, error: type[TacitError] = InputError, most: int = 20
) -> None:
    """Raise one error that names every problem (the first `most` in full, the rest counted); do nothing when there is none.

    >>> raise_all([], heading="bad rows")
    """
    found = list(problems)
    if not found:
        return
    shown = [f"  - {problem}" for problem in found[:most]]
    if len(found) > most:
        shown.append(f"  ... and {len(found) - most} more")
    raise error("\n".join([f"{heading} ({len(found)} problem{'s' if len(found) != 1 else ''})", *shown]), fix=fix)
