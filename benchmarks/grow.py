"""Grow a small network after the examples have grown from 5,000 to 20,000: beside one from scratch, and beside going on without growing.

    python benchmarks/grow.py [--seeds N] [--cache DIR]

Pictures of Fashion-MNIST. The small network (width 4) is compiled on 5,000 of them until it has learnt what it can: a third of the steps
more (`plateau`) give nothing. Then there are 20,000. `from scratch`: a network of width 8 from random weights with the usual recipe, and
with half of its steps.
`grown`: `tacit.resize(binary, grow=2)`, which has the widths of the network from scratch, with half of its steps, and with a quarter.
`going on`: the small network trained on for the same CPU seconds as `grown` with half, warm (the rate of `--warm`), at the rate that
growing takes, and at half of that; validation chooses among the three. CPU seconds are steps times the pace of a step, and paces are
taken in turns within one process, so that what else runs disturbs all alike. The test split decides nothing. Every seed is written down
at once in the cache.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import torch
from resize_cases import ROOT, Store, accuracy
from torch import nn

import tacit
from tacit.goals.goal import Goal
from tacit.program import Program
from tacit.resizing.growing import grow, growing_recipe, run_on, trained_on
from tacit.search.columns import columns, seed_of
from tacit.search.rebuilding import rebuilt
from tacit.search.recipe import Recipe, recipe_for
from tacit.search.running import Stop
from tacit.search.schedule import Progress
from tacit.search.trained import load_trained
from tacit.search.training import Task, Training
from tacit.search.warm import warm_recipe
from tacit.skeletons.table import network_for, skeleton_for

FEW, MANY = 5_000, 20_000
SMALL, LARGE = {"width": 4, "depth": 1}, {"width": 8, "depth": 1}
PLATEAU = 2_400  # steps of the small network on few examples: some 60 passes
#: Beside what is recorded. The second half was judged by the 37,469 training examples that no run of a seed takes, on other seeds.
TRIED = (
    "tried for growing at half of the steps, too: copies of channels in place of new ones, augmentation, half of the batch with 1.6 times "
    "the steps; none was ahead by more than the spread of the seeds",
    "judged by training examples that no run takes, seeds 10 and 11: the whole rate is ahead of half of it on both; with the whole rate, "
    "seed 10: half of the old weights mixed with random ones, 1.5 times the rate, a longer rise and averaged weights are equal; the old "
    "network as a teacher is worse. With half of the rate, seed 10: hard examples more often, and unsmoothed labels, are no better",
)
WAYS = ("warm", "at half of the rate", "as when growing")
SCRATCH = 800  # steps of the large one on many: some 10 passes


def subset(program: Program, count: int, seed: int) -> Program:
    """Give the program with so many training examples; a smaller subset of one seed is part of a larger one."""
    examples = program.examples
    order = np.random.default_rng(seed).permutation(np.flatnonzero(examples.splits == "train"))
    rows = np.sort(np.concatenate([order[:count], np.flatnonzero(examples.splits != "train")]))
    return replace(program, examples=replace(examples.take(rows), labels_digest=f"{count} of seed {seed}"))


def fresh(program: Program, settings: Mapping[str, Any], seed: int) -> nn.Module:
    """Give a network with random weights."""
    skeleton = skeleton_for(program.signature, program.skeleton)
    return network_for(skeleton, program.signature, settings, inputs=program.examples.split("train").inputs, seed=seed)


def task_of(program: Program) -> Task:
    """Give what a run learns from."""
    cpu = torch.device("cpu")
    train, validation = (columns(program.examples.split(name), cpu) for name in ("train", "validation"))
    return Task(program.signature, train, validation, Goal("accuracy"))


def usual(program: Program) -> Recipe:
    """Give the recipe from scratch."""
    return recipe_for(program.signature, program.recipe, examples=int((program.examples.splits == "train").sum()))


def run(program: Program, network: nn.Module, recipe: Recipe, steps: int, seed: int) -> Training:
    """Make a run, augmented where it passes over the examples often enough for that, as everywhere in Tacit."""
    task = task_of(program)
    augment = steps * recipe.batch >= recipe.augment_from * len(task.train)
    return run_on(task, network, recipe, Progress([(0, steps)]), seed=seed_of(seed, "run") % 2**31, augment=augment)


def scored(program: Program, training: Training) -> dict[str, Any]:
    """Train to the end; give validation and test."""
    outcome = trained_on(training, reporter=tacit.Reporter(), stop=Stop())
    test = accuracy(training.network, program, "test")
    return {"steps": training.progress.step, "validation": outcome.score, "test": test}


def paces(program: Program) -> dict[str, float]:
    """Give CPU seconds of a step of the small network, as a part of one of the large one, on many examples."""
    pair = harness.interleave(
        run(program, fresh(program, SMALL, 0), usual(program), 10_000, 0).step,
        run(program, fresh(program, LARGE, 0), usual(program), 10_000, 0).step,
        turns=20,
        warm=5,
    )
    return {"small": pair.cpu_ratio, "large": 1.0}


def one_seed(program: Program, folder: Path, store: Store, seed: int) -> None:
    """Run everything of one seed that is not done."""
    few, many = subset(program, FEW, seed), subset(program, MANY, seed)
    directory = folder / f"seed-{seed}"
    few, many = replace(few, directory=directory), replace(many, directory=directory)
    file = folder / f"seed-{seed}.tacit"
    if not file.exists():
        made = tacit.compile(replace(few, settings=SMALL), seed=seed, plan=[(0, PLATEAU)])
        block = made.evidence["scores"]
        row = {"steps": PLATEAU, "validation": block["validation"]["accuracy"], "test": block["test"]["accuracy"]}
        store.add(f"seed {seed}: small on few", row)
        made.save(file)
    binary = tacit.load(file)
    for steps in (SCRATCH, SCRATCH // 2):
        if (key := f"seed {seed}: from scratch, {steps} steps") not in store.rows:
            store.add(key, scored(many, run(many, fresh(many, LARGE, seed), usual(many), steps, seed)))
    for steps in (SCRATCH // 2, SCRATCH // 4):
        if (key := f"seed {seed}: grown, {steps} steps") not in store.rows:
            grown = grow(binary, program=replace(many, settings=SMALL), factor=2.0, seed=seed, steps=steps)
            block = grown.binary.evidence["scores"]
            row = {"steps": steps, "validation": block["validation"]["accuracy"], "test": block["test"]["accuracy"], "grew": grown.grew}
            store.add(key, {**row, "before": grown.before})
    going_on(few, many, binary, store, seed)


def going_on(few: Program, many: Program, binary: tacit.Binary, store: Store, seed: int) -> None:
    """Train the small network on for as long as the grown one is trained, in both ways."""
    if "paces" not in store.rows:
        store.add("paces", paces(many))
    steps = round(SCRATCH / 2 / store.rows["paces"]["small"])
    kept = load_trained(many.directory or Path(), binary.digest)
    if kept is None:
        raise RuntimeError("expected the small network to be kept")
    if (key := f"seed {seed}: plateau") not in store.rows:
        store.add(key, scored(few, run(few, rebuilt(kept, few), warm_recipe(usual(few)), PLATEAU // 3, seed)))
    for way, recipe in ways(many).items():
        if (key := f"seed {seed}: going on, {way}") not in store.rows:
            store.add(key, scored(many, run(many, rebuilt(kept, many), recipe, steps, seed)))


def ways(many: Program) -> dict[str, Recipe]:
    """Give how the small network goes on: as `tacit compile --warm` does, and as when growing, which is not augmented for so few passes."""
    grows = replace(growing_recipe(usual(many)), augment_from=float("inf"))
    return dict(zip(WAYS, (warm_recipe(usual(many)), replace(grows, learning_rate=grows.learning_rate / 2), grows), strict=True))


def figures(store: Store, seeds: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Give figures and targets of the seeds that are done."""
    small = store.rows["paces"]["small"]
    found: dict[str, Any] = {"CPU seconds of a step, small / large": small}
    titles = dict.fromkeys(key.split(": ", 1)[1] for key in store.rows if key.startswith("seed "))
    for title in titles:
        if not all(f"seed {seed}: {title}" in store.rows for seed in range(seeds)):
            continue
        rows = [store.rows[f"seed {seed}: {title}"] for seed in range(seeds)]
        for column in ("validation", "test"):
            found[f"{title}: {column}"] = [row[column] for row in rows]
    best = [max((store.rows[f"seed {seed}: going on, {way}"] for way in WAYS), key=lambda row: row["validation"]) for seed in range(seeds)]
    half, quarter = (f"grown, {steps} steps" for steps in (SCRATCH // 2, SCRATCH // 4))
    grown = [store.rows[f"seed {seed}: {half}"]["test"] for seed in range(seeds)]
    scratch = [store.rows[f"seed {seed}: from scratch, {SCRATCH} steps"]["test"] for seed in range(seeds)]
    early, late = ([store.rows[f"seed {seed}: {title}"]["validation"] for seed in range(seeds)] for title in ("small on few", "plateau"))
    found["plateau: validation points that more steps on few gave"] = [100 * (b - a) for a, b in zip(early, late, strict=True)]
    found["points of test, grown with half of the steps minus from scratch"] = [100 * (a - b) for a, b in zip(grown, scratch, strict=True)]
    shorter = [store.rows[f"seed {seed}: from scratch, {SCRATCH // 2} steps"]["test"] for seed in range(seeds)]
    sooner = [store.rows[f"seed {seed}: {quarter}"]["test"] for seed in range(seeds)]
    found["points of test, grown with a quarter of the steps minus from scratch with half"] = [
        100 * (a - b) for a, b in zip(sooner, shorter, strict=True)
    ]
    found["points of test, grown minus from scratch, half of the steps both"] = [100 * (a - b) for a, b in zip(grown, shorter, strict=True)]
    found["points of test, grown minus going on at equal CPU seconds"] = [
        100 * (a - row["test"]) for a, row in zip(grown, best, strict=True)
    ]
    return found, {
        "plateau: validation points that more steps on few gave": "<= 0.5",
        "points of test, grown with half of the steps minus from scratch": ">= 0",
        "points of test, grown with a quarter of the steps minus from scratch with half": ">= 0",
        "points of test, grown minus going on at equal CPU seconds": ">= 0",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Grow a small network after the examples have grown.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=int, help="run this seed alone and record nothing")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = options.cache / ROOT / "grow"
    store, source = Store(folder / "rows.jsonl"), folder / "program"
    if not source.exists():
        fresh_folder = folder / "new"
        shutil.rmtree(fresh_folder, ignore_errors=True)
        tacit.new(fresh_folder, source=datasets.make("fashion-mnist", options.cache))
        fresh_folder.rename(source)
    program = tacit.read(source)
    for seed in range(options.seeds) if options.only is None else [options.only]:
        one_seed(program, folder, store, seed)
    if options.only is None:
        found, wanted = figures(store, options.seeds)
        notes = [*TRIED, "one thread", f"small {SMALL} on {FEW}, large {LARGE} on {MANY} training examples, Fashion-MNIST, convnet2d"]
        harness.record("grow", found, command=harness.command_line(), target=wanted, notes=notes)


if __name__ == "__main__":
    main()
