"""Attribution against training again: linear datamodelling score, time, and predictions that flip, ours beside TRAK and dattri.

    python benchmarks/attribution.py --retrained FOLDER [--only NAME ...] [--flips N]

The linear datamodelling score (Park et al. 2023, section 2) of a test example is Spearman's correlation, over subsets of half the
training examples, of the margin after training on the subset (mean of the seeds) and the sum of the subset's influences; it is averaged
over test examples. FOLDER holds what `retraining.py` wrote, SUBJECT.npz. The first 500 test examples are reported; the other 500
choose the settings of every method. A flip: the 1 % of training examples that a method names first are left out, and the retrained
networks (mean score of the seeds) no longer give the answer that the whole set gives.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attribution_peers as peers
import harness
import numpy as np
import retraining
import torch
from scipy.stats import rankdata
from torch import nn

from tacit.attribution.attribution import Attribution, Plan, attribute
from tacit.attribution.short_models import short_models, without_validation
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.search.columns import columns
from tacit.search.training import Task

REPORTED, TUNED = slice(0, 500), slice(500, 1000)
SEEDS = 3
#: Damping over the usual one (1): which was best is looked at on the tuning half alone.
DAMPINGS = (0.1, 0.3, 1.0, 3.0)


class Trial:
    """A subject with its data, its retrained margins, and the score of an attribution."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.subject = name, retraining.SUBJECTS[name]
        self.data = retraining.arrays(self.subject)
        with np.load(folder / f"{name}.npz") as file:
            whole = ~np.isnan(file["margins"][:, :SEEDS]).any((1, 2))
            self.margins = file["margins"][whole][:, :SEEDS]
            rows = file["rows"][whole]
        self.chosen = np.zeros((len(rows), self.subject.examples), np.float32)
        for subset, own in enumerate(rows):
            self.chosen[subset, own] = 1.0
        self.wanted = _ranks(self.margins.mean(1))
        signature = retraining.signature_of(self.data)
        self.skeleton, self.settings = retraining.skeleton_of(self.subject, signature)
        count = self.subject.examples
        ids = np.array([f"{place:024x}" for place in range(count)])
        self.examples = Examples(signature, ids, (self.data["train_x"],), self.data["train_y"], np.array(["train"] * count))

    def score(self, influence: np.ndarray, part: slice) -> float:
        """Give the linear datamodelling score of float32[test, example] over a part of the test examples."""
        found = _ranks(self.chosen @ influence[part].T)
        wanted = self.wanted[:, part]
        return float((_standard(found) * _standard(wanted)).mean())

    def ceiling(self) -> float:
        """Give the root of the reliability of the mean over the seeds: the most that an attribution can score."""
        within = self.margins.var(1, ddof=1).mean(0) / self.margins.shape[1]
        total = self.margins.mean(1).var(0, ddof=1)
        return float(np.sqrt(np.clip(1.0 - within / total, 0.0, 1.0))[REPORTED].mean())

    def ours(self, plan: Plan, seed: int = 0) -> tuple[Attribution, np.ndarray, float]:
        """Give our attribution, float32[test, example], and the CPU seconds of all of it: training, kernels, answers."""
        begun = time.process_time()
        recipe = retraining.recipe_of(self.subject)
        made = attribute(self.examples, self.skeleton, self.settings, recipe, seed=seed, plan=plan)
        found = made.influence((self.data["test_x"],), self.data["test_y"]).mean(0)
        return made, found, time.process_time() - begun

    def networks(self, count: int, passes: float) -> tuple[list[nn.Module], float]:
        """Train networks for the peers by the same loop, and give them with the CPU seconds."""
        begun = time.process_time()
        data = columns(self.examples, torch.device("cpu"))
        task = Task(self.examples.signature, data, without_validation(data), Goal("accuracy"))
        recipe = retraining.recipe_of(self.subject)
        nets = short_models(task, self.skeleton, self.settings, recipe, inputs=self.examples.inputs, seed=0, models=count, passes=passes)
        return nets, time.process_time() - begun

    def pictures(self) -> tuple[peers.Pictures, peers.Pictures]:
        """Give training and test pictures as the peers take them."""
        data = {name: torch.from_numpy(np.array(array)) for name, array in self.data.items()}
        return (data["train_x"].float(), data["train_y"]), (data["test_x"].float(), data["test_y"])


def _ranks(values: np.ndarray) -> np.ndarray:
    ranks: np.ndarray = np.apply_along_axis(rankdata, 0, values)
    return ranks


def _standard(ranks: np.ndarray) -> np.ndarray:
    return (ranks - ranks.mean(0)) / np.maximum(ranks.std(0), 1e-9)


def our_rows(trial: Trial, *, quick: bool) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Measure ours: one and five models, three seeds of the five; dampings on the tuning half."""
    rows: list[dict[str, Any]] = []
    influence = np.zeros(0)
    for models, seeds in ((1, (0,)), (5, (0, 1, 2))):
        for seed in seeds:
            _, found, seconds = trial.ours(Plan(models=models), seed)
            if models == 5 and seed == 0:
                influence = found
            said = {"method": "ours", "models": models, "seed": seed, "setting": "damping 1"}
            rows.append({**said, "tuned": trial.score(found, TUNED), "lds": trial.score(found, REPORTED), "cpu_seconds": seconds})
            print(rows[-1], flush=True)
    for damping in () if quick else DAMPINGS:
        _, found, seconds = trial.ours(Plan(damping=damping))
        rows.append({"method": "ours, damping tried", "models": 5, "setting": f"damping {damping:g}", "tuned": trial.score(found, TUNED)})
        print(rows[-1], flush=True)
    if quick:
        return rows, influence
    landmarks = Plan(most_exact=500, landmarks=500)
    _, found, seconds = trial.ours(landmarks)
    said = {"method": "ours, through 500 landmarks", "models": 5, "setting": "damping 1"}
    rows.append({**said, "tuned": trial.score(found, TUNED), "lds": trial.score(found, REPORTED), "cpu_seconds": seconds})
    print(rows[-1], flush=True)
    return rows, influence


def peer_rows(trial: Trial, *, quick: bool) -> tuple[list[dict[str, Any]], np.ndarray | None]:
    """Measure the peers, each setting on the tuning half; the best of TRAK's influences is given for the flips."""
    train, test = trial.pictures()
    rows: list[dict[str, Any]] = []
    best, best_found = -1.0, None
    for passes in (8.0,) if quick else (8.0, float(trial.subject.epochs)):
        nets, training = trial.networks(5, passes)
        ridges = (0.0, 0.03, 0.3, 3.0)
        jobs: list[tuple[str, Iterator[peers.Result]]] = [
            ("TRAK (traker)", peers.trak(nets, train, test, width=width, ridges=ridges))
            for width in ((512, 1024) if quick else (512, 2048))
        ]
        if trial.subject.data != "mnist":
            jobs.append(("TRAK (dattri)", peers.dattri_trak(nets, train, test, width=512, ridges=(0.0, 1e-2, 1.0))))
            jobs.append(("DataInf (dattri)", peers.dattri_influence("DataInf", nets[:1], train, test, regularisations=(1e-3, 1e-1))))
            jobs.append(("Arnoldi (dattri)", peers.dattri_influence("Arnoldi", nets[:1], train, test, regularisations=(1e-2, 1e-1))))
            jobs.append(("TracIn (dattri)", peers.dattri_tracin(nets, train, test)))
        for name, results in jobs:
            for setting, found, seconds in _survivors(name, results):
                about = {"method": name, "models": len(nets), "passes": passes, "setting": setting}
                score = {"tuned": trial.score(found, TUNED), "lds": trial.score(found, REPORTED)}
                rows.append({**about, **score, "cpu_seconds": training + seconds})
                print(rows[-1], flush=True)
                if name.startswith("TRAK (traker)") and rows[-1]["tuned"] > best:
                    best, best_found = rows[-1]["tuned"], found
    return rows, best_found


def _survivors(name: str, results: Iterator[peers.Result]) -> Iterator[peers.Result]:
    """Go on with the other peers when one can't do a network; say so."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield from results
    except (ImportError, RuntimeError, TypeError, ValueError, AssertionError, AttributeError, NotImplementedError) as error:
        print(f"{name}: {type(error).__name__}: {str(error)[:200]}", flush=True)


def flips(trial: Trial, named: dict[str, np.ndarray], *, count: int, within: float, seeds: int = 3) -> dict[str, float]:
    """Give the share of `count` right predictions that change when the 1 % that each method names are left out.

    within: only predictions whose margin is below it; a prediction of which the network is sure has more than 1 % behind it.
    """
    data, total = trial.data, trial.subject.examples
    cut = total // 100
    everything = np.arange(total)
    whole = _mean_scores(trial, [everything], seeds)[0]
    margins = retraining.margins_of(whole, data["test_y"])
    near = np.flatnonzero((margins > 0) & (margins < within))
    picked = [int(row) for row in near[near < REPORTED.stop][:count]]
    chance = np.random.default_rng(0)
    found: dict[str, float] = {}
    for name, influence in {**named, "random, same class": None}.items():
        subsets = []
        for row in picked:
            if influence is None:
                own = np.flatnonzero(data["train_y"] == data["test_y"][row])
                out = chance.choice(own, cut, replace=False)
            else:
                out = np.argsort(-influence[row])[:cut]
            subsets.append(np.setdiff1d(everything, out))
        scores = _mean_scores(trial, subsets, seeds)
        found[name] = float(np.mean([scores[at][row].argmax() != data["test_y"][row] for at, row in enumerate(picked)]))
        print(f"flips, {name}: {found[name]:.3f} of {len(picked)}", flush=True)
    return found


def _mean_scores(trial: Trial, subsets: Sequence[np.ndarray], seeds: int) -> list[np.ndarray]:
    """Train on each subset with several seeds, all networks at once, and give each subset's mean float32[test, score]."""
    jobs = [(place, seed) for place in range(len(subsets)) for seed in range(seeds)]
    total: list[Any] = [0.0] * len(subsets)
    for at in range(0, len(jobs), 60):
        some = jobs[at : at + 60]
        rows = np.stack([subsets[place] for place, _ in some])
        trained = retraining.train_all(trial.subject, trial.data, rows, [500_000 + seed for _, seed in some], device="cpu")
        scores = retraining.scores_of(*trained, trial.data["test_x"], device="cpu")
        for (place, _), own in zip(some, scores, strict=True):
            total[place] = total[place] + own / seeds
    return total


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--retrained", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=tuple(retraining.SUBJECTS))
    parser.add_argument("--flips", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="peers on short models alone")
    given = parser.parse_args()
    torch.set_num_threads(1)
    earlier = harness.read_record("attribution") or {"figures": {}, "runs": []}
    figures: dict[str, Any] = dict(earlier["figures"])
    runs: list[dict[str, Any]] = list(earlier.get("runs") or [])
    for name in given.only or ("mnist", "cifar2"):
        trial = Trial(name, given.retrained)
        runs = [run for run in runs if run["subject"] != name]
        figures[f"{name}: retrained subsets"], figures[f"{name}: seeds of each"] = len(trial.margins), SEEDS
        figures[f"{name}: noise ceiling"] = trial.ceiling()
        mine, influence = our_rows(trial, quick=given.quick)
        five = [row for row in mine if row["method"] == "ours" and row["models"] == 5]
        figures[f"{name}: ours, 5 short models"] = [row["lds"] for row in five]
        figures[f"{name}: ours, CPU seconds"] = [row["cpu_seconds"] for row in five]
        runs += [{"subject": name, **row} for row in mine]
        _record(figures, runs)
        theirs, projected = peer_rows(trial, quick=given.quick)
        runs += [{"subject": name, **row} for row in theirs]
        for method in dict.fromkeys(row["method"] for row in theirs):
            best = max((row for row in theirs if row["method"] == method), key=lambda row: row["tuned"])
            figures[f"{name}: {method}"], figures[f"{name}: {method}, CPU seconds"] = best["lds"], best["cpu_seconds"]
        if theirs:
            best = max(theirs, key=lambda row: row["tuned"])
            mean, seconds = float(np.mean([row["lds"] for row in five])), float(np.median([row["cpu_seconds"] for row in five]))
            figures[f"{name}: ours over the best peer"] = mean - best["lds"]
            figures[f"{name}: our time over the best peer's"] = seconds / best["cpu_seconds"]
        _record(figures, runs)
        if name == "mnist" and given.flips:
            named = {"ours": influence} | ({} if projected is None else {"TRAK (traker)": projected})
            for kind, within in (("flips", np.inf), ("flips of margins below 2", 2.0)):
                found = flips(trial, named, count=given.flips, within=within)
                figures |= {f"{name}: {kind}, {who}": share for who, share in found.items()}
                _record(figures, runs)


def _record(figures: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    plain = {name: value["values"] if isinstance(value, dict) and "values" in value else value for name, value in figures.items()}
    harness.record(
        "attribution",
        plain,
        command=harness.command_line(),
        target={
            "mnist: ours, 5 short models": ">= 0.68",
            "mnist: flips, ours": ">= 0.85",
            "mnist: flips of margins below 2, ours": ">= 0.85",
            "cifar2: ours over the best peer": ">= 0",
            "cifar2: our time over the best peer's": "<= 0.333",
        },
        notes=[
            "LDS: Spearman's correlation over half-subsets of retrained margins (mean of the seeds) and summed influences, mean over 500 "
            "test examples; settings were chosen on 500 others.",
            "mnist: 2,000 training examples, MLP 784-64-10, SGD at a rate of 0.01, 20 passes. cifar2: 2,000 cats and dogs, the smallest "
            "convnet2d, 10 passes. CPU seconds hold training of the short models, features and 1,000 answers.",
        ],
        runs=runs,
    )


if __name__ == "__main__":
    main()
