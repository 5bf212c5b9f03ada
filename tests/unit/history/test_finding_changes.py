"""What changed in the labels: each kind of change, between revisions and in the working tree."""

from __future__ import annotations

import pytest

from tacit.examples.records import Record
from tacit.examples.store import write_labels
from tacit.ground.errors import InputError
from tacit.history.finding_changes import label_changes
from tests.unit.history.repositories import IDS, make


def told(changes):
    return [(change.id, change.kind, change.before, change.after) for change in changes]


def test_nothing_changed(made):
    assert label_changes(made.directory) == []


def test_a_relabel_in_the_working_tree_and_between_commits(made):
    made.relabel(IDS[3], "9")
    changes = label_changes(made.directory)
    assert told(changes) == [(IDS[3], "relabelled", "4", "9")]
    assert (changes[0].file, changes[0].line) == ("labels/one/all.jsonl", 7)
    made.commit("Relabel")
    assert label_changes(made.directory) == []
    assert label_changes(made.directory, "HEAD~1", "HEAD") == changes
    assert told(label_changes(made.directory, "HEAD", "HEAD~1")) == [(IDS[3], "relabelled", "9", "4")]
    assert told(label_changes(made.directory, None, "HEAD~1")) == [(IDS[3], "relabelled", "9", "4")]


def test_a_staged_change_and_one_on_top_of_it_count_as_they_stand(plain):
    plain.relabel(IDS[3], "9")
    plain.git("add", "-A")
    plain.relabel(IDS[3], "4")
    assert label_changes(plain.directory) == []


def test_added_removed_and_changed(made):
    made.write({IDS[0]: "1"}, "two/three")
    labels = dict.fromkeys(IDS[1:], "4")
    write_labels(made.directory, "one", [Record(name, label, split="test" if name == IDS[5] else None) for name, label in labels.items()])
    found = label_changes(made.directory)
    assert told(found) == [(IDS[0], "relabelled", "4", "1"), (IDS[5], "changed", "4", "4")]  # moved to another import, and relabelled there
    assert found[0].file == "labels/two/three/all.jsonl"
    assert found[1].to_json()["fields"] == {"split": [None, "test"]}


def test_a_record_that_moved_within_its_import_is_no_change(made):
    path = made.directory / "labels/one/all.jsonl"
    path.rename(path.with_name("other.jsonl"))
    assert label_changes(made.directory) == []


def test_a_record_that_moved_to_another_import_is_told_so(made):
    path = made.directory / "labels/one"
    path.rename(path.with_name("two"))
    assert {change.kind for change in label_changes(made.directory)} == {"moved"}


def test_opinions_are_told_apart(made):
    made.write({IDS[1]: "9"}, "by/ann")
    (change,) = label_changes(made.directory)
    assert (change.kind, change.annotator, change.after) == ("added", "ann", "9")


def test_before_the_first_commit_everything_is_added(tmp_path):
    empty = make(tmp_path / "empty")
    empty.write({IDS[0]: "1"})
    assert told(label_changes(empty.directory)) == [(IDS[0], "added", None, "1")]


def test_line_ends_of_another_system_are_no_change(made):
    path = made.directory / "labels/one/all.jsonl"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert label_changes(made.directory) == []


def test_names_every_changed_line_that_is_no_record(made):
    path = made.directory / "labels/one/all.jsonl"
    path.write_text(path.read_text() + "\n<<<<<<< HEAD\n{oops\n" + '{"id": "12", "label": "4"}\n')
    with pytest.raises(InputError) as caught:
        label_changes(made.directory)
    for line in (81, 82, 83):
        assert f"labels/one/all.jsonl:{line}: " in str(caught.value)


def test_reads_only_files_that_differ(plain, monkeypatch):
    plain.write({IDS[0]: "4"}, "two")
    plain.commit("Second import")
    plain.relabel(IDS[0], "9", "labels/two/all.jsonl")
    read = []

    def working_content(repository, path):
        read.append(path)
        return (repository.root / path).read_bytes()

    monkeypatch.setattr("tacit.history.finding_changes.working_content", working_content)
    assert [change.id for change in label_changes(plain.directory)] == [IDS[0]]
    assert read == ["labels/two/all.jsonl"]
