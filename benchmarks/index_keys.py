"""Make the key sets of the index benchmark: sorted uint64, from generators and from the real sets of the data packs made larger.

    python benchmarks/index_keys.py SET SIZE [--cache DIR]        (SIZE: 1M, 10M, 100M, or `real` for a real set as it is)

Every set is a file of raw little-endian uint64 in the cache, made once; seeds are fixed. How each is made is in its function's first
lines; keys are different and below 2^64 - 1, for two of the peers keep that value for themselves.

How a real set of m keys becomes n > m keys:

- A line of keys (times, numbers, addresses) keeps its differences. They are cut into blocks of 64 successive ones. Block j of the new set
  is a block of the old one, drawn among the 33 about the same relative place. So the shape of the whole, the distribution of gaps and their
  order within a block stay; the range grows with n.
- Positions on a map keep their places. Each point is taken ceil(1.05 n / m) times; each copy but the first is moved in both coordinates by
  a two-sided number of log-uniform size from 1 to 2^22 (of 2^32), so that points gather about points at every scale; the Morton codes
  are made again, sorted, and thinned at random to n different ones.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path

import datasets
import harness
import numpy as np

SIZES = {"1M": 10**6, "10M": 10**7, "100M": 10**8}
BLOCK = 64
NEAR = 16
PART = 1 << 22  # values made at a time, so that 100M keys need little more memory than the keys themselves


def keys_path(name: str, size: str, cache: Path) -> Path:
    """Give the file of the set `name` at `size`, making it when the cache does not hold it. Raises: SystemExit for unknown names."""
    if name not in SETS or size not in (*SIZES, "real"):
        raise SystemExit(f"expected a set of {', '.join(SETS)} at {', '.join(SIZES)} or `real` - got {name!r} at {size!r}")
    path = cache / "index-keys" / f"{name}-{size}.u64"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        keys = real(name) if size == "real" else SETS[name](SIZES[size])
        if not (keys[1:] > keys[:-1]).all() or keys[-1] == np.iinfo(np.uint64).max:
            raise SystemExit(f"expected different sorted keys, got others - in {name} at {size}")
        fresh = path.with_suffix(f".{os.getpid()}.new")
        keys.astype("<u8").tofile(fresh)
        os.replace(fresh, path)
    return path


def real(name: str) -> np.ndarray:
    """Give a real set as it is, uint64[key]. Raises: SystemExit for a generated one."""
    if name not in REAL:
        raise SystemExit(f"expected a real set of {', '.join(REAL)} - got {name!r}")
    with np.load(harness.data_folder() / "keys" / f"{REAL[name]}.npz") as pack:
        return np.cumsum(pack["delta"], dtype=np.uint64)


# --- generators ----------------------------------------------------------------------------------------------------


def uniform(size: int) -> np.ndarray:
    """Spread keys uniformly over 2^62: exponential gaps, which are those of sorted uniform numbers."""
    gaps = _gaps(size, 1, lambda random, many: random.exponential(2.0**62 / size, many))
    return np.cumsum(gaps, dtype=np.uint64)


def lognormal(size: int) -> np.ndarray:
    """Draw exp(2 z) x 2^40 for standard normal z, as SOSD does at a smaller scale; equal ones are moved up by one."""
    random = np.random.default_rng([2, size])
    keys = np.empty(size, np.float64)
    for begin in range(0, size, PART):
        part = keys[begin : begin + PART]
        random.standard_normal(out=part)
        np.exp(2.0 * part, out=part)
    keys.sort()
    return _different((keys * 2.0**40).astype(np.uint64))


def sequential(size: int) -> np.ndarray:
    """Count up by one, with a jump after a run: runs and jumps are geometric with mean 1,000."""

    def gaps(random: np.random.Generator, many: int) -> np.ndarray:
        jumps = random.random(many) < 1e-3
        return np.where(jumps, random.geometric(1e-3, many), 1)

    return np.cumsum(_gaps(size, 3, gaps), dtype=np.uint64)


def dust(size: int) -> np.ndarray:
    """Gather keys in clusters of clusters: the steps of a walk of dimension 0.6, Pareto gaps u^(-1/0.6) x 16 (Mandelbrot's Levy dust)."""
    return np.cumsum(_gaps(size, 4, lambda random, many: 16.0 * (1.0 - random.random(many)) ** (-1 / 0.6)), dtype=np.uint64)


def _gaps(size: int, seed: int, draw: Callable[[np.random.Generator, int], np.ndarray]) -> np.ndarray:
    random = np.random.default_rng([seed, size])
    gaps = np.empty(size, np.uint64)
    for begin in range(0, size, PART):
        many = min(PART, size - begin)
        gaps[begin : begin + many] = np.maximum(draw(random, many), 1.0).astype(np.uint64)
    return gaps


def _different(keys: np.ndarray) -> np.ndarray:
    """Move sorted keys up as little as makes them different: the running maximum of keys[i] - i, plus i."""
    places = np.arange(len(keys), dtype=np.int64)
    return (np.maximum.accumulate(keys.astype(np.int64) - places) + places).astype(np.uint64)


# --- real sets made larger -----------------------------------------------------------------------------------------


def _line(name: str, seed: int) -> Callable[[int], np.ndarray]:
    def make(size: int) -> np.ndarray:
        keys = real(name)
        gaps = np.diff(keys)
        blocks = gaps[: len(gaps) // BLOCK * BLOCK].reshape(-1, BLOCK)
        random = np.random.default_rng([seed, size])
        wanted = -(-size // BLOCK)
        near = np.arange(wanted) * len(blocks) // wanted + random.integers(-NEAR, NEAR + 1, wanted)
        larger = blocks[np.clip(near, 0, len(blocks) - 1)].reshape(-1)[:size]
        return keys[0] + np.cumsum(larger, dtype=np.uint64)

    return make


def _map(name: str, seed: int) -> Callable[[int], np.ndarray]:
    def make(size: int) -> np.ndarray:
        points = real(name)
        copies = -(-105 * size // (100 * len(points)))
        random = np.random.default_rng([seed, size])
        found = np.empty((copies, len(points)), np.uint64)
        found[0] = points
        first, second = _halves(points), _halves(points >> np.uint64(1))
        for copy in range(1, copies):
            found[copy] = _spread(_moved(first, random)) | (_spread(_moved(second, random)) << np.uint64(1))
        flat = found.reshape(-1)
        flat.sort()
        keys = flat[np.concatenate([[True], flat[1:] != flat[:-1]])]
        drop = random.choice(len(keys), len(keys) - size, replace=False, shuffle=False)
        keep = np.ones(len(keys), bool)
        keep[drop] = False
        return keys[keep]

    return make


def _moved(coordinates: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Move int64[point] of 32 bits by a two-sided number of log-uniform size from 1 to 2^22; the borders of the map hold."""
    by = 2.0 ** random.uniform(0.0, 22.0, len(coordinates)) * np.where(random.random(len(coordinates)) < 0.5, -1.0, 1.0)
    return np.clip(coordinates + np.rint(by).astype(np.int64), 0, 2**32 - 1)


def _halves(codes: np.ndarray) -> np.ndarray:
    """Gather the even bits of Morton codes: int64[point] of 32 bits."""
    x = codes & np.uint64(0x5555555555555555)
    for shift, mask in SQUEEZES:
        x = (x | (x >> np.uint64(shift))) & np.uint64(mask)
    return x.astype(np.int64)


def _spread(coordinates: np.ndarray) -> np.ndarray:
    """Put the 32 bits of coordinates on the even bits: uint64[point]. The inverse of `_halves`."""
    x = coordinates.astype(np.uint64)
    for (shift, _), mask in zip(reversed(SQUEEZES), SPREADS, strict=True):
        x = (x | (x << np.uint64(shift))) & np.uint64(mask)
    return x


SQUEEZES = ((1, 0x3333333333333333), (2, 0x0F0F0F0F0F0F0F0F), (4, 0x00FF00FF00FF00FF), (8, 0x0000FFFF0000FFFF), (16, 0x00000000FFFFFFFF))
SPREADS = (0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF, 0x0F0F0F0F0F0F0F0F, 0x3333333333333333, 0x5555555555555555)

REAL = {
    "times": "git_commit_timestamps",
    "numbers": "osm_node_ids",
    "places": "osm_latlon_morton",
    "memory": "mcf_memory_addresses",
    "addresses": "ipv4_blocklist_addresses",
    "ranges": "ipv4_range_starts",
}
SETS: dict[str, Callable[[int], np.ndarray]] = {
    "uniform": uniform,
    "lognormal": lognormal,
    "sequential": sequential,
    "dust": dust,
    "times": _line("times", 11),
    "numbers": _line("numbers", 12),
    "memory": _line("memory", 13),
    "addresses": _line("addresses", 14),
    "ranges": _line("ranges", 15),
    "places": _map("places", 16),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a key set of the index benchmark.")
    parser.add_argument("name", help=f"one of: {', '.join(SETS)}")
    parser.add_argument("size", help=f"one of: {', '.join(SIZES)}, real")
    parser.add_argument(
        "--cache", type=Path, default=datasets.default_cache(), help="folder to keep the sets in (default: a temporary one)"
    )
    given = parser.parse_args()
    print(keys_path(given.name, given.size, given.cache))


if __name__ == "__main__":
    main()
