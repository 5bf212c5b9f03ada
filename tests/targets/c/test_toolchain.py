"""The compiler that is found, and the machines that it compiles for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tacit.ground.errors import MissingPackage, TacitError, UnknownName
from tacit.targets.c import machine, toolchain
from tacit.targets.c.isa import ISAS, isa_named
from tacit.targets.c.toolchain import Compiler, find_compiler, find_zig, isa_of, machine_named, need_compiler


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\nexit 0\n")
    path.chmod(0o755)
    return path


def test_the_order_in_which_compilers_are_found(tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() == find_zig(), "ziglang is part of the development environment"
    clang = program(tmp_path, "clang")
    assert find_compiler() == Compiler((str(clang),))
    gcc = program(tmp_path, "gcc")
    assert find_compiler() == Compiler((str(gcc),))
    monkeypatch.setenv("CC", "ccache gcc -m64")
    assert find_compiler() == Compiler(("ccache", "gcc", "-m64"))
    monkeypatch.setenv("CC", "/opt/zig cc")
    assert find_compiler() == Compiler(("/opt/zig", "cc"), zig=True)


def test_no_compiler_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage) as caught:
        need_compiler()
    assert str(caught.value) == (
        "expected a C compiler, got none\n"
        "there is no $CC, no cc, gcc or clang on the path, and no package `ziglang`\n"
        'try: pip install "tacit[native]"'
    )
    with pytest.raises(MissingPackage, match="this needs the package `ziglang`"):
        need_compiler(toolchain.MACHINES["cortex-m7"])


def test_a_compiler_that_fails_is_quoted(tmp_path):
    (tmp_path / "a.c").write_text("int main(void) { return wrong; }\n")
    with pytest.raises(TacitError, match=r"(?s)got exit code 1\n.*wrong"):
        need_compiler().compile(["-c", "a.c"], folder=tmp_path)
    with pytest.raises(TacitError, match="could not run the C compiler `no-such-cc`"):
        Compiler(("no-such-cc",)).compile([], folder=tmp_path)


@pytest.mark.parametrize(
    ("triple", "message"),
    [
        (
            "aarch46-linux-musl",
            "expected a known architecture, got `aarch46` - in the triple `aarch46-linux-musl`\ntry: did you mean `aarch64-linux-musl`?",
        ),
        (
            "riscv64-linuks-musl",
            "expected a known operating system, got `linuks` - in the triple `riscv64-linuks-musl`\n"
            "try: did you mean `riscv64-linux-musl`?",
        ),
        (
            "arm-linux-muslleabihf",
            "expected a known ABI, got `muslleabihf` - in the triple `arm-linux-muslleabihf`\ntry: did you mean `arm-linux-musleabihf`?",
        ),
        ("cortex-m8", None),
        ("aarch64", None),
        ("s390x-linux-musl", None),
    ],
)
def test_an_unknown_triple_is_refused(triple, message):
    with pytest.raises(TacitError) as caught:
        machine_named(triple)
    assert triple in str(caught.value)
    assert message is None or str(caught.value) == message


def test_known_machines():
    assert machine_named("cortex-m7").processor == "cortex_m7+fp_armv8d16sp"
    assert machine_named("aarch64-linux-musl").emulator == ("qemu-aarch64",)
    assert machine_named("x86_64-linux.5.10-gnu.2.31").architecture == "x86_64"
    assert isa_of("native", machine_named("aarch64-linux-musl")).name == "neon"
    assert isa_of("native", machine_named("cortex-m0")).name == "scalar"
    assert isa_of("native", None) == machine.native_isa()
    with pytest.raises(UnknownName, match="did you mean `avx2`"):
        isa_of("avx3", None)


def test_flags_of_zig_name_a_processor_and_those_of_gcc_are_the_isa_s():
    zig, gcc = Compiler(("zig", "cc"), zig=True), Compiler(("gcc",))
    assert "-mcpu=x86_64_v3" in zig.flags(isa_named("avx2"), integer=False)
    assert "-mavx2" in gcc.flags(isa_named("avx2"), integer=False)
    assert "-ffp-contract=off" in gcc.flags(isa_named("avx2"), integer=True)
    flags = zig.flags(isa_named("scalar"), integer=False, machine=machine_named("cortex-m7"))
    assert flags[-3:] == ["-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m7+fp_armv8d16sp"]


def test_what_this_machine_can_do():
    native = machine.native_isa()
    assert native.name in ISAS and machine.runs_here(native) and machine.runs_here(isa_named("scalar"))
    assert not machine.runs_here(isa_named("wasm")), "it has flags that no compiler for this machine takes"
    assert machine.machine_key() == machine.machine_key() and len(machine.machine_key()) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux says of the processor")
def test_features_are_read_from_linux(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor : 0\nflags\t\t: fma avx2 sse\n\nprocessor : 1\nflags : other\n")
    monkeypatch.setattr(machine, "_INFORMATION", tmp_path / "cpuinfo")
    machine.features.cache_clear()
    try:
        assert machine.features() == {"fma", "avx2", "sse"}
        if machine.base_isa(machine.platform.machine()).name == "sse2":
            assert machine.native_isa().name == "avx2"
    finally:
        machine.features.cache_clear()
