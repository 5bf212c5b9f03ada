"""Counting labels by the ends of their lines gives what reading every record gives."""

from __future__ import annotations

import random

import pytest

from tacit.directory.reading import Outline
from tacit.examples.records import Record, input_id
from tacit.examples.splits import SplitRule
from tacit.examples.store import write_labels
from tacit.instruments.labelling import tally
from tacit.signature.image import Image
from tacit.signature.outputs import Class

IDS = [input_id(str(number)) for number in range(600)]


def outline(rule: SplitRule = SplitRule()) -> Outline:  # noqa: B008
    return Outline("p", Image(8, 8, 1) >> Class("a", "b", "c"), rule)


def records(seed: int, ids=IDS, **more) -> list[Record]:
    chance = random.Random(seed)
    return [Record(name, chance.choice("abc"), **{key: chance.choice(values) for key, values in more.items()}) for name in ids]


def same(directory, rule: SplitRule = SplitRule(), *, plain: bool = True) -> None:  # noqa: B008
    wanted = tally._read_tally(directory, outline(rule))
    quick = tally._plain_tally(directory, outline(rule))
    assert (quick is not None) == plain
    got = tally.count_labels(directory, outline(rule))
    assert not got.problems
    assert (got.counts, got.disputes, got.left_out) == (wanted.counts, wanted.disputes, wanted.left_out)
    assert got.examples > 0


@pytest.mark.parametrize(
    "rule",
    [
        SplitRule(),
        SplitRule(test=1.0),
        SplitRule(validation=0.0, test=0.0),
        SplitRule(from_train=("validation",), salt="7"),
        SplitRule(from_train=("validation", "test")),
        SplitRule(by="group"),
    ],
)
def test_agrees_with_reading_every_record(tmp_path, rule):
    write_labels(tmp_path, "one", records(1, IDS[:300], split=[None, "train", "test"], group=[None, "g", "h"]))
    write_labels(tmp_path, "two", records(2, IDS[300:]))
    same(tmp_path, rule)


def test_agrees_about_disputes_and_ties(tmp_path):
    write_labels(tmp_path, "one", records(1))
    write_labels(tmp_path, "by/ann", records(2, IDS[:60]))
    write_labels(tmp_path, "by/bob", records(3, IDS[30:90]))
    same(tmp_path)
    found = tally.count_labels(tmp_path, outline())
    assert found.disputes and found.left_out


def test_what_is_not_plain_is_read_in_full(tmp_path):
    texts = [Record(input_id(text), "a", input=text) for text in ("x", "y")]
    write_labels(tmp_path, "one", texts)
    same(tmp_path)
    write_labels(tmp_path, "two", records(1, IDS[:5]))
    write_labels(tmp_path, "three", [Record(IDS[0], "b")])
    same(tmp_path, plain=False)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("<<<<<<< ours", "merge marker"),
        ("{", "JSON"),
        ('{"id": "000000000000000000000000", "label": "z"}', "expected a class"),
        ('{"id": "00000000000000000000000", "label": "a"}', "24 hexadecimal digits"),
        ('{"id": "ffffffffffffffffffffffff", "label": "a"}\n\n{"id": "ffffffffffffffffffffffff", "label": "b"}', "twice"),
    ],
)
def test_names_what_is_wrong(tmp_path, line, said):
    write_labels(tmp_path, "one", records(1, IDS[:5]))
    path = tmp_path / "labels/one/all.jsonl"
    path.write_text(path.read_text() + "\n" + line + "\n")
    found = tally.count_labels(tmp_path, outline())
    assert found.problems and said in found.problems[0]
    assert found.problems[0].startswith("labels/one/all.jsonl:1")
    assert found.examples == 0


def test_line_ends_of_another_system_are_named(tmp_path):
    write_labels(tmp_path, "one", records(1, IDS[:5]))
    path = tmp_path / "labels/one/all.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert "CR" in tally.count_labels(tmp_path, outline()).problems[0]
