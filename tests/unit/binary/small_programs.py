"""Binaries small enough to check by hand, one per kind of input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Graph, Index, View, contiguous
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number
from tacit.signature.series import Series
from tacit.signature.text import Text

ONE_DENSE = Axes(batch=0, rows=0, columns=1, inner=1)


def dense_graph(shape: tuple[int, ...], weights: np.ndarray, bias: np.ndarray, *, name: str = "x") -> Graph:
    """scores[n] = sum_k x[k] weights[k, n] + bias[n]"""
    builder = GraphBuilder()
    x = builder.add_input(name, shape)
    y = builder.add_output("scores", (weights.shape[1],))
    w, b = builder.add_weight("w", weights), builder.add_weight("b", bias)
    builder.matmul(contiguous(y), contiguous(x, (x.size,)), contiguous(w), axes=ONE_DENSE, bias=contiguous(b), source="dense")
    return builder.finish()


def two_layer_graph(seed: int = 0) -> Graph:
    random = np.random.default_rng(seed)
    builder = GraphBuilder()
    x, hidden, y = builder.add_input("values", (2, 3)), builder.add_scratch("hidden", (8,)), builder.add_output("scores", (3,))
    first, second = (builder.add_weight(name, random.normal(size=size)) for name, size in (("w1", (6, 8)), ("w2", (8, 3))))
    builder.matmul(contiguous(hidden), contiguous(x, (6,)), contiguous(first), axes=ONE_DENSE, relu=True, source="first")
    builder.matmul(contiguous(y), contiguous(hidden), contiguous(second), axes=ONE_DENSE, source="second")
    return builder.finish()


def series_binary(*, seed: int = 0, evidence: Mapping[str, Any] | None = None, **entries: Graph) -> Binary:
    graphs = {"main": two_layer_graph(seed), **entries}
    return Binary(graphs, Series(2, 3) >> Class("low", "middle", "high"), evidence=evidence or {"name": "small"})


def bright_binary(evidence: Mapping[str, Any] | None = None) -> Binary:
    """`bright` scores the mean minus 127.5, `dark` scores 0."""
    weights = np.zeros((16, 2), np.float32)
    weights[:, 1] = 1 / 16
    graph = dense_graph((4, 4, 1), weights, np.array([0, -127.5], np.float32), name="pixels")
    return Binary({"main": graph}, Image(4, 4, 1) >> Class("dark", "bright"), evidence=evidence or {"name": "bright"})


def words_binary() -> Binary:
    """Sums one row of 2 numbers per piece of 4 tokens; row r is (0, 1) for even r and (1, 0) for odd r, row 0 is (0, 0)."""
    builder = GraphBuilder()
    pieces, y = builder.add_input("pieces", (4, 2), dtype="int32"), builder.add_output("scores", (2,))
    table = np.zeros((50, 2), np.float32)
    table[1::2, 0] = 1
    table[2::2, 1] = 1
    w, one = builder.add_weight("table", table), builder.add_weight("one", np.ones(1))
    rows = View(w.name, 0, (4, 2, 2), (0, 0, 1), Index(pieces.name, 0, (2, 1, 0), 2, 50))
    ones = View(one.name, 0, (4, 2), (0, 0))
    builder.matmul(contiguous(y), ones, rows, axes=Axes(0, 0, 1, 2), source="embedding")
    return Binary({"main": builder.finish()}, Text(4, 50, 2) >> Class("odd", "even"), evidence={"name": "words"})


def sum_binary() -> Binary:
    graph = dense_graph((1, 3), np.ones((3, 1), np.float32), np.zeros(1, np.float32), name="values")
    return Binary({"main": graph}, Series(1, 3) >> Number(mean=0.0, scale=1.0), evidence={"name": "sum"})
