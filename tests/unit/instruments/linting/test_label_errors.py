"""Label errors in a small table whose right labels are known."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tacit.compiler import compile as compile_program
from tacit.directory.making import new_program
from tacit.directory.reading import read_program
from tacit.ground.errors import ConfigError
from tacit.ground.progress import Reporter
from tacit.instruments.linting import label_errors
from tacit.instruments.linting.context import Context, Options
from tacit.instruments.linting.label_errors import CHECK

FLIPPED = 24
MINUTES = 3.0  # more than is needed: the passes end a run, not the clock


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A program directory of 600 rows in three classes, `FLIPPED` of them under a wrong name."""
    random = np.random.default_rng(0)
    true = random.integers(0, 3, 600)
    columns = np.eye(3)[true] * 6.0 + random.normal(size=(600, 3))
    given = true.copy()
    given[:FLIPPED] = (true[:FLIPPED] + 1) % 3
    folder = tmp_path_factory.mktemp("labels")
    with open(folder / "points.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "label"])
        for row, name in zip(columns, given, strict=True):
            writer.writerow([*(f"{value:.4f}" for value in row), "xyz"[name]])
    new_program(folder / "program", source=folder / "points.csv", workflow=False)
    return folder / "program"


def flipped(directory: Path) -> dict[str, str]:
    """Give id -> right label of those that stand under a wrong one."""
    found = {}
    for path in sorted(directory.glob("labels/**/*.jsonl")):
        for line in path.read_text().splitlines():
            if line.strip():
                record = json.loads(line)
                values = [float(record["input"][name]) for name in "abc"]
                right = "xyz"[int(np.argmax(values))]
                if right != record["label"] and max(values) > 4.0:
                    found[record["id"]] = right
    return found


def findings(directory: Path, **options):
    return list(CHECK.find(Context(directory, options=Options(**{"minutes": MINUTES, **options}), reporter=Reporter())))


def good(found, wrong: dict[str, str]) -> bool:
    hits = [finding for finding in found if finding.examples[0] in wrong]
    return len(hits) >= 0.9 * max(len(found), len(wrong))


def test_without_a_compiled_program_one_run_finds_the_wrong_labels(table):
    wrong = flipped(table)
    assert len(wrong) >= FLIPPED - 3
    found = findings(table)
    assert good(found, wrong)
    first = next(finding for finding in found if finding.examples[0] in wrong)
    name = first.examples[0]
    assert first.code == "TL601"
    assert first.evidence["guess"] == wrong[name]
    assert first.evidence["by"] == "the training run"
    assert first.evidence["margin"] < 0
    assert first.fix == f"look at it; if the label is wrong: tacit labels set {name} {wrong[name]}"
    margins = [finding.evidence["margin"] for finding in found]
    assert margins == sorted(margins)


def test_each_fold_is_judged_by_a_network_that_has_not_seen_it(table):
    found = findings(table, cross_validate=3, minutes=9.0)
    assert good(found, flipped(table))
    assert {finding.evidence["by"] for finding in found} == {"a network that hasn't seen the example"}


def test_the_run_that_compile_kept_is_used_and_nothing_is_trained_anew(table, tmp_path, monkeypatch):
    directory = tmp_path / "program"
    shutil.copytree(table, directory)
    program = read_program(directory, overrides={"budget.steps": "150", "train.batch": "32"})
    compile_program(program).save(directory / f"{program.name}.tacit")
    monkeypatch.setattr(label_errors, "_observe", None)
    found = findings(directory)
    assert good(found, flipped(directory))
    by = {finding.evidence["by"]: finding for finding in found}
    assert set(by) <= {"the training run", "a network that hasn't seen the example"} and "the training run" in by
    # A label that was put right is not named again, though the run had learnt from the wrong one.
    mended, right = by["the training run"].examples[0], by["the training run"].evidence["guess"]
    for path in directory.glob("labels/**/*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        lines = [{**line, "label": right} if line["id"] == mended else line for line in lines]
        path.write_text("\n\n".join(json.dumps(line) for line in lines) + "\n")
    assert mended not in {finding.examples[0] for finding in findings(directory)}


def test_few_examples_and_no_time_say_nothing(table, tmp_path, monkeypatch):
    assert findings(table, minutes=0.0) == []
    monkeypatch.setattr(label_errors, "FEWEST", 1000)
    assert findings(table) == []


def test_one_fold_is_refused_and_a_damaged_cache_is_passed_over(table, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="expected at least 2 folds, got 1"):
        findings(table, cross_validate=1)
    directory = tmp_path / "program"
    shutil.copytree(table, directory)
    kept = directory / ".tacit" / "trained" / "0.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"torn")
    asked = []
    monkeypatch.setattr(label_errors, "_observe", lambda *arguments: asked.append(arguments))
    assert findings(directory) == []
    assert len(asked) == 1


def test_a_run_that_had_too_little_time_says_so_and_names_nothing(table, monkeypatch):
    notes = []

    class Listens(Reporter):
        def note(self, text):
            notes.append(text)

    monkeypatch.setattr(label_errors, "TOO_FEW", 1e9)
    assert list(CHECK.find(Context(table, options=Options(minutes=0.05), reporter=Listens()))) == []
    assert any("too little to train in" in note for note in notes)
