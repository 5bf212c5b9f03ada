"""The history of one example and of the labels as a whole."""

from __future__ import annotations

import pytest

from tacit.ground.errors import InputError
from tacit.history.log import example_log, labels_log
from tests.unit.history.repositories import IDS, make

A, B = IDS[3], IDS[20]


def told(events):
    return [(event.written.author or "you", event.kind, event.before, event.after) for event in events]


def test_follows_an_example_from_its_import_to_an_edit_that_is_not_committed(made):
    made.relabel(A, "9")
    commit = made.commit("Relabel (#12)", author="Bob")
    made.relabel(B, "1")
    made.commit("Another", author="Cai")
    made.relabel(A, "7")
    name, events = example_log(made.directory, A)
    assert name == A
    assert told(events) == [("you", "relabelled", "9", "7"), ("Bob", "relabelled", "4", "9"), ("Ann", "added", None, "4")]
    assert (events[1].written.commit, events[1].written.pull_request) == (commit, 12)
    assert (events[1].written.file, events[1].written.line) == ("labels/one/all.jsonl", 7)
    assert told(example_log(made.directory, A, "HEAD~1")[1]) == told(events)[1:]


def test_follows_it_from_import_to_import_and_names_opinions(made):
    made.write({A: "9"}, "by/cai")
    made.commit("Cai's opinion", author="Cai")
    (made.directory / "labels/one").rename(made.directory / "labels/two")
    made.commit("Rename", author="Bob")
    events = example_log(made.directory, A)[1]
    assert [(event.written.author, event.kind, event.source) for event in events] == [
        ("Bob", "moved", "two"),
        ("Cai", "added", "by/cai"),
        ("Ann", "added", "one"),
    ]


def test_an_example_that_was_removed_has_a_history(made):
    labels = {name: label for name, label in made.labels().items() if name != A}
    made.write(labels)
    made.commit("Remove", author="Bob")
    assert told(example_log(made.directory, A)[1]) == [("Bob", "removed", "4", None), ("Ann", "added", None, "4")]
    with pytest.raises(InputError, match=f"got `{A[:10]}`: no example begins so"):
        example_log(made.directory, A[:10])


def test_a_merge_is_an_event_only_where_it_decided_something(made):
    made.git("checkout", "-q", "-b", "topic")
    made.relabel(A, "9")
    made.relabel(B, "1")
    made.commit("Relabel", author="Bob")
    made.git("checkout", "-q", "main")
    made.relabel(A, "7")
    made.commit("Relabel on main", author="Cai")
    made.git("merge", "-q", "topic", codes=(1,))
    made.git("checkout", "-q", "--theirs", ".")
    made.relabel(A, "5")
    made.commit("Merge pull request #7 from bob/topic", author="Ann")
    assert told(example_log(made.directory, B)[1]) == [("Bob", "relabelled", "4", "1"), ("Ann", "added", None, "4")]
    assert example_log(made.directory, B)[1][0].written.pull_request == 7
    assert told(example_log(made.directory, A)[1])[0] == ("Ann", "relabelled", "7", "5")


def test_an_id_may_be_shortened_to_what_is_unique(made):
    assert example_log(made.directory, A[:12])[0] == A
    common = next(name[:1] for name in IDS if sum(other[:1] == name[:1] for other in IDS) > 1)
    with pytest.raises(InputError, match="examples begin so"):
        example_log(made.directory, common)
    for wrong in ("", "zz", "f" * 24):
        with pytest.raises(InputError):
            example_log(made.directory, wrong)


def test_the_history_of_the_labels(made):
    made.relabel(A, "9")
    made.relabel(B, "9")
    made.commit("Relabel", author="Bob")
    (made.root / "notes.txt").write_text("no labels")
    made.commit("Notes")
    made.write({A: "4"}, "by/ann")
    made.commit("Disagree")
    steps = labels_log(made.directory)
    assert [(step.written.subject, step.counts, step.moves) for step in steps] == [
        ("Disagree", {"added": 1}, {}),
        ("Relabel", {"relabelled": 2}, {("4", "9"): 2}),
        ("Add labels", {"added": 40}, {}),
    ]
    assert len(labels_log(made.directory, most=2)) == 2


def test_before_the_first_commit(tmp_path):
    empty = make(tmp_path / "empty")
    empty.write({A: "1"})
    assert labels_log(empty.directory) == []
    assert [event.written.commit for event in example_log(empty.directory, A)[1]] == [None]
