"""Train for the benchmark of label errors: one run that is watched, and the same network on five folds, each a process of its own.

    python benchmarks/label_runs.py --store DIR [--only TEXT] [--jobs N] [--limit SECONDS]

Both sides go through `tacit.compiler.observe`: ours once over all examples, the rival's on four fifths of them, five times, scoring the
fifth that was left out. Each job leaves ``<set>-<seed>-<arm>-<part>.npz`` in the store with what it found and the CPU seconds of its
process from the examples in memory to the result; a job that is there is not run again.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np

FOLDS = 5
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Noisy:
    """A set whose labels were given by people and whose right labels are known.

    settings, recipe: the same for both sides. epochs: of the rival's runs; ours: of our run. augment: names for the arm with augmentation.
    """

    epochs: int
    ours: float
    settings: dict[str, Any]
    recipe: dict[str, Any]
    augment: tuple[str, ...]


PICTURES = Noisy(10, 9.5, {"width": 16}, {"batch": 128, "learning_rate": 0.2}, ("shift", "flip"))
TEXTS = Noisy(6, 6, {}, {}, ("dropout_tokens",))
SETS = {"worst": PICTURES, "aggregate": PICTURES, "news": TEXTS}
#: The right labels, as they are and with `PLANTED` of them drawn anew: what is named here decides how sure lint must be.
CALM = {"planted": PICTURES, "clean": PICTURES, "planted-news": TEXTS, "clean-news": TEXTS}
PLANTED = 0.04


@dataclass(frozen=True)
class Job:
    """One training: part is ``ours`` or the number of a fold; arm is ``augmented`` or ``plain``."""

    name: str
    seed: int
    arm: str
    part: str

    @property
    def file(self) -> str:
        """The file of the store that holds its result."""
        return f"{self.name}-{self.seed}-{self.arm}-{self.part}.npz"


def jobs(names: tuple[str, ...] = tuple(SETS)) -> Iterator[Job]:
    """Give all jobs, the first seed first, what the figures need most first."""
    for seed in SEEDS:
        for arm in ("augmented", "plain"):
            for name in names:
                yield Job(name, seed, arm, "ours")
                for fold in range(FOLDS):
                    yield Job(name, seed, arm, str(fold))
    for name in CALM:
        yield Job(name, 0, "augmented", "ours")


def labels_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give int64[example], the labels that people gave (or that have some errors planted) and the right ones."""
    if name in CALM:
        right = labels_of("news" if name.endswith("news") else "worst")[1]
        return (planted(right) if name.startswith("planted") else right), right
    if name == "news":
        rows = _news()
        return np.array([int(row["label"]) for row in rows]), np.array([int(row["gt"]) for row in rows])
    import pyarrow.parquet

    folder = harness.data_folder()
    table = pyarrow.parquet.read_table(folder / "cifar10" / "train20k.parquet", columns=["index"])
    given = np.loadtxt(folder / "cifar10n" / "cifar10n_train_labels.csv.gz", delimiter=",", skiprows=1, dtype=np.int64)
    rows = given[table["index"].to_numpy()]
    return rows[:, 3 if name == "worst" else 2], rows[:, 1]


def planted(right: np.ndarray) -> np.ndarray:
    """Give the labels with a share of them replaced by another class, any alike."""
    random, classes, given = np.random.default_rng(0), int(right.max()) + 1, right.copy()
    rows = random.permutation(len(right))[: round(PLANTED * len(right))]
    given[rows] = (right[rows] + random.integers(1, classes, len(rows))) % classes
    return given


def news_file() -> Path:
    """Give the file of NoisyAG-News: 10,000 reports with labels of paid readers, "medium" (hhf-hd/NoisyAG-News @94f5e5b, MIT).

    It's not part of this repository: `TACIT_NOISY_NEWS` names ``dataset/samples10000valMed.csv`` of a clone of that one.
    """
    path = Path(os.environ.get("TACIT_NOISY_NEWS", ""))
    if not path.is_file():
        raise SystemExit("expected the file of NoisyAG-News, found none\ntry: set TACIT_NOISY_NEWS to its dataset/samples10000valMed.csv")
    return path


def _news() -> list[dict[str, str]]:
    with open(news_file(), encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def program_of(name: str, arm: str) -> Any:
    """Give the program with the labels that people gave; everything is for training."""
    from tacit.examples.examples import Examples
    from tacit.program import Program
    from tacit.signature.image import Image
    from tacit.signature.outputs import Class
    from tacit.signature.text import Text

    noisy, given = (SETS | CALM)[name], labels_of(name)[0]
    if name.endswith("news"):
        signature = Text(64, 32768) >> Class("0", "1", "2", "3")
        inputs = signature.input.read_all([row["text"] for row in _news()])
    else:
        signature = Image(32, 32, 3) >> Class(*map(str, range(10)))
        inputs = (pictures("train20k"),)
    ids = np.array([f"{place:024x}" for place in range(len(given))])
    examples = Examples(signature, ids, inputs, given, np.full(len(given), "train"), None, name)
    recipe = {**noisy.recipe, "augment": list(noisy.augment) if arm == "augmented" else [], "augment_from": 0.0}
    return Program(name, signature, examples, settings=noisy.settings, recipe=recipe)


def pictures(file: str) -> np.ndarray:
    """Give uint8[example, row, column, channel] of a file of CIFAR-10."""
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(harness.data_folder() / "cifar10" / f"{file}.parquet", columns=["image"])
    return np.stack([np.asarray(Image.open(io.BytesIO(row["bytes"])).convert("RGB")) for row in table["image"].to_pylist()])


def folds_of(given: np.ndarray, seed: int) -> np.ndarray:
    """Give int64[example], the fold of each, stratified by the given label as cleanlab's own cross-validation does."""
    from sklearn.model_selection import StratifiedKFold

    places = np.zeros(len(given), np.int64)
    for fold, (_, left_out) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(given, given)):
        places[left_out] = fold
    return places


def run(job: Job, store: Path) -> None:
    """Train for one job and write its file."""
    import torch

    from tacit.compiler import observe

    torch.set_num_threads(1)
    program, noisy = program_of(job.name, job.arm), (SETS | CALM)[job.name]
    held_out = None if job.part == "ours" else folds_of(program.examples.targets, job.seed) == int(job.part)
    count = len(program.examples) if held_out is None else int((~held_out).sum())
    batch = noisy.recipe.get("batch", 32)
    steps = int((noisy.epochs if held_out is not None else noisy.ours) * (count // batch))
    begun, wall = time.process_time(), time.perf_counter()
    observed = observe(
        program, held_out=held_out, seed=job.seed * 10 + (0 if held_out is None else int(job.part)), plan=[(0, steps)], device="cpu"
    )
    seconds = {"cpu": time.process_time() - begun, "wall": time.perf_counter() - wall, "steps": steps, "load": harness.load_average()}
    kept = dict(observed.averages) if held_out is None else {"rows": np.flatnonzero(held_out), "scores": observed.scores}
    about = json.dumps({**seconds, "machine": harness.machine(), "versions": harness.versions(), "commit": harness.commit()})
    fresh = store / f".{os.getpid()}.new.npz"
    np.savez_compressed(fresh, about=np.array(about), **kept)
    os.replace(fresh, store / job.file)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train for the benchmark of label errors.")
    parser.add_argument("--store", type=Path, required=True, help="folder for the results of the trainings")
    parser.add_argument("--only", default="", help="only jobs whose file begins with one of these, separated by commas")
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, one thread each")
    parser.add_argument("--limit", type=float, default=1e9, help="begin no job after so many seconds")
    parser.add_argument("--one", nargs=4, metavar=("SET", "SEED", "ARM", "PART"), help="run this job in this process")
    options = parser.parse_args()
    options.store.mkdir(parents=True, exist_ok=True)
    if options.one:
        name, seed, arm, part = options.one
        return run(Job(name, int(seed), arm, part), options.store)
    begun = time.monotonic()

    def do(job: Job) -> None:
        if (options.store / job.file).exists() or time.monotonic() - begun > options.limit:
            return
        one = [sys.executable, __file__, "--store", str(options.store), "--one", job.name, str(job.seed), job.arm, job.part]
        subprocess.run(one, check=True)
        print(job.file, f"{time.monotonic() - begun:.0f} s", flush=True)

    wanted = [job for job in jobs() if job.file.startswith(tuple(options.only.split(",")))]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(do, wanted))


if __name__ == "__main__":
    main()
