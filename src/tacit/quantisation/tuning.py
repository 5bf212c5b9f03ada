"""Quantisation-aware fine-tuning: move the weights so that the rounded program says what the float program says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tacit.ground.budget import Meter
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.quantisation.observing import FloatRun, outputs
from tacit.quantisation.quantise import Prepared, Quantised, emitted, prepared, without_nan
from tacit.quantisation.rounding_run import RoundingRun

_STEP = 2e-3  # of a weight's root mean square: the largest step of the optimiser; a step of 8 bits is about ten times as large
_BATCH = 32
_LOOK = 25  # steps between measurements; the best state measured is kept
_HELD_OUT = 8  # one in so many examples is for measuring alone


def fine_tuned(
    graph: Graph,
    examples: Sequence[np.ndarray],
    *,
    start: Prepared | None = None,
    steps: int = 400,
    seconds: float = 120.0,
    seed: int = 0,
    reporter: Reporter | None = None,
) -> Quantised:
    """Train with rounding in the loop towards the outputs of the float graph (no labels), then quantise again.

    examples: training examples, one array per input. steps, seconds: whichever ends first; the steps alone are repeatable.
    """
    start = start or prepared(graph, examples)
    run, reporter, meter = RoundingRun(start.graph, start.formats, start.limits), reporter or Reporter(), Meter(seconds)
    if not run.trainable:
        return emitted(start)
    weights = _train(run, graph, [without_nan(np.asarray(array)) for array in examples], steps, meter, seed, reporter)
    tuned = replace_weights(start.graph, weights)
    again = prepared(tuned, examples, tolerance=start.tolerance)
    made = [emitted(start), emitted(replace(start, graph=tuned)), emitted(replace(again, wanted=start.wanted))]
    return min(made, key=lambda found: found.error)


def _train(
    run: RoundingRun, graph: Graph, examples: Sequence[np.ndarray], steps: int, meter: Meter, seed: int, reporter: Reporter
) -> dict[str, np.ndarray]:
    """Give the best weights that were measured on examples held out."""
    generator = np.random.default_rng(seed)
    count = len(examples[0])
    held = np.arange(0, count, max(_HELD_OUT, count // 128))
    rest = np.setdiff1d(np.arange(count), held) if count > 1 else held
    wanted_held = torch.from_numpy(outputs(FloatRun(graph), [array[held] for array in examples]))
    spread = float(wanted_held.std()) or 1.0
    weights = {name: tensor.clone().requires_grad_() for name, tensor in run.trainable.items()}
    groups = [{"params": [tensor], "lr": _STEP * float(tensor.detach().square().mean().sqrt() + 1e-8)} for tensor in weights.values()]
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    rates = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps))))

    def measured() -> float:
        with torch.no_grad():
            return float(torch.nn.functional.mse_loss(run([array[held] for array in examples], weights), wanted_held)) / spread**2

    best, kept = measured(), {name: tensor.detach().clone() for name, tensor in weights.items()}
    for step in range(1, steps + 1):
        rows = np.sort(generator.choice(rest, min(_BATCH, len(rest)), replace=False))
        arrays = [array[rows] for array in examples]
        wanted = torch.from_numpy(outputs(FloatRun(graph), arrays))
        optimiser.zero_grad()
        loss = torch.nn.functional.mse_loss(run(arrays, weights), wanted) / spread**2
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        rates.step()
        if step % _LOOK == 0 or step == steps or not meter.left():
            error = measured()
            if error < best:
                best, kept = error, {name: tensor.detach().clone() for name, tensor in weights.items()}
            reporter.progress(step / steps, meter.left(), f"error {math.sqrt(error):.4f}")
        if not meter.left():
            break
    return {name: tensor.numpy() for name, tensor in kept.items()}


def replace_weights(graph: Graph, weights: dict[str, np.ndarray]) -> Graph:
    """Give a graph with some of its weights changed."""
    shaped = {name: values.reshape(graph.buffer(name).shape).astype(np.float32) for name, values in weights.items()}
    return Graph(graph.buffers, graph.instructions, {**graph.weights, **shaped})
