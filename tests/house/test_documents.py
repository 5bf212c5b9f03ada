"""Links, numbers and traces in documents; each rule seen to fail once."""

from __future__ import annotations

import json

import pytest

from benchmarks import tables
from tests.house.documents import ROOT, documents, link_problems, trace_problems, tracked, typed_number_problems

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def test_every_relative_link_leads_somewhere():
    assert link_problems(documents()) == []


def test_numbers_of_the_readmes_are_measured():
    assert typed_number_problems(READMES) == []


@pytest.mark.parametrize("path", tables.DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_of_the_documents_are_those_of_the_results(path):
    text = path.read_text(encoding="utf-8")
    assert tables.BLOCK.search(text) or tables.SUMMARY.search(text), "it shows no figures"
    assert tables.written(text, tables.DOCUMENTS[path]) == text, "out of date; run `python benchmarks/tables.py`"


def test_a_table_shows_what_was_missed(tmp_path):
    machine = {"cpu": "x", "cores": 2, "ram_gib": 4.0}
    target = {"accuracy": {"wanted": ">= 0.985", "met": False}, "seconds": {"wanted": "<= 60", "met": None}}
    target["worst"] = {"wanted": "max <= 5", "met": True}
    figures = {"worst": {"values": [1.0, 4.5], "mean": 2.75, "std": 2.4749, "min": 1.0, "max": 4.5, "n": 2}}
    figures |= {"accuracy": {"values": [0.97, 0.98], "mean": 0.975, "std": 0.0071, "n": 2}}
    (tmp_path / "a.json").write_text(json.dumps({"name": "a", "machine": machine, "target": target, "figures": figures}))
    (tmp_path / "b.json").write_text(json.dumps({"name": "b", "machine": machine, "figures": {"untargeted": 1}}))
    lines = tables.table("en", tmp_path).splitlines()
    assert lines[4] == "| a | worst | max ≤ 5 | 4.5 | 2 | yes |"
    assert lines[2:4] == ["| a | accuracy | ≥ 0.985 | 0.9750 ± 0.0071 | 2 | no |", "| a | seconds | ≤ 60 |  | 0 | not measured |"]
    summed = tables.summary("en", tmp_path).splitlines()
    assert summed[2] == "| a | 3 | 1 | accuracy (0.9750, ≥ 0.985); seconds (not measured, ≤ 60) |"
    assert summed[3:] == ["| all | 3 | 1 |  |"]
    stale = "x\n<!-- from benchmarks/results -->\nold\n<!-- end -->\ny\n"
    assert tables.written(stale, "en", tmp_path) != stale
    assert tables.written(tables.written(stale, "en", tmp_path), "en", tmp_path) == tables.written(stale, "en", tmp_path)


def test_the_table_of_speeds_leaves_open_what_did_not_run(tmp_path):
    stale = "x\n<!-- from benchmarks/results/targets.json -->\nold\n<!-- end -->\ny\n"
    assert "old" not in tables.written(stale, "en", tmp_path), "without a record there is only the head"
    row = {"name": "b", "title": "a CNN", "program": False, "mflop": 3.848, "us": {"ORT": 29.14, "C": 23.16}}
    row["ratios, quartiles"] = {"ORT / C": [1.252, 1.266, 1.285]}
    record = {"runs": [row], "versions": {"onnxruntime": "1.0"}, "machine": {"cpu": "x"}, "figures": {"instruction set": "avx2"}}
    (tmp_path / "targets.json").write_text(json.dumps(record))
    lines = tables.written(stale, "en", tmp_path).splitlines()
    assert lines[4] == "| b: a CNN | 3.848 | 29.14 | 23.16 |  |  | 1.27× (1.25–1.28) |  |  |  |"
    assert "ONNX Runtime 1.0" in lines[6]


def test_the_scoreboard_shows_a_row_for_each_contestant(tmp_path):
    stale = "x\n<!-- from benchmarks/results/scoreboard.json -->\nold\n<!-- end -->\ny\n"
    assert "old" not in tables.written(stale, "en", tmp_path), "without a record there is only the head"
    row = {"program": "p", "data": "d", "contestant": "a | b", "kind": "predecessor", "metric": "errors", "score": 0.25}
    row |= {"higher_is_better": False, "made_in": 12.345, "microseconds": None, "bytes": 2048, "macs": 3_000_000}
    row |= {"settings": {"minutes": None, "steps": 1200, "seed": 0}}
    shorter = {**row, "kind": "program", "contestant": "q"}
    (tmp_path / "scoreboard.json").write_text(json.dumps({"runs": [row, shorter], "machine": {"cpu": "a processor"}}))
    lines = tables.written(stale, "en", tmp_path).splitlines()
    assert lines[4] == "| p | d | predecessor: a \\| b | errors (lower is better) | 0.2500 | 12.35 |  | 2.048 | 3 |"
    assert lines[5].startswith("| p | d | program: q, 1,200 steps |"), "a budget that is not its own is said"
    assert lines[7].endswith("one thread. a processor.")
    assert "前身：" in tables.written(stale, "zh", tmp_path)


def test_no_trace_of_one_machine():
    assert trace_problems(tracked()) == []


def test_nothing_pinned_brings_cuda():
    names = [line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert "torch" in names
    assert [name for name in names if name.startswith(("nvidia", "cuda", "triton"))] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[x](gone.md)", ["a.md: `gone.md` leads nowhere"]),
        ("[x](../outside.md)", ["a.md: `../outside.md` leads nowhere"]),
        ("![x](gone.png)", ["a.md: `gone.png` leads nowhere"]),
        ("[x](#no-such-heading)", ["a.md: `#no-such-heading` names no heading"]),
        ("# A `heading` here\n[x](#a-heading-here) [y](a.md) [z](https://example.org)\n```\n[x](gone.md)\n```\n", []),
    ],
)
def test_a_planted_link_is_found(tmp_path, text, expected):
    (tmp_path / "a.md").write_text(text)
    assert link_problems([tmp_path / "a.md"], tmp_path) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("reaches 98.7 % in 40 s", 2),
        ("an accuracy of 0.991", 1),
        ("<!-- from r.json -->\n| 98.7 % |\n<!-- end -->\nfine", 0),
        ("Python 3.11, `0.985`, 1,797 examples of 8x8\n```\n0.99\n```\n", 0),
    ],
)
def test_a_typed_number_is_found(tmp_path, text, count):
    (tmp_path / "a.md").write_text(text)
    assert len(typed_number_problems([tmp_path / "a.md"], tmp_path)) == count


@pytest.mark.parametrize("text", ["see /" + "work/main", "/" + "home/ann/x", "--extra-index-" + "url x", "file" + ":///srv"])
def test_a_planted_trace_is_found(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert len(trace_problems([tmp_path / "a.txt"], tmp_path)) == 1
