"""Sets of keys by name: the embedded one, generated ones, and real ones from the folder `TACIT_DATA`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import tacit

_EMBEDDED = Path(__file__).with_name("ranges.npz")
_MILLION = 1_000_000


def ranges() -> np.ndarray:
    """Give the first addresses of the ranges of IPv4 that registries gave out: uint64[176475], sorted.

    Source: herrbischoff/country-ip-blocks and ipverse/rir-ip, both CC0.

    >>> len(ranges())
    176475
    """
    return _of_differences(_EMBEDDED)


def generated(name: str, count: int, *, seed: int = 0) -> np.ndarray:
    """Give sorted uint64 keys: ``uniform`` in 64 bits, ``lognormal`` (sigma 2, scaled by 1e9), or ``fractal`` (gaps within gaps)."""
    random = np.random.default_rng(seed)
    if name == "uniform":
        keys = random.integers(0, 2**64 - 1, count, np.uint64, endpoint=True)
    elif name == "lognormal":
        keys = (np.exp(random.normal(0.0, 2.0, count)) * 1e9).astype(np.uint64)
    else:
        keys = np.zeros(count, np.uint64)
        for _ in range(16):
            keys = keys * np.uint64(16) + random.choice(np.array([0, 1, 9, 12], np.uint64), count)
    keys.sort()
    return keys


def _pack(name: str, title: str, licence: str) -> tacit.DataSource:
    return tacit.DataSource("keys", title, licence, "the README of the data packs", packs=(f"{name}.npz",))


_REAL: Mapping[str, tuple[str, str]] = {
    "osm_node_ids": ("ids of nodes of OpenStreetMap", "ODbL, (c) OpenStreetMap contributors"),
    "osm_latlon_morton": (
        "positions of nodes of OpenStreetMap, bits interleaved",
        "ODbL, (c) OpenStreetMap contributors",
    ),
    "git_commit_timestamps": ("moments of commits in 41 repositories, Unix seconds", "facts"),
    "mcf_memory_addresses": ("memory addresses of a trace of a program", "Apache-2.0"),
    "ipv4_blocklist_addresses": ("addresses of IPv4 on lists of the blocked", "MIT, Unlicense"),
    "ipv6_prefix_starts_hi64": ("first addresses of ranges of IPv6, upper half", "CC0"),
}
#: The default first; None: nothing is fetched.
SETS: Mapping[str, tacit.DataSource | None] = {
    "ipv4-ranges": None,
    "uniform-1m": None,
    "lognormal-1m": None,
    "fractal-1m": None,
    **{name.replace("_", "-"): _pack(name, title, licence) for name, (title, licence) in _REAL.items()},
}
_MADE: Mapping[str, Callable[[], np.ndarray]] = {
    "ipv4-ranges": ranges,
    **{f"{name}-1m": (lambda name=name: generated(name, _MILLION)) for name in ("uniform", "lognormal", "fractal")},  # type: ignore[misc]
}


def keys_of(name: str, *, reporter: tacit.Reporter | None = None) -> np.ndarray:
    """Give the keys of a set by its name: uint64, sorted. Raises: InputError when they can't be had."""
    source = SETS[name]
    if source is None:
        return _MADE[name]()
    return _of_differences(source.folder(reporter=reporter) / source.packs[0])


def _of_differences(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as arrays:
        return np.cumsum(arrays["delta"], dtype=np.uint64)
