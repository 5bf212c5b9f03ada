"""The door to git: where the repository is, what a revision means, and errors with what to do."""

from __future__ import annotations

import pytest

from tacit.ground.errors import InputError, TacitError, UnknownName
from tacit.history.git import call, find_repository
from tests.unit.history.repositories import make, with_labels


def test_finds_the_repository_and_the_folder_in_it(made):
    repository = find_repository(made.directory)
    assert repository.root == made.root
    assert repository.path("labels") == (made.directory / "labels").relative_to(made.root).as_posix()
    assert repository.relative(repository.path("labels/a")) == "labels/a"
    assert repository.head == made.git("rev-parse", "HEAD")


def test_says_that_git_is_missing(plain, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TacitError, match="the program `git`, which is not installed"):
        find_repository(plain.directory)


def test_says_that_a_folder_is_in_no_repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(TacitError, match="in a git repository, it is in none") as caught:
        find_repository(tmp_path)
    assert "git init" in str(caught.value.fix)


def test_says_that_a_folder_is_not_there(tmp_path):
    with pytest.raises(InputError, match="expected a program directory, there is none"):
        find_repository(tmp_path / "none")


def test_refuses_a_bare_repository(tmp_path):
    call(tmp_path, "init", "-q", "--bare", "bare.git")
    with pytest.raises(TacitError, match="got a bare repository"):
        find_repository(tmp_path / "bare.git")


def test_names_the_nearest_branch(plain):
    with pytest.raises(UnknownName) as caught:
        find_repository(plain.directory).commit("mian")
    assert str(caught.value) == f"expected a known revision, got `mian` - at `{plain.root}`\ntry: did you mean `main`?"


@pytest.mark.parametrize("revision", ["--all", "", "HEAD~9", "labels", "a b", "-"])
def test_what_is_no_revision_is_no_option_of_git_either(plain, revision):
    with pytest.raises(UnknownName):
        find_repository(plain.directory).commit(revision)


def test_before_the_first_commit(tmp_path):
    empty = make(tmp_path / "empty")
    with pytest.raises(TacitError, match="in a repository without one"):
        find_repository(empty.directory).commit("HEAD")


def test_says_that_a_clone_is_shallow(plain, tmp_path):
    plain.write({}, "none")
    plain.relabel(next(iter(plain.labels())), "9")
    plain.commit("Second")
    plain.git("clone", "-q", "--depth", "1", f"file://{plain.root}", str(tmp_path / "clone"))
    with pytest.raises(UnknownName) as caught:
        find_repository(tmp_path / "clone").commit("HEAD~1")
    assert caught.value.fix == "git fetch --unshallow"


def test_is_not_led_astray_by_the_variables_of_a_hook(plain, tmp_path, monkeypatch):
    other = with_labels(tmp_path / "other")
    for key in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.setenv(key, str(other.root / ".git"))
    assert find_repository(plain.directory).root == plain.root


def test_reads_many_objects_through_one_process(plain):
    repository = find_repository(plain.directory)
    names = list(repository.files("HEAD", "labels").values()) * 300
    with repository.blobs() as blobs:
        contents = list(blobs.read_many(names))
    assert len(contents) == 300
    assert set(contents) == {(plain.directory / "labels/one/all.jsonl").read_bytes()}


def test_says_that_an_object_is_missing(plain):
    with find_repository(plain.directory).blobs() as blobs, pytest.raises(TacitError, match="git does not have it"):
        blobs.read("1" * 40)


def test_says_what_git_says(plain):
    lock = plain.root / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(TacitError) as caught:
        find_repository(plain.directory).run("add", ".")
    assert str(lock) in str(caught.value.fix)
