"""Setting labels: one line changes, every other byte stays; opinions come and go."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tacit.examples.records import Record
from tacit.examples.relabelling import locate, relabel
from tacit.examples.store import read_store
from tacit.examples.writing import edit_lines, insert_records, shards, write_labels
from tacit.ground.digests import example_id
from tacit.ground.errors import ConfigError, InputError


def name(number: int) -> str:
    return example_id(str(number).encode())


IDS = sorted(name(number) for number in range(50))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write_labels(tmp_path, "photos", [Record(identity, "cat", "train") for identity in IDS])
    return tmp_path


def lines_of(directory: Path) -> list[str]:
    return (directory / "labels" / "photos" / "all.jsonl").read_text().split("\n")


def test_a_relabel_is_one_line_and_every_other_byte_stays(directory: Path):
    path = directory / "labels" / "photos" / "all.jsonl"
    path.write_text(path.read_text().replace("\n\n", "\n \n\n", 1) + "\n\n")  # somebody's own white space
    before = lines_of(directory)
    (done,) = relabel(directory, {IDS[7]: "dog"})
    after = lines_of(directory)
    assert [row for row, (a, b) in enumerate(zip(before, after, strict=True)) if a != b] == [done.line - 1]
    assert after[done.line - 1] == Record(IDS[7], "dog", "train").line()
    assert (done.before, done.after, done.file, done.changed) == ("cat", "dog", "labels/photos/all.jsonl", True)


def test_the_same_label_writes_nothing(directory: Path):
    stamp = (directory / "labels" / "photos" / "all.jsonl").stat()
    (done,) = relabel(directory, {IDS[7]: "cat"})
    assert not done.changed and (directory / "labels" / "photos" / "all.jsonl").stat() == stamp


def test_beginnings_of_ids(directory: Path):
    short = next(length for length in range(1, 24) if sum(other.startswith(IDS[3][:length]) for other in IDS) == 1)
    assert locate(directory, [IDS[3][:short]])[IDS[3][:short]].id == IDS[3]
    first = IDS[0][0]
    with pytest.raises(InputError) as caught:
        relabel(directory, {"": "dog", first: "dog", "zz": "dog", "f" * 24: "dog", IDS[3]: "dog"})
    text = str(caught.value)
    assert "an empty id" in text and "`zz`: no example has this id" in text and f"`{'f' * 24}`: no example" in text
    assert f"`{first}`: {sum(identity.startswith(first) for identity in IDS)} examples begin so: {IDS[0]}" in text
    assert lines_of(directory)[6] == Record(IDS[3], "cat", "train").line()


def test_one_id_with_two_labels_is_refused(directory: Path):
    with pytest.raises(InputError, match=f"example {IDS[3]} is given two labels"):
        relabel(directory, {IDS[3]: "dog", IDS[3][:20]: "cow"})


def test_opinions_are_recorded_revised_and_settled(directory: Path):
    wanted = dict.fromkeys(IDS[10:30], "dog")
    done = relabel(directory, wanted, by="ann")
    assert {item.source for item in done} == {"by/ann"} and all(item.line for item in done)
    for item in done:
        assert (directory / item.file).read_text().split("\n")[item.line - 1] == Record(item.id, "dog").line()
    assert len(read_store(directory).undecided) == 20
    relabel(directory, {IDS[12]: "cat", IDS[9]: "cow"}, by="ann")
    found = read_store(directory)
    assert found.opinions[IDS[12]] == {"photos": "cat", "by/ann": "cat"} and found.disputes[IDS[9]] == {"photos": "cat", "by/ann": "cow"}
    relabel(directory, {IDS[9]: "dog"}, by="bob")
    (settled,) = relabel(directory, {IDS[9]: "dog"})
    assert settled.removed == ("by/ann", "by/bob") and settled.before is None
    assert IDS[9] not in read_store(directory).opinions and not (directory / "labels" / "by" / "bob").exists()
    relabel(directory, dict.fromkeys(IDS[10:30], "cat"))
    assert not (directory / "labels" / "by").exists() and not read_store(directory).opinions
    assert len(read_store(directory).records) == 50


def test_settling_takes_the_opinion_of_a_second_import_away(directory: Path):
    write_labels(directory, "zoo", [Record(IDS[4], "dog", "train"), Record(IDS[5], "cat", "train")])
    (settled,) = relabel(directory, {IDS[4]: "cat"})
    assert settled.removed == ("zoo",) and not read_store(directory).disputes
    assert (directory / "labels" / "zoo" / "all.jsonl").read_text() == Record(IDS[5], "cat", "train").line() + "\n"


@pytest.mark.parametrize("by", ["", ".", "..", "a/b", ".git", "a b", "x" * 65])
def test_names_that_no_folder_has(directory: Path, by: str):
    with pytest.raises(ConfigError, match="expected the name of an annotator"):
        relabel(directory, {IDS[0]: "dog"}, by=by)


def test_unsound_files_are_named_before_anything_is_written(directory: Path):
    path = directory / "labels" / "photos" / "all.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (directory / "labels" / "photos" / "hand.jsonl").write_text("<<<<<<< HEAD\n")
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        relabel(directory, {IDS[0]: "dog"})
    assert "photos/all.jsonl:1: expected lines that end in LF" in str(caught.value) and "hand.jsonl:1" in str(caught.value)
    assert path.read_bytes() == before


def test_an_id_in_a_file_of_a_misleading_name_is_found(directory: Path):
    other = name(1000)
    stem = "00" if not other.startswith("00") else "11"
    (directory / "labels" / "photos" / f"{stem}.jsonl").write_text(Record(other, "cat").line() + "\n")
    (done,) = relabel(directory, {other: "dog"})
    assert done.file == f"labels/photos/{stem}.jsonl"


def test_a_file_that_changed_under_the_hand_is_left_alone(directory: Path):
    path = directory / "labels" / "photos" / "all.jsonl"
    before = path.read_bytes()
    with pytest.raises(InputError, match="expected the example"):
        edit_lines(path, {3: Record(IDS[0], "dog")}, ids={3: IDS[0]})
    assert path.read_bytes() == before


def test_records_are_inserted_where_they_belong(tmp_path: Path):
    path = tmp_path / "labels" / "a" / "all.jsonl"
    records = [Record(identity, "cat") for identity in IDS]
    insert_records(path, records[20:30:3])
    insert_records(path, [*records[:20:3], *records[25:50:3]])
    insert_records(path, [record for record in records if record not in [*records[20:30:3], *records[:20:3], *records[25:50:3]]])
    assert path.read_text() == shards(records)["all"]


def test_a_repeated_opinion_is_dropped_when_it_is_revised(directory: Path):
    relabel(directory, {IDS[3]: "dog", IDS[5]: "dog"}, by="ann")
    path = next((directory / "labels" / "by" / "ann").glob(f"{IDS[3][0]}.jsonl"))
    path.write_text(path.read_text() + "\n" + Record(IDS[3], "dog").line() + "\n")  # as git's union may leave it
    relabel(directory, {IDS[3]: "cow"}, by="ann")
    assert read_store(directory).opinions[IDS[3]]["by/ann"] == "cow" and path.read_text().count(IDS[3]) == 1
    path.write_text(path.read_text() + "\n" + Record(IDS[3], "cow").line() + "\n")
    relabel(directory, {IDS[3]: "cow"})
    assert IDS[3] not in read_store(directory).opinions and (not path.exists() or IDS[3] not in path.read_text())


def test_two_branches_that_add_opinions_merge_with_stock_git(directory: Path):
    git = shutil.which("git")
    if git is None:
        pytest.fail("git is missing")

    def run(*arguments: str) -> None:
        settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
        subprocess.run([git, *settings, *arguments], cwd=directory, check=True, capture_output=True)

    relabel(directory, dict.fromkeys(IDS[:3], "dog"), by="ann")
    run("init")
    run("add", ".")
    run("commit", "-m", "start")
    run("checkout", "-b", "ours")
    relabel(directory, dict.fromkeys(IDS[3:20], "dog"), by="ann")
    relabel(directory, dict.fromkeys(IDS[:20], "dog"), by="bob")
    run("add", ".")
    run("commit", "-m", "ours")
    run("checkout", "-b", "theirs", "main")
    relabel(directory, dict.fromkeys(IDS[20:40], "dog"), by="ann")  # the same annotator, in the same files
    relabel(directory, dict.fromkeys(IDS[:20], "dog"), by="cleo")
    run("add", ".")
    run("commit", "-m", "theirs")
    run("merge", "ours")
    found = read_store(directory)
    assert sum("by/ann" in said for said in found.opinions.values()) == 40
    assert found.opinions[IDS[0]] == {"photos": "cat", "by/ann": "dog", "by/bob": "dog", "by/cleo": "dog"}
    assert sum(record.label == "dog" for record in found.records) == 20 and len(found.undecided) == 20
