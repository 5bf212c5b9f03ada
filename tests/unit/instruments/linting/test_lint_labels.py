"""What is wrong with labels, label files, balance and groups."""

import pytest

from tacit.examples.records import Record
from tacit.examples.writing import write_labels
from tacit.ground.errors import InputError
from tacit.instruments.linting.running import lint
from tacit.signature.outputs import Class
from tacit.signature.text import Text


@pytest.fixture
def texts(build):
    builder = build(Text(8, 100) >> Class("ham", "jam"))
    for number in range(60):
        split = ("train", "validation", "test")[min(2, number // 2 % 5)] if number // 2 % 5 < 3 else "train"
        builder.add(f"{number} words that say {number * 7919 % 1000} things", ("ham", "jam")[number % 2], split=split)
    return builder


QUICK = ("TL0", "TL3", "TL203")


def test_clean_labels_are_quiet(texts, found):
    assert found(texts.write(), select=QUICK) == []


def test_an_unknown_label_is_an_error_on_its_line(texts):
    texts.relabel(texts.records[3].id, "jma")
    report = lint(texts.write(), select=("TL011",))
    (finding,) = report.findings
    assert "did you mean `jam`" in finding.message and report.failed
    line = (texts.directory / finding.places[0].file).read_text().split("\n")[finding.places[0].line - 1]
    assert texts.records[3].id in line


def test_a_class_without_examples(build, found):
    builder = build(Text(8, 100) >> Class("ham", "jam", "tea"))
    for number in range(60):
        builder.add(f"{number}", ("ham", "jam")[number % 2])
    assert found(builder.write(), select=QUICK) == ["TL012"]


def test_opinions_that_differ_are_in_dispute(texts, found):
    texts.write()
    first, second = texts.records[:2]
    write_labels(texts.directory, "by/ann", [Record(first.id, "jam"), Record(second.id, second.label)])
    report = lint(texts.directory, select=QUICK)
    (finding,) = report.findings
    assert (finding.code, finding.examples, finding.evidence["tie"]) == ("TL013", (first.id,), True)
    assert finding.places[0].file.startswith("labels/first/")


def test_a_class_missing_from_a_split(texts, found):
    for record in texts.records:
        if record.label == "jam" and record.split == "test":
            texts.relabel(record.id, "ham")
    assert found(texts.write(), select=QUICK) == ["TL302"]
    texts.records = [record for record in texts.records if record.label == "ham" or record.split != "train"]
    (finding,) = (
        [f for f in lint(texts.directory, select=("TL302",)).findings]
        if texts.write("first") is None
        else lint(rewritten(texts), select=("TL302",), fail_on="error").findings[:1]
    )
    assert finding.severity == "error"


def rewritten(builder):
    import shutil

    shutil.rmtree(builder.directory / "labels")
    return builder.write()


def test_few_and_uneven_examples(build, found):
    builder = build(Text(8, 100) >> Class("ham", "jam"))
    for number in range(120):
        builder.add(f"{number}", "jam" if number < 9 else "ham")
    assert found(builder.write(), select=QUICK) == ["TL301", "TL303"]


def test_a_group_on_both_sides(texts, found):
    texts.add("one more", "ham", group="anna", split="train")
    assert found(texts.write(), select=QUICK) == []
    texts.add("yet one more", "ham", group="anna", split="test")
    assert found(texts.write(), select=QUICK) == ["TL203"]


def test_crlf_and_a_line_that_stands_twice_are_mended(texts):
    (path,) = (texts.write() / "labels" / "first").glob("*.jsonl")
    good = path.read_bytes()
    first = good.split(b"\n")[0]
    path.write_bytes(good.replace(b"\n", b"\r\n"))
    report = lint(texts.directory, select=QUICK)
    assert [finding.code for finding in report.findings] == ["TL002"] and report.failed
    path.write_bytes((good + b"\n" + first + b"\n").replace(b"\n", b"\r\n"))
    report = lint(texts.directory, select=QUICK, fix=True)
    assert report.findings == () and len(report.done) == 2
    assert path.read_bytes() == good


def test_broken_lines_are_findings_with_their_line(texts):
    (path,) = (texts.write() / "labels" / "first").glob("*.jsonl")
    path.write_text(path.read_text() + "\n<<<<<<< HEAD\n\n{\n")
    report = lint(texts.directory)
    assert [finding.code for finding in report.findings] == ["TL001", "TL001"]
    lines = path.read_text().split("\n")
    assert [lines[finding.places[0].line - 1] for finding in report.findings] == ["<<<<<<< HEAD", "{"]
    assert report.notes


def test_the_same_record_in_two_imports_is_a_note_that_can_be_mended(texts):
    texts.write()
    write_labels(texts.directory, "second", texts.records[:2])
    report = lint(texts.directory, select=QUICK)
    assert [finding.code for finding in report.findings] == ["TL003", "TL003"] and not report.failed
    report = lint(texts.directory, select=QUICK, fix=True)
    assert report.findings == () and not list((texts.directory / "labels" / "second").glob("*.jsonl"))


def test_no_labels_at_all_is_refused(texts):
    with pytest.raises(InputError, match="found none"):
        lint(texts.directory)
