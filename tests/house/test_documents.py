"""Links, numbers and traces in documents; each rule seen to fail once."""

from __future__ import annotations

import pytest

from tests.house.documents import ROOT, documents, link_problems, trace_problems, tracked, typed_number_problems

READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def test_every_relative_link_leads_somewhere():
    assert link_problems(documents()) == []


def test_numbers_of_the_readmes_are_measured():
    assert typed_number_problems(READMES) == []


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
