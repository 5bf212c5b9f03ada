"""`tacit blame` on a small program in git."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import tacit

pytestmark = pytest.mark.system  # a minute: short models are trained anew after each edit


def git(folder: Path, *arguments: str) -> None:
    named = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]
    subprocess.run(["git", "-C", str(folder), *named, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def blamed(made, tmp_path_factory) -> Path:
    """A program in git with a relabel in its second commit, compiled with features."""
    place = tmp_path_factory.mktemp("blamed")
    shutil.copytree(made / "program", place / "program", ignore=shutil.ignore_patterns(".tacit"))
    shutil.copytree(made / "pictures", place / "pictures")
    git(place / "program", "init", "-q")
    git(place / "program", "add", ".")
    git(place / "program", "commit", "-qm", "Add labels (#3)")
    for file in sorted((place / "program" / "labels").rglob("*.jsonl")):
        lines = file.read_text().split("\n")
        turned = 0
        for at, line in enumerate(lines):
            if '"label": "bar"' in line and turned < 6:
                lines[at], turned = line.replace('"label": "bar"', '"label": "dot"'), turned + 1
        file.write_text("\n".join(lines))
    git(place / "program", "commit", "-qam", "Relabel bars")
    plain = ["--set", "skeleton.width=8", "--set", "skeleton.depth=0"]
    done = tacit("compile", "program", "--steps", 30, *plain, "--features", "-o", "program/shapes.tacit", cwd=place)
    assert done.code in (0, 1), done.err
    assert list((place / "program" / ".tacit" / "features").glob("*/manifest.json"))
    return place


def test_an_answer_names_examples_with_commit_and_author(blamed):
    done = tacit("blame", "program/shapes.tacit", "pictures/bar/3.png", "--top", 3, "--sheet", "sheet.png", "--json", cwd=blamed)
    assert done.code == 0, done.err
    found = done.document
    assert len(found["for"]) == 3
    assert found["for"][0]["influence"] >= found["for"][1]["influence"] > 0 > found["against"][0]["influence"]
    assert found["for"][0]["written"]["author"] == "Ann"
    file, line = found["for"][0]["file"], found["for"][0]["line"]
    assert found["for"][0]["id"] in (blamed / "program" / file).read_text().split("\n")[line - 1]
    assert (blamed / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_an_example_by_its_id_and_the_other_answer(blamed):
    first = tacit("blame", "program/shapes.tacit", "pictures/bar/3.png", "--top", 1, "--json", cwd=blamed).document["for"][0]["id"]
    done = tacit("blame", "program/shapes.tacit", first[:12], "--towards", "dot", "--top", 2, cwd=blamed)
    assert done.code == 0, done.err
    assert "Ann" in done.out
    assert "estimate" in done.out


def test_a_commit_that_turns_labels_round_hurt_them(blamed):
    done = tacit("blame", "program/shapes.tacit", "--label-commit", "HEAD", "--json", cwd=blamed)
    assert done.code == 0, done.err
    rows = {row["label"]: row["mean"] for row in done.document["classes"]}
    assert rows["bar"] < rows["dot"]
    whole = tacit("blame", "program/shapes.tacit", "--label-commit", "HEAD~1", cwd=blamed)
    assert whole.code == 0, whole.err
    assert "added" in whole.out


def test_mistakes_are_told(blamed, refused):
    refused("blame", "program/shapes.tacit", names=("INPUT",), cwd=blamed)
    refused("blame", "program/shapes.tacit", "ffffffffffff", names=("ffffffffffff",), cwd=blamed)
    refused("blame", "program/shapes.tacit", "--label-commit", "nonsense", names=("nonsense",), cwd=blamed)
    refused("blame", "program/shapes.tacit", "pictures/bar/3.png", "--towards", "bars", names=("bars",), cwd=blamed)
