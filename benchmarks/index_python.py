"""The index of tacit_programs from Python: beside NumPy's search, the same on sorted queries, a B+-tree in C; and its answers checked.

python benchmarks/index_python.py [uniform] [lognormal] [fractal] [checks] [inserts] [--count N] [--checks N]

- `uniform` and so on: `index.lookup(queries)`, `np.searchsorted(keys, queries)` and the argsort trick (sort the queries, search, put the
  answers back) on the same uint64 keys and queries, half of them keys; each takes its turn in every round, the first round is left out.
  Figures are medians over rounds of the ratio within a round, by the processor's clock of one thread.
- `checks`: random queries on key sets that are nasty, ordinary and real, through every structure and every instruction set, both sides.
  An answer p is right if and only if keys[p - 1] < query <= keys[p] (left) or keys[p - 1] <= query < keys[p] (right), which is looked up.
- `inserts`: keys inserted in batches and one by one, with lookups between them, each held against the sorted whole.
"""

from __future__ import annotations

import argparse
import bisect
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np

from tacit_programs.index import compile
from tacit_programs.index.compiled import PATHS, NativePieces, NativeTree, fast_path
from tacit_programs.index.predecessor import BTree, sorted_bisection
from tacit_programs.index.sets import SETS, generated, keys_of
from tacit_programs.index.structure import sample_queries

Result = dict[str, Any]
ROUNDS = 7
#: np.searchsorted and the B+-tree get so many of the queries: they need the same time for each.
SLOW_QUERIES = 300_000
SPEED = ("uniform", "lognormal", "fractal")
#: Ways to ask: three structures, three instruction sets, two sides.
WAYS = 18


def speed(name: str, count: int) -> Result:
    """Time the contestants on a set of keys, with a tenth as many queries as keys and with as many."""
    keys = generated(name, count)
    begun = time.process_time()
    index = compile(keys)
    row: Result = {"compiled in": time.process_time() - begun, "stats": index.stats()}
    found = {f"{name}, {many // 1000:,}k queries": {**row, **_turns(keys, index, many)} for many in (count // 10, count)}
    plain = keys[:: max(1, count // 1_000_000)].tolist()
    one, same = int(keys[count // 3]), keys[count // 3]
    found[f"{name}, one query"] = {
        "index": _each(lambda: index.lookup(one)),
        "searchsorted": _each(lambda: np.searchsorted(keys, same)),
        "bisect on a list of 1M": _each(lambda: bisect.bisect_left(plain, one)),
    }
    return found


def _turns(keys: np.ndarray, index: Any, many: int) -> Result:
    queries = sample_queries(keys, many, seed=7)
    few = queries[:SLOW_QUERIES]
    tree, trick = BTree(keys), sorted_bisection(keys)
    contestants: dict[str, tuple[Callable[[np.ndarray], Any], np.ndarray]] = {
        "index": (index.lookup, queries),
        "searchsorted": (lambda asked: np.searchsorted(keys, asked), few),
        "argsort trick": (trick, queries),
        "B+-tree": (tree, few),
    }
    if not np.array_equal(index.lookup(queries), trick(queries)) or not np.array_equal(tree(few), index.lookup(few)):
        raise SystemExit("expected equal answers of all contestants")
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (lookup, asked) in contestants.items():
            begun = time.process_time()
            lookup(asked)
            times[name].append((time.process_time() - begun) / len(asked) * 1e9)
    ratios = {name: [a / b for a, b in zip(each, times["index"], strict=True)] for name, each in times.items() if name != "index"}
    return {"nanoseconds": times, "ratios": ratios}


def _each(answer: Callable[[], Any], calls: int = 20_000) -> float:
    rounds = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(calls):
            answer()
        rounds.append((time.process_time() - begun) / calls * 1e6)
    return statistics.median(rounds)


# --- answers -------------------------------------------------------------------------------------------------------


def nasty(random: np.random.Generator, count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Give sorted sets of keys that break searches."""
    u = np.uint64
    most = 2**64 - 1
    outliers = random.integers(0, 10**6, count, u)
    outliers[: max(1, count // 1000)] = u(most) - random.integers(0, 5, max(1, count // 1000), u)
    ulp = np.float64(1.5).view(u) + random.integers(0, 20, count, u) + (random.integers(0, 5, count, u) << u(50))
    two = np.concatenate([random.integers(0, 100, count // 2, u), u(most) - random.integers(0, 100, count - count // 2, u)])
    sets = {
        "Zipf": np.minimum(random.zipf(1.3, count), 2**62).astype(u),
        "all equal": np.full(count, 12345, u),
        "all greatest": np.full(count, most, u),
        "powers of two": u(1) << random.integers(0, 64, count, u),
        "outliers near 2^64": outliers,
        "one ulp apart": ulp,
        "sequential": np.arange(count, dtype=u) + u(7),
        "both ends": two,
        "uniform": generated("uniform", count, seed=3),
        "lognormal": generated("lognormal", count, seed=3),
        "fractal": generated("fractal", count, seed=3),
    }
    for name, keys in sets.items():
        yield name, np.sort(keys)


def checks(total: int) -> Result:
    """Ask `total` random queries in all; count wrong answers."""
    random = np.random.default_rng(0)
    sets = [(f"{name}, {count:,}", keys) for count in (1, 9, 1000, 100_000) for name, keys in nasty(random, count)]
    sets += [(f"{name}, 3,000,000", keys) for name, keys in nasty(random, 3_000_000)]
    sets += [(name, keys_of(name)) for name, source in SETS.items() if source is not None or name == "ipv4-ranges"]
    paths = [name for name, number in PATHS.items() if 0 <= number <= PATHS[fast_path()]]
    chunk = total // (WAYS * sum(len(keys) > 1000 for _, keys in sets))
    done = {name: 0 for name, _ in sets}
    wrong, turn = 0, 0
    while sum(done.values()) < total or turn < WAYS:
        for name, keys in sets:
            path = paths[turn % len(paths)]
            which, right = turn // len(paths) % 3, bool(turn // (3 * len(paths)) % 2)
            structure = NativeTree(keys, path=path) if which == 2 else NativePieces(keys, (8, 32)[which], path=path)
            queries = _queries(random, keys, chunk if len(keys) > 1000 else chunk // 10)
            places = np.empty(len(queries), np.int64)
            structure.lookup(queries, right, places)
            wrong += _wrong(keys, queries, places, right)
            done[name] += len(queries)
        turn += 1
    return {"queries": sum(done.values()), "wrong answers": wrong, "sets of keys": len(sets), "instruction sets": paths, "turns": turn}


def _queries(random: np.random.Generator, keys: np.ndarray, many: int) -> np.ndarray:
    """Draw keys, their neighbours, what lies somewhere in a gap, and anything."""
    u = np.uint64
    asked = sample_queries(keys, many, seed=int(random.integers(2**31)))
    kind = random.integers(0, 5, many)
    with np.errstate(over="ignore"):
        asked = np.where(kind == 0, asked + u(1), np.where(kind == 1, asked - u(1), asked))
    return np.where(kind == 2, random.integers(0, 2**64 - 1, many, u, endpoint=True), asked)


def _wrong(keys: np.ndarray, queries: np.ndarray, places: np.ndarray, right: bool) -> int:
    inside = (places >= 0) & (places <= len(keys))
    before, at = keys[np.clip(places - 1, 0, len(keys) - 1)], keys[np.clip(places, 0, len(keys) - 1)]
    low = (places <= 0) | (before <= queries if right else before < queries)
    high = (places >= len(keys)) | (at > queries if right else at >= queries)
    return int((~(inside & low & high)).sum())


# --- inserts -------------------------------------------------------------------------------------------------------


def inserts(count: int) -> Result:
    """Insert half as many keys again in batches of several sizes, with lookups between them; hold the answers against the whole."""
    found: Result = {}
    random = np.random.default_rng(0)
    for batch in (1, 100, 10_000):
        keys = generated("uniform", count, seed=1)
        index, whole = compile(keys), [keys]
        rounds = min(count // 2 // batch, 3000)
        inserting = looking = 0.0
        wrong = 0
        asked = random.integers(0, 2**64 - 1, 1000, np.uint64)
        for turn in range(rounds):
            fresh = random.integers(0, 2**64 - 1, batch, np.uint64)
            begun = time.process_time()
            index.insert(fresh)
            between = time.process_time()
            places = index.lookup(asked)
            looking += time.process_time() - between
            inserting += between - begun
            whole.append(fresh)
            if turn % max(1, rounds // 10) == 0 or turn == rounds - 1:
                whole = [np.sort(np.concatenate(whole))]
                wrong += int((places != np.searchsorted(whole[0], asked)).sum())
        found[f"batches of {batch:,}"] = {
            "keys": count,
            "inserted": rounds * batch,
            "microseconds per inserted key": inserting / rounds / batch * 1e6,
            "nanoseconds per lookup, delta live": looking / rounds / len(asked) * 1e9,
            "nanoseconds per lookup before": _before(keys, asked),
            "wrong answers": wrong,
            "runs": str(index.stats()["runs"]),
        }
        print(batch, found, flush=True)
    return found


def _before(keys: np.ndarray, asked: np.ndarray) -> float:
    index = compile(keys)
    index.lookup(asked)
    begun = time.process_time()
    for _ in range(1000):
        index.lookup(asked)
    return (time.process_time() - begun) / 1000 / len(asked) * 1e9


# --- the record ----------------------------------------------------------------------------------------------------


def write(folder: Path) -> None:
    """Record what is in the cache."""
    kept = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    figures: dict[str, Any] = {}
    timed = {case: row for name in SPEED for case, row in kept.get(name, {}).items()}
    for case, row in timed.items():
        if "ratios" not in row:
            figures |= {f"{case}: microseconds, {name}": value for name, value in row.items()}
            continue
        figures |= {f"{case}: times faster than {name}": statistics.median(each[1:]) for name, each in row["ratios"].items()}
        figures |= {f"{case}: nanoseconds, {name}": statistics.median(each[1:]) for name, each in row["nanoseconds"].items()}
        figures[f"{case}: bytes per key"] = row["stats"]["bytes per key"]
        figures[f"{case}: structure"] = row["stats"]["structure"]
        figures[f"{case}: seconds to compile"] = row["compiled in"]
    figures |= {f"checks: {name}": value for name, value in kept.get("checks", {}).items()}
    for case, row in kept.get("inserts", {}).items():
        figures |= {f"inserts, {case}: {name}": value for name, value in row.items()}
    target = {}
    for case in timed:
        smooth = not case.startswith("fractal")
        target[f"{case}: times faster than searchsorted"] = ">= 20" if smooth else ">= 15"
        target[f"{case}: times faster than argsort trick"] = ">= 4"
    target |= {"checks: queries": ">= 200000000", "checks: wrong answers": "<= 0"}
    harness.record(
        "index_python",
        figures,
        command="python benchmarks/index_python.py",
        target={name: rule for name, rule in target.items() if name in figures},
        notes=[
            "One thread, processor time, medians of rounds in turns; the load of a busy machine hits all contestants of a round alike. "
            "np.searchsorted and the B+-tree are asked the first 300,000 of the queries.",
            "Putting queries in order of the parts of the keys first was tried and left out: at 100 million keys it gained 6 %, at 10 "
            "million it lost 45 %.",
            "The B+-tree is src/tacit_programs/index/btree.c; peers in C++ are in index.json.",
        ],
        runs=[{"case": case, **row} for case, row in timed.items()],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join((*SPEED, "checks", "inserts")))
    parser.add_argument("--count", type=int, default=10_000_000, help="keys of the speed case")
    parser.add_argument("--checks", type=int, default=200_000_000)
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true", help="run what is in the cache, too")
    given = parser.parse_args()
    cases: dict[str, Callable[[], Result]] = {
        **{name: lambda name=name: speed(name, given.count) for name in SPEED},  # type: ignore[misc]
        "checks": lambda: checks(given.checks),
        "inserts": lambda: inserts(1_000_000),
    }
    if unknown := [case for case in given.cases if case not in cases]:
        raise SystemExit(f"expected a case, got `{unknown[0]}`\ntry: one of {', '.join(cases)}")
    folder = given.cache / "index-python"
    folder.mkdir(parents=True, exist_ok=True)
    for case in given.cases or cases:
        path = folder / f"{case}.json"
        if given.again or not path.exists():
            path.write_text(json.dumps(cases[case]()))
        write(folder)


if __name__ == "__main__":
    main()
