"""Open choices of a skeleton: values among which the search decides."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tacit.ground.errors import ConfigError


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


def candidates(settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List every combination of the open choices, in a fixed order; one entry when nothing is open.

    >>> candidates({"width": choice(16, 32), "depth": 1})
    [{'width': 16, 'depth': 1}, {'width': 32, 'depth': 1}]
    """
    options = [value.values if isinstance(value, Choice) else (value,) for value in settings.values()]
    return [dict(zip(settings, values, strict=True)) for values in itertools.product(*options)]
