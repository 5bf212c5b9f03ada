"""Small graphs that are hard for integers, each for one reason."""

from __future__ import annotations

import numpy as np

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Buffer, Graph, View, contiguous

FLAT = Axes(0, 1, 0, 0)


def scalar(builder: GraphBuilder, value: float) -> View:
    return View(builder.add_weight("constant", np.array(value, np.float32)).name, 0, (), ())


def spread(view: View, count: int) -> View:
    """Repeat a view along a last axis."""
    return View(view.buffer, view.offset, (*view.shape, count), (*view.strides, 0))


def affine(
    builder: GraphBuilder, x: Buffer, factor: float, offset: float, *, relu: bool, name: str = "part", out: Buffer | None = None
) -> Buffer:
    """Write ``factor * x + offset``, elementwise."""
    made = out or builder.add_scratch(name, (x.size,))
    flat = contiguous(made, (x.size,))
    builder.matmul(flat, contiguous(x, (x.size,)), scalar(builder, factor), axes=FLAT, bias=scalar(builder, offset), relu=relu)
    return made


def clamp() -> Graph:
    """Make ``clip(x, 0, 8)`` of 6 numbers as ``8 - relu(8 - relu(x))``."""
    builder = GraphBuilder()
    x = builder.add_input("x", (6,))
    inside = affine(builder, affine(builder, x, 1.0, 0.0, relu=True, name="first"), -1.0, 8.0, relu=True, name="second")
    affine(builder, inside, -1.0, 8.0, relu=False, out=builder.add_output("y", (6,)))
    return builder.finish()


def logarithm(knots: int = 15, *, least: float = 1e-3) -> Graph:
    """Make ``log(x / least)`` of 5 numbers by a sum of ReLUs at geometric knots, each of which is thousands of times the result."""
    places = np.geomspace(least, 1.0, knots)
    slopes = np.diff(np.log(places)) / np.diff(places)
    builder = GraphBuilder()
    x = builder.add_input("x", (5,))
    bends = builder.add_scratch("bends", (5, knots - 1))
    one = scalar(builder, 1.0)
    shift = contiguous(builder.add_weight("shift", -places[:-1]))
    builder.matmul(contiguous(bends), contiguous(x), spread(one, knots - 1), axes=Axes(0, 1, 1, 0), bias=shift, relu=True)
    weights = contiguous(builder.add_weight("bends_weights", np.diff(slopes, prepend=0.0)))
    builder.matmul(contiguous(builder.add_output("y", (5,))), contiguous(bends), weights, axes=Axes(0, 1, 0, 1))
    return builder.finish()


def maximum() -> Graph:
    """Make the greater of neighbours, ``a + relu(b - a)``, of 8 numbers after a linear layer."""
    builder = GraphBuilder()
    x = builder.add_input("x", (4,))
    hidden, largest = builder.add_scratch("hidden", (8,)), builder.add_scratch("largest", (4,))
    w = builder.add_weight("w", np.random.default_rng(0).normal(size=(4, 8)))
    builder.matmul(contiguous(hidden), contiguous(x), contiguous(w), axes=Axes(0, 0, 1, 1), relu=True)
    pairs = View("hidden", 0, (4, 2), (2, 1))
    difference = contiguous(builder.add_weight("difference", np.array([-1.0, 1.0])))
    builder.matmul(contiguous(largest), pairs, difference, axes=Axes(0, 1, 0, 1), relu=True)
    builder.matmul(contiguous(largest), View("hidden", 0, (4,), (2,)), scalar(builder, 1.0), axes=FLAT, accumulate=True)
    builder.matmul(contiguous(builder.add_output("y", (4,))), contiguous(largest), scalar(builder, 1.0), axes=FLAT)
    return builder.finish()


def table() -> Graph:
    """Make a hidden layer over three standardised columns whose sizes are 1, 1000 and 100,000."""
    builder = GraphBuilder()
    x = builder.add_input("columns", (3,))
    ready = builder.add_scratch("ready", (3,))
    scale = View(builder.add_weight("scale", np.array([1.0, 1e-3, 1e-5])).name, 0, (3,), (1,))
    shift = View(builder.add_weight("shift", np.array([-0.5, -0.5, -0.5])).name, 0, (3,), (1,))
    builder.matmul(contiguous(ready), contiguous(x), scale, axes=Axes(1, 0, 0, 0), bias=shift)
    w = builder.add_weight("w", np.random.default_rng(0).normal(size=(3, 4)))
    builder.matmul(contiguous(builder.add_output("y", (4,))), contiguous(ready), contiguous(w), axes=Axes(0, 0, 1, 1))
    return builder.finish()


def perceptron() -> tuple[Graph, np.ndarray]:
    """Make a perceptron 64-32-4 whose inputs lie in five dimensions: rounding errors of weights can make up for one another."""
    chance, builder = np.random.default_rng(0), GraphBuilder()
    x, hidden, y = builder.add_input("x", (64,)), builder.add_scratch("hidden", (32,)), builder.add_output("y", (4,))
    for source, out in ((x, hidden), (hidden, y)):
        w = chance.normal(size=(source.size, out.size)) * (2 / source.size) ** 0.5
        w[::16] *= 20
        bias = builder.add_weight("bias", chance.normal(size=out.size) * 0.1)
        b = contiguous(builder.add_weight("w", w))
        builder.matmul(contiguous(out), contiguous(source), b, axes=Axes(0, 0, 1, 1), bias=contiguous(bias), relu=out is hidden)
    return builder.finish(), (chance.normal(size=(512, 5)) @ chance.normal(size=(5, 64))).astype(np.float32)
