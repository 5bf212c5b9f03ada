"""What a program may cost, what finding it may cost, and the meter that tells what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Limits; None means no limit.

    minutes: wall-clock time for the whole of `compile`, reading, evaluation and writing included. steps: gradient steps
    of the final training run (repeatable; excludes `minutes`). macs: multiply-accumulates of one call of the binary.
    weight_bytes, arena_bytes: memory of the binary.
    """

    minutes: float | None = None
    steps: int | None = None
    macs: int | None = None
    weight_bytes: int | None = None
    arena_bytes: int | None = None


class Meter:
    """Wall-clock time since `start` against a number of seconds; `start` is a `time.monotonic` value."""

    def __init__(self, seconds: float | None, *, start: float | None = None) -> None:
        self.start = time.monotonic() if start is None else start
        self.seconds = seconds
        self.charged = 0.0

    def charge(self, seconds: float) -> None:
        """Count seconds that an earlier process has already spent."""
        self.start -= seconds
        self.charged += seconds

    def elapsed(self) -> float:
        """Give the seconds since the start."""
        return time.monotonic() - self.start

    def left(self) -> float:
        """Give the seconds left (infinite without a limit; never below 0)."""
        return float("inf") if self.seconds is None else max(0.0, self.seconds - self.elapsed())
