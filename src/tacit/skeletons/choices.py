"""Open choices of a skeleton: values among which the search decides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit.ground.errors import ConfigError, raise_all


@dataclass(frozen=True)
class Choice:
    """A finite set of values for one setting of a skeleton."""

    values: tuple[Any, ...]


def choice(*values: Any) -> Choice:
    """Mark a setting as open.

    >>> choice(16, 32).values
    (16, 32)

    Raises: ConfigError when there are no values.
    """
    if not values:
        raise ConfigError("expected at least one value in `choice(...)`, got none", fix="write the values, as in choice(16, 32, 64)")
    return Choice(tuple(values))


@dataclass(frozen=True)
class Between:
    """A range of numbers for one setting: whole ones when `low`, `high` and `step` are, and by factors rather than sums when `log`."""

    low: float
    high: float
    step: float | None = None
    log: bool = False

    @property
    def whole(self) -> bool:
        """Tell whether the values are whole numbers."""
        return all(isinstance(value, int) for value in (self.low, self.high, 1 if self.step is None else self.step))

    @property
    def values(self) -> tuple[float, ...] | None:
        """Give every value in order, or None when there is no last digit."""
        step = self.step if self.step is not None else 1 if self.whole else None
        if step is None:
            return None
        count = int((self.high - self.low) / step * (1 + 1e-9)) + 1
        return tuple(self.low + place * step for place in range(count))


def between(low: float, high: float, *, step: float | None = None, log: bool = False) -> Between:
    """Mark a setting as open within a range, both ends included.

    >>> between(8, 32, step=8).values
    (8, 16, 24, 32)

    Raises: ConfigError when it is empty, the step isn't above 0, or a range by factors has a step or begins at or below 0.
    """
    problems = []
    if not low <= high:
        problems.append(f"its end {high} is below its start {low}")
    if step is not None and step <= 0:
        problems.append(f"its step {step} is not above 0")
    if log and step is not None:
        problems.append("it has a step and goes by factors; it can only do one of them")
    if log and low <= 0:
        problems.append(f"it goes by factors, so its start must be above 0, not {low}")
    raise_all(problems, heading=f"expected a range of numbers, got between({low}, {high})", fix="between(8, 96, step=8)", error=ConfigError)
    return Between(low, high, step, log)


#: What may stand for a setting that is open.
Open = Choice | Between


def opened(settings: Mapping[str, Any]) -> dict[str, Open]:
    """Give the settings that are open."""
    return {name: value for name, value in settings.items() if isinstance(value, Choice | Between)}


def holds(setting: Any, value: Any) -> bool:
    """Tell whether a value is one of those that a setting allows: among the choices, within the range, or the one that is set.

    >>> holds(between(8, 32), 12), holds(choice(8, 16), 12), holds(12, 12)
    (True, False, True)
    """
    if isinstance(setting, Between):
        return isinstance(value, int | float) and setting.low <= value <= setting.high
    return value in setting.values if isinstance(setting, Choice) else bool(value == setting)


def first_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings with the first value of each that is open.

    >>> first_of({"width": between(8, 32), "depth": 1})
    {'width': 8, 'depth': 1}
    """
    return {
        key: value.values[0] if isinstance(value, Choice) else value.low if isinstance(value, Between) else value
        for key, value in settings.items()
    }


def plain(value: Any) -> Any:
    """Write a setting as JSON values, an open one as it stands in `tacit.toml`."""
    if isinstance(value, Choice):
        return {"choice": list(value.values)}
    if isinstance(value, Between):
        rest = {"step": value.step, "log": value.log or None}
        return {"between": [value.low, value.high], **{name: item for name, item in rest.items() if item is not None}}
    return value


def combinations(settings: Mapping[str, Any]) -> float:
    """Count the combinations of the open settings; infinite where a range has no last digit.

    >>> combinations({"width": choice(16, 32), "depth": between(1, 3)})
    6.0
    """
    counts = (math.inf if value.values is None else len(value.values) for value in opened(settings).values())
    return float(math.prod(counts))


def candidates(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List every combination of the open choices, in a fixed order; one entry when nothing is open.

    >>> candidates({"width": choice(16, 32), "depth": 1})
    [{'width': 16, 'depth': 1}, {'width': 32, 'depth': 1}]
    """
    options = [(value.values or (value,)) if isinstance(value, Choice | Between) else (value,) for value in settings.values()]
    return [dict(zip(settings, values, strict=True)) for values in itertools.product(*options)]
