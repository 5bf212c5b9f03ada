"""What a program may cost, what finding it may cost, and the meter that tells what is left."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from tacit.ground.errors import ConfigError


@dataclass(frozen=True)
class Budget:
    """Limits; None means no limit.

    minutes: wall-clock time for the whole of `compile`, reading, evaluation and writing included. steps: gradient steps
    of the final training run (repeatable; excludes `minutes`). generations: of evolution, where a goal is searched by it.
    macs: multiply-accumulates of one call of the binary.
    weight_bytes, arena_bytes: memory of the binary. latency: time of one call of it as C in float32, such as ``0.5ms``, predicted at the
    clock of this machine, or at that behind an ``@``: ``2ms@168MHz``.
    """

    minutes: float | None = None
    steps: int | None = None
    generations: int | None = None
    macs: int | None = None
    weight_bytes: int | None = None
    arena_bytes: int | None = None
    latency: str | None = None


_TIMES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_CLOCKS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def latency_seconds(text: str) -> tuple[float, float | None]:
    """Read ``0.5ms`` or ``2ms@168MHz`` as seconds and cycles per second (None: those of this machine).

    >>> latency_seconds("2ms@168MHz")
    (0.002, 168000000.0)

    Raises: ConfigError.
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*(s|ms|us|ns)\s*(?:@\s*([0-9.]+)\s*([kMG]?)Hz)?\s*", text)
    try:
        seconds = float(found[1]) * _TIMES[found[2]] if found else 0.0
        clock = float(found[3]) * _CLOCKS[found[4]] if found and found[3] else None
    except ValueError:
        seconds, clock = 0.0, None
    if seconds <= 0 or clock == 0:
        raise ConfigError(f"expected a time such as `0.5ms` or `2ms@168MHz`, got `{text}` - at `budget.latency`", fix='latency = "0.5ms"')
    return seconds, clock


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
