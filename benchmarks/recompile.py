"""Recompile after relabelling 1 %: a warm start beside a run from scratch, on validation and on the test split.

    python benchmarks/recompile.py [CASE ...] [--seeds N] [--again] [--cache DIR]

Each seed begins with a program whose training labels have 1 % planted errors. `corrected`: the errors are put right and the program
is compiled again. `wrong`: another 1 % is then relabelled at random. After each edit it is compiled from scratch, with the whole budget
of steps and with halves of it, and warm (`tacit compile --warm`, which takes the steps that it thinks right). The score is accuracy;
*reached* means: on validation at most one standard error below the mean of the runs from scratch with the whole budget. Times are CPU
seconds of one thread: of the training alone, and of all that `compile` does (lowering, measuring on the test split ...).
*Taken in* is the share of the edited examples that the program answers with their new label. Every seed is written down at once in
the cache, and one that is done is not run again without `--again`. A case that is named alone adds its figures to those recorded before.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import torch

import tacit
from tacit.examples.examples import Examples
from tacit.search.trained import TRAINED

SHARE = 0.01
PARTS = (1.0, 0.5)
EDITS = ("corrected", "wrong")


@dataclass(frozen=True)
class Case:
    """One data set: what `tacit new` takes, the steps from scratch, and overrides that hold for every run."""

    source: Callable[[Path], Path]
    steps: int
    settings: Mapping[str, str]
    label: str | None = None


class Timer(tacit.Reporter):
    """Takes the CPU seconds of the training alone."""

    def __init__(self) -> None:
        self.training = self._begun = 0.0

    def phase(self, name: str) -> None:
        """Note where training begins and ends."""
        now = time.process_time()
        if name == "training":
            self._begun = now
        elif self._begun and not self.training:
            self.training = now - self._begun


@dataclass(frozen=True)
class Run:
    """One compilation: its scores, its cost, and the share of the edited labels that it answers."""

    validation: float
    test: float
    taken_in: float
    training: float
    whole: float
    steps: int


def few_pictures(cache: Path) -> Path:
    """Give 5,000 training pictures of Fashion-MNIST and the first 4,000 of its test split."""
    target = cache / "fashion-mnist-5k.npz"
    if not target.exists():
        with np.load(datasets.make("fashion-mnist", cache)) as whole:
            rows = np.random.default_rng(0).permutation(len(whole["x_train"]))[:5000]
            with target.open("wb") as file:
                np.savez(
                    file,
                    x_train=whole["x_train"][rows],
                    y_train=whole["y_train"][rows],
                    x_test=whole["x_test"][:4000],
                    y_test=whole["y_test"][:4000],
                )
    return target


CASES: dict[str, Case] = {
    "fashion-mnist-5k": Case(few_pictures, 420, {"skeleton.width": "16"}),
    "sms": Case(lambda cache: datasets.make("sms-0", cache), 654, {}, label="label"),
    "uci-har": Case(lambda cache: datasets.make("uci-har", cache), 1200, {"train.refit": "false"}),
}


def compiled(program: tacit.Program, edited: np.ndarray, *, seed: int, steps: int | None = None, warm: str | None = None) -> Run:
    """Compile once and measure; steps None: those that a warm start takes. edited: ids of the examples whose labels are new."""
    timer = Timer()
    begun = time.process_time()
    plan = None if steps is None else [(0, steps)]
    binary = tacit.compile(program, seed=seed, plan=plan, warm=warm, reporter=timer)
    whole = time.process_time() - begun
    scores = binary.evidence["scores"]
    rows = np.isin(program.examples.ids, edited)
    answers = binary.evaluate(program.examples.take(rows)).argmax(axis=1)
    taken = float((answers == program.examples.targets[rows]).mean()) if rows.any() else math.nan
    return Run(
        scores["validation"]["accuracy"], scores["test"]["accuracy"], taken, timer.training, whole, int(binary.evidence["run"]["steps"])
    )


def relabelled(examples: Examples, rows: np.ndarray, chance: np.random.Generator, digest: str) -> Examples:
    """Give some rows another class, drawn evenly from the others."""
    classes = examples.signature.output.width
    targets = examples.targets.copy()
    targets[rows] = (targets[rows] + chance.integers(1, classes, len(rows))) % classes
    return replace(examples, targets=targets, labels_digest=digest)


def one_seed(case: Case, program: tacit.Program, seed: int) -> dict[str, dict[str, Run]]:
    """Give ``{edit: {way: run}}`` for one seed; the ways are the parts of the budget from scratch, and ``warm``."""
    chance = np.random.default_rng(seed)
    clean = program.examples
    order = chance.permutation(np.flatnonzero(clean.splits == "train"))
    count = max(1, round(SHARE * len(order)))
    first, second = order[:count], order[count : 2 * count]
    planted = relabelled(clean, first, chance, "planted")
    wrong = relabelled(clean, second, chance, "wrong")
    program = replace(program, budget=replace(program.budget, minutes=None, steps=case.steps))
    compiled(replace(program, examples=planted), clean.ids[first], seed=seed, steps=case.steps)  # what a person has before the edit
    found: dict[str, dict[str, Run]] = {}
    for edit, examples, edited in (("corrected", clean, clean.ids[first]), ("wrong", wrong, clean.ids[second])):
        now = replace(program, examples=examples)
        # A seed of its own: the run that a person starts after an edit would otherwise repeat the order of the run before.
        ways = {"warm": compiled(now, edited, seed=seed + 100, warm="auto")}
        for part in PARTS[::-1]:  # the whole budget last: the next edit starts warm from it
            ways[f"{part:g}"] = compiled(now, edited, seed=seed + 100, steps=max(1, round(part * case.steps)))
        found[edit] = ways
        print(json.dumps({"seed": seed, "edit": edit, **{way: vars(run) for way, run in ways.items()}}), flush=True)
    return found


def read_runs(path: Path) -> dict[int, dict[str, dict[str, Run]]]:
    """Read the seeds that are done: ``{seed: {edit: {way: run}}}``."""
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {
        row["seed"]: {edit: {way: Run(**values) for way, values in ways.items()} for edit, ways in row["edits"].items()} for row in rows
    }


def write_run(path: Path, seed: int, found: Mapping[str, Mapping[str, Run]]) -> None:
    """Add a seed that is done."""
    path.parent.mkdir(parents=True, exist_ok=True)
    edits = {edit: {way: vars(run) for way, run in ways.items()} for edit, ways in found.items()}
    with path.open("a") as file:
        print(json.dumps({"seed": seed, "edits": edits}), file=file, flush=True)


def summary(name: str, runs: Mapping[int, Mapping[str, Mapping[str, Run]]], held: int) -> tuple[dict[str, Any], dict[str, str]]:
    """Turn the runs of one case into figures and targets. held: validation examples."""
    figures: dict[str, Any] = {}
    targets: dict[str, str] = {}
    for edit in EDITS:
        ways = {way: [found[edit][way] for found in runs.values()] for way in next(iter(runs.values()))[edit]}
        wanted = float(np.mean([run.validation for run in ways["1"]]))
        error = math.sqrt(wanted * (1 - wanted) / held)
        reached = {way: bool(np.mean([run.validation for run in found]) >= wanted - error) for way, found in ways.items()}
        key = f"{name}, {edit}"
        for way, found in ways.items():
            title = "warm" if way == "warm" else f"from scratch, {100 * float(way):g} % of the steps"
            for column in ("validation", "test", "taken_in", "training", "whole", "steps"):
                figures[f"{key}: {column}, {title}"] = [getattr(run, column) for run in found]
            figures[f"{key}: reached, {title}"] = int(reached[way])
        for column in ("training", "whole"):
            figures[f"{key}: times faster, {column}"] = [
                getattr(scratch, column) / getattr(warm, column) for scratch, warm in zip(ways["1"], ways["warm"], strict=True)
            ]
        cheapest = min((way for way in ways if way != "warm" and reached[way]), key=float)
        figures[f"{key}: times faster than the shortest run from scratch that reached it, training"] = [
            scratch.training / warm.training for scratch, warm in zip(ways[cheapest], ways["warm"], strict=True)
        ]
        figures[f"{key}: test, warm minus from scratch"] = [a.test - b.test for a, b in zip(ways["warm"], ways["1"], strict=True)]
        targets[f"{key}: reached, warm"] = ">= 1"
        targets[f"{key}: times faster, training"] = ">= 3"
        targets[f"{key}: times faster, whole"] = ">= 3"
    return figures, targets


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare a warm start after an edit of the labels with a run from scratch.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; by default all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="run the seeds that are done, too")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.cases or list(CASES):
        case, store = CASES[name], options.cache / f"recompile-{name}.jsonl"
        if options.again:
            store.unlink(missing_ok=True)
        folder = options.cache / "work" / f"recompile-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        tacit.new(folder, source=case.source(options.cache), label=case.label)
        program = tacit.read(folder, overrides=case.settings)
        for seed in range(options.seeds):
            if seed not in read_runs(store):
                shutil.rmtree(folder / TRAINED, ignore_errors=True)
                write_run(store, seed, one_seed(case, program, seed))
            runs = {seed: found for seed, found in read_runs(store).items() if seed < options.seeds}
            put_down(name, runs, int((program.examples.splits == "validation").sum()))
        shutil.rmtree(folder)


def put_down(name: str, runs: Mapping[int, Mapping[str, Mapping[str, Run]]], held: int) -> None:
    """Write the figures of one case beside those of the others."""
    earlier = harness.read_record("recompile") or {"figures": {}, "target": {}}
    own, wanted = summary(name, runs, held)
    others = {key: value for key, value in earlier["figures"].items() if not key.startswith(f"{name}, ")}
    targets = {key: row["wanted"] for key, row in earlier["target"].items()} | wanted
    harness.record(
        "recompile",
        {key: value.get("values", value) if isinstance(value, dict) else value for key, value in others.items()} | own,
        command="python benchmarks/recompile.py",
        target=targets,
        notes="one thread; CPU seconds; steps from scratch: " + ", ".join(f"{key} {row.steps}" for key, row in CASES.items()),
    )


if __name__ == "__main__":
    main()
