"""How the command line shows long work: a bar with the time left on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from tacit.cli.output import coloured
from tacit.ground.progress import Reporter

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def watch(stream: TextIO | None = None) -> Iterator[Reporter]:
    """Give the reporter that suits `stream` (stderr by default), and leave the stream in order whatever happens."""
    target = stream or sys.stderr
    if not coloured(target):
        yield Lines(target)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TextColumn("{task.fields[status]}"))
    with Progress(*columns, console=Console(file=target), transient=True) as bars:
        yield Bar(bars)


def clock(seconds: float | None) -> str:
    """Write a time left.

    >>> clock(83), clock(4000), clock(None)
    ('1:23 left', '1:06:40 left', '')
    """
    if seconds is None or seconds != seconds or seconds == float("inf"):
        return ""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d} left" if hours else f"{rest // 60}:{rest % 60:02d} left"


class Lines(Reporter):
    """Write plain lines: each phase, each note, and how far the work is every ten seconds."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._phase, self._last = stream, "", time.monotonic()

    def phase(self, name: str) -> None:
        """Begin a part of the work."""
        self._phase, self._last = name, time.monotonic()
        self.note(name)

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Write a line when the last one is ten seconds old."""
        if time.monotonic() - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = time.monotonic()
        self.note(", ".join(filter(None, (f"{self._phase} {100 * fraction:.0f}%", clock(seconds_left), message))))

    def note(self, text: str) -> None:
        """Write one line."""
        print(text, file=self._stream, flush=True)


class Bar(Reporter):
    """Draw one bar per phase; notes stay above it."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def phase(self, name: str) -> None:
        """Begin a part of the work with an empty bar."""
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = self._bars.add_task(name, total=1.0, status="")

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        """Move the bar."""
        if self._task is None:
            self.phase("working")
        if self._task is not None:
            status = "  ".join(filter(None, (clock(seconds_left), message)))
            self._bars.update(self._task, completed=min(1.0, max(0.0, fraction)), status=status)

    def note(self, text: str) -> None:
        """Write one line above the bar."""
        self._bars.console.print(text, markup=False, highlight=False)
