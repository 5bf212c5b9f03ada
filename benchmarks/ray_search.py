"""Search and train on Ray: two local nodes of one core each against one, and a node that is killed in the middle.

    python benchmarks/ray_search.py [--part search|node|shared ...] [--turns N] [--steps N] [--cache DIR]

Both nodes run on this machine, each pinned to a core of its own, as two machines of one core would be. *search*: successive halving over
16 networks on 5,000 pictures of Fashion-MNIST, 30 trials with a budget in steps; one worker and two take turns. What is timed is the
search itself; the time until workers have begun (a process each that imports PyTorch) stands beside it. *node*: the same search with two
workers, and one node killed (`SIGKILL` to all of it) after five trials. Its trials and its winner are compared with those of one process.
*shared*: steps per second of one training run, two workers that share each batch against one. Needs two quiet cores for some minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
import torch
from recompile import few_pictures

import tacit
from tacit.ground.budget import Meter
from tacit.search.cluster.together import finish_together
from tacit.search.columns import columns
from tacit.search.halving import halve
from tacit.search.recipe import recipe_for
from tacit.search.running import Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.search.trials import Ran, Records, Trials
from tacit.search.workers import Workers, workers_on
from tacit.skeletons.table import network_for, skeleton_for

PARTS = ("search", "node", "shared")
OPTIONS = [{"width": width, "depth": depth, "dropout": dropout} for width in (8, 12, 16, 24) for depth in (1, 2) for dropout in (0.0, 0.1)]
CORES = (0, 1)
KILLED_AFTER = 5
SHARED = {"width": 64, "depth": 2}
SHARED_STEPS = 60
_CPU = torch.device("cpu")


# --- two nodes -----------------------------------------------------------------------------------------------------


class Nodes:
    """A Ray of two nodes on this machine, each pinned to its core."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster  # slow, and not needed for --help

        Path("/tmp/ray").mkdir(exist_ok=True)  # where it notes the address, whatever `temp_dir` says
        self._cluster = Cluster()
        quiet = {"num_cpus": 1, "include_dashboard": False, "temp_dir": str(folder)}
        everywhere = os.sched_getaffinity(0)
        self.nodes = []
        for core in CORES:
            os.sched_setaffinity(0, {core})  # what a process starts inherits it
            try:
                self.nodes.append(self._cluster.add_node(**quiet))
            finally:
                os.sched_setaffinity(0, everywhere)
        self.address = self._cluster.address

    def kill(self, place: int) -> None:
        """End every process of a node at once, as when its plug is pulled."""
        self._cluster.remove_node(self.nodes[place], allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


@contextmanager
def two_nodes() -> Iterator[Nodes]:
    folder = Path(tempfile.mkdtemp(prefix="tacit-nodes-", dir="/tmp"))
    nodes = Nodes(folder)
    try:
        yield nodes
    finally:
        nodes.close()
        shutil.rmtree(folder, ignore_errors=True)


class Told(tacit.Reporter):
    """Keeps the notes, and when which step was reported."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[float, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, fraction: float, seconds_left: float | None, message: str = "") -> None:
        found = re.search(r"step (\d+)", message)
        if found:
            self.steps.append((time.perf_counter(), int(found.group(1))))

    def pace(self) -> float:
        """Give the steps per second; the first fifth does not count."""
        counted = [entry for entry in self.steps if entry[1] >= SHARED_STEPS / 5]
        return (counted[-1][1] - counted[0][1]) / (counted[-1][0] - counted[0][0])


# --- the search ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Searched:
    """One search: its seconds, those until the workers had begun, its trials without their seconds, its winner, the load before."""

    seconds: float
    beginning: float
    trials: list[dict[str, Any]]
    winner: dict[str, Any]
    load: float | None

    @property
    def per_minute(self) -> float:
        return 60.0 * len(self.trials) / self.seconds


def program(cache: Path) -> tacit.Program:
    """Give 5,000 training pictures of Fashion-MNIST as a program; a part of them validates."""
    return tacit.read(tacit.adopt(few_pictures(cache), beside=cache))


def trials_of(one: tacit.Program) -> Trials:
    train, validation = one.examples.split("train"), one.examples.split("validation")
    recipe = recipe_for(one.signature, one.recipe, examples=len(train))
    goal = one.goals[0]
    task = Task(one.signature, columns(train, _CPU), columns(validation, _CPU), goal)
    return Trials(task, skeleton_for(one.signature, one.skeleton), recipe, 0, train.inputs, device="cpu")


def nothing(_: object) -> None:
    """Take a moment, so that every worker gets a piece."""
    time.sleep(1.0)


def search(trials: Trials, workers: Workers, steps: int, *, ended: Callable[[Ran], None] = lambda _: None, begin: bool = True) -> Searched:
    began = time.perf_counter()
    if begin:
        for _ in range(2):
            list(workers.run(nothing, range(2 * workers.count)))
    load, records, begun = harness.load_average(), Records(None), time.perf_counter()
    winner = halve(OPTIONS, trials, seconds=None, steps=steps, workers=workers, records=records, stop=Stop(), ended=ended)
    rows = [{name: value for name, value in asdict(trial).items() if name != "seconds"} for trial in records.in_order()]
    return Searched(time.perf_counter() - begun, begun - began, rows, winner, load)


def searches(nodes: Nodes, trials: Trials, options: argparse.Namespace) -> tuple[dict[str, Any], Searched]:
    """One worker and two in turns."""
    found: dict[int, list[Searched]] = {1: [], 2: []}
    for turn in range(options.turns):
        for count in (1, 2) if turn % 2 == 0 else (2, 1):
            with on(nodes, count) as workers:
                one = search(trials, workers, options.steps)
            print(
                f"{count} workers: {one.per_minute:.1f} trials a minute ({one.seconds:.1f} s, begun in {one.beginning:.1f} s)", flush=True
            )
            found[count].append(one)
    first = found[1][0]
    figures: dict[str, Any] = {
        "trials per minute, two workers / one": [b.per_minute / a.per_minute for a, b in zip(found[1], found[2], strict=True)],
        "trials per minute, one worker": [one.per_minute for one in found[1]],
        "trials per minute, two workers": [one.per_minute for one in found[2]],
        "seconds until workers have begun": [one.beginning for runs in found.values() for one in runs],
        "trials of a search": len(first.trials),
        "searches with the same trials and winner": sum(same(one, first) for runs in found.values() for one in runs),
        "searches": sum(len(runs) for runs in found.values()),
        "load before each": [one.load for runs in found.values() for one in runs],
    }
    return figures, first


def same(one: Searched, other: Searched) -> bool:
    """Say whether two searches ran the same trials with the same scores, to the last digit, and chose the same."""
    return one.trials == other.trials and one.winner == other.winner


@contextmanager
def on(nodes: Nodes, count: int, reporter: tacit.Reporter | None = None) -> Iterator[Workers]:
    where = f"ray://{nodes.address}?workers={count}"
    with workers_on(where, reporter=reporter or tacit.Reporter(), alike=True) as workers:
        yield workers


def killed(nodes: Nodes, trials: Trials, options: argparse.Namespace, reference: Searched | None) -> dict[str, Any]:
    """Kill a node after some trials, and compare with one process."""
    if reference is None:
        with workers_on(None, reporter=tacit.Reporter(), alike=True) as here:
            reference = search(trials, here, options.steps, begin=False)
    done: list[Ran] = []
    told = Told()
    with on(nodes, 2, told) as workers:

        def ended(ran: Ran) -> None:
            done.append(ran)
            if len(done) == KILLED_AFTER:
                nodes.kill(1)

        one = search(trials, workers, options.steps, ended=ended)
    print(f"a node killed: {len(one.trials)} trials, the same: {same(one, reference)}", flush=True)
    print("\n".join(told.notes))
    return {
        "a node killed: same trials and winner": int(same(one, reference)),
        "a node killed: trials lost": len(reference.trials) - len([trial for trial in one.trials if trial["failure"] is None]),
        "a node killed: seconds": one.seconds,
    }


# --- one run, shared -----------------------------------------------------------------------------------------------


def run_of(one: tacit.Program) -> Training:
    train, validation = one.examples.split("train"), one.examples.split("validation")
    skeleton = skeleton_for(one.signature, one.skeleton)
    network = network_for(skeleton, one.signature, SHARED, inputs=train.inputs, seed=0)
    recipe = recipe_for(one.signature, {"batch": 256}, examples=len(train))
    task = Task(one.signature, columns(train, _CPU), columns(validation.take(np.arange(64)), _CPU), one.goals[0])
    return Training(task, network, recipe, Progress([(0, SHARED_STEPS)]), seed=0, augment=True, low_precision=False)


def shared(nodes: Nodes, one: tacit.Program) -> dict[str, Any]:
    """Train with one worker on one core, then with two that share each batch."""
    torch.set_num_threads(1)
    alone, training = Told(), run_of(one)
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[1]})
    try:
        Runner(training, reporter=alone, stop=Stop()).finish()
    finally:
        os.sched_setaffinity(0, everywhere)
    told, halves = Told(), run_of(one)
    with on(nodes, 2):
        begun = time.perf_counter()
        finish_together(Runner(halves, reporter=told, stop=Stop(), meter=Meter(None)), workers=2, cpus=1)
        beginning = told.steps[0][0] - begun
    print(f"one run: {alone.pace():.2f} steps a second alone, {told.pace():.2f} shared; begun in {beginning:.0f} s", flush=True)
    differences = [
        float((a.float() - b.float()).abs().max()) for a, b in zip(training.weights().values(), halves.weights().values(), strict=True)
    ]
    return {
        "steps per second, two workers that share each batch / one": told.pace() / alone.pace(),
        "steps per second, one worker": alone.pace(),
        "seconds until a shared run has begun": beginning,
        "greatest difference of a weight after a shared run": max(differences),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=PARTS, help="only these (default: all)")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2000, help="gradient steps of all trials of a search")
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    parts = options.part or PARTS
    one = program(options.cache)
    trials = trials_of(one)
    figures = (harness.read_record("ray") or {}).get("figures", {}) if options.part else {}
    reference = None
    with two_nodes() as nodes:
        if "search" in parts:
            found, reference = searches(nodes, trials, options)
            figures |= found
            record(figures)
        if "shared" in parts:
            figures |= shared(nodes, one)
            record(figures)
        if "node" in parts:  # the last, for one is gone then
            figures |= killed(nodes, trials, options, reference)
            record(figures)


def record(figures: dict[str, Any]) -> None:
    """Write down what has been measured so far."""
    target = {
        "trials per minute, two workers / one": ">= 1.7",
        "a node killed: same trials and winner": ">= 1",
        "a node killed: trials lost": "<= 0",
    }
    target = {name: rule for name, rule in target.items() if name in figures}
    path = harness.record("ray", figures, command=harness.command_line(), target=target)
    print(path.name, {name: entry["met"] for name, entry in (harness.read_record("ray") or {})["target"].items()})


if __name__ == "__main__":
    sys.exit(main())
