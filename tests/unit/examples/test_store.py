import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.examples import writing
from tacit.examples.store import Record, input_id, read_labels, read_store, write_labels
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
    monkeypatch.setattr(writing, "SHARD_BYTES", 6000)
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
        '{"id": "' + name(1) + '", "label": "dog", "split": "test"}',
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
        (17, f"example {name(1)} has the split test but None at labels/a/all.jsonl:1"),
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


# --- several people --------------------------------------------------------------------------------------------------


def say(directory: Path, source: str, *labels: tuple[int, object]) -> None:
    write_labels(directory, source, [Record(name(number), label) for number, label in labels])


def test_equal_opinions_are_the_label(tmp_path: Path):
    say(tmp_path, "photos", (1, "cat"), (2, "dog"))
    say(tmp_path, "by/ann", (1, "cat"))
    found = read_store(tmp_path)
    assert found.records == read_labels(tmp_path) and len(found.records) == 2
    assert found.opinions == {name(1): {"photos": "cat", "by/ann": "cat"}} and not found.disputes and not found.undecided
    assert found.places[name(1)] == ("labels/photos/all.jsonl", 1 if name(1) < name(2) else 3)
    assert len(found.places) == 2 and list(found.places) == sorted([name(1), name(2)])
    with pytest.raises(KeyError):
        found.places[name(3)]


def test_the_label_of_the_most_is_in_force_and_a_tie_has_none(tmp_path: Path):
    say(tmp_path, "photos", (1, "cat"), (2, "cat"), (3, "cat"))
    say(tmp_path, "by/ann", (1, "dog"), (2, "dog"))
    say(tmp_path, "by/bob", (1, "dog"), (3, "cat"))
    found = read_store(tmp_path)
    assert {record.id: record.label for record in found.records} == {name(1): "dog", name(3): "cat"}
    assert set(found.disputes) == {name(1), name(2)} and found.disputes[name(2)] == {"photos": "cat", "by/ann": "dog"}
    assert found.undecided == {name(2): Record(name(2), "cat")}
    assert set(found.places) == {name(1), name(2), name(3)}


def test_two_imports_that_differ_are_a_dispute(tmp_path: Path):
    say(tmp_path, "a", (1, "cat"), (2, "cat"))
    say(tmp_path, "b", (1, "dog"), (2, "cat"))
    found = read_store(tmp_path)
    assert found.disputes == {name(1): {"a": "cat", "b": "dog"}} and [record.id for record in found.records] == [name(2)]


def test_the_order_of_several_names_is_no_dispute(tmp_path: Path):
    say(tmp_path, "a", (1, ["x", "y"]))
    say(tmp_path, "by/ann", (1, ["y", "x"]))
    assert not read_store(tmp_path).disputes


def test_an_annotator_needs_no_split_but_may_not_name_another(tmp_path: Path):
    write_labels(tmp_path, "a", [Record(name(1), "cat", "train", "g"), Record(name(2), "cat", "train", "g")])
    say(tmp_path, "by/ann", (1, "cat"))
    assert read_store(tmp_path).records[0].split == "train"
    write_labels(tmp_path, "by/bob", [Record(name(2), "cat", "test", "g")])
    with pytest.raises(InputError, match=r"has the split test but train at labels/a/all\.jsonl"):
        read_store(tmp_path)


def test_what_is_wrong_with_opinions_is_named(tmp_path: Path):
    say(tmp_path, "photos", (1, "cat"))
    (tmp_path / "labels" / "photos" / "more.jsonl").write_text(Record(name(1), "cat").line() + "\n")
    say(tmp_path, "by/ann", (2, "cat"))
    (tmp_path / "labels" / "by" / "bob.jsonl").write_text("\n\n".join(Record(name(1), label).line() for label in ("cat", "dog")) + "\n")
    with pytest.raises(InputError) as caught:
        read_store(tmp_path)
    text = str(caught.value)
    assert f"labels/photos/more.jsonl:1: example {name(1)} stands in `photos` twice, also at labels/photos/all.jsonl:1" in text
    assert f"labels/by/bob.jsonl:3: example {name(1)} stands in `by/bob` twice, also at labels/by/bob.jsonl:1" in text
    assert f"labels/by/ann/all.jsonl:1: example {name(2)} is in no import" in text
    assert "(3 problems)" in text


def test_a_repeated_opinion_that_says_the_same_is_no_harm(tmp_path: Path):
    say(tmp_path, "photos", (1, "cat"))
    (tmp_path / "labels" / "by").mkdir()
    (tmp_path / "labels" / "by" / "bob.jsonl").write_text("\n\n".join([Record(name(1), "dog").line()] * 2) + "\n")
    assert read_store(tmp_path).disputes == {name(1): {"photos": "cat", "by/bob": "dog"}}


def test_what_is_being_written_is_not_read(tmp_path: Path):
    say(tmp_path, "photos", (1, "cat"))
    say(tmp_path, ".new.pets", (2, "cat"))
    (tmp_path / "labels" / "photos" / ".all.jsonl.x.tmp").write_text("torn")
    (tmp_path / "labels" / "photos" / ".all.jsonl").write_text("torn")
    assert len(read_labels(tmp_path)) == 1


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["cat", 'a "dog"', "süß", 7, 1.5, -3]), st.sampled_from([None, "test"]), st.sampled_from([None, "g"]))
    )
)
def test_reading_at_once_and_line_by_line_agree(tmp_path_factory: pytest.TempPathFactory, labels: list[tuple[object, str, str]]):
    folder = tmp_path_factory.mktemp("store")
    records = [Record(name(number), label, split, group) for number, (label, split, group) in enumerate(labels, 1)]
    (path,) = write_labels(folder, "first", [Record(name(0), "cat"), *records])
    at_once = read_store(folder)
    path.write_text(path.read_text().replace('{"id"', '{ "id"', 1))  # no longer as Tacit writes it
    slowly = read_store(folder)
    assert at_once.records == slowly.records and dict(at_once.places) == dict(slowly.places)


@pytest.mark.parametrize("harm", ["\n\n{", "}\n{", "\n\n\n{", "}\n\n\n\n{"])
def test_other_empty_lines_are_no_harm_and_lines_are_counted(tmp_path: Path, harm: str):
    (path,) = write_labels(tmp_path, "first", some(4))
    parts = path.read_text().strip().split("\n\n")
    text = (harm.rstrip("{").lstrip("}")).join(parts) + "\n"
    path.write_text(text)
    found = read_store(tmp_path)
    lines = text.split("\n")
    assert all(record.id in lines[found.places[record.id][1] - 1] for record in found.records) and len(found.records) == 4
