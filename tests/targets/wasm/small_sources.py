"""Programs of random weights for any signature: every element of every input counts, so a misread one shows in the scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Buffer, Graph, Index, View, contiguous
from tacit.ir.interpreter import Interpreter
from tacit.signature.base import InputType, Product, Signature
from tacit.signature.row import Row
from tacit.targets.target import Source

_DENSE = Axes(batch=0, rows=0, columns=1, inner=1)
_LOOKUP = Axes(batch=0, rows=0, columns=1, inner=1)


def small_source(signature: Signature, *, name: str = "small", evidence: Mapping[str, Any] | None = None) -> Source:
    return Source(name, {"main": small_graph(signature)}, signature, "0123456789abcdef" * 4, evidence or {"name": name})


def small_graph(signature: Signature) -> Graph:
    """Sum a dense layer per array of numbers and a row of a table per integer, then ReLU of a hidden layer, then scores."""
    random = np.random.default_rng(7)
    builder = GraphBuilder()
    hidden_size, width = 24, signature.output.width
    inputs = [
        builder.add_input(spec.name, tuple(spec.shape), dtype="int32" if spec.dtype == "int32" else "float32")
        for spec in signature.input.arrays
    ]
    hidden = builder.add_scratch("hidden", (hidden_size,))
    bias = builder.add_weight("bias", random.normal(size=hidden_size))
    for number, (buffer, limits) in enumerate(zip(inputs, _limits(signature.input), strict=True)):
        start = {"bias": contiguous(bias)} if number == 0 else {"accumulate": True}
        if limits is None:
            weight = builder.add_weight("dense", random.normal(size=(buffer.size, hidden_size)) / _size(buffer))
            builder.matmul(contiguous(hidden), contiguous(buffer, (buffer.size,)), contiguous(weight), axes=_DENSE, **start)
            continue
        if len(set(limits)) == 1:  # one table, its rows weighted by their place
            places = builder.add_weight("places", random.normal(size=buffer.size))
            table = builder.add_weight("table", random.normal(size=(limits[0], hidden_size)))
            rows = View(table.name, 0, (buffer.size, hidden_size), (0, 1), Index(buffer.name, 0, (1, 0), hidden_size, limits[0]))
            builder.matmul(contiguous(hidden), contiguous(places), rows, axes=_LOOKUP, **start)
            continue
        one = builder.add_weight("one", np.ones(1))
        for place, limit in enumerate(limits):
            if place:
                start = {"accumulate": True}
            table = builder.add_weight("table", random.normal(size=(limit, hidden_size)))
            rows = View(table.name, 0, (1, hidden_size), (0, 1), Index(buffer.name, place, (0, 0), hidden_size, limit))
            builder.matmul(contiguous(hidden), contiguous(one), rows, axes=_LOOKUP, **start)
    active = builder.add_scratch("active", (hidden_size,))
    builder.relu(contiguous(active), contiguous(hidden))
    scores = builder.add_output("scores", (width,))
    last = builder.add_weight("last", random.normal(size=(hidden_size, width)))
    builder.matmul(contiguous(scores), contiguous(active), contiguous(last), axes=_DENSE)
    return builder.finish()


def expected_scores(source: Source, arrays: list[np.ndarray]) -> np.ndarray:
    """float32[example, score] of the interpreter, for arrays [example, *shape]."""
    graph = source.graphs["main"]
    assert isinstance(graph, Graph)
    return Interpreter(graph, batch=len(arrays[0]))(arrays)[0].copy()


def _limits(kind: InputType) -> list[list[int] | None]:
    """Per array: None for numbers, else the limit of each integer."""
    if isinstance(kind, Product):
        return [limits for part in kind.parts for limits in _limits(part)]
    found: list[list[int] | None] = []
    for spec in kind.arrays:
        size = int(np.prod(spec.shape))
        own = list(kind.category_limits) if isinstance(kind, Row) else [spec.limit or 0] * size
        found.append(own if spec.dtype == "int32" else None)
    return found


def _size(buffer: Buffer) -> float:
    return 25.0 * float(np.sqrt(buffer.size))
