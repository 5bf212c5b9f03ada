from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from tacit.goals.evidence import check_goals, evaluate_scores
from tacit.goals.goal import Goal
from tacit.instruments.compile_report import report
from tacit.instruments.evidence import classes_grid, goal_rows, scores_grid
from tacit.instruments.layout import Grid, count, decimal, plain, size, width
from tacit.instruments.model_card import card, markdown, write_card
from tests.unit.binary.small_programs import series_binary, sum_binary


def evidence(threshold: float = 0.5) -> dict:
    output = series_binary().signature.output
    scores = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    blocks = {"test": evaluate_scores(output, scores, np.array([0, 1, 2, 1]))}
    return {
        "name": "small",
        "scores": blocks,
        "goals": check_goals((Goal("accuracy", threshold), Goal("recall", 0.9, label="low"), Goal("macro_f1")), blocks),
        "costs": {"macs": 72, "weight_bytes": 288, "arena_bytes": 64, "instructions": 2},
        "lowering": {"max_relative_error": 2.5e-7, "approximations": []},
        "labels": {"digest": "d" * 64, "commit": None, "counts": {"train": 10, "test": 4}},
        "run": {"seed": 3, "steps": 100, "seconds": 12.25, "repeat": "tacit compile small --steps 100 --seed 3"},
        "versions": {"tacit": "0.1.0"},
        "suspicious": [{"id": "abc", "label": "low", "guess": "high", "margin": -3.25}],
    }


def test_the_report_says_whether_the_goals_are_met():
    met, missed = (report(series_binary(evidence=evidence(threshold))) for threshold in (0.5, 0.8))
    assert met.met and not missed.met
    assert "all 2 goals met" in plain(met.parts())
    text = plain(missed.parts())
    assert "goal NOT MET: accuracy on test" in text
    for part in (
        "0.7500",
        "recall of `low` on test",
        "cost of one call: 72 MACs, 2 instructions, 288 B",
        "abc",
        "-3.25",
        "--steps 100 --seed 3",
        "12 s",
    ):
        assert part in text
    document = json.loads(json.dumps(missed.to_json()))
    assert document["met"] is False and document["evidence"]["run"]["seed"] == 3


@pytest.mark.parametrize("missing", [*evidence(), "everything"])
def test_every_part_of_the_evidence_may_be_absent(missing, tmp_path):
    whole = evidence()
    some = {} if missing == "everything" else {key: value for key, value in whole.items() if key != missing}
    binary = dataclasses.replace(series_binary(), evidence=some)
    assert plain(report(binary).parts()) and card(binary).startswith("---\nlicense: other\n")


def test_an_interrupted_run_says_so():
    interrupted = {"name": "small", "run": {"interrupted": True, "repeat": None, "steps": 5}}
    assert "best so far" in plain(report(series_binary(evidence=interrupted)).parts())


def test_the_card_is_made_of_the_evidence(tmp_path):
    binary = series_binary(evidence=evidence(0.8))
    path = write_card(binary, tmp_path / "small.tacit", license="apache-2.0")
    text = path.read_text()
    assert path.name == "small.md"
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    assert "license: apache-2.0" in front and "library_name: tacit" in front and "    - type: accuracy\n      value: 0.75" in front
    assert "| accuracy | 0.7500 |" in body and "NOT MET" in body and binary.digest in body and "2.5e-07" in body
    assert body.index("| low |") < body.index("| middle |") < body.index("| high |")


def test_the_front_matter_is_what_the_hub_reads():
    text = card(series_binary(evidence={**evidence(), "name": 'a "quoted": name'}))
    quoted = r'"a \"quoted\": name"'
    wanted = f"""---
license: other
library_name: tacit
tags:
- tacit
- software-2.0
- series
metrics:
- accuracy
- balanced_accuracy
- log_loss
- macro_f1
model-index:
- name: {quoted}
  results:
  - task:
      type: other
    dataset:
      name: {quoted}
      type: {quoted}
      split: test
    metrics:
    - type: accuracy
      value: 0.75
"""
    assert text.startswith(wanted)


def test_the_card_of_a_number_names_its_error():
    output = sum_binary().signature.output
    block = evaluate_scores(output, np.array([[1.0], [2.0]], np.float32), np.array([[1.5], [2.0]], np.float32))
    text = card(dataclasses.replace(sum_binary(), evidence={"name": "sum", "scores": {"test": block}}))
    assert "| mean_absolute_error | 0.2500 |" in text


def test_grids_of_what_was_measured():
    assert scores_grid({"test": {}}) is None and classes_grid({}, title="") is None and goal_rows(None) == ()
    many = {str(number): {"f1": number / 100, "precision": 1.0, "recall": 1.0, "count": 1} for number in range(60)}
    grid = classes_grid({"per_class": many}, title="per class")
    assert grid is not None and len(grid.rows) == 50 and grid.rows[0][0] == "0" and "50 worst of 60" in grid.title


def test_wide_characters_are_aligned():
    lines = plain([Grid("", ("class", "n"), (("猫", "1"), ("dog", "20")))]).splitlines()
    assert len({width(line) for line in lines if line}) == 1


def test_numbers_are_written_short():
    assert (count(999), count(1500, "MACs"), count(2e9)) == ("999", "1.5 KMACs", "2 G")
    assert (size(10), size(3 * 2**20), size(2**30)) == ("10 B", "3 MiB", "1 GiB")
    assert (decimal(0.5), decimal(None), decimal(3)) == ("0.5000", "-", "3")


def test_bars_in_a_cell_are_escaped():
    assert markdown(Grid("", ("a|b",), (("c\nd",),))) == "| a\\|b |\n| --- |\n| c d |"
