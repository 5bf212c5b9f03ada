"""The index of tacit_programs beside B-trees, a static SIMD tree and learned indexes: nanoseconds, bytes per key, answers, inserts.

    python benchmarks/index.py [CASE ...] --peers DIR [--cache DIR] [--again]        (no case: all; see CASES)

A case is a key set at a size (index_keys.py says how each is made) or `inserts-...`. All contestants of a case take turns in one process,
on one thread, on the same sorted keys and streams of queries, half of them keys and half inside random gaps (timing.cpp in index_native).
Times are of the thread's processor clock, medians over rounds; ratios are medians of the ratios of rounds. Three ways to ask:

- `alone`: lookups with a fence between them, so that nothing overlaps; nobody can be faster than one read of memory
- `loop`: single lookups one after the other, which the processor overlaps as it can
- `many`: an array of queries; Tacit and the static tree have a batch of their own, the others do what they do in a loop

Of each family of peers the configuration that is fastest on these keys is taken, apart for the loop and the array. Tacit's is chosen by its
own rule: the smallest structure that needs at most a tenth more than the fastest. B/key is what lies beside the sorted keys; a tree with
keys of its own counts those, as in the tables of the papers. How the peers are fetched and compiled: index_peers.py. What a user of Python
sees is in index_python.py.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import harness
import index_inserts
import index_keys
import index_peers

from tacit_programs.index.structure import ALLOWANCE

Result = dict[str, Any]
Contestant = dict[str, Any]
SMOOTH, FRACTAL = ("uniform", "lognormal", "sequential", "times"), ("numbers", "places", "dust", "ranges")
#: What is on the left of the notes' table and what is on the right, lines, and clusters of clusters;
#: declared when uniform and places alone had been timed.
KIND = {**dict.fromkeys(SMOOTH, "smooth"), **dict.fromkeys(FRACTAL, "fractal")}
SEED, ROUNDS = 20, 5
TACIT = ("tacit-8", "tacit-32", "tacit-tree")  # the rows of CHOICES
ALLOCATOR = "glibc.malloc.hugetlb=1"  # huge pages for everybody: keys, nodes and tables alike

#: Size -> contestants; configurations of one family are joined by commas.
ENTRANTS = {
    "1M": "stx;abseil;splus-16-32,splus-16-64,splus-16-128;pgm-8,pgm-16;rs-18-16,rs-20-16;rmi-linear-64,rmi-log-64;alex;lower_bound",
    "10M": "stx;abseil;splus-16-64,splus-16-128;pgm-8,pgm-16;rs-18-16,rs-22-16;rmi-linear-64,rmi-log-64;alex",
    "100M": "stx;splus-16-64,splus-16-128;pgm-16;rs-22-16;rmi-linear-64,rmi-log-64;alex",
}
ENTRANTS["real"] = ENTRANTS["1M"]
QUERIES = {"real": 100_000, "1M": 100_000, "10M": 150_000, "100M": 150_000}
#: Random queries to each of Tacit's three structures.
CHECKS = 5_000_000
TIMED = (
    *(f"{name}-1M" for name in ("uniform", "lognormal", "sequential", "dust")),
    *(f"{name}-real" for name in ("times", "numbers", "places", "ranges")),
    *(f"{name}-10M" for name in ("uniform", "lognormal", "sequential", "dust", "times", "numbers", "places")),
    *(f"{name}-100M" for name in ("uniform", "lognormal", "places")),
)
WAYS = ("alone", "loop", "many")
LEARNED = ("PGM", "RadixSpline", "two layers", "ALEX")

#: The notes ask for a ratio to the static tree on smooth keys from so many on.
MANY_KEYS = 10_000_000
#: Kind of keys -> figure -> what the notes ask for. `tree`: the static SIMD tree.
TARGETS: Mapping[str, Mapping[str, float]] = {
    "smooth": {
        **{"B-tree, many": 10.0, "B-tree, loop": 4.0, "learned, many": 2.5, "learned, loop": 1.2},
        **{"tree, many": 1.3, "smaller than B-tree": 100.0},
    },
    "fractal": {
        **{"B-tree, many": 7.0, "B-tree, loop": 2.0, "learned, many": 4.0, "learned, loop": 1.4},
        **{"tree, many": 1.0, "smaller than B-tree": 28.0},
    },
}


# --- one case ------------------------------------------------------------------------------------------------------


def timed(case: str, peers: Path, cache: Path) -> Result:
    """Run the harness on one key set; a configuration that crashes is left out, and named."""
    name, _, size = case.rpartition("-")
    keys = index_keys.keys_path(name, size, cache)
    program = index_peers.timing(peers, cache / "index-native")
    entrants, crashed = [*TACIT, *ENTRANTS[size].split(";")], []
    path = cache / "index" / f".{case}.{os.getpid()}.json"
    while True:
        arguments = [str(keys), str(path), ";".join(entrants), str(SEED), str(QUERIES[size]), str(ROUNDS), str(CHECKS)]
        environment = {**os.environ, "GLIBC_TUNABLES": ALLOCATOR}
        done = subprocess.run([str(program), *arguments], stderr=subprocess.PIPE, text=True, env=environment, check=False)
        if done.returncode == 0:
            break
        last = [line.partition(" ")[2] for line in done.stderr.splitlines() if line.startswith(("building ", "asking "))][-1:]
        if not last or last[0] in TACIT:
            raise SystemExit(f"expected times of {case}, the harness failed ({done.returncode})\n{done.stderr[-500:]}")
        crashed.append(last[0])
        left = [",".join(one for one in entrant.split(",") if one != last[0]) for entrant in entrants]
        entrants = [entrant for entrant in left if entrant]
    result: Result = json.loads(path.read_text())
    path.unlink()
    return {**result, "crashed": crashed}


# --- ratios --------------------------------------------------------------------------------------------------------


def ours(result: Result) -> Contestant:
    """Give Tacit's structure by its own rule: the smallest that needs at most `ALLOWANCE` times what the fastest does for arrays."""
    entered = [one for one in result["contestants"] if one["entry"] in TACIT]
    fastest = min(statistics.median(one["many"]) for one in entered)
    return min((one for one in entered if statistics.median(one["many"]) <= ALLOWANCE * fastest), key=lambda one: one["bytes"])


def quickest(result: Result, names: Sequence[str], way: str) -> Contestant | None:
    """Give the peer of these names that is fastest in a way to ask; one with wrong answers, too."""
    found = [one for one in result["contestants"] if one["name"].startswith(tuple(names))]
    return min(found, key=lambda one: statistics.median(one[way]), default=None)


def ratio(slower: Contestant, faster: Contestant, way: str) -> float:
    """Give the median over rounds of how many times as long the first needs."""
    return statistics.median(a / b for a, b in zip(slower[way], faster[way], strict=True))


def compared(case: str, result: Result) -> Result:
    """Give a row: times and sizes of all, and the ratios that the notes set targets for."""
    chosen, kind = ours(result), KIND[case.rpartition("-")[0]]
    families = {
        "B-tree": ("STX",),
        "Abseil": ("Abseil",),
        "learned": LEARNED,
        "tree": ("S+tree",),
        "own tree": ("Tacit, tree",),
        **{name: (name,) for name in LEARNED},
    }
    ratios: dict[str, float] = {}
    for family, names in families.items():
        for way in WAYS:
            if (peer := quickest(result, names, way)) is not None:
                ratios[f"{family}, {way}"] = round(ratio(peer, chosen, way), 3)
    if (b_tree := quickest(result, ("STX",), "many")) is not None:
        ratios["smaller than B-tree"] = round(b_tree["bytes"] / chosen["bytes"], 1)
    met = {
        figure: {"wanted": wanted, "got": ratios[figure], "met": ratios[figure] >= wanted}
        for figure, wanted in TARGETS[kind].items()
        if figure in ratios and (figure != "tree, many" or kind == "fractal" or result["keys"] >= MANY_KEYS)
    }
    rows = [_row(one, result["keys"], one is chosen) for one in result["contestants"]]
    known = {"case": case, "kind": kind, "keys": result["keys"], "chosen": chosen["name"], "load": result.get("load")}
    return {**known, "ratios": ratios, "targets": met, "contestants": rows, "crashed": result["crashed"]}


def _row(one: Contestant, keys: int, chosen: bool) -> Result:
    return {
        "contestant": one["name"],
        "chosen": chosen,
        "nanoseconds": {way: round(statistics.median(one[way]), 1) for way in WAYS},
        "bytes per key": round(one["bytes"] / keys, 4),
        "build seconds": round(one["build"], 3),
        "wrong": one["wrong"],
        "checked": one["checked"],
        "crashed when checked": one.get("crashed", False),
        "note": one["note"],
    }


# --- all of them ---------------------------------------------------------------------------------------------------

CASES = (*TIMED, *(f"inserts-{case}" for case in index_inserts.CASES))


def measured(case: str, peers: Path, cache: Path) -> Result:
    """Run a case."""
    if case.startswith("inserts-"):
        return index_inserts.measured(case.removeprefix("inserts-"), index_peers.updatable(peers, cache / "index-native"), cache)
    return timed(case, peers, cache)


def write(folder: Path, peers: Path) -> None:
    """Write the record of what the cache holds: each figure by key set, its target held against the least of them."""
    found = {case: json.loads(path.read_text()) for case in CASES if (path := folder / f"{case}.json").exists()}
    rows = [compared(case, result) for case, result in found.items() if case in TIMED]
    tacit = [one for case, result in found.items() if case in TIMED for one in result["contestants"] if one["group"] == "tacit"]
    inserts = [result for case, result in found.items() if case not in TIMED]
    figures: dict[str, Any] = {}
    target: dict[str, str] = {}
    for row in rows:
        for figure, wanted in row["targets"].items():
            figures.setdefault(f"{row['kind']} keys: {figure}", {})[row["case"]] = wanted["got"]
            target[f"{row['kind']} keys: {figure}"] = f"min >= {wanted['wanted']:g}"
    figures["checked against the definition of a lower bound"] = sum(one["checked"] for one in tacit)
    figures["wrong answers"] = sum(one["wrong"] for one in tacit) + sum(result["wrong"] for result in inserts)
    target |= {"checked against the definition of a lower bound": ">= 200000000", "wrong answers": "<= 0"}
    for peer, name in (("stx", "B-tree"), ("alex", "ALEX")):
        if inserts:
            figures[f"inserts and lookups: {name}"] = {result["case"]: result["ratios"][peer] for result in inserts}
            target[f"inserts and lookups: {name}"] = "min >= 1"
    figures["peers"] = {**index_peers.described(peers), "compiler": index_peers.compiler(), "allocator": ALLOCATOR}
    harness.record("index", figures, command="python benchmarks/index.py --peers DIR", target=target, notes=NOTES, runs=[*rows, *inserts])


NOTES = (
    "One thread of a machine that others used, too; contestants took turns.",
    "Ratios are how many times as long the peer needs (median of the ratios of rounds), or how many times as large it is. The targets are "
    "held against the least over the key sets. The notes set none for inserts: 1 is written for them.",
    "The notes' ratios of single lookups are held against `loop`, which they were measured by: six reads of a tree that depend on one "
    "another don't fit into 123 ns otherwise. `alone` stands beside it; one random read of memory is already most of that.",
    "Wrong answers of peers are counted in their rows, of 262,144 queries; one in 16 of these is a neighbour of a key, or outside of all.",
    "`two layers` is a model of two layers written for this benchmark; the static tree too, for no C++ source of it was to be had.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the index beside its peers.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"one of: {', '.join(CASES)}")
    parser.add_argument(
        "--peers", type=Path, help="folder of the peers' sources (index_peers.py says how it is filled); default: in the cache"
    )
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    parser.add_argument("--again", action="store_true", help="run what is in the cache, too")
    given = parser.parse_args()
    if unknown := [case for case in given.cases if case not in CASES]:
        raise SystemExit(f"expected a case, got `{unknown[0]}`\ntry: one of {', '.join(CASES)}")
    peers = given.peers or given.cache / "index-peers"
    index_peers.check(peers)
    folder = given.cache / "index"
    folder.mkdir(parents=True, exist_ok=True)
    for case in given.cases or CASES:
        path = folder / f"{case}.json"
        if given.again or not path.exists():
            begun = time.process_time()
            result = {**measured(case, peers, given.cache), "load": harness.load_average()}
            path.write_text(json.dumps(result))
            print(f"{case}: {time.process_time() - begun:.0f} s", flush=True)
        write(folder, peers)


if __name__ == "__main__":
    main()
