from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tacit.evidence import commit_of
from tests.unit.history.repositories import ENVIRONMENT, Made, make


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch):
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)


@pytest.fixture(params=["", "sets/small program"], ids=["root", "folder"])
def made(request, tmp_path) -> Made:
    found = make(tmp_path / "repository", request.param)
    found.write({"0" * 24: "cat", "1" * 24: "dog"})
    (found.directory / "tacit.toml").write_text("[program]\n")
    return found


def test_the_commit_of_the_labels_is_named_and_edits_of_them_make_it_dirty(made):
    assert commit_of(made.directory) is None  # before the first commit
    commit = made.commit("Add labels")
    assert commit_of(made.directory) == commit
    made.relabel("0" * 24, "dog")
    assert commit_of(made.directory) == f"{commit}-dirty"
    again = made.commit("Relabel")
    assert commit_of(made.directory) == again
    (made.directory / "tacit.toml").write_text("[program]\n# other\n")
    assert commit_of(made.directory) == f"{again}-dirty"


def test_a_file_of_labels_that_git_does_not_know_yet_makes_it_dirty_and_other_files_do_not(made):
    commit = made.commit("Add labels")
    (made.directory / "notes.txt").write_text("x")
    (made.root / "README").write_text("x")
    (made.root / "labels").mkdir(exist_ok=True)
    if made.root != made.directory:
        (made.root / "labels" / "other.jsonl").write_text("x")  # of the repository around, not of the program
    assert commit_of(made.directory) == commit
    made.write({"2" * 24: "cat"}, source="two")
    assert commit_of(made.directory) == f"{commit}-dirty"


def test_a_folder_that_the_repository_ignores_has_no_commit(made):
    made.commit("Add labels")
    hidden = made.root / "hidden"
    (hidden / "labels").mkdir(parents=True)
    (hidden / "labels" / "all.jsonl").write_text("x")
    (made.root / ".gitignore").write_text("hidden/\n")
    made.commit("Ignore")
    assert commit_of(hidden) is None


def test_what_a_hook_of_another_repository_sets_does_not_count(made, monkeypatch, tmp_path):
    commit = made.commit("Add labels")
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert commit_of(made.directory) == commit


def test_there_is_none_without_a_directory_or_a_repository(tmp_path):
    assert commit_of(None) is None and commit_of(Path(tmp_path)) is None
