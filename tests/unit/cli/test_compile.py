"""`tacit compile` with a compiler that answers at once: what the command does around it."""

from __future__ import annotations

import dataclasses
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest

from tacit.cli import main as cli
from tacit.cli.commands.compile import writable
from tacit.ground.errors import TacitError
from tests.unit.binary.small_programs import bright_binary


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """Replace reading and compiling; give what they were called with."""
    calls = SimpleNamespace(binary=bright_binary({"name": "bright", "goals": []}))

    def open_program(source, **options):
        calls.opened = {"source": str(source), **options}
        return SimpleNamespace(name="bright", directory=tmp_path)

    def compile_(program, **options):
        calls.compiled = options
        options["reporter"].phase("training")
        options["reporter"].note("a note")
        if calls.binary is None:
            raise KeyboardInterrupt
        return calls.binary

    programs, compiler = ModuleType("tacit.cli.programs"), ModuleType("tacit.compiler")
    programs.open_program, compiler.compile = open_program, compile_
    monkeypatch.setitem(sys.modules, "tacit.cli.programs", programs)
    monkeypatch.setitem(sys.modules, "tacit.compiler", compiler)
    return calls


def test_the_path_is_the_last_thing_printed(compiled, tmp_path, capsys):
    assert cli.main(["compile", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == str(tmp_path / "bright.tacit")
    assert "training\n" in err and "a note\n" in err and "training" not in out
    assert (tmp_path / "bright.md").read_text().startswith("---\n") and (tmp_path / "bright.tacit").is_file()


def test_options_reach_reader_and_compiler(compiled, tmp_path, capsys):
    words = ["compile", "x", "--minutes", "2", "--seed", "7", "--resume", "--set", "skeleton.width=32", "--set", "train.batch=64"]
    assert cli.main([*words, "--device", "cpu", "--label", "kind", "--group", "who", "-o", str(tmp_path / "deep" / "o.tacit")]) == 0
    opened = {key: value for key, value in compiled.opened.items() if key != "reporter"}
    overrides = {"skeleton.width": "32", "train.batch": "64", "budget.minutes": "2.0"}
    assert opened == {"source": "x", "label": "kind", "group": "who", "overrides": overrides}
    assert (compiled.compiled["seed"], compiled.compiled["resume"], compiled.compiled["device"]) == (7, True, "cpu")
    assert compiled.compiled["plan"] is None and compiled.compiled["started"] > 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "deep" / "o.tacit")


def test_steps_become_a_plan(compiled, tmp_path):
    assert cli.main(["compile", str(tmp_path), "--steps", "0:100,40:50"]) == 0
    assert compiled.compiled["plan"] == [(0, 100), (40, 50)]


def test_repeat_takes_plan_seed_and_settings_of_a_binary(compiled, tmp_path):
    run = {
        "plan": "0:100,40:50",
        "seed": 7,
        "settings": {"width": 32, "norm": "batch", "deep": True},
        "overrides": {"batch": 8},
        "interrupted": False,
    }
    bright_binary({"name": "bright", "run": run}).save(tmp_path / "first.tacit")
    assert cli.main(["compile", str(tmp_path), "--repeat", str(tmp_path / "first.tacit"), "--set", "skeleton.width=16"]) == 0
    assert compiled.compiled["plan"] == [(0, 100), (40, 50)]
    assert compiled.compiled["seed"] == 7
    assert compiled.opened["overrides"] == {"skeleton.width": "16", "skeleton.norm": '"batch"', "skeleton.deep": "true", "train.batch": "8"}


@pytest.mark.parametrize("run", [{"plan": "5", "seed": 1, "interrupted": True}, {}])
def test_repeat_needs_a_finished_run_and_no_other_budget(run, compiled, tmp_path, capsys):
    bright_binary({"name": "bright", "run": run}).save(tmp_path / "first.tacit")
    assert cli.main(["compile", str(tmp_path), "--repeat", str(tmp_path / "first.tacit")]) == 2
    assert "expected a binary of a finished run" in capsys.readouterr().err
    assert cli.main(["compile", str(tmp_path), "--repeat", str(tmp_path / "first.tacit"), "--minutes", "1"]) == 2
    assert "expected --repeat, or --minutes or --steps, got both" in capsys.readouterr().err
    assert not hasattr(compiled, "compiled")


def test_json_is_one_document(compiled, tmp_path, capsys):
    assert cli.main(["compile", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(tmp_path / "bright.tacit") and document["met"] is True
    assert document["card"] == str(tmp_path / "bright.md")


def test_a_goal_that_is_not_met_exits_with_1_and_the_binary_is_there(compiled, tmp_path, capsys):
    goal = {"metric": "accuracy", "threshold": 0.9, "split": "test", "label": None, "value": 0.5, "met": False}
    compiled.binary = dataclasses.replace(compiled.binary, evidence={"name": "bright", "goals": [goal]})
    assert cli.main(["compile", str(tmp_path)]) == 1
    assert "goal NOT MET: accuracy on test" in capsys.readouterr().out and (tmp_path / "bright.tacit").is_file()


def test_an_interrupt_that_left_nothing_exits_with_130(compiled, tmp_path, capsys):
    compiled.binary = None
    assert cli.main(["compile", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == [] and "interrupted" in capsys.readouterr().err


def test_a_path_that_can_not_be_written_is_refused_before_the_work(compiled, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "o.tacit"):
        assert cli.main(["compile", str(tmp_path), "-o", str(path)]) == 2
    assert not hasattr(compiled, "compiled")
    with pytest.raises(TacitError, match="it is a folder"):
        writable(tmp_path)
