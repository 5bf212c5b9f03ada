"""`tacit labels status|diff|log|merge` as a person types them, in a repository whose program is a folder within it."""

from __future__ import annotations

import pytest

from tacit.examples.records import Record
from tests.e2e.conftest import draw, tacit
from tests.unit.history.repositories import ENVIRONMENT, Made, make


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def made(tmp_path) -> Made:
    """A program of pictures, two branches that relabel: one example both, one each alone. `ours` is checked out."""
    root = make(tmp_path / "repository").root
    draw(tmp_path / "pictures")
    assert tacit("new", "shapes", "--from", tmp_path / "pictures", cwd=root).code == 0
    made = Made(root, root / "shapes")
    made.commit("Add pictures")
    for name, author, rows in (("theirs", "Bob", (0, 1)), ("ours", "Ann", (0, 2))):
        made.git("checkout", "-q", "-b", name, "main")
        for row, (example, label) in zip(rows, (list(labels(made).items())[row] for row in rows), strict=True):
            made.relabel(example, f"{'dot' if label == 'bar' else 'bar'}", file(made))
            if row == 0 and name == "ours":  # both changed it: to something else again, and to another split
                path = made.directory / file(made)
                lines = [Record(example, label, "test").line() if example in line else line for line in path.read_text().split("\n")]
                path.write_text("\n".join(lines))
        made.commit(f"Relabel on {name}", author=author)
    return made


def file(made: Made) -> str:
    (path,) = (made.directory / "labels").glob("*/all.jsonl")
    return path.relative_to(made.directory).as_posix()


def labels(made: Made) -> dict[str, str]:
    return dict(sorted(made.labels(file(made)).items()))


def test_status_diff_and_log(made):
    ids = list(labels(made))
    made.relabel(ids[5], "bar" if labels(made)[ids[5]] == "dot" else "dot", file(made))
    assert tacit("labels", "set", ids[6], "dot" if labels(made)[ids[6]] == "bar" else "bar", "--by", "cai", cwd=made.directory).code == 0
    status = tacit("labels", "status", cwd=made.directory)
    assert status.code == 0, status.err
    assert "24 labelled examples" in status.out or "23 labelled examples" in status.out  # a tie is left out
    assert "not committed: 1 relabelled" in status.out and "1 opinion changed, 1 in dispute" in status.out
    document = tacit("labels", "status", "--in", "shapes", "--json", cwd=made.root).document
    assert (document["branch"], document["left_out"], list(document["disputes"])) == ("ours", 1, [ids[6]])
    diff = tacit("labels", "diff", "main", "theirs", "--in", "shapes", "--json", "--sheet", "out.png", cwd=made.root)
    assert (diff.code, diff.document["counts"]) == (0, {"relabelled": 2})
    assert (made.root / "out.png").read_bytes().startswith(b"\x89PNG")
    assert tacit("labels", "diff", "main", "--markdown", cwd=made.directory).out.startswith("### Labels: ")
    log = tacit("labels", "log", ids[1][:10], "--from", "theirs", cwd=made.directory)
    assert "Bob" in log.out and "Relabel on theirs" in log.out
    assert [step["subject"] for step in tacit("labels", "log", "--json", cwd=made.directory).document] == [
        "Relabel on ours",
        "Add pictures",
    ]


def test_merge(made):
    ids = list(labels(made))
    merged = tacit("labels", "merge", "theirs", cwd=made.directory)
    assert merged.code == 0, merged.err
    assert "2 records taken over, 1 file written" in merged.out
    assert made.git("status", "--porcelain") == ""
    assert tacit("labels", "merge", "theirs", cwd=made.directory).out == "theirs is merged already\n"
    assert f'{ids[0]}", "label": "{labels(made)[ids[0]]}", "split": "test"' in (made.directory / file(made)).read_text()


def test_a_merge_with_conflicts_exits_with_1_and_changes_nothing(made):
    first = next(iter(labels(made)))
    made.git("checkout", "-q", "-b", "third", "theirs")
    (made.directory / file(made)).write_text(
        "\n".join("" if first in line else line for line in (made.directory / file(made)).read_text().split("\n"))
    )
    made.commit("Remove it", author="Cai")
    made.git("checkout", "-q", "ours")
    before = made.state()
    merged = tacit("labels", "merge", "third", cwd=made.directory)
    assert merged.code == 1
    assert first in merged.out and "third is not merged: 1 conflict to decide; nothing was written" in merged.out
    assert "--keep-both" in merged.err
    assert made.state() == before
    assert tacit("labels", "merge", "third", "--keep-both", "--json", cwd=made.directory).document["state"] == "merged"
    assert first in labels(made)


def test_a_broken_file_is_part_of_the_status_and_stops_a_diff(made, refused):
    path = made.directory / file(made)
    path.write_text("<<<<<<< HEAD\n" + path.read_text() + "\n{oops\n")
    status = tacit("labels", "status", cwd=made.directory)
    assert status.code == 1
    assert f"{file(made)}:1: expected a record, got the merge marker" in status.out
    assert f"{file(made)}:{len(path.read_text().split(chr(10))) - 1}: expected one JSON object" in status.out
    refused("labels", "diff", cwd=made.directory, names=(f"{file(made)}:1: ", "oops"))


def test_mistakes_are_told_apart(made, refused, tmp_path, monkeypatch):
    refused("labels", "diff", "mian", cwd=made.directory, names=("did you mean `main`?",))
    refused("labels", "log", "zzz", cwd=made.directory, names=("no example begins so",))
    refused("labels", "merge", cwd=made.directory, names=("expected the branch to merge",))
    refused("labels", "merge", "nowhere", cwd=made.directory, names=("expected a known revision",))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    refused("labels", "diff", cwd=tmp_path, names=("expected a folder in a git repository",))
    refused("labels", "status", cwd=tmp_path, names=("expected a program directory with a `tacit.toml`",))
    monkeypatch.setenv("PATH", "/nowhere")
    refused("labels", "log", cwd=made.directory, names=("the program `git`, which is not installed",))
