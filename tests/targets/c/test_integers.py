"""Generated C of integer graphs against their definition, on every form of kernel that this machine runs: all bits equal."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from benchmarks import ir_nets
from tacit.ground.progress import Reporter
from tacit.ir.graph import Graph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.quantisation.quantise import quantised
from tacit.targets.c.emit import emit_c
from tacit.targets.c.integers import IntegerKernel
from tacit.targets.c.isa import ISAS, isa_named
from tacit.targets.c.machine import runs_here
from tacit.targets.c.tiles import TileKernel, integer_kernel
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.c.tuning import Tuner
from tests.targets.c.generated import Library, compile_c, source_of

pytestmark = pytest.mark.system
NETS = {
    "perceptron": ir_nets.perceptron,
    "chain": ir_nets.chain,
    "residual": ir_nets.resnet,
    "depthwise": ir_nets.mobile,
    "attention": lambda: ir_nets.attention(tokens=32, width=64, heads=2, layers=1),
}
HERE = [name for name in ISAS if runs_here(ISAS[name]) and name not in ("neon", "wasm")]


def drawn(graph: Graph, count: int) -> list[np.ndarray]:
    chance = np.random.default_rng(1)
    return [chance.normal(size=(count, *buffer.shape)).astype(np.float32) for buffer in graph.of_kind("input")]


@pytest.mark.parametrize(("isa", "net"), list(itertools.product(HERE, NETS)))
def test_all_bits_are_those_of_the_definition(isa: str, net: str, tmp_path: Path) -> None:
    graph = NETS[net]()
    inputs = drawn(graph, 32)
    integers = quantised(graph, inputs, tolerance=1.0).graph
    for name, content in emit_c(source_of(integers), isa_named(isa)).files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    flags = ["-O2", "-shared", "-fPIC", "-ffp-contract=off", *isa_named(isa).flags]
    library = Library(compile_c(tmp_path, f"{net}-{isa}.so", *flags), integers)
    wanted = IntegerInterpreter(integers)(inputs)
    for example in range(len(inputs[0])):
        for one, other in zip(library([array[example] for array in inputs]), wanted, strict=True):
            np.testing.assert_array_equal(one, other[example])


def test_every_form_of_kernel_is_among_them() -> None:
    kernels = []
    for make in NETS.values():
        graph = make()
        integers = quantised(graph, drawn(graph, 32), tolerance=1.0).graph
        kernels += [integer_kernel(step, integers, isa_named("amx")) for step in integers.instructions]
    plain = [kernel for kernel in kernels if not isinstance(kernel, TileKernel)]
    assert any(isinstance(kernel, TileKernel) for kernel in kernels)
    assert {kernel.group for kernel in plain} >= {1, 4}
    assert any(kernel.met for kernel in kernels), "no product of activations in groups of bytes"
    assert {kernel.short for kernel in kernels} == {True, False}


def test_measured_kernels_give_the_same_bits(tmp_path: Path) -> None:
    graph = ir_nets.chain()
    inputs = drawn(graph, 8)
    integers = quantised(graph, inputs, tolerance=1.0).graph
    isa = isa_named("avx2" if "avx2" in HERE else "vector128")
    tuner = Tuner(need_compiler(None), isa, True, Reporter())
    for name, content in emit_c(source_of(integers), isa, tuner=tuner).files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    library = Library(compile_c(tmp_path, "tuned.so", "-O2", "-shared", "-fPIC", "-ffp-contract=off", *isa.flags), integers)
    wanted = IntegerInterpreter(integers)(inputs)
    for example in range(len(inputs[0])):
        np.testing.assert_array_equal(library([array[example] for array in inputs])[0], wanted[0][example])


def test_another_schedule_is_another_kernel_of_the_same_instruction() -> None:
    graph = ir_nets.chain()
    integers = quantised(graph, drawn(graph, 8), tolerance=1.0).graph
    kernel = IntegerKernel(integers.instructions[2], integers, isa_named("avx2"))
    other = kernel.with_schedule(max(kernel.schedules(isa_named("avx2")), key=lambda schedule: schedule.cycles))
    assert other.cycles > kernel.cycles
    assert other.nest is kernel.nest
