"""Half of the channels, by us and by Torch-Pruning: equal measured time in C, equal fine-tuning, and a small network from scratch.

    python benchmarks/resize_peers.py [STAGE ...] [--case CASE] [--seeds N] [--cache DIR]        stages: cut, tuned, scratch, time, record

cut: no fine-tuning. Torch-Pruning with each of its importances, all layers by the same share and one group at a time, widths as ours;
its batch norms measured anew, too (`resize_cases.recalibrated`). tuned: 10 % and 30 % of the CPU seconds of the original's training,
teacher's passes included, by the same recipe; for Torch-Pruning the importance and the number of steps that validation prefers after
the cut; both are trained on plain or distilled, whichever validation prefers.
scratch: the small network from random weights for the original's seconds and those of fine-tuning together. record: writes the figures.
Every row is written down at once in the cache and is not made again. The test split is scored once, for what validation chose.

    pip install --no-deps torch-pruning==1.6.1
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contestants
import datasets
import harness
import latency
import torch
from resize_cases import CASES, ROOT, Original, Store, cut_to, original, recalibrated, some_inputs
from torch import nn

import tacit
from tacit.goals.goal import Goal
from tacit.resizing.growing import run_on
from tacit.resizing.retraining import retraining, retraining_recipe
from tacit.search.columns import columns, seed_of
from tacit.search.recipe import recipe_for
from tacit.search.running import Runner, Stop
from tacit.search.schedule import Progress
from tacit.search.training import Task, Training
from tacit.skeletons.table import network_for, skeleton_for

try:
    import torch_pruning
except ImportError:  # only the stages that need it say so
    torch_pruning = None

SHARES = (0.1, 0.3)
IMPORTANCES = ("magnitude", "batch norm scale", "Taylor", "Hessian")
HALF = 0.5


def need_peer() -> Any:
    """Give Torch-Pruning. Raises: SystemExit with the line that installs it."""
    if torch_pruning is None:
        raise SystemExit("expected Torch-Pruning\ntry: pip install --no-deps torch-pruning==1.6.1")
    return torch_pruning


# --- cutting ---------------------------------------------------------------------------------------------------------


def cut_by_peer(given: Original, importance: str, steps: int, seed: int) -> nn.Module:
    """Remove half of the channels of every group by Torch-Pruning, in so many steps."""
    peer = need_peer()
    network = given.network()
    arrays, targets = some_inputs(given, seed)
    scale = {
        "magnitude": peer.importance.GroupMagnitudeImportance,
        "batch norm scale": peer.importance.BNScaleImportance,
        "Taylor": peer.importance.GroupTaylorImportance,
        "Hessian": peer.importance.GroupHessianImportance,
    }[importance]()
    pruner = peer.pruner.BasePruner(
        network,
        tuple(array[:2] for array in arrays) if len(arrays) > 1 else arrays[0][:2],
        importance=scale,
        pruning_ratio=HALF,
        iterative_steps=steps,
        ignored_layers=[network.head],
        round_to=8,
    )
    for _ in range(steps):
        network.zero_grad()
        if importance == "Taylor":
            for start in range(0, len(targets), 256):
                batch = slice(start, start + 256)
                nn.functional.cross_entropy(network(*(array[batch] for array in arrays)), targets[batch]).backward()
        if importance == "Hessian":  # squared slopes of single examples, as Torch-Pruning's own examples take them
            scale.zero_grad()
            for place in range(128):
                network.zero_grad()
                one = slice(place, place + 1)
                nn.functional.cross_entropy(network(*(array[one] for array in arrays)), targets[one]).backward()
                scale.accumulate_grad(network)
        pruner.step()
    return network.eval()


# --- fine-tuning -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """How a cut network is trained on: by the recipe of `tacit resize`, with or without the original as its teacher."""

    taught: bool

    @property
    def title(self) -> str:
        """Say it in a word."""
        return "distilled" if self.taught else "plain"


WAYS = (Way(True), Way(False))


def trainer(given: Original, network: nn.Module, steps: int, way: Way | None, seed: int) -> Training:
    """Make a run; way None: as the original was trained itself."""
    program, cpu = given.program, torch.device("cpu")
    train, validation = program.examples.split("train"), program.examples.split("validation")
    recipe = recipe_for(program.signature, program.recipe, examples=len(train))
    task = Task(program.signature, columns(train, cpu), columns(validation, cpu), Goal("accuracy"))
    progress, drawn = Progress([(0, steps)]), seed_of(seed, "tuned") % 2**31
    if way is None:
        return run_on(task, network, recipe, progress, seed=drawn, augment=True)
    if way.taught:
        return retraining(task, network, given.network(), retraining_recipe(recipe), progress, seed=drawn, augment=True)
    return run_on(task, network, retraining_recipe(recipe), progress, seed=drawn, augment=True)


def affordable(given: Original, network: nn.Module, share: float, way: Way | None) -> int:
    """Give the steps that cost `share` of the CPU seconds of the original's training, teacher's passes included.

    Both are timed now, in turns: what else runs on the machine slows both alike.
    """
    whole = trainer(given, given.network(), 1000, None, 0)
    small = trainer(given, copy.deepcopy(network), 1000, way, 0)
    pair = harness.interleave(small.step, whole.step, turns=12, warm=3)
    return max(1, round(share * given.steps / pair.cpu_ratio))


def tuned(given: Original, network: nn.Module, share: float, way: Way | None, seed: int) -> tuple[nn.Module, float, int]:
    """Train a network on for a share of the original's training; give it, its score on validation, and the steps."""
    steps = affordable(given, network, share, way)
    training = trainer(given, network, steps, way, seed)
    outcome = Runner(training, reporter=tacit.Reporter(), stop=Stop()).finish()
    network.load_state_dict(outcome.weights)
    return network.eval(), outcome.score, steps


# --- stages ----------------------------------------------------------------------------------------------------------


def stage_cut(given: Original, store: Store, seeds: int) -> None:
    """Score what half of the channels are worth without any fine-tuning."""
    for seed in range(seeds):
        if (key := f"cut, ours, seed {seed}") not in store.rows:
            begun = time.process_time()
            made = cut_to(given, HALF, seed)
            spent = time.process_time() - begun
            row = {"validation": given.accuracy(made, "validation"), "test": given.accuracy(made, "test"), "seconds": spent}
            store.add(key, {**row, "recalibrated, validation": given.accuracy(recalibrated(made, given.program), "validation")})
        for importance in IMPORTANCES:
            for steps in (1, 5):
                if (key := f"cut, peer, {importance}, {steps} steps, seed {seed}") not in store.rows:
                    made = cut_by_peer(given, importance, steps, seed)
                    row = {"importance": importance, "steps": steps, "raw, validation": given.accuracy(made, "validation")}
                    store.add(key, {**row, "validation": given.accuracy(recalibrated(made, given.program), "validation")})
        if (key := f"cut, peer, chosen, seed {seed}") not in store.rows:
            best = chosen_cut(store, seed)
            made = cut_by_peer(given, best["importance"], best["steps"], seed)
            raw = given.accuracy(made, "test")
            recalibrated(made, given.program)
            store.add(key, {**best, "key": key, "test": given.accuracy(made, "test"), "raw, test": raw})


def chosen_cut(store: Store, seed: int) -> dict[str, Any]:
    """Give the row of the peer's cut that validation prefers."""
    rows = [
        row for key, row in store.rows.items() if key.startswith("cut, peer,") and key.endswith(f"seed {seed}") and "raw, validation" in row
    ]
    return max(rows, key=lambda row: row["validation"])


def stage_tuned(given: Original, store: Store, seeds: int, shares: Sequence[float]) -> None:
    """Fine-tune both; the way of each is chosen by validation at the smallest share, as the importance was after the cut."""
    for seed in range(seeds):
        for share in shares:
            if (key := f"tuned {share:g}, ours, seed {seed}") not in store.rows:
                found = []
                for way in our_ways(store, seed, share):
                    made, validation, steps = tuned(given, cut_to(given, HALF, seed), share, way, seed)
                    found.append((validation, made, {"validation": validation, "steps": steps, "way": WAYS.index(way), "title": way.title}))
                store.add(key, chosen(given, found))
            if (key := f"tuned {share:g}, peer, seed {seed}") not in store.rows:
                found = []
                for importance, steps_of_cut, way in peer_ways(store, seed, share):
                    cut = recalibrated(cut_by_peer(given, importance, steps_of_cut, seed), given.program)
                    made, validation, steps = tuned(given, cut, share, way, seed)
                    said = {"validation": validation, "steps": steps, "importance": importance, "steps of cut": steps_of_cut}
                    found.append((validation, made, {**said, "way": WAYS.index(way), "title": way.title}))
                store.add(key, chosen(given, found))


def chosen(given: Original, found: Sequence[tuple[float, nn.Module, dict[str, Any]]]) -> dict[str, Any]:
    """Give the row of what validation prefers, scored on test, with all that was tried."""
    _, made, row = max(found, key=lambda one: one[0])
    return {**row, "test": given.accuracy(made, "test"), "tried": [each for _, _, each in found]}


def our_ways(store: Store, seed: int, share: float) -> list[Way]:
    """Give what is tried for ours: both ways at the smallest share, later what was better there."""
    before = store.rows.get(f"tuned {SHARES[0]:g}, ours, seed 0")
    return [WAYS[before["way"]]] if before is not None and (share > SHARES[0] or seed > 0) else list(WAYS)


def peer_ways(store: Store, seed: int, share: float) -> list[tuple[str, int, Way]]:
    """Give what is tried for the peer: at the smallest share both ways, later what was better there."""
    before = store.rows.get(f"tuned {SHARES[0]:g}, peer, seed 0")
    if before is not None and (share > SHARES[0] or seed > 0):
        return [(before["importance"], before["steps of cut"], WAYS[before["way"]])]
    best = chosen_cut(store, seed)
    return [(best["importance"], best["steps"], way) for way in WAYS]


def stage_scratch(given: Original, store: Store, share: float) -> None:
    """Train the small network from random weights for as long as the original and fine-tuning took together."""
    if (key := f"scratch {share:g}") in store.rows:
        return
    program = given.program
    settings = {**given.settings, "width": round(given.settings["width"] * HALF)}
    skeleton = skeleton_for(program.signature, program.skeleton)
    network = network_for(skeleton, program.signature, settings, inputs=program.examples.split("train").inputs, seed=0)
    made, validation, steps = tuned(given, network, 1.0 + share, None, 0)
    store.add(key, {"validation": validation, "test": given.accuracy(made, "test"), "steps": steps})


def stage_time(given: Original, store: Store) -> None:
    """Time in C what was cut by us and by the peer, beside the original."""
    if "time" in store.rows:
        return
    best = chosen_cut(store, 0)
    nets = {"original": given.network(), "ours": cut_to(given, HALF, 0), "peer": cut_by_peer(given, best["importance"], best["steps"], 0)}
    times = latency.times_in_c({name: given.graph(net) for name, net in nets.items()}, given.program.signature)
    ratios = {name: contestants.ratio(times, "original", name)[1] for name in ("ours", "peer")}
    store.add(
        "time", {"microseconds": {name: 1e6 * contestants.quartiles(each)[1] for name, each in times.items()}, "times faster": ratios}
    )


def record(cache: Path) -> None:
    """Write the figures of all cases from the rows that are done."""
    found: dict[str, Any] = {}
    wanted: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for name, case in CASES.items():
        store = Store(cache / ROOT / f"peers-{name}.jsonl")
        rows += [{"case": name, **row} for row in store.rows.values()]
        if "time" in store.rows:
            for who, ratio in store.rows["time"]["times faster"].items():
                found[f"{case.title}, half of the channels, {who}: times faster in C"] = ratio
        stages = {"no fine-tuning": ("cut, ours", "cut, peer, chosen")}
        stages |= {f"{share:.0%} of the time": (f"tuned {share:g}, ours", f"tuned {share:g}, peer") for share in SHARES}
        for stage, (ours, peer) in stages.items():
            both = [[row["test"] for key, row in store.rows.items() if key.startswith(f"{who}, seed")] for who in (ours, peer)]
            if not all(both):
                continue
            key = f"{case.title}, {stage}"
            found[f"{key}: accuracy, ours"], found[f"{key}: accuracy, Torch-Pruning"] = both
            found[f"{key}: points ahead"] = [100 * (a - b) for a, b in zip(*both, strict=False)]
            wanted[f"{key}: points ahead"] = ">= 0"
        for share in SHARES:
            row, ours = store.rows.get(f"scratch {share:g}"), store.rows.get(f"tuned {share:g}, ours, seed 0")
            if row is not None and ours is not None:
                key = f"{case.title}, from scratch for {1 + share:g} times the original's time"
                found[f"{key}: accuracy"] = row["test"]
                found[f"{key}: points that ours is ahead"] = 100 * (ours["test"] - row["test"])
                wanted[f"{key}: points that ours is ahead"] = ">= 0"
    notes = ["one thread; times are paces of steps taken in turns with the original's", "Torch-Pruning 1.6.1", *_left_out(rows)]
    harness.record(
        "resize-peers",
        found,
        command="python benchmarks/resize_peers.py",
        target=wanted,
        notes=notes,
        runs=rows,
    )


def _left_out(rows: Sequence[Any]) -> list[str]:
    """Say what was not measured."""
    keys = {(row["case"], row["key"].rsplit(", seed", 1)[0]) for row in rows}
    wanted = [f"tuned {share:g}, {who}" for share in SHARES for who in ("ours", "peer")] + [f"scratch {share:g}" for share in SHARES]
    missing = [f"{CASES[name].title}: {key}" for name in CASES for key in wanted if (name, key) not in keys]
    return [f"not measured: {'; '.join(missing)}"] if missing else []


STAGES = ("cut", "tuned", "scratch", "time", "record")


def main() -> None:
    parser = argparse.ArgumentParser(description="Half of the channels, by us and by Torch-Pruning.")
    parser.add_argument("stages", nargs="*", choices=[*STAGES, []], metavar="STAGE", help=f"of {', '.join(STAGES)}; by default all")
    parser.add_argument("--case", choices=list(CASES), help="one alone")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--shares", type=float, nargs="*", default=list(SHARES))
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    stages = options.stages or STAGES
    for name in [options.case] if options.case else CASES if set(stages) - {"record"} else []:
        given, store = original(name, options.cache), Store(options.cache / ROOT / f"peers-{name}.jsonl")
        if "cut" in stages:
            stage_cut(given, store, options.seeds)
        if "tuned" in stages:
            stage_tuned(given, store, options.seeds, options.shares)
        if "scratch" in stages:
            stage_scratch(given, store, options.shares[0])
        if "time" in stages:
            stage_time(given, store)
    if "record" in stages:
        record(options.cache)


if __name__ == "__main__":
    main()
