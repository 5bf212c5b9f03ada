"""``--json`` puts one JSON document on stdout and everything else on stderr, whatever happens."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.conftest import draw, tacit


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made / "program", tmp_path / "program")
    shutil.copy(made / "shapes.tacit", tmp_path)
    draw(tmp_path / "pictures", count=20)
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("new", "other", "--from", "pictures"),
        ("compile", "program", "--steps", "20"),
        ("run", "shapes.tacit", "pictures/bar/0.png", "pictures/dot/0.png"),
        ("inspect", "shapes.tacit"),
        ("test", "program"),
        ("check",),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_verb_gives_one_document(place, arguments):
    if arguments[0] == "test":
        shutil.copy(place / "shapes.tacit", place / "program" / "program.tacit")
    done = tacit(*arguments, "--json", cwd=place)
    assert done.code in (0, 1), done.err
    assert done.document
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [("run", "gone.tacit", "x.png"), ("compile", "nowhere"), ("complie",), ("new", "x", "--from", "nowhere")]
)
def test_an_error_is_a_document_too(tmp_path, arguments):
    done = tacit(*arguments, "--json", cwd=tmp_path)
    assert done.code == 2
    assert done.document["error"]["message"]
    assert done.err.count("error:") == 1


def test_progress_goes_to_stderr_as_plain_lines(place):
    done = tacit("compile", "program", "--steps", "20", "--json", cwd=place)
    assert "train" in done.err and "\r" not in done.err and "\x1b" not in done.err
