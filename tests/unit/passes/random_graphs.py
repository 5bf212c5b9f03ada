"""Random graphs that use few buffers many times: copies, scales, ReLUs, products, accumulations, halves of buffers."""

from __future__ import annotations

import random

import numpy as np

from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Graph, View

SIZE = 6


def random_graph(seed: int) -> Graph:
    """Draw a graph over buffers of 2 * SIZE elements, a few of them with zero borders."""
    draw = random.Random(seed)
    numbers = np.random.default_rng(seed)
    builder = GraphBuilder()
    total = 2 * SIZE
    x = builder.add_input("x", (total,)).name
    zeroed = [f"z{place}" for place in range(2)]
    plain = [f"s{place}" for place in range(5)]
    for name in plain:
        builder.add_scratch(name, (total,))
    for name in zeroed:
        builder.add_scratch(name, (total,), zeroed=True)
    y = builder.add_output("y", (total,)).name
    matrices: list[np.ndarray] = []
    written = {(x, 0), (x, 1)} | {(name, half) for name in zeroed for half in (0, 1)}

    def whole(name):
        return View(name, 0, (total,), (1,))

    def part(name, half):
        return View(name, half * SIZE, (SIZE,), (1,))

    def scalar(value):
        return View(builder.add_weight(f"c{value}".replace(".", "_").replace("-", "m"), np.array(value)).name, 0, (), ())

    def complete():
        return [name for name in [x, *plain, *zeroed] if (name, 0) in written and (name, 1) in written]

    def step(target=None):
        source = draw.choice(complete())
        out = target or draw.choice([*plain, *zeroed])
        kind = draw.choice(["copy", "copy", "scale", "relu", "linear", "linear", "accumulate", "accumulate", "half", "reverse"])
        if target:
            kind = draw.choice(["copy", "relu", "linear"])
        if out == source:
            if kind == "relu":
                builder.relu(whole(out), whole(out), source="in place")
            return
        if kind == "accumulate" and ((out, 0) not in written or (out, 1) not in written):
            kind = "linear"
        halves = (0, 1)
        if kind == "half":
            half = draw.randint(0, 1)
            builder.matmul(part(out, half), part(source, draw.randint(0, 1)), scalar(1.0), axes=Axes(0, 1, 0, 0))
            halves = (half,)
        elif kind == "reverse":
            reverse = View(source, total - 1, (total,), (-1,))
            builder.matmul(whole(out), reverse, scalar(1.0), axes=Axes(0, 1, 0, 0), relu=draw.random() < 0.3)
        elif kind in ("copy", "scale"):
            factor = 1.0 if kind == "copy" else draw.choice([2.0, -1.0, 0.5])
            builder.matmul(whole(out), whole(source), scalar(factor), axes=Axes(0, 1, 0, 0), relu=draw.random() < 0.3)
        elif kind == "relu":
            builder.relu(whole(out), whole(source))
        else:
            if not matrices or draw.random() < 0.7:
                matrices.append(numbers.normal(size=(total, total)) / 3)
                weight = builder.add_weight("w", matrices[-1]).name
            else:  # the numbers of another weight, in another shape
                weight = builder.add_weight("w", matrices[-1].reshape(-1)).name
            bias = View(builder.add_weight("b", numbers.normal(size=total)).name, 0, (total,), (1,)) if draw.random() < 0.5 else None
            relu, accumulate = draw.random() < 0.3, kind == "accumulate"
            b = View(weight, 0, (total, total), (total, 1))
            builder.matmul(whole(out), whole(source), b, axes=Axes(0, 0, 1, 1), bias=bias, accumulate=accumulate, relu=relu)
        written.update((out, half) for half in halves)

    for _ in range(draw.randint(3, 14)):
        step()
    step(y)
    while (y, 0) not in written:
        step(y)
    return builder.finish()
