"""Run a program over a whole data set: in this process, or in shards on workers elsewhere, with the same result to the last bit."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from tacit.ir.cost import cost
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate, fitting
from tacit.search.workers import Failure, Here, Workers

#: Multiply-accumulates from which on workers elsewhere are asked: some twenty seconds of one core, more than it takes to begin workers.
WORTH = 1e11
_BATCH, _SHARD = 256, 4096


def scores_by(workers: Workers, graph: Graph, inputs: Sequence[np.ndarray], *, worth: float = WORTH) -> np.ndarray:
    """Give float32[example, ...], the first output of a graph for all examples; inputs: one array [example, *shape] per input.

    A small pass is made in this process. A shard holds whole batches of `evaluate`, so that each example meets the same sums wherever it
    is computed. A shard that workers fail at is computed here. Raises: what `evaluate` raises.
    """
    count = len(inputs[0])
    at_once = min(_BATCH, fitting(graph))
    size = max(1, _SHARD // at_once) * at_once
    if isinstance(workers, Here) or workers.count == 1 or count <= size or cost(graph).macs * count < worth:
        return evaluate(graph, inputs, batch=_BATCH)[0]
    shards = [tuple(array[start : start + size] for array in inputs) for start in range(0, count, size)]
    parts: dict[int, np.ndarray] = {}
    for place, part in workers.run(functools.partial(_scores, graph, at_once), shards):
        if not isinstance(part, Failure):
            parts[place] = part
    return np.concatenate([parts[place] if place in parts else _scores(graph, at_once, shard) for place, shard in enumerate(shards)])


def _scores(graph: Graph, at_once: int, shard: tuple[np.ndarray, ...]) -> np.ndarray:
    """Score one shard in batches of `at_once`; the last one is filled up as `evaluate` does it for the whole."""
    short = -len(shard[0]) % at_once
    if short:
        shard = tuple(np.concatenate([array, np.zeros((short, *array.shape[1:]), array.dtype)]) for array in shard)
    scores: np.ndarray = evaluate(graph, shard, batch=at_once)[0]
    return scores[: len(scores) - short]
