"""What stands after `tacit play NAME` belongs to the program."""

from __future__ import annotations

import pytest

from tacit.cli.commands.play import parse_options
from tacit.cli.main import main
from tacit.domains import making, program
from tacit.ground.errors import ConfigError, UnknownName
from tacit.ground.tables import Table

KNOWN = {"size": "Side of the board.", "file": "A binary.", "gtp": "Speak a protocol."}


@pytest.fixture
def own_way(monkeypatch):
    monkeypatch.setattr(program, "PROGRAMS", Table("domain program", {"own-way": "tests.unit.domains.imagined:OWN"}))


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ([], {}),
        (["--size", "9"], {"size": "9"}),
        (["--size=9", "--gtp", "--file", "a b.tacit"], {"size": "9", "gtp": "", "file": "a b.tacit"}),
        (["--gtp", "--size", "-1"], {"gtp": "", "size": "-1"}),
    ],
)
def test_options_are_read(words, options):
    assert parse_options(words, KNOWN) == options


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (
            ["--sise", "9"],
            UnknownName,
            "expected an option of go, got `--sise`\ntry: did you mean `size`?; tacit play go --options lists them",
        ),
        (["nine"], ConfigError, "expected an option of go, got `nine`\ntry: tacit play go --options"),
        (["--size=9", "10"], ConfigError, "expected an option of go, got `10`\ntry: tacit play go --options"),
    ],
)
def test_what_is_no_option_is_refused(words, error, said):
    with pytest.raises(error) as refused:
        parse_options(words, KNOWN, name="go")
    assert str(refused.value) == said


def test_the_program_is_handed_its_options(own_way, capsys):
    assert main(["play", "own_way", "--size", "9"]) == 0
    assert capsys.readouterr().out == "{'size': '9'}\n"
    assert main(["play", "own-way", "--options"]) == 0
    assert capsys.readouterr().out.split() == ["--size", "Side", "of", "the", "board."]


def test_a_program_that_compiles_in_its_own_way_takes_the_budget_and_no_more(own_way, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["compile", "--like", "own-way", "--steps", "3", "--seed", "2"]) == 0
    assert capsys.readouterr().out == "own-way/made.bin\n" and (tmp_path / "own-way/made.bin").read_text() == "None 3 2 False"
    assert main(["compile", "own-way", "--resume", "-o", "other.bin"]) == 0, "the directory says like what it was begun"
    assert (tmp_path / "other.bin").read_text() == "None None 0 True"
    capsys.readouterr()
    assert main(["compile", "own-way", "--warm", "--set", "a.b=1"]) == 2
    assert "expected --minutes, --steps, --seed, --resume or -o for own-way, got --warm, --set" in capsys.readouterr().err
    assert main(["compile", "own-way", "--steps", "3+4"]) == 2
    assert "expected a number of steps for own-way, got `3+4`" in capsys.readouterr().err
    assert making.found_like(tmp_path / "own-way") is not None


def test_no_line_of_help_is_longer_than_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("new", "compile", "scoreboard", "play"):
        assert main([command, "--help"]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
