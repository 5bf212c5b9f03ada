import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.examples import store
from tacit.examples.store import Record, input_id, read_labels, write_labels
from tacit.ground.digests import example_id
from tacit.ground.errors import InputError


def name(number: int) -> str:
    return example_id(str(number).encode())


def some(count: int, label: str = "cat") -> list[Record]:
    return [Record(name(number), label) for number in range(count)]


def test_records_come_back_sorted(tmp_path: Path):
    records = [
        *some(5),
        Record(input_id("süß\n"), ["a", "b"], "test", "group one", 1, "süß\n"),
        Record(input_id({"a": 1, "b": None}), 1.5, None, None, 1, {"a": 1, "b": None}),
        Record(input_id({"a": 1, "b": None}, copy=2), 2, None, None, 2, {"a": 1, "b": None}),
    ]
    write_labels(tmp_path, "first", records)
    assert read_labels(tmp_path) == sorted(records, key=lambda record: record.id)


@given(st.text(), st.one_of(st.text(min_size=1), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False)))
def test_any_text_and_label_survives(tmp_path_factory: pytest.TempPathFactory, text: str, label: object):
    text = text.encode("utf-8", "ignore").decode()
    label = label.encode("utf-8", "ignore").decode() if isinstance(label, str) else label
    folder = tmp_path_factory.mktemp("store")
    record = Record(input_id(text), label, input=text)
    write_labels(folder, "first", [record])
    assert read_labels(folder) == [record]


def test_the_file_is_one_line_per_record_with_an_empty_line_between(tmp_path: Path):
    (path,) = write_labels(tmp_path, "first", some(2))
    first, second = sorted(some(2), key=lambda record: record.id)
    assert path == tmp_path / "labels" / "first" / "all.jsonl"
    assert path.read_text() == f'{{"id": "{first.id}", "label": "cat"}}\n\n{{"id": "{second.id}", "label": "cat"}}\n'


@pytest.mark.parametrize(("count", "files"), [(50, 1), (900, 16), (2500, 256)])
def test_shards_stay_small_and_are_named_by_the_ids_in_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, files: int):
    monkeypatch.setattr(store, "SHARD_BYTES", 6000)
    paths = write_labels(tmp_path, "first", some(count))
    assert len(paths) == files
    assert max(path.stat().st_size for path in paths) < 9000
    for path in paths:
        ids = [json.loads(line)["id"] for line in path.read_text().split("\n") if line]
        assert ids == sorted(ids)
        assert path.stem == "all" or {found[: len(path.stem)] for found in ids} == {path.stem}


def test_the_same_record_in_two_imports_counts_once(tmp_path: Path):
    write_labels(tmp_path, "first", some(3))
    write_labels(tmp_path, "second", some(4))
    assert len(read_labels(tmp_path)) == 4


def test_every_problem_is_named_with_file_and_line(tmp_path: Path):
    write_labels(tmp_path, "a", [Record(name(1), "cat")])
    good = Record(input_id("text"), "cat", input="text").line()
    lines = [
        "<<<<<<< HEAD",
        good[:-5],
        "[1]",
        '{"id": "' + name(2) + '", "lable": "cat"}',
        '{"id": "' + name(2) + '"}',
        '{"id": "xyz", "label": "cat"}',
        '{"id": "' + name(3) + '", "label": null}',
        '{"id": "' + name(3) + '", "label": "cat", "split": "val"}',
        '{"id": "' + name(1) + '", "label": "dog"}',
        good.replace('"text"', '"edited"'),
        '{"id": "' + name(4) + '", "label": "cow"}',
        '{"id": "' + name(5) + '", "label": "cat", "copy": 2}',
    ]
    (tmp_path / "labels" / "b").mkdir()
    (tmp_path / "labels" / "b" / "all.jsonl").write_text("\n\n".join(lines) + "\n")
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path, check=lambda label: None if label in ("cat", "dog") else f"unknown class `{label}`")
    text = str(caught.value)
    for number, part in [
        (1, "expected a record, got the merge marker `<<<<<<< HEAD` (a conflict that is not resolved)"),
        (3, "expected one JSON object, got"),
        (5, "expected one JSON object, got a list"),
        (7, "unknown key `lable`; did you mean `label`?"),
        (9, "expected the key `label`, it is not there"),
        (11, 'expected an id of 24 hexadecimal digits, got "xyz"'),
        (13, "expected a label that is a text, a number or a list of texts, got null"),
        (15, 'expected a split of train, validation, test, got "val"'),
        (17, f'example {name(1)} has the label "dog" but "cat" at labels/a/all.jsonl:1'),
        (19, "the input is not the one that the id"),
        (21, "unknown class `cow`"),
        (23, "expected a copy that is a whole number from 1 on, beside an input, got 2"),
    ]:
        assert f"labels/b/all.jsonl:{number}: {part}" in text
    assert f"expected sound labels - at `{tmp_path / 'labels'}` (12 problems)" in text


def test_crlf_and_other_encodings_are_named(tmp_path: Path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.jsonl").write_bytes((some(1)[0].line() + "\r\n").encode())
    (tmp_path / "labels" / "b.jsonl").write_bytes(b"\n\n" + '{"label": "süß"}'.encode("latin-1"))
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path)
    assert "labels/a.jsonl:1: expected lines that end in LF, got CR" in str(caught.value)
    assert "labels/b.jsonl:3: expected UTF-8, got the byte 0xfc" in str(caught.value)


def test_no_labels_at_all(tmp_path: Path):
    with pytest.raises(InputError, match=r"expected label files `labels/<import>/<shard>\.jsonl`, found none"):
        read_labels(tmp_path)


def test_a_copy_is_split_with_its_original():
    row = {"a": 1}
    assert Record(input_id(row, copy=3), "x", copy=3, input=row).key == input_id(row)


def test_stock_git_merges_relabels_and_additions_of_two_branches(tmp_path: Path):
    git = shutil.which("git")
    if git is None:
        pytest.fail("git is missing")

    def run(*arguments: str) -> None:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
        subprocess.run([git, *settings, *arguments], cwd=tmp_path, check=True, capture_output=True)

    records = sorted(some(40), key=lambda record: record.id)
    (path,) = write_labels(tmp_path, "first", records)

    def relabel(number: int) -> None:
        changed = Record(records[number].id, "dog").line()
        path.write_text(path.read_text().replace(records[number].line(), changed))

    run("init")
    run("add", ".")
    run("commit", "-m", "start")
    run("checkout", "-b", "ours")
    relabel(10)
    write_labels(tmp_path, "ours", [Record(name(1000), "cat")])
    run("add", ".")
    run("commit", "-m", "ours")
    run("checkout", "-b", "theirs", "main")
    relabel(11)  # the very next record
    write_labels(tmp_path, "theirs", [Record(name(1001), "cat")])
    run("add", ".")
    run("commit", "-m", "theirs")
    run("merge", "ours")
    merged = {record.id: record.label for record in read_labels(tmp_path)}
    assert len(merged) == 42 and merged[records[10].id] == merged[records[11].id] == "dog"
