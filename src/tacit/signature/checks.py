"""Checks of a type's own fields, and words for a value that came where another was expected."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.ground.errors import ConfigError

_LONGEST = 40


def what_came(value: Any) -> str:
    """Say what a value is, shortly enough for an error message.

    >>> what_came("a.png"), what_came(3), what_came(None)
    ('the string "a.png"', 'the number 3', 'nothing (None)')
    >>> what_came(np.zeros((2, 3)))
    'an array float64[2, 3]'
    """
    if value is None:
        return "nothing (None)"
    if isinstance(value, str):
        shown = value if len(value) <= _LONGEST else value[:_LONGEST] + "..."
        return f'the string "{shown}"'
    if isinstance(value, bool | np.bool_):
        return f"the value {bool(value)}"
    if isinstance(value, int | float | np.number):
        return f"the number {value}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    if isinstance(value, os.PathLike):
        return f"the path `{os.fspath(value)}`"
    if isinstance(value, np.ndarray):
        return f"an array {value.dtype}[{', '.join(map(str, value.shape))}]"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    if isinstance(value, Sequence):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a `{type(value).__name__}`"


def check_whole(value: Any, *, name: str, kind: str, least: int = 1, most: int = 2**31 - 1) -> None:
    """Refuse a field that is not a whole number in ``least <= value <= most``. Raises: ConfigError."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        limits = f"of at least {least}" if most == 2**31 - 1 else f"from {least} to {most}"
        raise ConfigError(f"expected a whole number {limits}, got {what_came(value)} - at `{kind}.{name}`")


def check_names(names: Any, *, name: str, kind: str, least: int) -> None:
    """Refuse names that are not strings, are empty or repeat. Raises: ConfigError."""
    where = f"at `{kind}.{name}`"
    if not isinstance(names, tuple) or not all(isinstance(item, str) for item in names):
        raise ConfigError(f"expected names, got {what_came(names)} - {where}")
    if len(names) < least:
        raise ConfigError(f"expected at least {least} name{'s' if least > 1 else ''}, got {len(names)} - {where}")
    if any(not item for item in names):
        raise ConfigError(f"expected names, got an empty one - {where}")
    if len(set(names)) != len(names):
        twice = next(item for at, item in enumerate(names) if item in names[:at])
        raise ConfigError(f"expected different names, got `{twice}` twice - {where}")


def check_one_of(value: Any, known: Sequence[str], *, name: str, kind: str) -> None:
    """Refuse a field that is none of the known words. Raises: ConfigError."""
    if value not in known:
        raise ConfigError(f"expected one of {', '.join(known)}, got {what_came(value)} - at `{kind}.{name}`")
