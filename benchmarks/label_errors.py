"""Label errors: lint's score from one training run beside cleanlab's on five-fold probabilities of the same network.

    python benchmarks/label_runs.py --store DIR          (trains; goes on where it was stopped)
    python benchmarks/label_errors.py --store DIR        (scores what is there and writes the record)

The labels are those that people gave (CIFAR-10N, "worst" and "aggregate"; NoisyAG-News, "medium"); what is right is known and used for
nothing but the figures. cleanlab gets its best method, its confidence adjustment or not, and the better of training with and without
augmentation, for each figure by itself; ours is what lint does. Compute is CPU seconds of both sides from examples in memory to scores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness
import numpy as np
from label_runs import CALM, FOLDS, SEEDS, SETS, Job, labels_of
from sklearn.metrics import average_precision_score, roc_auc_score

from tacit.instruments.linting.label_errors import LEAST
from tacit.search.suspicion import Rating, rate
from tacit.signature.outputs import Class

KEYS = ("AUROC", "AP", "precision at the true number")
METHODS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
TARGETS = {
    "worst: AUROC over cleanlab's best": ">= 0.02",
    "worst: AP over cleanlab's best": ">= 0.03",
    "aggregate: AP over cleanlab's best": ">= 0.05",
    "worst: share of cleanlab's compute": "<= 0.25",
    "aggregate: share of cleanlab's compute": "<= 0.25",
    "news: AUROC over cleanlab's best": ">= 0.02",
    "news: AP over cleanlab's best": ">= 0.03",
    "news: share of cleanlab's compute": "<= 0.25",
    "planted: precision of what lint names": ">= 0.9",
    "planted-news: precision of what lint names": ">= 0.9",
}
#: What a pass for scores alone costs, in passes of training: the forward half of one, without the gradients.
FOLD_SCORED = 1.0 / 3.0
NOTES = (
    "AUROC and AP of finding the labels that differ from the right ones; 'over cleanlab's best' is the difference seed by seed, cleanlab "
    "with the best of self_confidence, normalized_margin and confidence_weighted_entropy, with and without its adjustment, on "
    "probabilities with and without augmentation, chosen by the figure itself. A seed that only ours has is held against cleanlab's mean.",
    "ours trains on all examples once, cleanlab's network on four fifths of them, five times; the passes of both stand under 'passes'.",
    "share of cleanlab's compute: CPU seconds of our run and rating, by those of the five trainings with augmentation, their predictions "
    "and the scoring; only of seeds where both ran on the same machine. Augmentation without effect on cleanlab's figures isn't counted.",
    "The machine was busy (see each run's load), which inflates CPU seconds; 'by examples seen' is what the "
    "share comes to when each pass over an example costs the same, the final pass for scores counted as a third of one.",
    "news: NoisyAG-News (hhf-hd/NoisyAG-News @94f5e5b, MIT), dataset/samples10000valMed.csv: 10,000 reports, labels of paid readers, 19.75 "
    "% wrong. cifar10n: CC BY-NC 4.0.",
    "planted: the right labels with 4 % drawn anew; clean: the right labels, so whatever is named there counts as wrong.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare label errors found with cleanlab's.")
    parser.add_argument("--store", type=Path, required=True, help="folder with what label_runs.py found")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    runs: list[dict[str, Any]] = []
    for name, noisy in SETS.items():
        _compare(name, options.store, figures, runs)
        figures[f"{name}: passes"] = {"ours": noisy.ours, "cleanlab": noisy.epochs}
        theirs = (FOLDS - 1) * noisy.epochs + FOLD_SCORED
        figures[f"{name}: share of cleanlab's compute, by examples seen"] = (noisy.ours + FOLD_SCORED) / theirs
    for name in (*SETS, *CALM):
        _thresholds(name, options.store, figures)
    made = harness.record(
        "label-errors",
        figures,
        command="python benchmarks/label_runs.py --store PATH && " + harness.command_line(),
        target={figure: rule for figure, rule in TARGETS.items() if figure in figures},
        notes=NOTES,
        runs=runs,
    )
    print(made.read_text())


# --- ranking -------------------------------------------------------------------------------------------------------


def _compare(name: str, store: Path, figures: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    """Add the figures of one set, of every seed that is there."""
    given, right = labels_of(name)
    wrong = given != right
    ours: dict[int, dict[str, float]] = {}
    theirs: dict[int, dict[str, float]] = {}
    for seed in SEEDS:
        mine = _ours(name, seed, store, given)
        rivals = list(_rivals(name, seed, store, given, wrong))
        if mine is not None:
            rating, seconds, about = mine
            ours[seed] = _quality(rating.margins, wrong)
            runs.append({"set": name, "seed": seed, "side": "ours", "cpu_seconds": round(seconds, 1), **ours[seed], **about})
        if rivals:
            theirs[seed] = {key: max(rival[key] for rival in rivals) for key in KEYS}
            runs += [{"set": name, "seed": seed, "side": "cleanlab", **rival} for rival in rivals]
    if not ours or not theirs:
        return
    for key in KEYS:
        usual = statistics.fmean(values[key] for values in theirs.values())  # for seeds that only ours has
        figures[f"{name}: {key}, ours"] = {seed: values[key] for seed, values in ours.items()}
        figures[f"{name}: {key}, cleanlab's best"] = {seed: values[key] for seed, values in theirs.items()}
        gains = {seed: values[key] - theirs.get(seed, {key: usual})[key] for seed, values in ours.items()}
        figures[f"{name}: {key} over cleanlab's best"] = gains
    shares = _shares([run for run in runs if run["set"] == name])
    if shares:
        figures[f"{name}: share of cleanlab's compute"] = shares


def _ours(name: str, seed: int, store: Path, given: np.ndarray) -> tuple[Rating, float, dict[str, Any]] | None:
    """Give the rating of our run, all its CPU seconds, and what is known of the run."""
    path = store / Job(name, seed, "augmented", "ours").file
    if not path.exists():
        return None
    held = np.load(path)
    about = json.loads(str(held["about"]))
    begun = time.process_time()
    rating = rate(Class(*map(str, range(int(given.max()) + 1))), {key: held[key] for key in held.files if key != "about"}, given)
    if rating is None:
        raise SystemExit(f"expected scores in {path.name}")
    return rating, about["cpu"] + time.process_time() - begun, {key: about[key] for key in ("machine", "load")}


def _rivals(name: str, seed: int, store: Path, given: np.ndarray, wrong: np.ndarray) -> Iterator[dict[str, Any]]:
    """Give the quality of each of cleanlab's scores on the five-fold probabilities that are there."""
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise SystemExit("expected cleanlab\ntry: pip install cleanlab==2.9.0") from error
    for arm in ("augmented", "plain"):
        paths = [store / Job(name, seed, arm, str(fold)).file for fold in range(FOLDS)]
        if not all(path.exists() for path in paths):
            continue
        probabilities, about = np.zeros((len(given), int(given.max()) + 1)), []
        for path in paths:
            held = np.load(path)
            about.append(json.loads(str(held["about"])))
            probabilities[held["rows"]] = Class(*map(str, range(probabilities.shape[1]))).probabilities(held["scores"])
        machines = {json.dumps(item["machine"], sort_keys=True) for item in about}
        for method in METHODS:
            for adjusted in (False, True) if method != "confidence_weighted_entropy" else (False,):
                begun = time.process_time()
                scores = get_label_quality_scores(given, probabilities, method=method, adjust_pred_probs=adjusted)
                seconds = sum(item["cpu"] for item in about) + time.process_time() - begun
                yield {
                    "arm": arm,
                    "method": method + (", adjusted" if adjusted else ""),
                    "cpu_seconds": round(seconds, 1),
                    **_quality(scores, wrong),
                    "machine": about[0]["machine"] if len(machines) == 1 else None,
                }


def _quality(scores: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Give how well low scores find wrong labels."""
    low = np.where(np.isfinite(scores), scores, np.nanmax(scores[np.isfinite(scores)]))
    named = np.argsort(low, kind="stable")[: int(wrong.sum())]
    found = {"AUROC": roc_auc_score(wrong, -low), "AP": average_precision_score(wrong, -low)}
    return {key: round(float(value), 5) for key, value in {**found, "precision at the true number": wrong[named].mean()}.items()}


def _shares(runs: list[dict[str, Any]]) -> dict[int, float]:
    """Give seed -> our CPU seconds by cleanlab's, where both ran on the same machine."""
    shares = {}
    for run in (run for run in runs if run["side"] == "ours"):
        same = [
            other["cpu_seconds"]
            for other in runs
            if other["side"] == "cleanlab" and (other["seed"], other["arm"], other["machine"]) == (run["seed"], "augmented", run["machine"])
        ]
        if same:
            shares[run["seed"]] = run["cpu_seconds"] / statistics.median(same)
    return shares


# --- what is named -------------------------------------------------------------------------------------------------


def _thresholds(name: str, store: Path, figures: dict[str, Any]) -> None:
    """Add how many labels are named, how many of them are wrong and how many of the wrong ones are found, by four rules."""
    given, right = labels_of(name)
    found = _ours(name, 0, store, given)
    if found is None:
        return
    rating, wrong = found[0], given != right
    rules = {
        "what lint names": rating.probable(LEAST),
        "every label with a negative margin": rating.margins < 0,
        "the lower of two normal distributions": _lower(rating.margins),
        "as many as the model expects to be wrong": _expected(rating),
    }
    for rule, named in rules.items():
        figures[f"{name}: number of {rule}"] = int(named.sum())
        if named.any() and wrong.any():
            figures[f"{name}: precision of {rule}"] = float(wrong[named].mean())
        if wrong.any():
            figures[f"{name}: recall of {rule}"] = float(named[wrong].mean())


def _lower(margins: np.ndarray) -> np.ndarray:
    from sklearn.mixture import GaussianMixture

    mixture = GaussianMixture(2, random_state=0).fit(margins[:, None])
    return (mixture.predict(margins[:, None]) == mixture.means_.argmin()) & (margins < 0)


def _expected(rating: Rating) -> np.ndarray:
    named = np.zeros(len(rating.margins), bool)
    named[np.argsort(rating.margins, kind="stable")[: round(float(rating.wrong.sum()))]] = True
    return named


if __name__ == "__main__":
    main()
