from __future__ import annotations

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tacit.binary.binary import Binary
from tacit.cli import main as cli
from tacit.cli.output import emit
from tacit.ground.errors import InputError
from tacit.instruments.compile_report import report
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tests.unit.binary.small_programs import bright_binary, dense_graph, words_binary


def row_binary() -> Binary:
    """`tall` scores the height, `wide` the width."""
    graph = dense_graph((2,), np.array([[0, 1], [1, 0]], np.float32), np.zeros(2, np.float32), name="numbers")
    buffers = list(graph.buffers)
    present = type(buffers[0])("present", "input", (2,))
    graph = type(graph)((buffers[0], present, *buffers[1:]), graph.instructions, graph.weights)
    return Binary({"main": graph}, Row(numbers=("width", "height")) >> Class("tall", "wide"), evidence={"name": "shape"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bright_binary().save(tmp_path / "bright.tacit")
    words_binary().save(tmp_path / "words.tacit")
    row_binary().save(tmp_path / "shape.tacit")
    Pillow.fromarray(np.full((4, 4), 255, np.uint8)).save(tmp_path / "white.png")
    Pillow.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "black.png")
    return tmp_path


def tacit(capsys, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help_lists_every_command(capsys):
    code, out, _ = tacit(capsys)
    assert code == 0
    assert all(f"\n  {name} " in out for name in cli.COMMANDS)
    assert not any(line.endswith("...") for line in out.splitlines()[1:])
    assert tacit(capsys, "--help")[1] == out == tacit(capsys, "-h")[1]


@pytest.mark.parametrize("command", list(cli.COMMANDS))
def test_every_command_has_help(capsys, command):
    code, out, _ = tacit(capsys, command, "--help")
    assert code == 0 and ("--json" in out) is (command != "play")  # what it prints is the program's own


def test_version(capsys):
    code, out, _ = tacit(capsys, "--version")
    assert code == 0 and out.startswith("tacit 0.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compil"], "did you mean `compile`?"),
        (["compile", "--minuts", "3"], "did you mean `--minutes`?"),
        (["compile", "--minutes", "x"], "--minutes"),
        (["compile", "--minutes", "0"], "expected minutes above 0"),
        (["compile", "--minutes", "1", "--steps", "1"], "expected --minutes or --steps, got both"),
        (["compile", "--steps", "x"], "x"),
        (["compile", "--set", "width", "--set", "=3"], "2 problems"),
        (["run"], "tacit run --help"),
        (["inspect", "nothing.tacit"], "nothing.tacit"),
    ],
)
def test_wrong_usage_is_explained_and_exits_with_2(capsys, words, message):
    code, out, err = tacit(capsys, *words)
    assert code == 2 and out == "" and message in err and "Traceback" not in err


def test_an_error_with_json_is_one_document_on_stdout(capsys, folder):
    code, out, err = tacit(capsys, "inspect", folder / "brigt.tacit", "--json")
    assert code == 2 and json.loads(out)["error"]["type"] == "InputError" and "bright.tacit" in err
    code, out, _ = tacit(capsys, "run", folder / "bright.tacit", "--json", "--nonsense")
    assert code == 2 and "nonsense" in json.loads(out)["error"]["message"]


def test_run_prints_the_answer_alone_or_after_its_input(capsys, folder):
    assert tacit(capsys, "run", folder / "bright.tacit", folder / "white.png")[:2] == (0, "bright\n")
    _, out, _ = tacit(capsys, "run", folder / "bright.tacit", folder / "white.png", folder / "black.png")
    assert out == f"{folder / 'white.png'}: bright\n{folder / 'black.png'}: dark\n"


def test_run_prints_scores(capsys, folder):
    assert tacit(capsys, "run", folder / "bright.tacit", folder / "white.png", "--scores")[1] == "bright\tdark=0 bright=127.5\n"
    _, out, err = tacit(capsys, "run", folder / "bright.tacit", folder / "white.png", "--scores", "--json")
    assert json.loads(out) == [{"input": str(folder / "white.png"), "answer": "bright", "scores": {"dark": 0.0, "bright": 127.5}}]
    assert err == ""


def test_run_names_every_bad_input(capsys, folder):
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    code, out, err = tacit(capsys, "run", folder / "bright.tacit", folder / "white.png", folder / "broken.png", folder / "gone.png")
    assert code == 2 and out == "" and "broken.png" in err and "gone.png" in err and "2 problems" in err


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_run_reads_stdin(capsys, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin((folder / "white.png").read_bytes()))
    assert tacit(capsys, "run", folder / "bright.tacit", "-")[:2] == (0, "bright\n")
    monkeypatch.setattr(sys, "stdin", Stdin(b"one\n\ntwo\n"))
    code, out, _ = tacit(capsys, "run", folder / "words.tacit", "-")
    assert code == 0 and [line.split(":")[0] for line in out.splitlines()] == ["line 1", "line 3"]


def test_run_reads_text_and_files_of_text(capsys, folder):
    (folder / "note.txt").write_text("hello there")
    code, out, _ = tacit(capsys, "run", folder / "words.tacit", "hello there", f"@{folder / 'note.txt'}")
    answers = [line.rpartition(": ")[2] for line in out.splitlines()]
    assert code == 0 and answers[0] == answers[1]
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    assert "UTF-8" in tacit(capsys, "run", folder / "words.tacit", f"@{folder / 'latin.txt'}")[2]


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["width=3", "height=1"], ["wide"]),
        (['{"width": 1, "height": 3}'], ["tall"]),
        (["rows.csv"], ["wide", "tall"]),
        (["rows.jsonl"], ["wide", "tall"]),
        (["-"], ["wide", "tall"]),
    ],
)
def test_run_reads_rows(capsys, folder, monkeypatch, words, answers):
    (folder / "rows.csv").write_text("width,height\n3,1\n1,3\n")
    (folder / "rows.jsonl").write_text('{"width": 3, "height": 1}\n\n{"width": 1, "height": 3}\n')
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stdin", Stdin(b"width,height\n3,1\n1,3\n"))
    code, out, err = tacit(capsys, "run", "shape.tacit", *words)
    assert [line.rpartition(": ")[2] for line in out.splitlines()] == answers and code == 0, err


@pytest.mark.parametrize("word", ["nonsense", "gone.csv", '{"width": 1', "widht=3"])
def test_run_refuses_rows_that_are_none(capsys, folder, word):
    code, out, err = tacit(capsys, "run", folder / "shape.tacit", word)
    assert code == 2 and out == "" and "error: expected" in err


def test_inspect_shows_instructions_text_card_and_json(capsys, folder):
    path = folder / "bright.tacit"
    assert "matmul bias" in tacit(capsys, "inspect", path)[1]
    assert tacit(capsys, "inspect", path, "--text")[1].count("matmul") == 1
    assert tacit(capsys, "inspect", path, "--card")[1].startswith("---\nlicense")
    assert json.loads(tacit(capsys, "inspect", path, "--json")[1])["listings"][0]["macs"] == 32


def test_inspect_shows_what_a_run_costs(capsys, folder, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("tacit.targets.c.toolchain.find_spec", lambda name: None)
    path = folder / "bright.tacit"
    code, out, err = tacit(capsys, "inspect", path, "--cost", "--int8")
    assert code == 0 and "int8, C for" in out and "predicted µs" in out and 'pip install "tacit[native]"' in out
    found = json.loads(tacit(capsys, "inspect", path, "--cost", "--json")[1])
    assert found["runs"][0]["macs"] == 32 and found["runs"][0]["instructions"] is None
    code, out, err = tacit(capsys, "inspect", path, "--int8")
    assert code == 2 and out == "" and "expected --cost with --int8" in err


def test_test_exits_with_1_when_a_goal_is_not_met(capsys, folder):
    goal = {"metric": "accuracy", "threshold": 0.9, "split": "test", "label": None, "value": 0.5, "met": False}
    for met, code in ((True, 0), (False, 1)):
        bright_binary({"name": "bright", "goals": [{**goal, "met": met}]}).save(folder / "b.tacit")
        assert tacit(capsys, "test", folder / "b.tacit")[0] == code
        assert json.loads(tacit(capsys, "test", folder / "b.tacit", "--json")[1])["met"] is met


def test_interrupted_is_130(capsys, folder, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tacit.binary.loading.load", stop)
    code, out, err = tacit(capsys, "inspect", folder / "bright.tacit")
    assert (code, out, err) == (130, "", "interrupted\n")


def test_a_defect_of_ours_is_not_hidden(capsys, folder, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("tacit.binary.loading.load", broken)
    with pytest.raises(ZeroDivisionError):
        cli.main(["inspect", str(folder / "bright.tacit")])


def test_run_as_a_program_without_heavy_packages(folder):
    code = (
        "import sys; from tacit.cli.main import main; code = main(sys.argv[1:]);"
        "print([m for m in ('torch', 'sklearn', 'pyarrow', 'rich') if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", folder / "bright.tacit", folder / "white.png"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "bright\n", "[]\n")
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "tacit.cli.main", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert not any(f" {name}\n" in done.stderr for name in ("numpy", "torch", "rich", "PIL"))


def test_a_closed_pipe_ends_quietly(folder):
    words = [sys.executable, "-m", "tacit.cli.main", "inspect", str(folder / "bright.tacit"), "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_json_has_no_numbers_that_json_lacks(capsys):
    emit(
        {"nan": float("nan"), "deep": [{"low": -np.inf, "numpy": np.float32("nan"), "array": np.array([1.5, np.inf])}], 3: (1, True, None)}
    )
    out = capsys.readouterr().out
    assert json.loads(out) == {"nan": None, "deep": [{"low": None, "numpy": None, "array": [1.5, None]}], "3": [1, True, None]}
    emit({"name": "caf\udce9"})
    assert json.loads(capsys.readouterr().out) == {"name": "caf?"}


def test_compiling_tells_numbers_that_json_lacks(capsys):
    binary = bright_binary()
    evidence = {**binary.evidence, "run": {"history": [{"roc_auc": float("nan"), "best": float("-inf")}]}}
    emit(report(dataclasses.replace(binary, evidence=evidence)).to_json())
    assert json.loads(capsys.readouterr().out)["evidence"]["run"]["history"] == [{"roc_auc": None, "best": None}]


def test_run_reads_a_row_with_a_long_value(capsys, folder):
    code, _, err = tacit(capsys, "run", folder / "shape.tacit", "width=3", "height=1", "note=" + "x" * 300)
    assert code == 2 and "unknown column `note`" in err and "Traceback" not in err
    code, _, err = tacit(capsys, "run", folder / "shape.tacit", "x" * 300)
    assert code == 2 and "expected key=value" in err


def test_run_names_bad_inputs_by_what_was_given(capsys, folder):
    (folder / "broken.png").write_bytes(b"\x89PNG nothing")
    _, _, err = tacit(capsys, "run", folder / "bright.tacit", folder / "white.png", folder / "broken.png")
    assert f"- {folder / 'broken.png'}: " in err and "value 1" not in err
    _, _, err = tacit(capsys, "run", folder / "shape.tacit", '{"width": 1, "height": "x"}', "width=1", "height=much")
    assert "- width=1 height=much: " in err and "- row: " in err and "value 0" not in err


def test_new_leaves_nothing_when_what_it_made_can_not_be_read_back(capsys, folder, monkeypatch):
    def refuse(directory, *, reporter):
        raise InputError("expected something else")

    monkeypatch.setattr("tacit.directory.reading.read_program", refuse)
    (folder / "t.csv").write_text("x,kind\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(40)))
    code, _, err = tacit(capsys, "new", folder / "made", "--from", folder / "t.csv", "--label", "kind")
    assert code == 2 and "expected something else" in err and not (folder / "made").exists()


def test_a_column_that_only_test_rows_have(capsys, folder):
    rows = [f"{n},{'ab'[n % 2]},{'test' if n % 4 == 3 else 'train'},{('red', 'blue')[n % 8 // 4] if n % 4 == 3 else ''}" for n in range(80)]
    (folder / "t.csv").write_text("x,kind,split,colour\n" + "\n".join(rows) + "\n")
    code, out, err = tacit(capsys, "new", folder / "made", "--from", folder / "t.csv", "--label", "kind", "--json")
    assert code == 0 and json.loads(out)["signature"]["input"]["categories"] == [["colour", ["blue", "red"]]], err
