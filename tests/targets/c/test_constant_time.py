"""The same instructions for every input, counted; and no more time for subnormal numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.emulated_counts import emulated_count
from benchmarks.machines import PLACES, Place, build, words_before
from tacit.ground.errors import MissingPackage
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.targets.c import counting, profiling
from tacit.targets.c.counting import INPUTS, count_instructions, five_inputs
from tacit.targets.c.emit import CSource
from tacit.targets.c.isa import Isa
from tacit.targets.c.machine import native_isa
from tacit.targets.c.profiling import profile
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source
from tests.targets.c.generated import source_of
from tests.targets.c.test_portability import subject
from tests.targets.c.test_strictness import subjects

pytestmark = pytest.mark.system
EMULATED = [place for place in PLACES if place.name in ("aarch64 NEON, zig, qemu", "riscv64, zig, qemu", "Cortex-M7, zig, qemu")]


def networks() -> dict[str, Graph | IntegerGraph]:
    floats, integers, _ = subject()
    return {"digits": floats, "digits int8": integers, **subjects()}


def six_inputs(source: Source) -> list[list[np.ndarray]]:
    """The five inputs, and one that is full of what is not a number."""
    zeros, *rest = five_inputs(source)
    return [zeros, *rest, [np.where(array == 0, np.nan, 0).astype(np.float32) if array.dtype == np.float32 else array for array in zeros]]


def edited(monkeypatch: pytest.MonkeyPatch, module: object, old: str, new: str) -> None:
    """Let a module generate C with another text in one place."""
    original = module.emit_c  # type: ignore[attr-defined]

    def emit_c(source: Source, isa: Isa) -> CSource:
        generated = original(source, isa)
        name = f"{source.name}.c"
        assert old in generated.files[name]
        return replace(generated, files={**generated.files, name: generated.files[name].replace(old, new)})

    monkeypatch.setattr(module, "emit_c", emit_c)


def test_the_five_inputs_are_what_they_are_called() -> None:
    found = dict(zip(INPUTS, five_inputs(source_of(subject()[0])), strict=True))
    assert all(arrays[0].dtype == np.float32 and arrays[0].shape == (8, 8, 1) for arrays in found.values())
    assert not found["zero"][0].any() and (found["negative"][0] < 0).all() and np.abs(found["extreme"][0]).min() > 9e29
    least = float(np.finfo(np.float32).smallest_normal)
    assert 0 < np.abs(found["denormal"][0]).max() < least < np.abs(found["random"][0]).max()
    rows = dict(zip(INPUTS, five_inputs(source_of(subjects()["words"])), strict=True))
    assert rows["extreme"][0].min() == 49 and rows["zero"][0].max() == 0 and len(np.unique(rows["random"][0])) > 20


@pytest.mark.parametrize("name", networks())
def test_every_input_takes_the_same_instructions(name: str) -> None:
    source = source_of(networks()[name])
    counts = count_instructions(source, need_compiler(), six_inputs(source))
    assert len(counts) == 6 and len(set(counts)) == 1 and counts[0] > 1000


def test_a_branch_on_data_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    edited(monkeypatch, counting, "return REAL(bits & ~none);", 'if (none) __asm__ volatile("nop"); return REAL(bits & ~none);')
    source = source_of(subject()[0])
    zero, *_, hole = count_instructions(source, need_compiler(), six_inputs(source))
    assert zero != hole


def test_no_valgrind_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(subject()[0])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingPackage, match="apt-get install valgrind"):
        count_instructions(source, need_compiler(), five_inputs(source))


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("place", EMULATED, ids=lambda place: place.name)
def test_every_input_takes_the_same_instructions_elsewhere(name: str, place: Place, tmp_path: Path) -> None:
    source = source_of(networks()[name])
    program = build(source, place, tmp_path)
    data = [b"".join(array.tobytes() for array in arrays) for arrays in six_inputs(source)]
    assert len({emulated_count(words_before(place), program, one, tmp_path) for one in data}) == 1


def slower(source: Source, attempts: int = 1) -> float:
    """Give how many times longer a run takes on subnormal numbers than on others; noise only ever adds, so the least of a few tries."""
    random, denormal = (five_inputs(source)[INPUTS.index(name)] for name in ("random", "denormal"))
    compiler, isa = need_compiler(), native_isa()
    return min(profile(source, isa, compiler, denormal).run / profile(source, isa, compiler, random).run for _ in range(attempts))


@pytest.mark.parametrize("which", [0, 1], ids=["float32", "int8"])
def test_subnormal_numbers_take_no_longer(which: int) -> None:
    assert slower(source_of(subject()[which]), attempts=3) < 1.25


def test_slow_subnormal_numbers_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    if native_isa().lanes < 8:
        pytest.skip("a processor that is as fast on subnormal numbers")
    edited(monkeypatch, profiling, "ldmxcsr(mode | 0x8040u)", "ldmxcsr(mode)")
    assert slower(source_of(subject()[0])) > 1.5


def test_a_profile_adds_up() -> None:
    for graph in subject()[:2]:
        source = source_of(graph)
        found = profile(source, native_isa(), need_compiler(), five_inputs(source)[1])
        assert 5e8 < found.clock < 8e9 and found.stack is not None
        assert 0.5 * found.run < sum(found.kernels) < 1.5 * found.run
