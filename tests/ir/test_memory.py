"""The memory plan: nothing alive overlaps, the arena is near the bound, and dirty zeros are zeroed again; and the cost."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks import ir_nets
from tacit.ir.cost import Cost, cost, instruction_cost
from tacit.ir.graph import Axes, Buffer, Graph, Matmul, Relu, View, contiguous
from tacit.ir.interpreter import Interpreter
from tacit.ir.memory import MemoryPlan, Zeroing, buffer_lifetimes, plan_memory
from tacit.ir.operations import touched
from tests.ir.random_graphs import graphs

NETS: dict[str, Callable[[], Graph]] = {
    "chain": ir_nets.chain,
    "perceptron": ir_nets.perceptron,
    "resnet8": ir_nets.resnet,
    "resnet20": lambda: ir_nets.resnet(16, 3),
    "resnet56": lambda: ir_nets.resnet(16, 9),
    "unet": ir_nets.unet,
    "deep unet": lambda: ir_nets.unet(8, 64, 5),
    "mobile": ir_nets.mobile,
    "attention": lambda: ir_nets.attention(layers=6),
}


def clashes(graph: Graph, plan: MemoryPlan) -> list[tuple[str, str]]:
    """Find pairs of buffers that share memory while both are alive, by comparing all pairs."""
    found = []
    names = list(plan.offsets)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            (a, b), (c, d) = plan.lifetimes[one], plan.lifetimes[other]
            low, high = plan.offsets[one], plan.offsets[other]
            if a <= d and c <= b and low < high + graph.buffer(other).size and high < low + graph.buffer(one).size:
                found.append((one, other))
    return found


def bound_by_hand(graph: Graph) -> int:
    lives = buffer_lifetimes(graph)
    moments = range(-1, len(graph.instructions) + 1)
    return max(sum(graph.buffer(name).size for name, (first, last) in lives.items() if first <= moment <= last) for moment in moments)


def check(graph: Graph) -> MemoryPlan:
    plan = plan_memory(graph)
    assert clashes(graph, plan) == []
    assert plan.lower_bound == bound_by_hand(graph) <= plan.elements
    assert all(0 <= offset <= plan.elements - graph.buffer(name).size and offset % 16 == 0 for name, offset in plan.offsets.items())
    used = {name for step in graph.instructions for name in touched(step)}
    placed = {
        buffer.name for buffer in graph.buffers if buffer.kind in ("input", "output") or (buffer.kind == "scratch" and buffer.name in used)
    }
    assert set(plan.offsets) == placed
    return plan


@pytest.mark.parametrize("name", NETS)
def test_the_arena_of_a_net_is_near_the_bound(name: str) -> None:
    graph = NETS[name]()
    start = time.process_time()
    plan = check(graph)
    assert time.process_time() - start < 3
    assert plan.elements <= 1.3 * plan.lower_bound
    assert plan.elements < sum(buffer.size for buffer in graph.buffers if buffer.kind != "weight") or len(graph.instructions) <= 4


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_plans_of_random_graphs_hold(graph: Graph) -> None:
    check(graph)


def test_the_check_sees_a_clash() -> None:
    graph = ir_nets.chain()
    plan = plan_memory(graph)
    bad = MemoryPlan(dict.fromkeys(plan.offsets, 0), plan.elements, plan.lower_bound, plan.lifetimes, plan.zeroings)
    assert clashes(graph, bad)


def test_equal_graphs_have_equal_plans() -> None:
    one, other = plan_memory(ir_nets.unet()), plan_memory(ir_nets.unet())
    assert (one.offsets, one.zeroings, one.elements) == (other.offsets, other.zeroings, other.elements)


def bordered(accumulate: bool) -> Graph:
    """Write a bordered buffer that shares memory with nothing; `accumulate` reads its zeros before writing them."""
    x, h = Buffer("x", "input", (2,)), Buffer("h", "scratch", (4,), zeroed=True)
    y, one = Buffer("y", "output", (4,)), Buffer("one", "weight", ())
    steps = (
        Matmul(View("h", 1, (2,), (1,)), contiguous(x), contiguous(one), Axes(0, 1, 0, 0), accumulate=accumulate),
        Relu(contiguous(y), contiguous(h)),
    )
    return Graph((x, h, y, one), steps, {"one": np.ones((), np.float32)})


def test_zeros_that_stay_clean_are_not_zeroed_again() -> None:
    assert plan_memory(bordered(accumulate=False)).zeroings == ()


def test_zeros_that_are_read_and_then_written_are_zeroed_in_every_run() -> None:
    graph = bordered(accumulate=True)
    assert plan_memory(graph).zeroings == (Zeroing(0, "h"),)
    run = Interpreter(graph)
    for _ in range(2):
        np.testing.assert_array_equal(run([[[1, 2]]])[0], [[0, 1, 2, 0]])


def test_zeros_in_shared_memory_are_zeroed_before_their_first_use() -> None:
    graph = ir_nets.unet()
    plan = plan_memory(graph)
    named = {zeroing.buffer: zeroing.before for zeroing in plan.zeroings}
    for buffer in graph.buffers:
        if buffer.zeroed:
            low, high = plan.offsets[buffer.name], plan.offsets[buffer.name] + buffer.size
            others = [name for name, at in plan.offsets.items() if name != buffer.name and at < high and low < at + graph.buffer(name).size]
            if others:
                assert named[buffer.name] == plan.lifetimes[buffer.name][0]
    assert [zeroing.before for zeroing in plan.zeroings] == sorted(zeroing.before for zeroing in plan.zeroings)
    assert named


def test_an_input_that_nothing_reads_still_has_a_place() -> None:
    x, z, y = Buffer("x", "input", (2,)), Buffer("z", "input", (3,)), Buffer("y", "output", (2,))
    graph = Graph((x, z, y, Buffer("idle", "scratch", (99,))), (Relu(contiguous(y), contiguous(x)),))
    plan = check(graph)
    assert "z" in plan.offsets and "idle" not in plan.offsets
    np.testing.assert_array_equal(Interpreter(graph)([[[1, -1]], [[5, 6, 7]]])[0], [[1, 0]])


def test_the_cost_of_a_perceptron_is_what_a_person_counts() -> None:
    graph = ir_nets.perceptron()
    weights = 784 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10
    arena = 4 * plan_memory(graph).elements
    assert cost(graph) == Cost(macs=784 * 256 + 256 * 256 + 2560, weight_bytes=4 * weights, arena_bytes=arena, instructions=3)
    last = instruction_cost(graph.instructions[-1], graph)
    assert (last.macs, last.elements, last.weight_bytes) == (2560, 10, 4 * 2570)


def test_the_chain_is_the_net_of_the_targets() -> None:
    assert 3.8e6 < 2 * cost(ir_nets.chain()).macs < 4.0e6


def test_a_relu_costs_no_multiplication_but_its_elements() -> None:
    graph = ir_nets.attention(4, 8, 2, 1)
    last = instruction_cost(graph.instructions[-1], graph)
    assert (last.macs, last.elements, last.weight_bytes) == (0, 32, 0)
