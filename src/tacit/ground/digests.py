"""Content digests: an example's id is the hash of its input, so it is the same on every machine and survives renaming."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)  # made once: twice as fast
ID_LENGTH = 24  # 96 bits: a collision among 10**9 examples has a probability below 10**-10


def sha256(data: bytes) -> str:
    """Give the full hexadecimal sha256 of `data`."""
    return hashlib.sha256(data).hexdigest()


def example_id(data: bytes) -> str:
    """Give the id of an example from the bytes of its input: the first 24 hex digits of sha256.

    >>> example_id(b"")
    'e3b0c44298fc1c149afbf4c8'
    """
    return sha256(data)[:ID_LENGTH]


def canonical_json(value: Any) -> str:
    """Serialise with sorted keys and no spaces, so that equal values have equal bytes."""
    return _CANONICAL.encode(value)


def unit_interval(text: str, *, salt: str = "") -> float:
    """Map a string to [0, 1) by its hash; used to decide splits, so that they stay put when examples are added.

    >>> 0.0 <= unit_interval("a") < 1.0
    True
    """
    return int(hashlib.sha256((salt + text).encode()).hexdigest()[:13], 16) / 16**13
