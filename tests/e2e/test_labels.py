"""`tacit labels set|import|export|pack` as a person uses them, and what they say to bad input."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import command_environment, draw, tacit, tree


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("started")
    draw(place / "pictures", count=10)
    done = tacit("new", "program", "--from", "pictures", cwd=place)
    assert done.code == 0, done.err
    return place / "program"


@pytest.fixture
def program(started, tmp_path) -> Path:
    subprocess.run(["cp", "-r", str(started), str(tmp_path / "program")], check=True)
    return tmp_path / "program"


def records(program: Path) -> list[dict[str, str]]:
    (path,) = program.glob("labels/pictures-*/all.jsonl")
    return [json.loads(line) for line in path.read_text().split("\n") if line]


def test_set_record_settle_export_and_import(program, tmp_path):
    (path,) = program.glob("labels/pictures-*/all.jsonl")
    first, second = records(program)[:2]
    other = {"bar": "dot", "dot": "bar"}
    before = path.read_text().split("\n")
    done = tacit("labels", "set", first["id"][:10], other[first["label"]], cwd=program)
    assert done.code == 0 and done.err == ""
    assert done.out == f"{first['id']} {first['label']} -> {other[first['label']]} - {path.relative_to(program).as_posix()}:1\n"
    after = path.read_text().split("\n")
    assert [row for row, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [0]
    done = tacit("labels", "set", second["id"], other[second["label"]], "--by", "ann", "--json", cwd=program)
    assert done.document["labels"][0] == {
        "id": second["id"],
        "before": second["label"],
        "after": other[second["label"]],
        "source": "by/ann",
        "file": f"labels/by/ann/{second['id'][0]}.jsonl",
        "line": 1,
        "removed": [],
        "changed": True,
    }
    exported = tacit("labels", "export", "../labels.csv", cwd=program)
    assert exported.code == 0 and exported.out == "../labels.csv\n"
    assert "1 example in dispute without a majority" in exported.err and "19 examples as csv" in exported.err
    table = (tmp_path / "labels.csv").read_text().split("\n")
    assert table[0] == "id,label,split,file" and table[2].startswith(f"{second['id']},,")
    compiled = tacit("compile", "program", "--steps", 5, "-o", "x.tacit", "--json", cwd=tmp_path)
    assert "1 example in dispute: 1 without a majority left out" in compiled.err
    labels = compiled.document["evidence"]["labels"]
    assert (labels["disputes"], labels["left_out"], sum(labels["counts"].values())) == (1, 1, 19)
    settled = tacit("labels", "set", second["id"], second["label"], cwd=program)
    assert "no label in force -> " in settled.out and "settled, opinions taken away: by/ann" in settled.out
    back = tacit("labels", "import", "../labels.csv", cwd=program)
    assert back.code == 0 and back.out == "19 examples known, with the same label\n" and "1 examples have no label" in back.err
    draw(tmp_path / "more", count=12)
    (tmp_path / "more/bar/0.png").rename(tmp_path / "more/dot/moved.png")
    brought = tacit("labels", "import", "../more", "--json", cwd=program)
    document = brought.document
    assert document["added"] + document["known"] + len(document["opinions"]) == 24 and len(document["disputes"]) >= 1
    packed = tacit("labels", "pack", path.parent.name, cwd=program)
    assert packed.code == 0 and packed.out == f"20 records in chunks, named in labels/{path.parent.name}/chunks.json\n"
    assert tacit("labels", "set", first["id"], first["label"], cwd=program).code == 0
    assert (path.parent / f"edits/{first['id'][:2]}.jsonl").exists()


def test_what_is_typed_wrongly(program, refused):
    name = records(program)[0]["id"]
    refused("labels", "set", name, "dto", cwd=program, names=("expected a class of the program", "did you mean `dot`"))
    refused("labels", "set", name, cwd=program, names=("expected ids and a label",))
    refused("labels", "set", "abcdefabcdef", "fedcba", "dot", cwd=program, names=("`abcdefabcdef`", "`fedcba`"))
    refused("labels", "set", name, "dot", "--by", "a/b", cwd=program, names=("expected the name of an annotator",))
    refused("labels", "set", name, "dot", cwd=program.parent, names=("expected a program directory",))
    refused("labels", "sett", name, "dot", cwd=program, names=("did you mean `set`",))
    refused("labels", "export", "x.xlsx", cwd=program, names=("csv, jsonl, coco, folder",))
    refused("labels", "import", "nowhere", cwd=program, names=("nowhere",))
    refused("labels", "pack", "nothing", cwd=program, names=("nothing", "pictures-"))


def test_bad_examples_and_labels_are_named_all_at_once(program, refused, tmp_path):
    draw(tmp_path / "more", classes=("bar", "dott", "ring"), count=4)
    (tmp_path / "more/bar/torn.png").write_bytes((tmp_path / "more/bar/0.png").read_bytes()[:50])
    refused("labels", "import", "more", "--in", "program", names=('"dott"; did you mean `dot`', '"ring"', "bar/torn.png", "(3 problems)"))
    name = records(program)[0]["id"]
    (tmp_path / "pairs.csv").write_text(f"id,label\n{name},ring\n{'0' * 24},dot\n")
    refused("labels", "import", "pairs.csv", "--in", "program", names=("line 2", "line 3", "(2 problems)"))


def test_hand_edited_files_are_named_by_file_and_line_all_at_once(program, refused):
    (path,) = program.glob("labels/pictures-*/all.jsonl")
    lines = path.read_text().split("\n")
    name = json.loads(lines[0])["id"]
    lines[2] = lines[2][:-3]
    lines[4] = "<<<<<<< HEAD"
    lines[6] = lines[6].replace('"label"', '"lable"')
    lines[8] = lines[8].replace('"bar"', '"brr"').replace('"dot"', '"brr"')
    lines.append(lines[0])
    path.write_text("\n".join(lines) + "\n")
    (program / "labels/by").mkdir()
    (program / "labels/by/ann.jsonl").write_bytes((lines[0] + "\r\n").encode())
    (program / "labels/by/bob.jsonl").write_text(lines[0].replace(name, "f" * 24) + "\n")
    shown = path.relative_to(program).as_posix()
    places = [f"{shown}:{number}: " for number in (3, 5, 7, 9, len(lines))] + ["labels/by/ann.jsonl:1: ", "labels/by/bob.jsonl:1: "]
    parts = ("merge marker", "unknown key `lable`", "did you mean `bar`", f"also at {shown}:1", "end in LF", "is in no import")
    for command in (("compile", ".", "--steps", 5), ("labels", "export", "../x.csv")):
        refused(*command, cwd=program, names=(*places, *parts, "(7 problems)"))
    refused("labels", "set", name, "dot", cwd=program, names=(places[0], places[1], "end in LF"))


def test_a_killed_import_leaves_nothing_behind_and_can_be_repeated(program, tmp_path):
    draw(tmp_path / "more", count=60)
    before = tree(program / "labels")
    words = [sys.executable, "-m", "tacit.cli.main", "labels", "import", "../more"]
    for wait in (0.0, 0.02, 0.1):
        process = subprocess.Popen(words, cwd=program, env=command_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lock = program / ".tacit/labels.lock"
        while process.poll() is None and not (lock.exists() and f'"process": {process.pid},' in lock.read_text()):
            time.sleep(0.001)
        time.sleep(wait)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        now = {name: digest for name, digest in tree(program / "labels").items() if "/." not in f"/{name}" or name == ".gitattributes"}
        assert now == before or len(now) > len(before)  # as before, or the whole of it
    done = tacit("labels", "import", "../more", cwd=program)
    assert done.code == 0, done.err
    assert tacit("labels", "export", "../all.csv", cwd=program).code == 0
    assert (tmp_path / "all.csv").read_text().count("\n") == len({*_ids(tmp_path / "more"), *_ids(tmp_path / "all.csv")}) + 1
    hidden = [path for folder in ("labels", "media") for path in (program / folder).rglob(".*")]
    assert [path.name for path in hidden] in ([], [".gitattributes"])


def _ids(path: Path) -> list[str]:
    if path.is_dir():
        return [_hash(file) for file in path.rglob("*.png")]
    return [line[:24] for line in path.read_text().split("\n")[1:] if line]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]
