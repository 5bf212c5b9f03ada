"""Converged originals for the benchmarks of resizing, and what those share: cutting budgets by CPU seconds, scores of a network.

    python benchmarks/resize_cases.py CASE [--cache DIR]        makes an original (8 to 12 CPU minutes)

An original is a program directory with its binary and its kept weights, made by `tacit compile`'s own function. All budgets are CPU
seconds of one thread. The test split decides nothing: it is scored once, for what validation chose.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from recompile import Timer
from torch import nn

import tacit
from tacit.ir.graph import Graph
from tacit.program import Program
from tacit.resizing.channels import groups_of
from tacit.resizing.least_squares import rebuild, recalibrate
from tacit.resizing.ranking import rank
from tacit.search.rebuilding import rebuilt
from tacit.search.trained import load_trained
from tacit.shipping import lower_network

ROOT = "resize"


@dataclass(frozen=True)
class Case:
    """One original. title: as it stands in figures. lines: what replaces lines of its tacit.toml. plan: of the steps of its training."""

    title: str
    data_set: str
    plan: tuple[tuple[int, int], ...]
    lines: tuple[tuple[str, str], ...] = ()


_WIDE = ('name = "convnet2d"', 'name = "convnet2d"\nwidth = 32\ndepth = 1')
_FLIPS = ('# augment = ["shift", "flip", "affine", "erase"]', 'augment = ["shift", "flip"]')
CASES = {
    "fashion": Case("Fashion-MNIST", "fashion-mnist", ((0, 4000), (2159, 800)), (_WIDE,)),
    "cifar": Case("CIFAR-10", "cifar10-train20k", ((0, 8400), (3704, 1500)), (_WIDE, _FLIPS)),
}


@dataclass(frozen=True, eq=False)
class Original:
    """A converged program. seconds: CPU seconds of its training."""

    case: Case
    program: Program
    binary: tacit.Binary
    seconds: float

    @property
    def steps(self) -> int:
        """Count the steps of its training."""
        return int(self.binary.evidence["run"]["steps"])

    @property
    def settings(self) -> dict[str, Any]:
        """Give the settings of its skeleton."""
        return dict(self.binary.evidence["run"]["settings"])

    def network(self) -> nn.Module:
        """Give its network in the form in which it is trained, in evaluation mode."""
        trained = None if self.program.directory is None else load_trained(self.program.directory, self.binary.digest)
        if trained is None:
            raise RuntimeError("expected the weights of the original to be kept")
        return rebuilt(trained, self.program)

    def graph(self, network: nn.Module) -> Graph:
        """Lower a network as the program's binary would be."""
        return lower_network(network, self.program).graph

    def accuracy(self, network: nn.Module, split: str) -> float:
        """Give the accuracy on a split, by PyTorch in float32."""
        return accuracy(network, self.program, split)


def some_inputs(given: Original, seed: int, count: int = 2048) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Draw training examples: arrays as the network takes them, and int64[example] targets."""
    train = given.program.examples.split("train")
    rows = np.random.default_rng(seed).permutation(len(train))[:count]
    arrays = [torch.from_numpy(np.ascontiguousarray(array[rows])).float() for array in train.inputs]
    return arrays, torch.from_numpy(train.targets[rows]).long()


def cut_to(given: Original, part: float, seed: int) -> nn.Module:
    """Keep the same part of the channels of every group, chosen and made up for as `tacit resize` does, without any training."""
    network, (arrays, _) = given.network(), some_inputs(given, seed)
    groups = groups_of(network, given.program.signature.input.arrays)
    rankings = rank(network, groups, arrays, given.program.signature.output)
    kept = {place: ranking.kept(round(group.size * part)) for place, (group, ranking) in enumerate(zip(groups, rankings, strict=True))}
    made = rebuild(network, groups, kept, arrays)
    recalibrate(made, arrays)
    return made.eval()


def original(name: str, cache: Path) -> Original:
    """Give an original, making it when the cache does not hold it yet."""
    case, folder = CASES[name], cache / ROOT
    directory, file, times = folder / name, folder / f"{name}.tacit", folder / f"{name}.json"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not directory.exists():
            tacit.new(directory, source=datasets.make(case.data_set, cache))
            toml = directory / "tacit.toml"
            text = toml.read_text(encoding="utf-8")
            for old, new in case.lines:
                text = text.replace(old, new)
            toml.write_text(text, encoding="utf-8")
        timer = Timer()
        binary = tacit.compile(tacit.read(directory), seed=0, plan=list(case.plan), reporter=timer)
        times.write_text(json.dumps({"training": timer.training}))
        binary.save(file)
    return Original(case, tacit.read(directory), tacit.load(file), float(json.loads(times.read_text())["training"]))


def accuracy(network: nn.Module, program: Program, split: str) -> float:
    """Give the accuracy of a network on a split, by PyTorch in float32."""
    examples = program.examples.split(split)
    answers = scores(network, examples.inputs).argmax(axis=1)
    return float((answers == examples.targets).mean())


def scores(network: nn.Module, inputs: Sequence[np.ndarray], *, batch: int = 500) -> np.ndarray:
    """Give float32[example, score] in evaluation mode."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network(*(torch.from_numpy(array[start : start + batch]).float() for array in inputs)).numpy()
            for start in range(0, len(inputs[0]), batch)
        ]
    return np.concatenate(parts)


def recalibrated(network: nn.Module, program: Program, *, count: int = 4096, batch: int = 256) -> nn.Module:
    """Measure the statistics of the batch norms anew on training examples, in place, and give the network."""
    examples = program.examples.split("train")
    rows = np.random.default_rng(0).permutation(len(examples))[:count]
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all batches
    network.train()
    with torch.no_grad():
        for start in range(0, len(rows), batch):
            network(*(torch.from_numpy(array[rows[start : start + batch]]).float() for array in examples.inputs))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    return network.eval()


class Store:
    """Rows that are done, one JSON line each, so that a benchmark goes on where it was stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["key"]: row for row in map(json.loads, lines)}

    def add(self, key: str, row: dict[str, Any]) -> dict[str, Any]:
        """Add a row, write it down, and give it."""
        whole = {"key": key, **row}
        self.rows[key] = whole
        with self.path.open("a") as file:
            print(json.dumps(whole), file=file, flush=True)
        print(json.dumps(whole), flush=True)
        return whole


def main() -> None:
    parser = argparse.ArgumentParser(description="Make an original for the benchmarks of resizing.")
    parser.add_argument("case", choices=list(CASES))
    parser.add_argument("--cache", type=Path, default=datasets.default_cache())
    options = parser.parse_args()
    torch.set_num_threads(1)
    made = original(options.case, options.cache)
    print(made.case.title, made.seconds, {split: block["accuracy"] for split, block in made.binary.evidence["scores"].items()})


if __name__ == "__main__":
    main()
