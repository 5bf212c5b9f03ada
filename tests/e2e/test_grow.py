"""`tacit resize --grow` at the command line, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import tacit, tree


@pytest.fixture(scope="module")
def place(made, tmp_path_factory) -> Path:
    """A copy of the small program, with its binary and the run that it kept."""
    folder = tmp_path_factory.mktemp("grow")
    shutil.copytree(made / "program", folder / "program")
    shutil.copyfile(made / "shapes.tacit", folder / "program" / "small.tacit")
    return folder


def test_a_grown_program_is_written_beside_the_small_one_and_can_grow_again(place):
    done = tacit("resize", "program/small.tacit", "--grow", "2", "--steps", "20", "--json", cwd=place)
    assert done.code in (0, 1), done.err
    document = done.document
    assert document["costs"]["after"]["macs"] > 3 * document["costs"]["before"]["macs"]
    assert (document["kept"] == "grown") == (done.code == 0) == document["met"]
    assert (document["path"] is not None) == document["met"]
    if document["met"]:
        assert document["validation"]["after"] >= document["validation"]["before"]
        story = tacit("inspect", "program/small.grown.tacit", "--json", cwd=place).document["evidence"]["run"]["grown"]
        assert story["factor"] == 2.0
        shown = tacit("resize", "program/small.grown.tacit", "--grow", "1", "--deeper", "1", "--steps", "5", "-o", "deep.tacit", cwd=place)
        assert shown.code in (0, 1), shown.err
        assert "validation of before" in shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--grow", "2", "--faster", "2", "--keep-goal"), ("`faster` is for", "`keep_goal` is for")),
        (("--grow", "0.5", "--deeper", "99"), ("`grow` is 0.5", "`deeper` is 99")),
        (("--grow", "1"), ("nothing would grow",)),
        (("--grow", "2", "--steps", "5", "--minutes", "1"), ("`minutes` and `steps` at once",)),
    ],
)
def test_what_cannot_grow_is_refused_whole_and_nothing_is_written(place, arguments, said):
    before = tree(place / "program")
    done = tacit("resize", "program/small.tacit", *arguments, cwd=place)
    assert done.code == 2
    assert all(one in done.err for one in said), done.err
    assert "Traceback" not in done.err
    assert tree(place / "program") == before


def test_a_binary_without_its_program_is_refused(place, made):
    alone = place / "alone"
    alone.mkdir()
    shutil.copyfile(made / "shapes.tacit", alone / "other.tacit")
    refused = tacit("resize", "alone/other.tacit", "--grow", "2", cwd=place)
    assert refused.code == 2
    assert "expected the program directory" in refused.err
