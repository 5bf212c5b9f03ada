"""Twice and four times as fast, half and a quarter of the channels: what it costs in accuracy, measured on the C target.

    python benchmarks/resize.py [CASE ...] [--only STAGE ...] [--seeds N] [--cache DIR]        stages: faster, raw, plain

faster: `tacit.resize(file, faster=2)` and `faster=4` with its own defaults (half of the original's steps, distilled), from converged
originals (`resize_cases.py`). raw: half of the channels of every group, weights fitted by least squares, no training at all, channels
compared on several draws of training examples. plain: the same halves and quarters of the channels, trained on as `tacit resize` does:
channels, multiply-accumulates, time and accuracy. Times are CPU time of one thread, batch 1, programs in turns (`latency.py`). Nothing
is chosen by the test split. Rows are written down at once in the cache and are not made again.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import contestants
import datasets
import harness
import latency
import torch
from resize_cases import CASES, ROOT, Original, Store, cut_to, original
from torch import nn

import tacit
from tacit.goals.goal import Goal
from tacit.ir.cost import cost
from tacit.resizing.growing import trained_on
from tacit.resizing.retraining import SHARE, retraining, retraining_recipe
from tacit.search.columns import columns, seed_of
from tacit.search.recipe import recipe_for
from tacit.search.running import Stop
from tacit.search.schedule import Progress
from tacit.search.training import Task

RATIOS = (2.0, 4.0)
LOSSES = {2.0: 0.3, 4.0: 1.0}
PARTS = (1.0, 0.5, 0.25)
STAGES = ("faster", "raw", "plain")


@contextmanager
def copied(given: Original) -> Iterator[Original]:
    """Give the original in a folder of its own: a program directory keeps its newest runs alone, and the original's has to stay."""
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / "program"
        shutil.copytree(given.program.directory or Path(), folder)
        yield replace(given, program=replace(given.program, directory=folder))


def faster(given: Original, store: Store) -> None:
    """Make programs that are faster by a ratio."""
    for ratio in RATIOS:
        if (key := f"faster {ratio:g}") in store.rows:
            continue
        begun = time.process_time()
        with copied(given) as own:
            made = tacit.resize(own.binary, faster=ratio, program=own.program)
        spent = time.process_time() - begun
        graphs = {"original": given.binary.graphs["main"], "resized": made.binary.graphs["main"]}
        times = latency.times_in_c(graphs, given.program.signature)
        low, middle, high = contestants.ratio(times, "original", "resized")
        told = made.to_json()
        accuracies = {name: binary.evidence["scores"] for name, binary in (("before", given.binary), ("after", made.binary))}
        row = {
            "times faster": middle,
            "quartiles": [low, high],
            "microseconds": {name: 1e6 * contestants.quartiles(each)[1] for name, each in times.items()},
            "validation": {name: blocks["validation"]["accuracy"] for name, blocks in accuracies.items()},
            "test": {name: blocks["test"]["accuracy"] for name, blocks in accuracies.items()},
        }
        store.add(key, {**row, **{name: told[name] for name in ("widths", "costs", "timing", "steps")}, "CPU seconds": spent})


def raw(given: Original, store: Store, seeds: int) -> None:
    """Score half of the channels without any training."""
    for seed in range(seeds):
        if (key := f"raw half, seed {seed}") not in store.rows:
            begun = time.process_time()
            made = cut_to(given, 0.5, seed)
            row = {"CPU seconds": time.process_time() - begun, "validation": given.accuracy(made, "validation")}
            store.add(key, {**row, "test": given.accuracy(made, "test")})


def plain(given: Original, store: Store) -> None:
    """Train halves and quarters of the channels on."""
    networks: dict[str, nn.Module] = {}
    for part in PARTS:
        if (key := f"plain {part:g}") in store.rows:
            continue
        network = given.network() if part == 1 else cut_to(given, part, 0)
        row: dict[str, Any] = {"cut, validation": given.accuracy(network, "validation")}
        if part < 1:
            row["steps"] = _trained(given, network)
        networks[key] = network
        graph = given.graph(network)
        times = latency.times_in_c({"original": given.binary.graphs["main"], key: graph}, given.program.signature)
        row |= {
            "channels": {name: module.out_channels for name, module in network.named_modules() if isinstance(module, nn.Conv2d)},
            "multiply-accumulates": cost(graph).macs,
            "weight bytes": cost(graph).weight_bytes,
            "microseconds": 1e6 * contestants.quartiles(times[key])[1],
            "times faster": contestants.ratio(times, "original", key)[1],
            "validation": given.accuracy(network, "validation"),
        }
        store.add(key, {**row, "test": given.accuracy(network, "test")})


def _trained(given: Original, network: nn.Module) -> int:
    """Train a cut network on, in place, as `tacit resize` does without a budget; give the steps."""
    program, cpu = given.program, torch.device("cpu")
    train, validation = program.examples.split("train"), program.examples.split("validation")
    recipe = retraining_recipe(recipe_for(program.signature, program.recipe, examples=len(train)))
    task = Task(program.signature, columns(train, cpu), columns(validation, cpu), Goal("accuracy"))
    steps = max(1, round(SHARE * given.steps))
    drawn = seed_of(0, "resize") % 2**31
    run = retraining(task, network, given.network(), recipe, Progress([(0, steps)]), seed=drawn, augment=True)
    trained_on(run, reporter=tacit.Reporter(), stop=Stop())
    network.eval()
    return steps


def figures(name: str, given: Original, rows: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, Any], dict[str, str]]:
    """Give the figures and targets of one case."""
    title, found, wanted = CASES[name].title, {}, {}
    before = given.binary.evidence["scores"]["test"]["accuracy"]
    found[f"{title}: accuracy of the original"] = before
    for ratio in RATIOS:
        row = rows.get(f"faster {ratio:g}")
        if row is None:
            continue
        key = f"{title}, --faster {ratio:g}"
        found[f"{key}: times faster in C"] = row["times faster"]
        found[f"{key}: points of accuracy lost"] = 100 * (row["test"]["before"] - row["test"]["after"])
        found[f"{key}: points lost on validation"] = 100 * (row["validation"]["before"] - row["validation"]["after"])
        found[f"{key}: multiply-accumulates"] = row["costs"]["after"]["macs"]
        found[f"{key}: CPU seconds of the whole"] = row["CPU seconds"]
        wanted[f"{key}: times faster in C"] = f">= {0.95 * ratio:g}"
        wanted[f"{key}: points of accuracy lost"] = f"<= {LOSSES[ratio]}"
    raws = [row for key, row in rows.items() if key.startswith("raw half")]
    if raws:
        key = f"{title}, half of the channels, no training: points of accuracy lost"
        found[key] = [100 * (before - row["test"]) for row in raws]
        if name == "fashion":
            wanted[key] = "<= 5"
    for part in PARTS:
        row = rows.get(f"plain {part:g}")
        if row is not None:
            for column in ("multiply-accumulates", "weight bytes", "microseconds", "times faster", "test"):
                found[f"{title}, {part:g} of the channels: {'accuracy' if column == 'test' else column}"] = row[column]
    return found, wanted


def main() -> None:
    parser = argparse.ArgumentParser(description="What resizing costs in accuracy, and what it gives in time.")
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"of {', '.join(CASES)}; by default all")
    parser.add_argument("--only", nargs="*", choices=STAGES, default=list(STAGES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    wanted: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for name in CASES:
        given, store = original(name, options.cache), Store(options.cache / ROOT / f"resize-{name}.jsonl")
        if name in (options.cases or CASES):
            if "raw" in options.only:
                raw(given, store, options.seeds)
            if "faster" in options.only:
                faster(given, store)
            if "plain" in options.only:
                plain(given, store)
        own, targets = figures(name, given, store.rows)
        found, wanted = found | own, wanted | targets
        rows += [{"case": name, **row} for row in store.rows.values()]
    notes = ["one thread", "CIFAR-10: the 20,000 exact pictures of the pack to train on, the official test split"]
    harness.record("resize", found, command=harness.command_line(), target=wanted, notes=notes, runs=rows)


if __name__ == "__main__":
    main()
