"""Search an architecture under a limit of MACs: against the usual network at equal compute, and against random search at equal trials.

    python benchmarks/architecture.py [--seeds N] [--seed K] [--cache DIR]

Fashion-MNIST, 55,000 pictures to learn from, 5,000 that decide, the official test set looked at once by each contender and seed.
Every contender is `tacit.compile` under the same limit with the same recipe. Search: 12 candidates within the limit, then the winner.
Default: nothing is open, so the size is chosen under the limit as ever; it is trained for all that the search multiplied, its trials
included. Random: as many candidates, drawn evenly from the same space until they are within the limit, each trained for an equal share
of the same steps; the best one is trained as the winner of the search is. Compute is counted in steps times MACs, for the machine may
be busy; the CPU seconds of each run, lowering included, are recorded beside it. `--seed` measures one seed and keeps it in the cache;
without it missing ones are measured and all are recorded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import harness
import torch

from tacit.binary.binary import Binary
from tacit.compiler import compile as compile_program
from tacit.directory.adopting import adopt
from tacit.directory.reading import read_program
from tacit.ground.budget import Budget
from tacit.program import Program

LIMIT = 360_000
STEPS, TRIALS, SHARE = 5000, 12, 0.12
RECIPE: Mapping[str, Any] = {"batch": 64, "learning_rate": 0.1}
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "search": {"trials": TRIALS, "share": SHARE, "rungs": 2, "batch": 6},
    "random search": {"trials": TRIALS, "share": SHARE, "sampler": "random", "pruner": "none", "fit": False},
}
DEFAULT = "default"


def fashion(cache: Path) -> Program:
    """Read Fashion-MNIST with 5,000 of its training pictures for validation."""
    folder = cache / "architecture"
    folder.mkdir(parents=True, exist_ok=True)
    source = datasets.make("fashion-mnist", cache)
    directory = next(folder.glob("*.program"), None) or adopt(source, beside=folder)
    program = read_program(directory, overrides={"split.validation": "0.08333"})
    return replace(program, recipe=RECIPE, directory=None, settings={})


def default_steps(found: Mapping[str, Any], macs: int) -> int:
    """Give for how many steps a network of so many MACs can be trained for what a whole search multiplied, its trials included."""
    spent = sum(trial["steps"] * trial["macs"] for trial in found["trials"]) + found["steps"] * found["macs"]
    return round(spent / macs)


def measure(program: Program, seed: int) -> dict[str, Any]:
    """Run all contenders with one seed."""
    rows: dict[str, Any] = {}
    budget = Budget(steps=STEPS, macs=LIMIT)
    for name, search in SEARCHES.items():
        begun = time.process_time()
        binary = compile_program(replace(program, search=search, budget=budget), seed=seed)
        rows[name] = row(binary, time.process_time() - begun)
        print(seed, name, json.dumps(rows[name]), flush=True)
    small = compile_program(replace(program, budget=Budget(steps=1, macs=LIMIT)), seed=seed)
    steps = default_steps(rows["search"], small.evidence["costs"]["macs"])
    begun = time.process_time()
    binary = compile_program(replace(program, budget=Budget(steps=steps, macs=LIMIT)), seed=seed)
    rows[DEFAULT] = row(binary, time.process_time() - begun)
    print(seed, DEFAULT, json.dumps(rows[DEFAULT]), flush=True)
    return rows


def row(binary: Binary, seconds: float) -> dict[str, Any]:
    """Give what is recorded of one run."""
    evidence = binary.evidence
    run = evidence["run"]
    tried = [
        {
            "validation": trial["validation"],
            "rung": trial["rung"],
            "steps": trial["steps"],
            "macs": trial["costs"].get("macs"),
            **trial["settings"],
        }
        for trial in run["trials"]
    ]
    return {
        "test accuracy": evidence["scores"]["test"]["accuracy"],
        "validation accuracy": evidence["scores"]["validation"]["accuracy"],
        "macs": evidence["costs"]["macs"],
        "weight_bytes": evidence["costs"]["weight_bytes"],
        "settings": run["settings"],
        "steps": run["steps"],
        "cpu_seconds": round(seconds, 1),
        "trials": tried,
        "trained_candidates": len({trial["number"] for trial in run["trials"]}),
        "steps_of_trials": sum(trial["steps"] for trial in run["trials"]),
    }


def figures(runs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise the seeds: accuracy by contender, and the differences seed by seed."""
    names = [DEFAULT, *SEARCHES]
    found: dict[str, Any] = {
        f"test accuracy, {name}": {str(seed): run[name]["test accuracy"] for seed, run in runs.items()} for name in names
    }
    for other in (DEFAULT, "random search"):
        gains = [run["search"]["test accuracy"] - run[other]["test accuracy"] for run in runs.values()]
        found[f"points ahead of {other}"] = [100 * gain for gain in gains]
        found[f"seeds ahead of {other}"] = sum(gain > 0 for gain in gains)
        spread = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else 0.0
        found[f"points ahead of {other}, standard error"] = 100 * spread
    found |= {f"CPU seconds, {name}": [run[name]["cpu_seconds"] for run in runs.values()] for name in names}
    found |= {f"MACs of the binary, {name}": [run[name]["macs"] for run in runs.values()] for name in names}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Search an architecture under a limit of MACs.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = options.cache / "architecture"
    for seed in range(options.seeds) if options.seed is None else [options.seed]:
        path = kept / f"seed-{seed}-of-{STEPS}-steps.json"
        if options.seed is not None or not path.exists():
            harness.write_json(path, measure(fashion(options.cache), seed))
    if options.seed is not None:
        return
    runs = {seed: json.loads((kept / f"seed-{seed}-of-{STEPS}-steps.json").read_text()) for seed in range(options.seeds)}
    found = figures(runs) | {"limit of MACs": LIMIT, "steps of the winner": STEPS, "trials": TRIALS, "recipe": dict(RECIPE)}
    target = {"points ahead of default": ">= 0.0001", "points ahead of random search": ">= 0.0001"}
    rows = [{"seed": seed, "contender": name, **run[name]} for seed, run in runs.items() for name in run]
    harness.record("architecture", found, command=harness.command_line(), target=target, runs=rows)


if __name__ == "__main__":
    main()
