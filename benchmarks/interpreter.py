"""Measure the NumPy interpreter and the memory plan: latency, throughput, arena against its lower bound, time to prepare.

As many chunks are evaluated side by side as BLAS has threads (``OMP_NUM_THREADS``).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import ir_nets
import numpy as np
from harness import command_line, record

from tacit.ir.blas import blas_threads, one_blas_thread
from tacit.ir.cost import cost
from tacit.ir.graph import Graph
from tacit.ir.interpreter import Interpreter, evaluate
from tacit.ir.memory import plan_memory
from tacit.ir.text import parse_graph, print_graph
from tacit.ir.verifier import verify

NETS: dict[str, Callable[[], Graph]] = {
    "chain of convolutions, 3.9 MFLOP": ir_nets.chain,
    "perceptron 784-256-256-10": ir_nets.perceptron,
    "ResNet-8 width 16": ir_nets.resnet,
    "ResNet-20 width 16": lambda: ir_nets.resnet(16, 3),
    "ResNet-56 width 16": lambda: ir_nets.resnet(16, 9),
    "U-net 32x32 depth 3": ir_nets.unet,
    "U-net 64x64 depth 5": lambda: ir_nets.unet(8, 64, 5),
    "depthwise-separable": ir_nets.mobile,
    "ReLU attention, 6 layers": lambda: ir_nets.attention(layers=6),
}
SEEDS = range(5)
IMAGES = 10_000


def seconds(function: Callable[[], object], *, turns: int) -> float:
    """Give the median time of a call."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def example_of(graph: Graph, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *graph.of_kind("input")[0].shape)).astype(np.float32)


def latency(seed: int) -> float:
    """Give the milliseconds of one call with one example."""
    graph = ir_nets.chain(seed)
    run, x = Interpreter(graph), example_of(graph, 1, seed)
    run([x])
    return 1e3 * seconds(lambda: run([x]), turns=500)


def throughput(graph: Graph, count: int) -> dict[str, Any]:
    """Evaluate many examples, taking turns with one large matrix product: the speed that BLAS has at that moment."""
    x, square = example_of(graph, count), np.ones((1024, 1024), np.float32)
    evaluate(graph, [x[:256]])
    ours, blas, wall = [], [], []
    for _ in range(3):
        start = time.process_time()
        with one_blas_thread():
            for _ in range(5):
                np.matmul(square, square)
        blas.append((time.process_time() - start) / 5)
        start, began = time.process_time(), time.perf_counter()
        evaluate(graph, [x])
        ours.append(time.process_time() - start)
        wall.append(time.perf_counter() - began)
    gflops = 2e-9 * cost(graph).macs * count / statistics.median(ours)
    peak = 2e-9 * 1024**3 / statistics.median(blas)
    return {"seconds": wall, "cpu": ours, "gflops": gflops, "blas_gflops": peak, "share_of_blas": gflops / peak}


def main() -> None:
    six = ir_nets.resnet(16, 1, 22)
    large = ir_nets.resnet(64, 3, 128)
    text = print_graph(ir_nets.resnet(16, 27))
    graphs = {name: make() for name, make in NETS.items()}
    plans = {name: plan_memory(graph) for name, graph in graphs.items()}
    fast = throughput(six, IMAGES)
    figures = {
        "threads": blas_threads(),
        "mflop_of_the_chain": 2e-6 * cost(ir_nets.chain()).macs,
        "latency_ms_chain_batch_1": [latency(seed) for seed in SEEDS],
        "arena_over_lower_bound": {name: plan.elements / plan.lower_bound for name, plan in plans.items()},
        "mmac_of_the_evaluated_net": 1e-6 * cost(six).macs,
        "evaluate_10000_images_seconds": fast["seconds"],
        "evaluate_10000_images_cpu_seconds": fast["cpu"],
        "evaluate_gflops": fast["gflops"],
        "blas_gflops_square_1024_one_thread": fast["blas_gflops"],
        "evaluate_share_of_blas": fast["share_of_blas"],
        "latency_ms_batch_1": {name: 1e3 * one_call(graph) for name, graph in graphs.items()},
        "prepare_ms": {name: 1e3 * seconds(lambda graph=graph: Interpreter(graph), turns=3) for name, graph in graphs.items()},
        "plan_ms": {name: 1e3 * seconds(lambda graph=graph: plan_memory(graph), turns=3) for name, graph in graphs.items()},
        "verify_a_million_elements_per_map_seconds": seconds(lambda: verify(large), turns=3),
        "parse_ms_of_250_instructions": 1e3 * seconds(lambda: parse_graph(text), turns=5),
    }
    path = record(
        "interpreter",
        figures,
        command=command_line(),
        target={
            "latency_ms_chain_batch_1": "max <= 5",
            "arena_over_lower_bound": "max <= 1.3",
            "evaluate_10000_images_seconds": "<= 10",
            "verify_a_million_elements_per_map_seconds": "<= 1",
        },
        notes=[
            "random weights; a shared machine: wall-clock time, but GFLOP/s by the CPU time of the process",
            "the arena counts every buffer rounded up to 16 elements",
        ],
    )
    print(path.read_text())


def one_call(graph: Graph) -> float:
    run, x = Interpreter(graph), example_of(graph, 1)
    run([x])
    return seconds(lambda: run([x]), turns=50)


if __name__ == "__main__":
    main()
