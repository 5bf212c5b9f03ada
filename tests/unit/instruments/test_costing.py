from __future__ import annotations

import json
import shutil

import pytest

from tacit.instruments import costing
from tacit.instruments.costing import cost_of
from tacit.instruments.layout import plain
from tacit.targets.c import toolchain
from tests.unit.binary.small_programs import series_binary, words_binary


@pytest.fixture
def no_tools(monkeypatch):
    """Neither a compiler nor valgrind."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(toolchain, "find_spec", lambda name: None)


@pytest.mark.parametrize("binary", [series_binary(), words_binary()], ids=["series", "text"])
def test_without_a_compiler_the_rest_is_told(binary, no_tools):
    report = cost_of(binary, int8=True)
    assert [run.arithmetic for run in report.runs] == ["float32", "int8"] and report.clock is None
    for run in report.runs:
        assert run.measured is run.predicted is run.instructions is run.stack_bytes is run.constant is None
        assert run.macs == sum(row.macs for row in run.kernels) > 0 and run.cycles > 0 and run.interpreter > 0
        assert run.arena_bytes >= 64 and run.weight_bytes >= 0
    assert report.notes == (
        'not measured, not counted: expected a C compiler, got none; try: pip install "tacit[native]"',
    )  # once, not once per arithmetic
    text = plain(report.parts())
    assert "cycles; interpreter" in text and "measured µs" in text and "pip install" in text
    assert json.loads(json.dumps(report.to_json()))["runs"][0]["constant"] is None


def test_counts_that_differ_are_said_to(no_tools):
    (run,) = cost_of(series_binary()).runs
    same, other = ({"zero": 10, "random": number} for number in (10, 11))
    lines = [costing._totals(type(run)(**{**vars(run), "instructions": counts}))[-1] for counts in (same, other)]
    assert lines[0].startswith("10 instructions (") and lines[0].endswith("for each of five inputs: zero, random")
    assert "DIFFER" in lines[1] and lines[1].endswith("zero 10, random 11")


@pytest.mark.system
@pytest.mark.parametrize("name", ["gcc", "zig"])
@pytest.mark.parametrize("binary", [series_binary(), words_binary()], ids=["series", "text"])
def test_a_run_is_measured_and_its_instructions_counted(binary, name, monkeypatch):
    monkeypatch.setenv("CC", "gcc" if name == "gcc" else " ".join(toolchain.find_zig().command))
    report = cost_of(binary, int8=True)
    assert not report.notes and 5e8 < report.clock < 8e9
    for run in report.runs:
        assert run.constant and list(run.instructions) == ["zero", "random", "extreme", "negative", "denormal"]
        assert 0 < sum(row.measured for row in run.kernels) < 10 * run.measured < 1e-3
        assert run.predicted == pytest.approx(sum(row.predicted for row in run.kernels))
        assert 0 < run.stack_bytes < 4096
    text = plain(report.parts())
    assert "instructions (" in text and "for each of five inputs: zero, random, extreme, negative, denormal" in text


@pytest.mark.system
def test_without_valgrind_the_rest_is_measured(monkeypatch, tmp_path):
    for tool in ("gcc", "as", "ld"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    report = cost_of(series_binary())
    assert report.notes == ("instructions not counted: expected valgrind on the path, got none; try: apt-get install valgrind",)
    assert report.runs[0].measured is not None and report.runs[0].instructions is None
