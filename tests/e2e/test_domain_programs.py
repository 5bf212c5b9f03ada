"""Domain programs from the command line: begin, compile, go on, score, play; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tacit.cli.main import main
from tests.e2e.conftest import tacit, tree


def refused(capsys, *arguments: object, names: tuple[str, ...]) -> None:
    """Run a command in this process that has to be refused, with nothing written."""
    before = tree(Path())
    assert main([*map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("error:") == 1 and "try:" in said and "Traceback" not in said
    assert [name for name in names if name not in said] == [], said
    assert tree(Path()) == before, "something was written"


def test_a_program_is_begun_and_its_directory_is_gone_on_with(tmp_path):
    begun = tacit("new", "mine", "--like", "connect-four", cwd=tmp_path)
    assert begun.code == 0 and begun.out == "mine\n" and "Then: tacit compile mine --like connect-four" in begun.err, begun.err
    (tmp_path / "mine/tacit.toml").write_text((tmp_path / "mine/tacit.toml").read_text().replace("games = 100", "games = one"))
    went = tacit("compile", "mine", "--like", "connect-four", "--steps", 8, cwd=tmp_path)
    assert went.code == 2 and "going on with mine, like connect-four with rules: Connect Four" in went.err
    assert "at line 9" in went.err, "what a person changed counts"


def test_in_one_command_the_directory_has_the_name_of_the_program(tmp_path):
    done = tacit("compile", "--like", "connect_four", "--data", "rules", "--steps", 8, "--json", *FEW, cwd=tmp_path)
    assert done.code == 1 and done.document["path"] == "connect-four/connect-four.tacit", done.err
    assert "made connect-four, like connect-four with rules" in done.err


#: A game is measured by whole games, so few and shallow ones.
FEW = ("--set", "game.games=2", "--set", "train.evaluations=2", "--set", "train.games=8", "--set", "skeleton.width=8")


def test_the_scoreboard_runs_both_and_does_not_run_them_again(tmp_path):
    command = ("scoreboard", "digits:uci-digits", "--steps", 4, "-o", "board.json")
    done = tacit(*command, cwd=tmp_path)
    assert done.code == 0, done.err
    rows = [line.split() for line in done.out.splitlines() if line.startswith("  digits")]
    assert [("predecessor" in row, "program" in row) for row in rows] == [(True, False), (False, True)]
    before = tree(tmp_path)
    again = tacit(*command, "--json", cwd=tmp_path)
    assert again.code == 0 and "stands in board.json with these settings" in again.err
    (section,) = again.document["scoreboard"]
    assert section == json.loads((tmp_path / "board.json").read_text())["scoreboard"][0] and tree(tmp_path) == before
    svm, net = section["standings"]
    assert 0.95 < svm["score"] < 1 and svm["macs"] > 0 and net["bytes"] > 10_000 and net["microseconds"] > 0 and net["made_in"] > 0
    assert section["settings"] == {"minutes": None, "steps": 4, "seed": 0} and {"cpu", "cores"} <= set(section["machine"])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("new", "x"), ("expected --from or --like, got neither",)),
        (("new", "x", "--from", ".", "--like", "digits"), ("expected --from or --like, got both",)),
        (("new", "x", "--like", "digitz"), ("expected a known domain program, got `digitz`", "did you mean `digits`?")),
        (("new", "x", "--like", "digits", "--data", "uci"), ("expected a data set of `digits`, got `uci`", "uci-digits (embedded)")),
        (("new", "x", "--like", "digits", "--label", "y"), ("expected --label with --from, got it with --like",)),
        (("new", "x", "--from", ".", "--data", "y"), ("expected --data with --like",)),
        (("compile", "--data", "y"), ("expected --data with --like, got it alone",)),
        (("compile", "--like", "digits", "--group", "y"), ("expected --label and --group for a table",)),
        (("compile", ".", "--like", "digitz"), ("did you mean `digits`?",)),
        (("scoreboard", "digitz", "digits:uci"), ("2 problems", "did you mean `digits`?", "known: uci-digits")),
        (("scoreboard", "digits", "--steps", 1, "--minutes", 1), ("expected --minutes or --steps, got both",)),
        (("scoreboard", "digits", "--minutes", -1), ("expected minutes above 0",)),
        (("play", "digits"), ("expected a program to play with, digits has nothing to play",)),
        (("play", "chess"), ("expected a known domain program, got `chess`",)),
    ],
)
def test_what_is_refused(capsys, tmp_path, monkeypatch, arguments, names):
    monkeypatch.chdir(tmp_path)
    refused(capsys, *arguments, names=names)


def test_a_folder_of_something_else_is_not_taken(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits/notes.txt").write_text("keep")
    there = ("got something that `tacit new --like` did not make", "try: tacit compile digits")
    refused(capsys, "compile", "--like", "digits", names=there)
    refused(capsys, "new", "digits", "--like", "digits", names=("expected a new or empty folder",))
    (tmp_path / "scoreboard.json").write_text("{}")
    refused(capsys, "scoreboard", "digits", names=("expected a scoreboard - at `scoreboard.json`",))
