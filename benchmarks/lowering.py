"""Measure how closely lowered graphs follow PyTorch: 200 random modules made of the operations that lower.

The relative error of a module is ``max|a - b| / max|b|`` over the outputs a of the interpreter and b of PyTorch, on four random
examples. The passes are measured against the graph before them in the same way, and counted.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from collections import Counter

import numpy as np
import torch
from harness import ROOT, command_line, record

from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.lowering.export import sample_arrays
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise

_spec = importlib.util.spec_from_file_location("random_modules", ROOT / "tests" / "unit" / "lowering" / "random_modules.py")
if _spec is None or _spec.loader is None:
    raise SystemExit("expected tests/unit/lowering/random_modules.py, which draws the modules")
random_modules = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(random_modules)


def difference(one: Graph, other: Graph, arrays: list[np.ndarray]) -> float:
    """Give the relative difference of the outputs of two graphs."""
    before, after = evaluate(one, arrays), evaluate(other, arrays)
    return max(float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30)) for a, b in zip(before, after, strict=True))


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--modules", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    errors, changed, before, after = [], [], [], []
    layers: Counter[str] = Counter()
    for seed in range(options.modules):
        module, specs = random_modules.random_module(seed)
        layers.update({type(layer).__name__ for layer in module.modules() if not list(layer.children())})
        lowered = lower_module(module, specs)
        optimised = optimise(lowered.graph)
        errors.append(lowered.max_relative_error)
        changed.append(difference(lowered.graph, optimised, [array.numpy() for array in sample_arrays(specs, batch=2, seed=1)]))
        before.append(len(lowered.graph.instructions))
        after.append(len(optimised.instructions))
    figures = {
        "modules": options.modules,
        "relative error, max": max(errors),
        "relative error, median": statistics.median(errors),
        "change by the passes, max": max(changed),
        "instructions before the passes": sum(before),
        "instructions after the passes": sum(after),
        "modules with each layer": dict(sorted(layers.items())),
    }
    target = {"relative error, max": "<= 1e-4", "change by the passes, max": "<= 1e-4"}
    print(record("lowering", figures, command=command_line(), target=target).read_text())


if __name__ == "__main__":
    main()
