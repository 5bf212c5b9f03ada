"""How long work tells where it stands: verbs call a `Reporter`, the command line draws it."""

from __future__ import annotations


class Reporter:
    """Receive progress and say nothing; the command line overrides every method."""

    def phase(self, name: str) -> None:
        """Begin a part of the work, such as ``reading`` or ``training``."""

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Say how much of the phase is done (0 to 1), the seconds left of the whole command, and a short status."""

    def note(self, text: str) -> None:
        """Say one line that stays on the screen."""
