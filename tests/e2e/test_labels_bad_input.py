"""A hostile or careless user at the labels: damaged files, odd names, odd places, two at once. Every command either does what it says or
names what is wrong with exit code 1 or 2; none loses a label, shows a traceback, or waits for ever."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit.cli import main as cli
from tests.e2e.conftest import command_environment, tacit, tree

WORDS = ("red", "green", "blue", "tall", "short")


def git(folder: Path, *arguments: str) -> str:
    identity = (
        "-c",
        "user.name=Ada",
        "-c",
        "user.email=ada@example.org",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "core.hooksPath=/dev/null",
    )
    return subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def made_texts(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("texts")
    rows = "".join(f"the {WORDS[number % 5]} number {number},{'ab'[number % 2]}\n" for number in range(60))
    (place / "texts.csv").write_text("text,label\n" + rows)
    done = tacit("new", "program", "--from", "texts.csv", "--label", "label", cwd=place)
    assert done.code == 0, done.err
    git(place, "init", "-q", "program")
    git(place / "program", "add", ".")
    git(place / "program", "commit", "-q", "-m", "Add the first examples")
    return place


@pytest.fixture
def program(made_texts, tmp_path) -> Path:
    return shutil.copytree(made_texts / "program", tmp_path / "program")


@pytest.fixture
def run(capsys, monkeypatch) -> Callable[..., tuple[int, str, str]]:
    """Run a command in this process, which is quick; an exception that comes out is a traceback."""

    def command(*words: object) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert code in (0, 1, 2), (code, out, err)
        assert code != 2 or ("error:" in err and "try:" in err), err
        return code, out, err

    return command


def shard(program: Path) -> Path:
    (path,) = program.glob("labels/*/all.jsonl")
    return path


def ids(program: Path) -> list[str]:
    return [json.loads(line)["id"] for line in shard(program).read_text().splitlines() if line]


def lines(program: Path) -> list[str]:
    return shard(program).read_text().split("\n")


#: Commands that read every label; `ID` and `OUT` are filled in.
READERS = (
    ("labels", "status"),
    ("labels", "diff"),
    ("labels", "set", "ID", "b"),
    ("labels", "set", "ID", "b", "--by", "ann"),
    ("labels", "log", "ID"),
    ("labels", "export", "OUT.csv"),
    ("labels", "merge", "main"),
    ("lint",),
    ("media", "verify"),
    ("test",),
)


def fill(words: tuple[str, ...], program: Path, name: str) -> list[str]:
    where = ["--in", str(program)] if words[0] == "labels" else [str(program)]
    return [*(word.replace("ID", name).replace("OUT", str(program.parent / "out")) for word in words), *where]


def broken(text: str, what: str) -> bytes:
    rows = text.split("\n")
    if what == "carriage returns":
        return text.replace("\n", "\r\n").encode()
    if what == "a byte order mark":
        return b"\xef\xbb\xbf" + text.encode()
    if what == "another encoding":
        return text.replace('"a"', '"\xe9"', 1).encode("latin-1")
    if what == "half a merge":
        other = rows[2].replace('"a"', '"?"').replace('"b"', '"a"').replace('"?"', '"b"')
        return "\n".join([*rows[:2], "<<<<<<< HEAD", rows[2], "=======", other, ">>>>>>> x", *rows[3:]]).encode()
    if what == "a merge resolved by taking both":
        other = rows[2].replace('"a"', '"?"').replace('"b"', '"a"').replace('"?"', '"b"')
        return "\n".join([*rows[:3], "", other, *rows[3:]]).encode()
    if what == "a torn end":
        return text.encode()[:-30]
    if what == "zeros after a power cut":
        return text.encode()[:-200] + bytes(200)
    if what == "numbers that are none":
        return text.replace('"label": "a"', '"label": NaN', 1).encode()
    if what == "a deep nest":
        return text.replace('"label": "a"', '"label": ' + "[" * 100_000, 1).encode()
    if what == "a key twice":
        return text.replace('"label": "a"', '"label": "a", "label": "b"', 1).encode()
    if what == "half a character":
        return text.replace('"label": "a"', '"label": "\\ud800"', 1).encode()
    raise ValueError(what)


BREAKAGES = (
    "carriage returns",
    "a byte order mark",
    "another encoding",
    "half a merge",
    "a merge resolved by taking both",
    "a torn end",
    "zeros after a power cut",
    "numbers that are none",
    "a deep nest",
    "half a character",
)


@pytest.mark.parametrize("what", BREAKAGES)
def test_a_damaged_label_file_is_named_by_every_command(program, run, what):
    name = ids(program)[1]  # the one that stands twice after half a merge
    damaged = broken(shard(program).read_text(), what)
    shard(program).write_bytes(damaged)
    shown = shard(program).relative_to(program).as_posix()
    # Half a character in the label of another example is left alone by a `set`.
    for words in READERS if what != "half a character" else [words for words in READERS if "set" not in words]:
        code, out, err = run(*fill(words, program, name))
        assert shard(program).read_bytes() == damaged, f"{words} has changed the file"
        if words[:2] in (("labels", "status"), ("lint",)) or words in (("labels", "export", "OUT.csv"), ("test",)):
            assert code in (1, 2) and shown in out + err, (words, code, out, err)
        if words[:2] == ("labels", "set"):
            assert code == 2 and shown in err, (words, out, err)
    assert not (program / "labels/by").exists() and not (program.parent / "out.csv").exists()


def test_a_key_twice_in_a_record_is_named(program, run):
    shard(program).write_bytes(broken(shard(program).read_text(), "a key twice"))
    code, out, err = run("labels", "status", "--in", program)
    assert code == 1 and "label" in out and ":" in out and "twice" in out + err


@pytest.mark.parametrize("kind", ["a link to nothing", "a pipe", "a folder", "a link to itself"])
def test_what_is_no_label_file_but_is_called_like_one(program, run, kind):
    place = shard(program).parent / "x.jsonl"
    if kind == "a pipe":
        os.mkfifo(place)
    elif kind == "a folder":
        place.mkdir()
    else:
        place.symlink_to("x.jsonl" if kind == "a link to itself" else "nowhere")
    before = shard(program).read_bytes()
    signal.alarm(60)  # a pipe that is read waits for ever
    try:
        for words in READERS:
            code, out, err = run(*fill(words, program, ids(program)[3]))
            if kind != "a folder" and words[:2] in (("labels", "status"), ("labels", "set"), ("lint",)):
                assert code in (1, 2) and "x.jsonl" in out + err, (words, code, out, err)
    finally:
        signal.alarm(0)
    assert kind == "a folder" or shard(program).read_bytes() == before


def test_a_label_file_that_may_not_be_read(program, run, monkeypatch):
    """Permissions don't hold for root, so the system's answer is planted."""
    read, secret = Path.read_bytes, shard(program)
    name = ids(program)[0]

    def refuse(path: Path) -> bytes:
        if path.resolve() == secret.resolve():
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).resolve() != secret.resolve())
    for words in READERS:
        code, out, err = run(*fill(words, program, name))
        if words[:2] in (("labels", "status"), ("labels", "set"), ("lint",), ("test",)):
            assert code in (1, 2) and "all.jsonl" in out + err and "Permission denied" in out + err, (words, out, err)


def test_a_label_file_cut_to_nothing_is_named(program, run):
    """Nothing of Tacit leaves an empty file behind: it is what a crash of the system or a full disk makes of one."""
    shard(program).write_bytes(b"")
    for words in READERS[:2]:
        code, out, err = run(*fill(words, program, "0" * 24))
        assert "60 removed" in out, (words, out, err)
    code, out, err = run("labels", "status", "--in", program)
    assert code == 1 and "all.jsonl" in out + err


@pytest.mark.parametrize("name", ["", " ", "0", "zz", "../..", "-1", "*", "\n", "é", "A" * 5000, "0" * 23, "0" * 25, "0" * 24])
def test_ids_that_are_none(program, run, name):
    before = tree(program)
    for verb in (("labels", "set", "--in", program, "--", name, "a"), ("labels", "log", "--in", program, "--", name)):
        code, _, err = run(*verb)
        assert code == 2, (verb, err)
    assert tree(program / "labels") == {path.removeprefix("labels/"): text for path, text in before.items() if path.startswith("labels/")}


def test_an_id_in_capitals_is_the_same_id(program, run):
    name = ids(program)[0]
    code, _, err = run("labels", "set", name.upper(), "b", "--in", program)
    assert code == 0 and f'"{name}", "label": "b"' in shard(program).read_text(), err


@pytest.mark.parametrize(
    "by", ["", "..", "../x", "a/b", ".git", "-x", "a\nb", "x" * 200, "con", "edits", "by", "ann.", "Änn", "@ann", "a b"]
)
def test_annotators_with_odd_names(program, run, by):
    """A name that is taken writes below `labels/by/` alone, and everything reads it afterwards."""
    before = {path for path in tree(program)}
    code, _, _ = run("labels", "set", "--in", program, ids(program)[0], "b", f"--by={by}")
    new = {path for path in tree(program) if path not in before and not path.startswith(".tacit")} - {"labels/.gitattributes"}
    assert all(path.startswith("labels/by") for path in new)
    if code == 0:
        status = run("labels", "status", "--in", program, "--json")
        assert status[0] == 0 and json.loads(status[1])
    else:
        assert new == set()


LABEL = "日本\t\x1b[31m\n|`*<img src=x> ![y](z) @tom \u202e"


def with_label(program: Path) -> None:
    path = program / "tacit.toml"
    path.write_text(path.read_text().replace('names = ["a", "b"]', f"names = {json.dumps(['a', 'b', LABEL, 'q' * 5000])}"))


def test_a_label_with_any_character_goes_through_everything(program, run, tmp_path):
    with_label(program)
    first, second = ids(program)[:2]
    assert run("labels", "set", "--in", program, first, LABEL)[0] == 0
    assert run("labels", "set", "--in", program, second, "q" * 5000)[0] == 0
    assert json.loads(lines(program)[0])["label"] == LABEL
    for form in ("csv", "jsonl", "json"):
        assert run("labels", "export", tmp_path / f"labels.{form}", "--in", program)[0] == 0
        code, out, err = run("labels", "import", tmp_path / f"labels.{form}", "--in", program)
        assert code == 0 and "60 examples known, with the same label" in out, (form, out, err)
    for words in (("labels", "status"), ("labels", "diff"), ("labels", "log", first), ("labels", "diff", "--markdown")):
        code, out, _ = run(*words, "--in", program)
        assert code == 0 and "\x1b" not in out and "\u202e" not in out, words
    assert "<img" not in out.replace("\\<img", "") and "![" not in out.replace("!\\[", "") and "@tom" not in out
    code, out, _ = run("labels", "diff", "--in", program, "--json")
    assert code == 0 and any(change["after"] == LABEL for change in json.loads(out)["changes"])


def test_one_id_typed_wrongly_makes_no_new_examples_of_the_others(program, run, tmp_path):
    """A program of texts takes any column of texts for new examples: a table of labels must not become one by a slip in it."""
    first, second = ids(program)[:2]
    before = tree(program / "labels")
    table = tmp_path / "labels.csv"
    table.write_text(f"id,label\n{first},a\n{second[:-1]},b\n,a\n")
    code, _, err = run("labels", "import", table, "--in", program)
    assert code == 2 and "line 3" in err and "line 4" in err and second[:-1] in err
    assert tree(program / "labels") == before
    table.write_text(f"ID;Label\n{first.upper()};b\n{second};b\n")  # as a spreadsheet writes it
    code, out, err = run("labels", "import", table, "--in", program)
    assert code == 0 and "added" not in out, (out, err)
    assert {record["label"] for record in map(json.loads, filter(None, lines(program)[:3]))} == {"b"}


def test_odd_places(made_texts, tmp_path, run):
    """A program in a folder with a space and an umlaut, below the root of a repository, in a worktree, in a submodule, detached."""
    where = tmp_path / "mono repo" / "a ü" / "pro gram"
    where.parent.mkdir(parents=True)
    git(tmp_path / "mono repo", "init", "-q", ".")
    shutil.copytree(made_texts / "program", where, ignore=shutil.ignore_patterns(".git"))
    name = ids(where)[0]
    root = tmp_path / "mono repo"
    assert run("labels", "status", "--in", where)[0] == 0  # no commit yet
    assert run("labels", "log", name, "--in", where)[0] == 0
    assert run("labels", "merge", "other", "--in", where)[0] == 2
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "Add them (#12)")
    git(root, "branch", "other")
    git(root, "worktree", "add", "-q", str(tmp_path / "tree"), "other")
    git(tmp_path, "init", "-q", "above")
    git(tmp_path / "above", "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(root), "below")
    git(root, "checkout", "-q", "--detach")
    for top in (root, tmp_path / "tree", tmp_path / "above/below"):
        place = top / "a ü" / "pro gram"
        after = "b" if json.loads(lines(place)[0])["label"] == "a" else "a"
        assert run("labels", "set", name, after, "--in", place)[0] == 0
        code, out, err = run("labels", "diff", "--in", place)
        assert code == 0 and "1 relabelled" in out, (top, out, err)
        code, out, _ = run("labels", "log", name, "--in", place)
        assert code == 0 and "#12" in out


def test_the_same_label_set_by_many_at_once_is_there_once(program):
    """Five processes set five examples; each waits for the others, and every label is there."""
    names = ids(program)[:5]
    command = [sys.executable, "-m", "tacit.cli.main", "labels", "set", "--in", str(program)]
    started = [
        subprocess.Popen([*command, name, "b"], env=command_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for name in names
    ]
    for process in started:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    found = {record["id"]: record["label"] for record in map(json.loads, filter(None, lines(program)))}
    assert len(found) == 60 and {found[name] for name in names} == {"b"}


def small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


@pytest.mark.parametrize(
    "words", [("labels", "set", "ID", "b"), ("labels", "import", "more.csv", "--label", "label"), ("labels", "export", "OUT.csv")]
)
def test_a_full_disk_changes_nothing(program, words):
    rows = "".join(f"a quite new sentence with the number {number},{'ab'[number % 2]}\n" for number in range(200))
    (program.parent / "more.csv").write_text("text,label\n" + rows)
    wanted = {"a": "b", "b": "a"}[json.loads(lines(program)[0])["label"]]
    before = tree(program / "labels")
    filled = fill(tuple(wanted if word == "b" else word for word in words), program, ids(program)[0])
    done = tacit(*filled, cwd=program.parent, preexec_fn=small_files)
    assert done.code == 2 and "Traceback" not in done.err and "try:" in done.err, (done.out, done.err)
    left = tree(program / "labels")
    assert {name: digest for name, digest in left.items() if name in before} == before
    assert set(left) - set(before) <= {".gitattributes"} and not (program.parent / "out.csv").exists()
    assert tacit(*filled, cwd=program.parent).code == 0
