"""Generated C under strict compilers and sanitizers, without a library, and with its stack counted."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import ir_nets
from tacit.ground.errors import TacitError
from tacit.ir.builder import GraphBuilder
from tacit.ir.graph import Axes, Graph, Index, View, contiguous
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import IntegerInterpreter
from tacit.ir.interpreter import Interpreter
from tacit.quantisation.quantise import quantise
from tacit.targets.c.isa import ISAS, isa_named
from tacit.targets.c.machine import runs_here
from tacit.targets.c.stack import Stack, compile_object, stack_of
from tacit.targets.c.target import CTarget
from tacit.targets.c.toolchain import MACHINES, Compiler, Machine, find_zig
from tacit.targets.target import Options
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.c.generated import CHECKED, Library, compile_c, run_program, source_of, write_c

pytestmark = pytest.mark.system
ANY = ("-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wmissing-prototypes", "-Wstrict-prototypes", "-Wundef", "-Wvla", "-Werror")
GCC = Compiler(("gcc",))
X86 = [name for name in ISAS if name not in ("neon", "wasm")]
FOREIGN = {
    "aarch64": (Machine("aarch64-linux-musl"), "neon"),
    "riscv64": (Machine("riscv64-linux-musl"), "vector128"),
    "cortex-m7": (MACHINES["cortex-m7"], "scalar"),
    "cortex-m0": (MACHINES["cortex-m0"], "scalar"),
}
#: What a machine without the operation calls in its compiler's own library (https://llvm.org/docs/CompilerRT.html).
COMPILER_RT = re.compile(r"__aeabi_(f|i|u|l|d|mem(cpy|move|set|clr)|unwind_cpp_pr)\w*")


@cache
def subjects() -> dict[str, Graph | IntegerGraph]:
    """A network with most shapes of instructions, and a table of rows that tokens pick; each in both arithmetics."""
    floats = {"chain": ir_nets.mobile(8, 8), "attention": ir_nets.attention(6, 16, 2, 1), "words": words()}
    found: dict[str, Graph | IntegerGraph] = dict(floats)
    for name, graph in floats.items():
        chance = np.random.default_rng(0)
        inputs = [
            chance.integers(0, 50, (20, *one.shape)) if one.dtype == "int32" else chance.normal(size=(20, *one.shape)).astype(np.float32)
            for one in graph.of_kind("input")
        ]
        found[f"{name} int8"] = quantise(graph, inputs)
    return found


def words() -> Graph:
    """Sum the rows of a table that tokens pick, then multiply by a matrix."""
    builder, chance = GraphBuilder(), np.random.default_rng(0)
    pieces, y = builder.add_input("pieces", (12, 8), dtype="int32"), builder.add_output("scores", (12, 32))
    hidden = builder.add_scratch("hidden", (12, 32))
    table = builder.add_weight("table", chance.normal(size=(50, 32)).astype(np.float32))
    one = builder.add_weight("one", np.ones(1))
    rows = View(table.name, 0, (12, 8, 32), (0, 0, 1), Index(pieces.name, 0, (8, 1, 0), 32, 50))
    builder.matmul(contiguous(hidden), View(one.name, 0, (12, 8), (0, 0)), rows, axes=Axes(1, 0, 1, 1), source="rows")
    builder.matmul(
        contiguous(y),
        contiguous(hidden),
        contiguous(builder.add_weight("w", chance.normal(size=(32, 32)).astype(np.float32))),
        axes=Axes(0, 1, 1, 1),
        source="dense",
    )
    return builder.finish()


def zig() -> Compiler:
    found = find_zig()
    assert found is not None, "ziglang is part of the development environment"
    return found


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("standard", ["gnu99", "c99", "c11"])
def test_no_compiler_complains(name: str, standard: str, tmp_path: Path) -> None:
    graph = subjects()[name]
    for isa in X86:
        write_c(graph, tmp_path, isa)
        for compiler in (GCC, zig()):
            flags = [flag for flag in compiler.flags(isa_named(isa), integer="int8" in name) if not flag.startswith(("-std", "-O"))]
            compiler.compile([*flags, "-O1", f"-std={standard}", *ANY, "-c", "-o", "net.o", "net.c"], folder=tmp_path)


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("machine", FOREIGN)
def test_no_compiler_complains_elsewhere(name: str, machine: str, tmp_path: Path) -> None:
    target, isa = FOREIGN[machine]
    write_c(subjects()[name], tmp_path, isa)
    flags = zig().flags(isa_named(isa), integer="int8" in name, machine=target)
    zig().compile([*flags, *ANY, "-c", "-o", "net.o", "net.c"], folder=tmp_path)


def test_a_complaint_is_heard(tmp_path: Path) -> None:
    write_c(words(), tmp_path)
    text = (tmp_path / "net.c").read_text()
    (tmp_path / "net.c").write_text(text.replace("unsigned char *arena = memory;", "unsigned char *arena = memory; int nothing;"))
    for compiler in (GCC, zig()):
        with pytest.raises(TacitError, match="nothing"):
            compiler.compile([*ANY, "-c", "-o", "net.o", "net.c"], folder=tmp_path)


# --- sanitizers -----------------------------------------------------------------------------------------------------------


def checked_program(graph: Graph | IntegerGraph, folder: Path, isa: str, *, level: str = "-O1") -> Path:
    """Compile with sanitizers a program that gives the run exactly what it may touch: an arena, inputs and outputs of their own
    size on the heap, and the weights as an array of C, with forbidden ground around each."""
    write_c(graph, folder, isa)
    data = (folder / "net_weights.bin").read_bytes()
    inputs, outputs = graph.of_kind("input"), graph.of_kind("output")
    kinds = ["int32_t" if buffer.dtype == "int32" else "float" for buffer in inputs]
    names = [*(f"input_{n}" for n in range(len(inputs))), *(f"output_{n}" for n in range(len(outputs)))]
    lines = [
        "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>",
        '#include "net.h"',
        f"__attribute__((aligned(64))) const unsigned char net_weights[] = {{{','.join(map(str, data))}}};",
        "int main(void) {",
        "  void *arena = aligned_alloc(64, (NET_ARENA_BYTES + 63) / 64 * 64);",
        "  memset(arena, 0, NET_ARENA_BYTES);",
        *(f"  {kind} *input_{n} = malloc(sizeof({kind}) * NET_INPUT_{n}_SIZE);" for n, kind in enumerate(kinds)),
        *(f"  float *output_{n} = malloc(sizeof(float) * NET_OUTPUT_{n}_SIZE);" for n in range(len(outputs))),
        f"  while ({' && '.join(f'fread(input_{n}, 4 * NET_INPUT_{n}_SIZE, 1, stdin) == 1' for n in range(len(inputs)))}) {{",
        f"    net_run_in(arena, {', '.join(names)});",
        *(f"    fwrite(output_{n}, 4 * NET_OUTPUT_{n}_SIZE, 1, stdout);" for n in range(len(outputs))),
        "  }",
        *(f"  free({name});" for name in ["arena", *names]),
        "  return 0;",
        "}",
    ]
    (folder / "checked.c").write_text("\n".join(lines))
    flags = [*isa_named(isa).flags, *CHECKED, "-DTACIT_WEIGHTS_ELSEWHERE", "-ffp-contract=off", level]
    return compile_c(folder, "checked", *flags, sources=("net.c", "checked.c"))


def run_checked(program: Path, graph: Graph | IntegerGraph, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    kinds = [np.int32 if buffer.dtype == "int32" else np.float32 for buffer in graph.of_kind("input")]
    rows = [
        np.ascontiguousarray(array[example], kind) for example in range(len(inputs[0])) for array, kind in zip(inputs, kinds, strict=True)
    ]
    table = np.frombuffer(run_program(program, rows), np.float32).reshape(len(inputs[0]), -1)
    outputs = graph.of_kind("output")
    cuts = np.split(table, np.cumsum([buffer.size for buffer in outputs])[:-1], axis=1)
    return [cut.reshape(len(cut), *buffer.shape) for cut, buffer in zip(cuts, outputs, strict=True)]


RUNS = [name for name in X86 if runs_here(isa_named(name)) and name != "amx"]  # a program has to ask for tiles first


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graph=graphs(), isa=st.sampled_from(RUNS), seed=st.integers(0, 99))
def test_sanitizers_find_nothing_in_floats(graph: Graph, isa: str, seed: int) -> None:
    inputs = sample_inputs(graph, 3, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = run_checked(checked_program(graph, Path(folder), isa), graph, inputs)
    for one, other in zip(found, Interpreter(graph, batch=3)(inputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * max(1.0, float(np.abs(other).max())))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(graph=graphs(), isa=st.sampled_from(RUNS), seed=st.integers(0, 99))
def test_sanitizers_find_nothing_in_integers(graph: Graph, isa: str, seed: int) -> None:
    integer = quantise(graph, sample_inputs(graph, 20, seed))
    inputs = sample_inputs(graph, 3, seed + 1)
    inputs[0] *= 10
    with tempfile.TemporaryDirectory() as folder:
        found = run_checked(checked_program(integer, Path(folder), isa), integer, inputs)
    for one, other in zip(found, IntegerInterpreter(integer)(inputs), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("isa", RUNS)
def test_sanitizers_find_nothing_in_networks(name: str, isa: str, tmp_path: Path) -> None:
    graph = subjects()[name]
    chance = np.random.default_rng(1)
    inputs = [
        chance.integers(0, 50, (2, *one.shape)) if one.dtype == "int32" else chance.normal(size=(2, *one.shape)).astype(np.float32)
        for one in graph.of_kind("input")
    ]
    found = run_checked(checked_program(graph, tmp_path, isa, level="-O2"), graph, inputs)
    if isinstance(graph, IntegerGraph):
        np.testing.assert_array_equal(found[0], IntegerInterpreter(graph)(inputs)[0])
    else:
        np.testing.assert_allclose(found[0], Interpreter(graph, batch=2)(inputs)[0], atol=1e-4)


def test_sanitizers_are_seen_to_find_a_step_too_far(tmp_path: Path) -> None:
    graph = words()
    program = checked_program(graph, tmp_path, "scalar")
    inputs = [np.full((1, 12, 8), 49)]
    run_checked(program, graph, inputs)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_checked(program, graph, [inputs[0] + 33])  # the row behind the last weight; a caller in Python is refused it
    assert b"global-buffer-overflow" in caught.value.stderr


# --- no library, no more stack than it says --------------------------------------------------------------------------------


def undefined(path: Path) -> set[str]:
    done = subprocess.run(["nm", "-u", str(path)], capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("isa", X86)
def test_nothing_is_needed_but_copies(name: str, isa: str, tmp_path: Path) -> None:
    write_c(subjects()[name], tmp_path, isa)
    for compiler in (GCC, zig()):
        flags = compiler.flags(isa_named(isa), integer="int8" in name)
        compiler.compile([*flags, "-ffreestanding", "-nostdlib", "-c", "-o", "net.o", "net.c"], folder=tmp_path)
        assert undefined(tmp_path / "net.o") <= {"memcpy", "memset", "memmove"}


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("machine", FOREIGN)
def test_nothing_is_needed_elsewhere_but_what_the_compiler_brings(name: str, machine: str, tmp_path: Path) -> None:
    target, isa = FOREIGN[machine]
    write_c(subjects()[name], tmp_path, isa)
    flags = zig().flags(isa_named(isa), integer="int8" in name, machine=target)
    stack = compile_object(zig(), [*flags, "-nostdlib"], name="net", folder=tmp_path, output=tmp_path / "net.o", entries=["net"])
    needed = undefined(tmp_path / "net.o") - {"memcpy", "memset", "memmove"}
    assert all(COMPILER_RT.fullmatch(symbol) for symbol in needed) and (not needed or "cortex" in machine)
    assert stack is not None and stack.bounded and 0 < stack.call < 8192


@pytest.mark.parametrize("name", subjects())
@pytest.mark.parametrize("isa", X86)
def test_the_stack_of_a_call_is_that_of_its_longest_chain(name: str, isa: str, tmp_path: Path) -> None:
    """gcc also tells who calls whom: the estimate from the functions alone is no less than the longest chain."""
    write_c(subjects()[name], tmp_path, isa)
    flags = [*GCC.flags(isa_named(isa), integer="int8" in name), "-fcallgraph-info=su"]
    stack = compile_object(GCC, flags, name="net", folder=tmp_path, output=tmp_path / "net.o", entries=["net"])
    graph = next(tmp_path.glob("*.ci")).read_text()
    taken = {title: int(count) for title, count in re.findall(r'title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes', graph)}
    calls = re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', graph)
    plain = {title: title.rpartition(":")[2] for pair in calls for title in pair} | {title: title.rpartition(":")[2] for title in taken}

    def deepest(title: str) -> int:
        below = [deepest(target) for source, target in calls if source == title]
        return taken.get(title, 0) + max(below, default=0)

    assert stack is not None and stack.bounded and stack.greatest == max(taken.values())
    chain = deepest(next(title for title in taken if plain[title] == "net_run"))
    assert chain <= stack.call <= chain + 1024
    inner = {source for source, _ in calls if plain[source] not in ("net_run", "net_run_in")}
    assert {plain[target] for source, target in calls if source in inner} <= {"memcpy", "memset", "memmove"}


def test_a_report_of_the_stack_is_read() -> None:
    report = "n.c:1:3:n_0\t40\tstatic\nn.c:9:n_run_in\t16\tstatic\nn.c:10:n_run\t8\tstatic\nn.c:2:n_step_0\t100\tdynamic,bounded\n"
    assert stack_of(report, ["n"]) == Stack("n_step_0", 100, 124, True)
    assert stack_of(report.replace("dynamic,bounded", "dynamic"), ["n"]) == Stack("n_step_0", 100, 124, False)
    assert stack_of("", ["n"]) is None


@pytest.mark.parametrize("level", ["-O1", "-O2", "-O3", "-Os", "-Ofast"])
@pytest.mark.parametrize("isa", RUNS)
def test_no_kernel_is_dropped(isa: str, level: str, tmp_path: Path) -> None:
    """gcc 12 takes a kernel for free of effects where it writes the address of a store as 0 plus a number, and drops its calls.

    It does so with `words` when `noipa` is taken out; the text has no undefined behaviour (see the sanitizers above).
    """
    graph = words()
    write_c(graph, tmp_path, isa)
    compile_c(tmp_path, "net.o", level, "-c", "-fPIC", *isa_named(isa).flags)
    # linked without the level: with -Ofast gcc adds code that flushes subnormal numbers in the whole process, these tests included
    library = Library(compile_c(tmp_path, "net.so", "-shared", sources=("net.o",)), graph)
    tokens = np.random.default_rng(0).integers(0, 50, (1, 12, 8))
    np.testing.assert_allclose(library([tokens[0]])[0], Interpreter(graph)([tokens])[0][0], rtol=1e-4, atol=1e-4)
    compile_c(tmp_path, "net.s", level, "-S", *isa_named(isa).flags)
    text = (tmp_path / "net.s").read_text()
    body = text[text.index("\nnet_run_in:") :].partition(".size\tnet_run_in")[0]
    assert re.findall(r"(?:call|jmp)\tnet_(\d)\b", body) == ["0", "1"]


@pytest.mark.parametrize("triple", [None, "cortex-m7", "cortex-m0"])
def test_a_build_tells_its_stack(triple: str | None, tmp_path: Path) -> None:
    CTarget().write(source_of(words()), tmp_path, Options(triple=triple))
    told = json.loads((tmp_path / "machine.json").read_text())["stack"]
    assert told["bounded"] and 0 < told["greatest"] < told["call"]
    readme = (tmp_path / "README.md").read_text()
    assert f"Stack: {told['call']} bytes for a call, {told['greatest']} of them" in readme
    assert ("that does branch" in readme) == (triple == "cortex-m0")
