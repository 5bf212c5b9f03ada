"""The folder of `--target c`: it builds with what a firmware engineer has, and runs on other machines with the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tacit.binary.binary import Binary
from tacit.ground.errors import TacitError
from tacit.ir.graph import Graph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.quantisation.quantise import quantise
from tacit.targets.c import foreign
from tacit.targets.c.isa import isa_named
from tacit.targets.c.machine import runs_here
from tacit.targets.c.target import CTarget
from tacit.targets.c.toolchain import MACHINES, machine_named
from tacit.targets.target import TARGETS, Options, Source
from tests.unit.binary.small_programs import series_binary, two_layer_graph, words_binary
from tests.unit.cli.test_main import row_binary

BINARIES = {"series": series_binary(step=two_layer_graph(5)), "words": words_binary(), "row": row_binary()}
NATIVE = Options()
EMULATED = ["aarch64-linux-musl", "riscv64-linux-musl", "arm-linux-musleabihf", "x86_64-linux-musl", *MACHINES]


def drawn(binary: Binary, count: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [
        random.integers(0, spec.limit, (count, *spec.shape)).astype(np.int32)
        if spec.limit is not None
        else random.normal(size=(count, *spec.shape)).astype(np.float32)
        for spec in binary.signature.input.arrays
    ]


def written(binary: Binary, folder: Path, options: Options = NATIVE, graphs: object = None) -> Source:
    source = Source("small_net", graphs or binary.graphs, binary.signature, binary.digest)
    folder.mkdir(exist_ok=True)
    CTarget().check(options)
    CTarget().write(source, folder, options)
    return source


def integer_source(binary: Binary, folder: Path, options: Options) -> Source:
    return written(binary, folder, options, {"main": quantise(binary.graphs["main"], drawn(binary, 64))})


def same(source: Source, folder: Path, arrays: Sequence[np.ndarray], binary: Binary) -> None:
    (got,) = CTarget().run(source, folder, arrays)
    graph = source.graphs["main"]
    if isinstance(graph, Graph):
        np.testing.assert_allclose(got, binary.run(arrays)[0], rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_array_equal(got.view(np.uint32), np.asarray(evaluate_integers(graph, arrays)[0], np.float32).view(np.uint32))


@pytest.mark.parametrize("isa", ["native", "scalar", "vector128", "neon", "sse2"])
@pytest.mark.parametrize("name", list(BINARIES))
def test_what_is_written_computes_what_the_interpreter_does(tmp_path, name, isa):
    binary = BINARIES[name]
    source = written(binary, tmp_path, Options(isa))
    same(source, tmp_path, drawn(binary, 9), binary)
    assert CTarget().runs_on(source, tmp_path).startswith("this machine (")
    assert isinstance(TARGETS.get("c")(), CTarget)


def test_an_instruction_set_that_is_not_here_is_replaced_and_told(tmp_path):
    missing = next(name for name in ("amx", "avx512vnni", "avx512", "avx2", "wasm") if not runs_here(isa_named(name)))
    source = written(BINARIES["series"], tmp_path, Options(missing))
    assert f"for it has no {missing}" in CTarget().runs_on(source, tmp_path)
    same(source, tmp_path, drawn(BINARIES["series"], 3), BINARIES["series"])


def test_int8_gives_the_interpreter_s_bits(tmp_path):
    binary = BINARIES["series"]
    source = integer_source(binary, tmp_path, Options())
    same(source, tmp_path, drawn(binary, 50), binary)
    assert "-ffp-contract=off" in (tmp_path / "Makefile").read_text()


def test_a_program_for_another_machine_comes_with_its_library(tmp_path, monkeypatch):
    binary = BINARIES["words"]
    source = written(binary, tmp_path, Options(triple="cortex-m7"))
    assert (tmp_path / "libsmall_net.a").read_bytes().startswith(b"!<arch>")
    assert "-mcpu=cortex_m7+fp_armv8d16sp" in (tmp_path / "Makefile").read_text()
    monkeypatch.setattr(foreign.shutil, "which", lambda name: None)
    assert "can't run on it without qemu-arm" in CTarget().runs_on(source, tmp_path)
    same(source, tmp_path, drawn(binary, 3), binary)


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="runs a program for x86-64 Linux")
def test_a_program_for_this_system_runs_without_an_emulator(tmp_path):
    source = written(BINARIES["row"], tmp_path, Options(triple="x86_64-linux-musl"))
    assert CTarget().runs_on(source, tmp_path) == "x86_64-linux-musl on this machine"
    same(source, tmp_path, drawn(BINARIES["row"], 7), BINARIES["row"])
    (tmp_path / "small_net.c").write_text(
        '#include "small_net.h"\nvoid small_net_run(const float *a, const float *b, float *c) { __builtin_trap(); }\n'
    )
    with pytest.raises(TacitError, match="expected the program for x86_64-linux-musl to run on this machine"):
        CTarget().run(source, tmp_path, drawn(BINARIES["row"], 1))


@pytest.mark.system
@pytest.mark.parametrize("triple", EMULATED)
@pytest.mark.parametrize("integer", [False, True])
def test_other_machines_compute_the_same(tmp_path, triple, integer):
    """Needs qemu-user."""
    for name in ("series",) if integer else ("series", "words"):
        binary, folder = BINARIES[name], tmp_path / name
        make = integer_source if integer else written
        source = make(binary, folder, Options(triple=triple))
        place = CTarget().runs_on(source, folder)
        assert place.startswith(machine_named(triple).title), f"qemu-user is needed: {place}"
        same(source, folder, drawn(binary, 20), binary)


@pytest.mark.system
@pytest.mark.parametrize("name", list(BINARIES))
def test_make_builds_the_example_without_a_warning(tmp_path, name):
    """Needs make and a C compiler of the system."""
    written(BINARIES[name], tmp_path)
    done = subprocess.run(["make", "-C", str(tmp_path), "all", "size"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    scores = subprocess.run([str(tmp_path / "small_net")], capture_output=True, text=True, check=True).stdout.split()
    zeros = [np.zeros((1, *spec.shape), spec.dtype) for spec in BINARIES[name].signature.input.arrays]
    np.testing.assert_allclose([float(score) for score in scores], BINARIES[name].run(zeros)[0].ravel(), rtol=1e-4, atol=1e-5)
    subprocess.run(["make", "-C", str(tmp_path), "clean"], capture_output=True, check=True)
    assert not list(tmp_path.glob("*.[oa]"))


@pytest.mark.system
def test_cmake_builds_from_another_folder(tmp_path):
    """Needs cmake."""
    written(BINARIES["series"], tmp_path / "net")
    for words in (["cmake", "-S", "net", "-B", "out"], ["cmake", "--build", "out"]):
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert subprocess.run([str(tmp_path / "out" / "small_net_example")], capture_output=True, text=True, check=True).stdout


@pytest.mark.system
def test_the_header_is_one_for_c_plus_plus_too(tmp_path):
    """Needs g++."""
    written(BINARIES["words"], tmp_path)
    (tmp_path / "a.cpp").write_text('#include "small_net.h"\nint main() { return sizeof(&small_net_run) == 0; }\n')
    subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", "-c", "a.cpp"], cwd=tmp_path, check=True)
