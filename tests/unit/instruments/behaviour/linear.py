"""Binaries whose answers are known by hand: scores are a matrix times two numbers, plus a bias; and programs of two numbers."""

from __future__ import annotations

import numpy as np

from tacit.binary.binary import Binary
from tacit.examples.examples import Examples
from tacit.goals.goal import Goal
from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, contiguous
from tacit.program import Program
from tacit.signature.base import OutputType, Signature
from tacit.signature.row import Row

ROW = Row(numbers=("x", "y"))


def linear(output: OutputType, weights, bias=None, *, evidence=None) -> Binary:
    """Give a binary with scores = [x, y] @ weights + bias."""
    matrix = np.asarray(weights, np.float32)
    builder = GraphBuilder()
    numbers = builder.add_input("numbers", (2,))
    builder.add_input("present", (2,))
    scores = builder.add_output("scores", (output.width,))
    w = builder.add_weight("w", matrix)
    b = builder.add_weight("b", np.zeros(output.width, np.float32) if bias is None else np.asarray(bias, np.float32))
    builder.matmul(contiguous(scores), contiguous(numbers), contiguous(w), axes=Axes(0, 0, 1, 1), bias=contiguous(b))
    return Binary({"main": builder.finish()}, ROW >> output, evidence=evidence or {})


def program(output: OutputType, points, labels, *, splits=None, groups=None, goals: tuple[Goal, ...] = ()) -> Program:
    """Give a program in memory with one example per point (x, y)."""
    points = np.asarray(points, np.float32)
    count = len(points)
    signature: Signature = ROW >> output
    examples = Examples(
        signature,
        np.array([f"{place:024x}" for place in range(count)]),
        (points, np.ones((count, 2), np.uint8)),
        np.array([output.encode(label) for label in labels]),
        np.array(splits if splits is not None else ["test"] * count),
        None if groups is None else np.array(groups),
        "digest",
    )
    return Program("points", signature, examples, goals)
