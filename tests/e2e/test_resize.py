"""`tacit resize`: what it writes, says, and refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import tacit


@pytest.fixture
def place(made, tmp_path) -> Path:
    """A copy of the compiled program, so that a test may write beside it."""
    shutil.copytree(made / "program", tmp_path / "program")
    shutil.copy(made / "shapes.tacit", tmp_path / "shapes.tacit")
    return tmp_path


def test_a_smaller_program_is_written_beside_the_original(place):
    done = tacit("resize", "shapes.tacit", "--smaller", 3, "--steps", 20, cwd=place)
    assert done.code in (0, 1), done.err
    assert done.out.splitlines()[-1].endswith("shapes.resized.tacit")
    assert "asked for 3 times as small" in done.out
    assert (place / "shapes.resized.tacit").is_file() and (place / "shapes.resized.md").is_file()


def test_json_is_one_document(place):
    done = tacit("resize", "shapes.tacit", "--macs", 100_000, "--steps", 5, "-o", "less.tacit", "--json", cwd=place)
    document = done.document
    assert document["path"] == "less.tacit" and (place / "less.tacit").is_file()
    assert document["small_enough"] and document["costs"]["after"]["macs"] <= 100_000
    assert document["wish"] == {"kind": "macs", "value": 100_000, "target": "c"}
    assert done.code == (0 if document["met"] else 1)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), ("no size", "--faster 2")),
        (("--faster", 1, "--latency", "5parsecs@abacus"), ("`faster` and `latency` at once", "`faster` is 1", "`parsecs`")),
        (("--faster", "twice"), ("--faster", "number")),
    ],
)
def test_wrong_use_is_refused_whole(made, refused, words, names):
    refused("resize", made / "shapes.tacit", *words, names=names)


def test_a_binary_without_its_program_or_its_weights_is_refused(made, refused, tmp_path):
    shutil.copy(made / "shapes.tacit", tmp_path / "alone.tacit")
    refused("resize", "alone.tacit", "--smaller", 2, names=("--in DIR",))
    shutil.copytree(made / "program", tmp_path / "program")
    shutil.rmtree(tmp_path / "program" / ".tacit" / "trained")
    refused("resize", "alone.tacit", "--smaller", 2, "--in", "program", names=("not kept", "tacit compile"))


def test_a_folder_of_something_else_is_left_alone(made, refused, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    refused("resize", made / "shapes.tacit", "--smaller", 2, "--pareto", "mine", names=("an earlier family",))


@pytest.mark.system
def test_what_is_impossible_and_what_is_measured(place):
    refusal = tacit("resize", "shapes.tacit", "--faster", 900, cwd=place)
    assert refusal.code == 2 and "Traceback" not in refusal.err
    assert "the narrowest network has" in refusal.err and "try: --faster" in refusal.err
    assert not (place / "shapes.resized.tacit").exists()
    done = tacit("resize", "shapes.tacit", "--faster", 1.5, "--steps", 10, "--json", cwd=place)
    timing = done.document["timing"]
    assert timing["ratio"] > 1.3 and timing["before"] > timing["after"]
