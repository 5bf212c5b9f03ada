"""The loop at the command line: edit, compile warm, diff, bisect; and what is refused on the way."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import tacit


def git(folder: Path, *arguments: str) -> str:
    own = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    return subprocess.run(["git", "-C", str(folder), *own, *arguments], capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="module")
def loop(made, tmp_path_factory) -> Path:
    """The small program in git, its binary `before.tacit`, a commit that swaps a few training labels, and `after.tacit`, made warm."""
    place = tmp_path_factory.mktemp("loop")
    shutil.copytree(made / "program", place / "program")
    shutil.copyfile(made / "shapes.tacit", place / "program" / "before.tacit")
    git(place, "init", "-q", "-b", "main")
    git(place, "add", "program/labels", "program/tacit.toml", "program/.gitignore")
    git(place, "commit", "-q", "-m", "Add shapes")
    (file,) = (place / "program" / "labels").rglob("*.jsonl")
    lines = file.read_text().split("\n")
    for number in range(0, 8, 2):
        record = json.loads(lines[number])
        lines[number] = json.dumps({**record, "label": "bar" if record["label"] == "dot" else "dot"})
    file.write_text("\n".join(lines))
    git(place, "commit", "-q", "-a", "-m", "Relabel four")
    compiled = tacit("compile", "program", "--warm", "--set", "budget.steps=60", "-o", "program/after.tacit", cwd=place)
    assert compiled.code in (0, 1), compiled.err
    assert "warm start from" in compiled.err
    return place


def test_a_warm_start_is_recorded_with_its_commit_and_can_be_repeated(loop, made):
    document = tacit("inspect", "program/after.tacit", "--json", cwd=loop).document
    warm = document["evidence"]["run"]["warm"]
    assert warm["from"] == tacit("inspect", made / "shapes.tacit", "--json", cwd=loop).document["digest"]
    assert document["evidence"]["labels"]["commit"] == git(loop, "rev-parse", "HEAD")
    assert "of commit" in tacit("inspect", "program/after.tacit", cwd=loop).out
    again = tacit("compile", "program", "--repeat", "program/after.tacit", "-o", "again.tacit", cwd=loop)
    assert again.code in (0, 1), again.err
    assert (loop / "again.tacit").read_bytes() == (loop / "program" / "after.tacit").read_bytes()


def test_an_edit_that_is_not_committed_makes_the_commit_dirty(loop, tmp_path):
    shutil.copytree(loop, tmp_path / "copy")
    place = tmp_path / "copy"
    (file,) = (place / "program" / "labels").rglob("*.jsonl")
    lines = file.read_text().split("\n")
    record = json.loads(lines[10])
    lines[10] = json.dumps({**record, "label": "bar" if record["label"] == "dot" else "dot"})
    file.write_text("\n".join(lines))
    done = tacit("compile", "program", "--steps", 2, "--json", "-o", "dirty.tacit", cwd=place)
    assert done.document["evidence"]["labels"]["commit"] == git(place, "rev-parse", "HEAD") + "-dirty"
    assert "not committed" in tacit("inspect", "dirty.tacit", cwd=place).out


def test_diff_as_text_json_markdown_and_picture(loop):
    done = tacit("diff", "program/before.tacit", "program/after.tacit", "--no-time", cwd=loop)
    assert done.code == 0, done.err
    assert "before.tacit → after.tacit:" in done.out and "cost of one call" in done.out
    document = tacit("diff", "program/before.tacit", "program/after.tacit", "--json", cwd=loop).document
    assert {split["name"] for split in document["splits"]} == {"train", "validation", "test"}
    assert document["second"]["commit"] == git(loop, "rev-parse", "HEAD")
    assert all(item["place"].startswith("labels/") for item in document["moved"])
    written = tacit("diff", "program/before.tacit", "program/after.tacit", "--markdown", "--sheet", "sheet.png", cwd=loop)
    assert written.out.startswith("### Behaviour diff: `before.tacit` → `after.tacit`")
    assert (loop / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_diff_fails_when_more_broke_than_allowed(loop):
    untrained = tacit("compile", "program", "--steps", 1, "--seed", 9, "-o", "program/poor.tacit", cwd=loop)
    assert untrained.code in (0, 1), untrained.err
    done = tacit("diff", "program/before.tacit", "program/poor.tacit", "--fail-on-broken", "1%", "--json", cwd=loop)
    broke = next(split["broke"] for split in done.document["splits"] if split["name"] == done.document["headline"])
    assert done.code == (1 if broke else 0) and broke > 0
    assert tacit("diff", "program/before.tacit", "program/poor.tacit", "--fail-on-broken", "100%", cwd=loop).code == 0


def test_bad_calls_of_diff_and_bisect_are_refused(loop, made, refused):
    refused("diff", "program/before.tacit", "nothing.tacit", cwd=loop, names=("nothing.tacit",))
    refused("diff", "program/before.tacit", "program/after.tacit", "--split", "dev", cwd=loop, names=("train, validation, test",))
    refused("diff", "program/before.tacit", "program/after.tacit", "--fail-on-broken", "x", cwd=loop, names=("--fail-on-broken",))
    refused("diff", made / "shapes.tacit", made / "shapes.tacit", cwd=loop, names=("--in DIR",))
    refused("bisect", "nowhere", "--in", "program", cwd=loop, names=("expected a known revision, got `nowhere`",))
    refused("bisect", "HEAD", "HEAD~1", "--in", "program", cwd=loop, names=("older than the good one",))
    refused("bisect", "HEAD~1", "--in", "program", "--goal", "accuracy=", cwd=loop, names=("expected a goal such as",))
    refused("compile", "program", "--warm-from", "0123456789ab", cwd=loop, names=("expected the run that made",))


@pytest.mark.system
def test_bisect_finds_the_commit_in_a_real_history(loop, tmp_path):
    shutil.copytree(loop, tmp_path / "copy")
    place = tmp_path / "copy"
    (file,) = (place / "program" / "labels").rglob("*.jsonl")

    def relabel(first: int, count: int, message: str) -> str:
        lines = file.read_text().split("\n")
        for number in [row for row, line in enumerate(lines) if line][first : first + count]:
            record = json.loads(lines[number])
            lines[number] = json.dumps({**record, "label": "dot"})
        file.write_text("\n".join(lines))
        git(place, "commit", "-q", "-a", "-m", message)
        return git(place, "rev-parse", "HEAD")

    good = git(place, "rev-parse", "HEAD")
    relabel(10, 2, "One")
    culprit = relabel(0, 76, "Call nearly everything a dot")
    relabel(76, 1, "Three")
    before = git(place, "status", "--porcelain")
    done = tacit("bisect", good, "--in", "program", "--goal", "recall.bar@validation", "--steps", 60, "--json", cwd=place)
    assert done.code == 0, done.err
    assert done.document["culprit"]["hash"] == culprit and done.document["settings_changed"] is False
    assert git(place, "status", "--porcelain") == before
    again = tacit("bisect", good, "--in", "program", "--goal", "recall.bar@validation", "--steps", 60, "--json", cwd=place)
    assert again.document["compiled"] == 0
