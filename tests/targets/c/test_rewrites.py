"""What the C target does to a float graph before it writes it: fewer multiplications, buffers turned round."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks import ir_nets
from tacit.ir.graph import Graph
from tacit.ir.interpreter import evaluate
from tacit.ir.verifier import verify
from tacit.targets.c.floats import FloatKernel
from tacit.targets.c.isa import isa_named
from tacit.targets.c.transposing import turn_buffers
from tacit.targets.c.winograd import TRANSFORMS, Transform, rewrite

WIDE = isa_named("avx512")


def means_the_same(graph: Graph, other: Graph) -> None:
    verify(other)
    (given,) = graph.of_kind("input")
    inputs = [np.random.default_rng(0).normal(size=(3, *given.shape)).astype(np.float32)]
    for one, two in zip(evaluate(graph, inputs), evaluate(other, inputs), strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-5 * float(np.abs(one).max()))


def convolves(transform: Transform) -> bool:
    """Say whether the matrices compute a convolution of three taps, on every unit input."""
    for tap, place in itertools.product(range(3), range(transform.patch)):
        weights, inputs = np.eye(3)[tap], np.eye(transform.patch)[place]
        found = transform.out @ ((transform.weights @ weights) * (transform.given @ inputs))
        if not np.allclose(found, [float(place == start + tap) for start in range(transform.size)]):
            return False
    return True


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: f"F({transform.size})")
def test_transforms_convolve(transform: Transform) -> None:
    assert convolves(transform)


def test_a_wrong_transform_is_seen() -> None:
    right = TRANSFORMS[0]
    wrong = right.out.copy()
    wrong[1, 2] = 1
    assert not convolves(Transform(right.size, right.given, right.weights, wrong))


def test_convolutions_with_fewer_multiplications_mean_the_same() -> None:
    graph = ir_nets.resnet(16)
    found = rewrite(graph, WIDE)
    assert len(found.instructions) > len(graph.instructions)
    means_the_same(graph, found)


def test_scalar_machines_keep_every_convolution() -> None:
    graph = ir_nets.resnet(16)
    assert rewrite(graph, isa_named("scalar")) is graph


def gathers(graph: Graph) -> int:
    kernels = [FloatKernel(instruction, graph, WIDE) for instruction in graph.instructions]
    return sum(kernel.schedule.modes["a"] == "gather" or kernel.schedule.modes.get("b") == "gather" for kernel in kernels)


def test_the_keys_of_attention_are_turned_round() -> None:
    graph = ir_nets.attention(layers=1)
    found = turn_buffers(graph, WIDE)
    assert (gathers(graph), gathers(found)) == (1, 0)
    means_the_same(graph, found)
