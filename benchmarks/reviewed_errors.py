"""Re-rank the test images that people reviewed: is a label that they reject more suspicious than one that they confirm?

    python benchmarks/reviewed_errors.py [--only mnist|cifar10] [--seeds N] [--store DIR]

The images were chosen for review by cleanlab's own ranking, so recall means nothing here; within them AUROC does. An image counts as an
error when fewer than 3 of 5 workers chose the given label, as the data's README says. Ours is lint's score, chosen on CIFAR-10N and never
on these reviews: ``members`` is one run that learns from the test images among others, ``unseen`` one that learns from training images
alone, ``strong`` the same with twice the width and all 50,000 training images (CIFAR-10; as JPEG). cleanlab's is computed from
the probabilities that it ships, of a far stronger network for CIFAR-10.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
from label_runs import pictures
from sklearn.metrics import roc_auc_score

from tacit.examples.examples import Examples
from tacit.program import Program
from tacit.search.suspicion import rate
from tacit.signature.image import Image
from tacit.signature.outputs import Class

DRAWS = 2000  # of the bootstrap
OUTPUT = Class(*map(str, range(10)))


@dataclass(frozen=True)
class Reviewed:
    """A set: passes and settings of the runs, and what cleanlab reached in the issue."""

    passes: int
    settings: dict[str, Any]
    recipe: dict[str, Any]
    bar: float


SETS = {
    "mnist": Reviewed(8, {"width": 12}, {"batch": 128, "learning_rate": 0.2}, 0.72),
    "cifar10": Reviewed(9, {"width": 16}, {"batch": 128, "learning_rate": 0.2, "augment": ["shift", "flip"]}, 0.59),
}


def reviews(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give int64[reviewed], places in the test set, and bool[reviewed], whether the label was rejected."""
    rows = json.loads((harness.data_folder() / "label-errors" / f"{name}_mturk.json").read_text())
    return np.array([row["id"] for row in rows]), np.array([row["mturk"]["given"] < 3 for row in rows])


def images(name: str, *, strong: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
    """Give the pictures and labels of training and test set, one after the other, and the number of the former."""
    folder = harness.data_folder()
    if name == "cifar10":
        import pyarrow.parquet

        names = ("train50k_jpeg_q75" if strong else "train20k", "test")
        tables = [pyarrow.parquet.read_table(folder / "cifar10" / f"{part}.parquet", columns=["label"]) for part in names]
        labels = np.concatenate([table["label"].to_numpy() for table in tables]).astype(np.int64)
        return np.concatenate([pictures(part) for part in names]), labels, len(tables[0])
    parts = [_idx(folder / "mnist" / f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1) for part in ("train", "t10k")]
    labels = np.concatenate([_idx(folder / "mnist" / f"{part}-labels-idx1-ubyte.gz", 8) for part in ("train", "t10k")]).astype(np.int64)
    return np.concatenate([parts[0][:10_000], parts[1]]), np.concatenate([labels[:10_000], labels[60_000:]]), 10_000


def _idx(path: Path, offset: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=offset)


def margins(name: str, seed: int, way: str) -> np.ndarray:
    """Give float64[test image], lint's margins."""
    import torch

    from tacit.compiler import observe

    torch.set_num_threads(1)
    reviewed, (x, y, count) = SETS[name], images(name, strong=way == "strong")
    settings = {"width": 2 * reviewed.settings["width"]} if way == "strong" else reviewed.settings
    signature = Image(*x.shape[1:]) >> OUTPUT
    ids = np.array([f"{place:024x}" for place in range(len(y))])
    held_out = np.arange(len(y)) >= count if way != "members" else None
    learnt = count if way != "members" else len(y)
    examples = Examples(signature, ids, (x,), y, np.full(len(y), "train"))
    program = Program(name, signature, examples, settings=settings, recipe=reviewed.recipe)
    observed = observe(program, held_out=held_out, seed=seed, plan=[(0, reviewed.passes * (learnt // 128))], device="cpu")
    if way != "members":
        if observed.scores is not None:
            print(f"accuracy on the test labels: {(observed.scores.argmax(1) == y[count:]).mean():.4f}", flush=True)
        rating = rate(OUTPUT, {"scores": observed.scores}, y[count:], unseen=True)
        return rating.margins  # type: ignore[union-attr]
    return rate(OUTPUT, observed.averages, y).margins[count:]  # type: ignore[union-attr]


def interval(scores: np.ndarray, bad: np.ndarray) -> list[float]:
    """Give the 2.5 % and 97.5 % quantiles of the AUROC over resampled images."""
    random, found = np.random.default_rng(0), []
    while len(found) < DRAWS:
        rows = random.integers(0, len(bad), len(bad))
        if 0 < bad[rows].sum() < len(rows):
            found.append(roc_auc_score(bad[rows], -scores[rows]))
    return [round(float(value), 3) for value in np.quantile(found, [0.025, 0.975])]


def cleanlabs(name: str) -> dict[str, float]:
    """Give the AUROC of cleanlab's scores on the probabilities that it ships."""
    folder = harness.data_folder() / "label-errors"
    given = np.load(folder / f"{name}_test_set_original_labels.npy").astype(np.int64)
    shipped = np.load(folder / f"{name}_test_set_pyx.npz")["pyx"].astype(np.float64)
    rows, bad = reviews(name)
    own = shipped[np.arange(len(given)), given]
    others = shipped.copy()
    others[np.arange(len(given)), given] = -1.0
    return {
        "self-confidence": float(roc_auc_score(bad, -own[rows])),
        "margin": float(roc_auc_score(bad, -(own - others.max(axis=1))[rows])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Re-rank the reviewed test images.")
    parser.add_argument("--only", choices=sorted(SETS), help="one of the sets")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each way; 0: only score what the store holds")
    parser.add_argument("--store", type=Path, default=Path(tempfile.gettempdir()) / "tacit-reviewed", help="keeps the margins of each run")
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    for name in [options.only] if options.only else SETS:
        for way in ("members", "unseen", *(("strong",) if name == "cifar10" else ())):
            for seed in range(1 if way == "strong" else options.seeds):
                kept = options.store / f"{name}-{way}-{seed}.npy"
                if not kept.exists():
                    np.save(kept, margins(name, seed, way))
                    print(kept.name, flush=True)
    figures: dict[str, Any] = {}
    target = {}
    for name, reviewed in SETS.items():
        rows, bad = reviews(name)
        figures |= {f"{name}: images reviewed": len(rows), f"{name}: labels rejected": int(bad.sum())}
        figures |= {f"{name}: AUROC, cleanlab's {way}": value for way, value in cleanlabs(name).items()}
        for way in ("members", "unseen", "strong"):
            each = {int(path.stem.split("-")[-1]): np.load(path)[rows] for path in sorted(options.store.glob(f"{name}-{way}-*.npy"))}
            if each:
                figures[f"{name}: AUROC, {way}"] = {seed: float(roc_auc_score(bad, -scores)) for seed, scores in each.items()}
                mean = np.mean(list(each.values()), axis=0)
                figures[f"{name}: AUROC, {way}, mean margin of the seeds"] = float(roc_auc_score(bad, -mean))
                figures[f"{name}: 95 % interval, {way}, mean margin"] = interval(mean, bad)
        if f"{name}: AUROC, members" in figures:
            target[f"{name}: AUROC, members"] = f">= {reviewed.bar}"
    notes = (
        "fewer than 3 of 5 workers for the given label make it an error (15 of 100 MNIST, 54 of 275 CIFAR-10 images); the interval is a "
        "bootstrap over the images, and wide. members: one run over 10,000 training and the 10,000 test images of MNIST, 20,000 and 10,000 "
        "of CIFAR-10; unseen: over the training images alone; strong: over all 50,000 of CIFAR-10, as JPEG, with twice "
        "the width. cleanlab's probabilities for CIFAR-10 come from a far stronger network. The way "
        "(members) was chosen on CIFAR-10N, before these were looked at.",
    )
    harness.record("reviewed-errors", figures, command=harness.command_line(), target=target, notes=notes)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
