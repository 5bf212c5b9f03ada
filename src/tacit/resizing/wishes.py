"""What a resized program is asked to be: so many times as fast or as small, at most so many multiply-accumulates, or so long."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from tacit.ground.errors import ConfigError, raise_all
from tacit.ground.tables import did_you_mean

FASTER, SMALLER, MACS, LATENCY = "faster", "smaller", "macs", "latency"
C, C_INT8 = "c", "c-int8"
_TARGETS = (C, C_INT8)
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TIME = re.compile(r"\s*([0-9.eE+-]+)\s*([a-zµ]+)\s*(?:@\s*(\S+))?\s*")
#: Beyond this no program is worth keeping; a larger number is taken for a mistake.
MOST = 1000.0


@dataclass(frozen=True)
class Wish:
    """kind: `FASTER`, `SMALLER` (ratios), `MACS` (a count) or `LATENCY` (seconds). target: what is timed, `C` or `C_INT8`."""

    kind: str
    value: float
    target: str = C

    @property
    def timed(self) -> bool:
        """Tell whether a clock decides."""
        return self.kind in (FASTER, LATENCY)

    def __str__(self) -> str:
        if self.kind == MACS:
            return f"at most {self.value:,.0f} MACs"
        if self.kind == LATENCY:
            return f"at most {1e6 * self.value:.4g} µs on {self.target}"
        return f"{self.value:g} times as {'fast on ' + self.target if self.kind == FASTER else 'small'}"


def wish_of(
    *, faster: float | None = None, smaller: float | None = None, macs: float | None = None, latency: str | float | None = None
) -> Wish | None:
    """Give what is asked for, None for nothing. latency: ``0.5ms@c-int8``, or seconds on C.

    Raises: ConfigError naming everything that is not understood.
    """
    given = {FASTER: faster, SMALLER: smaller, MACS: macs, LATENCY: latency}
    named = [name for name, value in given.items() if value is not None]
    problems = []
    if len(named) > 1:
        problems.append(f"{' and '.join(f'`{name}`' for name in named)} at once: one of them decides the size")
    for name in (FASTER, SMALLER):
        value = given[name]
        if isinstance(value, int | float) and not 1.0 < value <= MOST:
            problems.append(f"`{name}` is {value:g}, expected a ratio above 1 and at most {MOST:g}")
    if macs is not None and not (math.isfinite(macs) and macs >= 1):
        problems.append(f"`macs` is {macs:g}, expected a number of multiply-accumulates, such as 1e6")
    timed, target = (None, C) if latency is None else _latency(latency, problems)
    raise_all(
        problems, heading="expected one size to reach", fix="--faster 2, --smaller 4, --macs 1e6 or --latency 0.5ms@c", error=ConfigError
    )
    if latency is not None and timed is not None:
        return Wish(LATENCY, timed, target)
    numbers = {FASTER: faster, SMALLER: smaller, MACS: macs}
    return next((Wish(name, float(value)) for name, value in numbers.items() if value is not None), None)


def _latency(given: str | float, problems: list[str]) -> tuple[float | None, str]:
    """Read a time and what it is measured on."""
    if not isinstance(given, str):
        if not (math.isfinite(given) and given > 0):
            problems.append(f"`latency` is {given:g}, expected seconds above 0")
        return float(given), C
    found = _TIME.fullmatch(given)
    try:
        number = float(found[1]) if found is not None else math.nan
    except ValueError:
        number = math.nan
    if found is None or not (math.isfinite(number) and number > 0):
        problems.append(f"`latency` is `{given}`, expected a time and a target, such as `0.5ms@c` or `80us@c-int8`")
        return None, C
    if found[2] not in _UNITS:
        problems.append(f"`latency` is in `{found[2]}`, expected s, ms, us or ns: {did_you_mean(found[2], list(_UNITS))}")
        return None, C
    target = found[3] or C
    if target not in _TARGETS:
        problems.append(f"`latency` is on `{target}`, expected a target that can be timed here: {did_you_mean(target, list(_TARGETS))}")
    return number * _UNITS[found[2]], target
