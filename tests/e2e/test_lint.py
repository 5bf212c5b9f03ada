"""`tacit lint` as a person and as a workflow use it: reports, exit codes, baseline, SARIF, --fix, --since."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tacit.examples.media import MediaReader, MediaWriter
from tacit.examples.records import Record
from tacit.examples.store import read_store
from tacit.examples.writing import write_labels
from tests.e2e.conftest import Done, command_environment, draw, tacit

QUICK = ("--ignore", "TL6,TL5,TL3")  # without a training, and without what so few pictures would be told


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A clean program directory of 40 noisy pictures."""
    draw(tmp_path / "pictures", count=20, size=12)
    assert tacit("new", "program", "--from", "pictures", cwd=tmp_path).code == 0
    return tmp_path / "program"


def plant(program: Path, *, label: str | None = None, split: str | None = None) -> tuple[Record, str]:
    """Add a training picture again as BMP; give its record and the id of the copy."""
    document = lint(program, "--json").document
    assert document["findings"] == [], "the set is clean before"
    record = next(record for record in read_store(program).records)
    stream = io.BytesIO()
    Image.open(io.BytesIO(MediaReader(program).read(record.id))).save(stream, "BMP")
    with MediaWriter(program) as media:
        copy = media.add(stream.getvalue(), "bmp")
    pinned = replace(record, split=split or "train")
    for path in (program / "labels").glob("*/*.jsonl"):
        path.write_text(path.read_text().replace(record.line(), replace(record, split="train").line()))
    write_labels(program, "planted", [replace(pinned, id=copy, label=label or record.label)])
    return record, copy


def lint(program: Path, *arguments: object) -> Done:
    return tacit("lint", program, *QUICK, *arguments, cwd=program.parent)


def test_a_leak_fails_and_is_named_in_every_form(program):
    record, copy = plant(program, split="test")
    said = lint(program)
    assert said.code == 1 and "TL201 leak" in said.out and "1 error" in said.out and "try:" in said.out
    document = lint(program, "--json").document
    (finding,) = document["findings"]
    assert (finding["code"], set(finding["examples"])) == ("TL201", {record.id, copy}) and document["failed"]
    place = finding["places"][0]
    assert copy in (program / place["file"]).read_text().split("\n")[place["line"] - 1]
    assert "**TL201" in lint(program, "--markdown").out


def test_the_level_that_fails_is_chosen(program):
    plant(program)
    assert lint(program).code == 0, "a warning does not fail by itself"
    assert lint(program, "--fail-on", "warning").code == 1
    assert lint(program, "--fail-on", "warning", "--ignore", "exact-duplicate").code == 0
    assert lint(program, "--fail-on", "warning", "--select", "TL2").code == 0


def test_a_baseline_keeps_what_is_known_and_shows_what_is_new(program):
    plant(program, split="test")
    assert lint(program, "--write-baseline", "known.json").code == 0
    again = lint(program, "--baseline", "known.json", "--json")
    assert again.code == 0 and again.document["known"] == 1 and again.document["findings"] == []
    with MediaWriter(program) as media:
        bad = media.add(b"no picture", "png")
    write_labels(program, "more", [Record(bad, "bar")])
    later = lint(program, "--baseline", "known.json", "--json")
    assert later.code == 1 and [finding["code"] for finding in later.document["findings"]] == ["TL401"]


def test_fix_removes_the_copy_and_nothing_else(program):
    record, copy = plant(program)
    before = {item.id: item.label for item in read_store(program).records}
    done = lint(program, "--fix", "--json")
    gone = {record.id, copy} - {item.id for item in read_store(program).records}
    assert done.code == 0 and len(gone) == 1 and len(done.document["done"]) == 1
    assert {item.id: item.label for item in read_store(program).records} == {
        name: label for name, label in before.items() if name not in gone
    }


def test_fix_leaves_what_a_person_has_to_decide(program):
    record, copy = plant(program, label="dot" if read_store(program).records[0].label == "bar" else "bar")
    done = lint(program, "--fix", "--json")
    assert done.code == 1 and [finding["code"] for finding in done.document["findings"]] == ["TL103"] and not done.document["done"]
    assert {record.id, copy} <= {item.id for item in read_store(program).records}


#: Object of SARIF 2.1.0 -> (required properties, allowed properties among those that are used), as its schema has them.
SCHEMA = {
    "log": ({"version", "runs"}, {"$schema", "version", "runs"}),
    "run": ({"tool"}, {"tool", "results", "automationDetails", "columnKind"}),
    "tool": ({"driver"}, {"driver"}),
    "driver": ({"name"}, {"name", "version", "semanticVersion", "rules", "informationUri"}),
    "rule": ({"id"}, {"id", "name", "shortDescription", "fullDescription", "help", "defaultConfiguration", "properties", "helpUri"}),
    "result": (
        {"message", "ruleId", "locations", "partialFingerprints"},  # the last three are what GitHub asks for
        {"ruleId", "ruleIndex", "level", "message", "locations", "relatedLocations", "partialFingerprints", "properties"},
    ),
    "location": ({"physicalLocation"}, {"id", "physicalLocation", "message"}),
    "physical": ({"artifactLocation", "region"}, {"artifactLocation", "region"}),
}


def keys(name: str, value: dict) -> None:
    required, allowed = SCHEMA[name]
    assert required <= set(value) <= allowed, (name, sorted(value))


def test_sarif_is_what_github_reads_with_paths_from_the_root_of_the_repository(program):
    plant(program, split="test")
    subprocess.run(["git", "init", "-q"], cwd=program.parent, check=True)
    assert lint(program, "--sarif", "lint.sarif").code == 1
    log = json.loads((program.parent / "lint.sarif").read_text())
    keys("log", log)
    assert log["version"] == "2.1.0" and "sarif-2.1.0" in log["$schema"]
    (run,) = log["runs"]
    keys("run", run), keys("tool", run["tool"]), keys("driver", run["tool"]["driver"])
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        keys("rule", rule)
        assert rule["help"]["text"] and rule["shortDescription"]["text"] and rule["fullDescription"]["text"]
        assert rule["defaultConfiguration"]["level"] in ("note", "warning", "error")
    (result,) = run["results"]
    keys("result", result)
    assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "TL201" and result["level"] == "error" and result["message"]["text"]
    for location in (*result["locations"], *result["relatedLocations"]):
        keys("location", location), keys("physical", location["physicalLocation"])
        assert (program.parent / location["physicalLocation"]["artifactLocation"]["uri"]).is_file()
        assert location["physicalLocation"]["region"]["startLine"] >= 1
    assert all(isinstance(value, str) for value in result["partialFingerprints"].values())


def test_since_keeps_only_what_touches_changed_labels(program):
    def git(*words: str) -> None:
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", *who, *words], cwd=program, check=True, capture_output=True)

    git("init", "-q")
    plant(program, split="test")
    git("add", "-A")
    git("commit", "-q", "-m", "All")
    assert lint(program, "--since", "HEAD", "--json").document["findings"] == []
    with MediaWriter(program) as media:
        bad = media.add(b"no picture", "png")
    write_labels(program, "more", [Record(bad, "bar")])
    assert [finding["code"] for finding in lint(program, "--since", "HEAD", "--json").document["findings"]] == ["TL401"]


def test_without_torch_the_label_errors_are_left_out_and_said(tmp_path):
    draw(tmp_path / "pictures", count=60, size=12)  # fewer say too little of labels
    assert tacit("new", "program", "--from", "pictures", cwd=tmp_path).code == 0
    program = tmp_path / "program"
    hidden = program.parent / "hidden"
    hidden.mkdir()
    (hidden / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n")
    environment = command_environment()
    environment["PYTHONPATH"] = f"{hidden}{os.pathsep}{environment['PYTHONPATH']}"
    command = [sys.executable, "-m", "tacit.cli.main", "lint", str(program), "--select", "TL1,TL6", "--json"]
    done = subprocess.run(command, cwd=program.parent, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert any("label-errors" in note and "torch" in note for note in json.loads(done.stdout)["notes"])


def test_mistakes_of_usage(program, refused):
    refused("lint", program, "--select", "TL9", names=("`TL9`",), cwd=program.parent)
    refused("lint", program, "--fail-on", "bad", cwd=program.parent)
    refused("lint", program, "--baseline", "nowhere.json", names=("nowhere.json",), cwd=program.parent)
    refused("lint", "nowhere", cwd=program.parent)
