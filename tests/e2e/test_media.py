"""Media through the command line: from one clone to a remote, from there to another, and what goes wrong on the way."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.killed_pushes import files, kill_pushes, make_program
from tests.e2e.conftest import tacit, tree
from tests.e2e.test_interruption import no_more_than


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def place(made, tmp_path) -> Path:
    """A repository `program` with its media, whose remote is the folder `remote`; it has been pushed and cloned to `clone`."""
    shutil.copytree(made / "program", tmp_path / "program", ignore=shutil.ignore_patterns(".tacit"))
    toml = tmp_path / "program/tacit.toml"
    toml.write_text(toml.read_text().replace('# remote = "../media"', 'remote = "../remote"'))
    git(tmp_path, "init", "-q", "program")
    git(tmp_path / "program", "add", ".")
    git(tmp_path / "program", "commit", "-q", "-m", "Add the first examples")
    done = tacit("media", "push", "--create", cwd=tmp_path / "program")
    assert done.code == 0 and "1 pack sent" in done.out, (done.out, done.err)
    git(tmp_path, "clone", "-q", "program", "clone")
    return tmp_path


def test_a_fresh_clone_says_what_to_do_and_compiles_after_it(place, refused):
    told = refused("compile", "clone", "--steps", 5, "-o", "x.tacit", names=("80 are missing", "tacit media pull clone"), cwd=place)
    assert told.out == ""
    pulled = tacit("media", "pull", "clone", "--json", cwd=place)
    assert pulled.code == 0 and pulled.document["met"] and len(pulled.document["moved"]) == 1
    assert files(place / "clone/media") == files(place / "program/media") == files(place / "remote")
    assert git(place / "clone", "status", "--porcelain") == ""
    assert tacit("compile", "clone", "--steps", 5, "-o", "x.tacit", cwd=place).code in (0, 1)
    verified = tacit("media", "verify", "clone", "--deep", cwd=place)
    assert verified.code == 0 and "all is well" in verified.out


def test_a_checkout_fetches_what_its_labels_need(place):
    """Two branches add examples; stock git merges them, and the merge needs the packs of both."""
    for name in ("one", "two"):
        git(place / "program", "checkout", "-q", "-b", name, "main")
        make_program(place / name, seed=sum(map(ord, name)))
        for part in ("labels/import-0", "labels/import-1"):
            shutil.copytree(place / name / part, place / "program" / part.replace("import", name))
        shutil.copytree(place / name / "media", place / "program/media", dirs_exist_ok=True)
        git(place / "program", "add", ".")
        git(place / "program", "commit", "-q", "-m", f"Add {name}")
    pushed = tacit("media", "push", "program", "--json", cwd=place)  # of branch `two`
    assert len(pushed.document["moved"]) == 2 and "needed by no label here" in pushed.document["notes"][0]
    git(place / "program", "merge", "-q", "one")
    assert len(tacit("media", "push", "program", "--json", cwd=place).document["moved"]) == 2
    git(place / "clone", "pull", "-q", "origin", "one")
    assert len(tacit("media", "pull", "clone", "--json", cwd=place).document["moved"]) == 3
    git(place / "clone", "pull", "-q", "origin", "two")
    assert len(tacit("media", "pull", "clone", "--json", cwd=place).document["moved"]) == 2


def test_a_remote_that_is_away(place, refused):
    (place / "remote").rename(place / "unmounted")
    for verb in ("push", "pull", "verify"):
        refused("media", verb, "program", names=("found nothing there", "remote", "not mounted"), cwd=place)
    (place / "remote").write_text("no folder")
    refused("media", "push", "program", names=("remote",), cwd=place)
    refused("media", "push", "program", "--remote", "s33://bucket/x", names=("did you mean `s3",), cwd=place)
    assert tacit("media", "verify", "program", "--local", cwd=place).code == 0


def test_a_full_disk_leaves_no_torn_file(place, refused):
    before = tree(place)
    done = tacit("media", "pull", "clone", cwd=place, preexec_fn=no_more_than(2000))
    assert done.code == 2 and "the disk is full" in done.err and "try: free some space" in done.err
    assert "Traceback" not in done.err
    assert {name: digest for name, digest in tree(place).items() if name != "clone/media"} == before
    done = tacit("media", "push", "program", "--remote", "other", "--create", cwd=place, preexec_fn=no_more_than(2000))
    assert done.code == 2 and "the disk is full" in done.err and list((place / "other").iterdir()) == []
    assert tacit("media", "push", "program", "--remote", "other", cwd=place).code == 2  # still empty, so `--create` is asked for again
    assert tacit("media", "push", "program", "--remote", "other", "--create", cwd=place).code == 0


def test_damage_on_the_remote_is_named_and_not_fetched(place, refused):
    (pack,) = (place / "remote").iterdir()
    content = bytearray(pack.read_bytes())
    content[99] ^= 4
    pack.write_bytes(content)
    done = tacit("media", "pull", "clone", cwd=place)
    assert done.code == 2 and pack.name in done.err and "none of these was put in place" in done.err
    assert list((place / "clone/media").iterdir()) == []
    done = tacit("media", "verify", "program", "--deep", "--json", cwd=place)
    assert done.code == 1 and [fault["name"] for fault in done.document["faults"]] == [pack.name]


def test_a_list_that_was_merged_by_halves(place, refused):
    (path,) = (place / "clone/labels").glob("*/media.txt")
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}=======\nsomething\n>>>>>>> other\n")
    shown = path.relative_to(place / "clone").as_posix()
    for verb in ("push", "pull", "verify"):
        refused("media", verb, "clone", names=tuple(f"{shown}:{line}: " for line in (1, 3, 4, 5)), cwd=place)


def test_a_program_of_texts_has_no_media(tmp_path):
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(f"word {number},{'ab'[number % 2]}\n" for number in range(40)))
    assert tacit("new", "words", "--from", "texts.csv", "--label", "label", cwd=tmp_path).code == 0
    for verb in ("push", "pull"):
        done = tacit("media", verb, "words", "--remote", "remote", cwd=tmp_path)
        assert done.code == 0 and "no media to carry" in done.out, (done.out, done.err)
    assert not (tmp_path / "remote").exists()
    assert tacit("media", "verify", "words", cwd=tmp_path).code == 0


@pytest.mark.system
@pytest.mark.parametrize("kind", ["folder", "slow"])
@pytest.mark.parametrize("verb", ["push", "pull"])
def test_a_kill_at_any_moment_loses_nothing(tmp_path, kind, verb):
    found = kill_pushes(kind, 3, seed=11, work=tmp_path, verb=verb)
    assert found.kills == 3 and not found.torn and not found.lost and not found.not_completed


@pytest.mark.system
def test_a_torn_file_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setenv("SLOW_TRUSTED", "1")
    found = kill_pushes("slow", 4, seed=1, work=tmp_path)
    assert found.under_way and found.torn
