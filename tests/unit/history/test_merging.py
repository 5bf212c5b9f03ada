"""Merging branches in real repositories: what is taken, what stops it, and that nothing is lost on the way."""

from __future__ import annotations

import json
import os
import re

import pytest

from tacit.ground.errors import TacitError, UnknownName
from tacit.history import working_tree
from tacit.history.finding_changes import label_changes
from tacit.history.merging import merge_labels
from tests.unit.history.repositories import IDS, Made

A, B, C, D = IDS[2], IDS[3], IDS[20], IDS[21]


def branch(made: Made, name: str, labels: dict[str, str], author: str = "Bob", start: str = "main") -> None:
    made.git("checkout", "-q", "-b", name, start)
    for example, label in labels.items():
        made.relabel(example, label)
    made.commit(f"Relabel on {name}", author=author)


def two(made: Made, ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Two branches; `ours` is checked out."""
    branch(made, "theirs", theirs)
    branch(made, "ours", ours, author="Ann")


def test_merges_neighbouring_relabels_without_conflict(made):
    two(made, {A: "9", C: "1"}, {B: "7", D: "1"})
    merged = merge_labels(made.directory, "theirs")
    assert (merged.state, merged.taken, merged.files, merged.met) == ("merged", 2, 1, True)
    assert {name: label for name, label in made.labels().items() if label != "4"} == {A: "9", B: "7", C: "1", D: "1"}
    assert made.git("log", "-1", "--format=%P").split() == [made.git("rev-parse", "ours@{1}"), made.git("rev-parse", "theirs")]
    assert made.git("status", "--porcelain") == ""
    assert made.git("log", "-1", "--format=%s") == "Merge branch 'theirs'"
    assert merge_labels(made.directory, "theirs").state == "up to date"
    made.git("fsck", "--strict")


def test_the_same_change_on_both_sides_is_no_conflict(made):
    two(made, {A: "9"}, {A: "9"})
    assert merge_labels(made.directory, "theirs").state == "merged"


def test_imports_on_both_sides_and_a_removed_one(made):
    two(made, {A: "9"}, {B: "7"})
    made.write({"e" * 24: "1"}, "ours-import")
    made.commit("Import")
    made.git("checkout", "-q", "theirs")
    made.write({"d" * 24: "1"}, "theirs-import")
    (made.directory / "labels/one/all.jsonl").unlink()
    made.write({name: "4" for name in IDS[:10]})
    made.commit("Import, and remove most")
    made.git("checkout", "-q", "ours")
    merged = merge_labels(made.directory, "theirs")
    assert merged.met
    assert made.labels() == {**dict.fromkeys(IDS[:10], "4"), A: "9"}
    assert made.labels("labels/theirs-import/all.jsonl") == {"d" * 24: "1"}
    assert made.labels("labels/ours-import/all.jsonl") == {"e" * 24: "1"}


def test_goes_forward_when_there_is_nothing_of_ours(made):
    branch(made, "theirs", {A: "9"})
    made.git("checkout", "-q", "main")
    merged = merge_labels(made.directory, "theirs")
    assert (merged.state, merged.commit) == ("fast-forward", made.git("rev-parse", "theirs"))
    assert made.git("rev-parse", "main") == made.git("rev-parse", "theirs")
    assert made.labels()[A] == "9"
    assert made.git("status", "--porcelain") == ""


def test_a_conflict_is_listed_and_leaves_everything_as_it_was(made):
    two(made, {A: "9", C: "1"}, {A: "7", B: "7"})
    before = made.state()
    merged = merge_labels(made.directory, "theirs")
    assert (merged.state, merged.met) == ("conflict", False)
    (clash,) = merged.conflicts
    assert (clash.id, clash.base, clash.ours, clash.theirs, clash.fields) == (A, "4", "9", "7", ("label",))
    assert clash.ours_by is not None and clash.theirs_by is not None
    assert (clash.ours_by.author, clash.theirs_by.author) == ("Ann", "Bob")
    assert made.state() == before


def test_keeps_both_labels_as_opinions_of_who_wrote_them(made):
    two(made, {A: "9"}, {A: "7", B: "7"})
    merged = merge_labels(made.directory, "theirs", both=True)
    assert (merged.state, merged.opinions) == ("merged", ("by/bob",))
    assert made.labels()[A] == "9"
    assert made.labels()[B] == "7"
    assert made.labels(f"labels/by/bob/{A[0]}.jsonl") == {A: "7"}
    assert made.git("status", "--porcelain") == ""


def test_opinions_of_one_person_go_by_the_branch(made):
    branch(made, "fix/cats", {A: "7"}, author="Ann")
    branch(made, "ours", {A: "9"}, author="Ann")
    assert merge_labels(made.directory, "fix/cats", both=True).opinions == ("by/fix-cats",)


def test_an_opinion_that_is_there_already_is_not_overwritten(made):
    made.write({A: "1"}, "by/bob")
    made.commit("Bob says one")
    two(made, {A: "9"}, {A: "7"})
    assert merge_labels(made.directory, "theirs", both=True).opinions == ("by/theirs",)
    assert made.labels("labels/by/bob/all.jsonl") == {A: "1"}
    assert made.labels(f"labels/by/theirs/{A[0]}.jsonl") == {A: "7"}


def test_removed_here_and_relabelled_there(made):
    two(made, {C: "1"}, {A: "7"})
    made.write({name: label for name, label in made.labels().items() if name != A})
    made.commit("Remove one")
    assert [(clash.ours, clash.theirs) for clash in merge_labels(made.directory, "theirs").conflicts] == [(None, "7")]
    assert merge_labels(made.directory, "theirs", both=True).state == "merged"
    assert made.labels()[A] == "7"


def test_other_files_are_merged_too(made):
    (made.root / "readme.txt").write_text("one\n\n\n\ntwo\n")
    (made.root / "script.sh").write_text("true\n")
    made.commit("Add files")
    two(made, {A: "9"}, {B: "7"})
    (made.root / "readme.txt").write_text("ONE\n\n\n\ntwo\n")
    made.commit("Ours")
    made.git("checkout", "-q", "theirs")
    (made.root / "readme.txt").write_text("one\n\n\n\nTWO\n")
    (made.root / "script.sh").chmod(0o755)
    os.symlink("readme.txt", made.root / "link")
    (made.root / "new.bin").write_bytes(bytes(range(256)))
    made.commit("Theirs")
    made.git("checkout", "-q", "ours")
    assert merge_labels(made.directory, "theirs").state == "merged"
    assert (made.root / "readme.txt").read_text() == "ONE\n\n\n\nTWO\n"
    assert os.access(made.root / "script.sh", os.X_OK)
    assert os.readlink(made.root / "link") == "readme.txt"
    assert (made.root / "new.bin").read_bytes() == bytes(range(256))
    assert made.git("status", "--porcelain") == ""


def test_another_file_that_conflicts_is_named_and_nothing_is_written(made):
    (made.root / "readme.txt").write_text("one\n")
    made.commit("Add a file")
    two(made, {A: "9"}, {B: "7"})
    (made.root / "readme.txt").write_text("ours\n")
    made.commit("Ours")
    made.git("checkout", "-q", "theirs")
    (made.root / "readme.txt").write_text("theirs\n")
    made.commit("Theirs")
    made.git("checkout", "-q", "ours")
    before = made.state()
    merged = merge_labels(made.directory, "theirs")
    assert (merged.state, merged.remaining, merged.met) == ("conflict", ("readme.txt",), False)
    assert made.state() == before


def test_leaves_the_merge_staged_when_asked(made):
    two(made, {A: "9"}, {B: "7"})
    merged = merge_labels(made.directory, "theirs", commit=False)
    assert (merged.state, merged.commit) == ("staged", None)
    made.git("commit", "-q", "--no-edit")
    assert len(made.git("log", "-1", "--format=%P").split()) == 2
    assert made.labels()[B] == "7"


@pytest.mark.parametrize("staged", [False, True])
def test_refuses_to_overwrite_edits(made, staged):
    two(made, {A: "9"}, {B: "7"})
    made.relabel(C, "1")
    if staged:
        made.git("add", "-A")
    before = made.state()
    with pytest.raises(TacitError, match="expected no edits in the files of the merge") as caught:
        merge_labels(made.directory, "theirs")
    assert "labels/one/all.jsonl" in str(caught.value)
    assert made.state() == before


def test_edits_elsewhere_stay(made):
    (made.root / "notes.txt").write_text("one\n")
    made.commit("Notes")
    two(made, {A: "9"}, {B: "7"})
    (made.root / "notes.txt").write_text("two\n")
    assert merge_labels(made.directory, "theirs").state == "merged"
    assert (made.root / "notes.txt").read_text() == "two\n"
    assert made.git("status", "--porcelain") == "M notes.txt"  # stripped


def test_an_edit_in_the_second_in_which_the_index_was_written_is_still_seen(plain):
    """Git tells such an edit by comparing contents, and only knows that it has to from the time of the index."""
    notes = plain.root / "notes.txt"
    notes.write_text("one\n")
    plain.commit("Notes")
    two(plain, {A: "9"}, {B: "7"})
    second = 1_790_000_000
    os.utime(notes, (second, second))
    plain.git("update-index", "-q", "--refresh")
    notes.write_text("two\n")
    os.utime(notes, (second, second))
    os.utime(plain.root / ".git/index", (second, second))
    assert merge_labels(plain.directory, "theirs").state == "merged"
    assert plain.git("status", "--porcelain") == "M notes.txt"


def test_branches_that_merged_one_another_before(made):
    """With one of the two merge bases alone, what theirs takes back would come back unseen."""
    two(made, {A: "9", C: "1"}, {B: "7", C: "2"})
    first = made.git("rev-parse", "ours")
    for name, other in (("ours", "theirs"), ("theirs", first)):
        made.git("checkout", "-q", name)
        assert [clash.id for clash in merge_labels(made.directory, other).conflicts] == [C]
        assert merge_labels(made.directory, other, both=True).state == "merged"
        made.relabel(C, "3")
        made.git("rm", "-q", "-r", "-f", str((made.directory / "labels/by").relative_to(made.root)))
        made.commit("Settle")
    assert len(made.git("merge-base", "--all", "ours", "theirs").split()) == 2
    made.relabel(A, "4")
    made.relabel(B, "4")
    made.commit("Take both back", author="Bob")
    made.git("checkout", "-q", "ours")
    made.relabel(D, "8")
    made.commit("Another")
    assert merge_labels(made.directory, "theirs").state == "merged"
    assert {name: label for name, label in made.labels().items() if label != "4"} == {C: "3", D: "8"}
    assert made.git("status", "--porcelain") == ""


def test_refuses_what_is_not_to_be_merged(made):
    with pytest.raises(UnknownName):
        merge_labels(made.directory, "nowhere")
    with pytest.raises(TacitError, match="expected the branch to merge"):
        merge_labels(made.directory)
    made.git("checkout", "-q", "--orphan", "alone")
    made.commit("Alone")
    with pytest.raises(TacitError, match="expected branches with a commit in common"):
        merge_labels(made.directory, "main")


def test_names_lines_of_either_side_that_are_no_records(made):
    two(made, {A: "9"}, {B: "7"})
    made.git("checkout", "-q", "theirs")
    path = made.directory / "labels/one/all.jsonl"
    path.write_text(path.read_text() + "\n{broken\n")
    made.commit("Break")
    made.git("checkout", "-q", "ours")
    with pytest.raises(TacitError, match=r"labels/one/all\.jsonl:81 of theirs"):
        merge_labels(made.directory, "theirs")


class TestStopped:
    """A `git merge` that stopped at conflicts."""

    def stop(self, made: Made, ours: dict[str, str], theirs: dict[str, str]) -> None:
        two(made, ours, theirs)
        made.git("merge", "-q", "theirs", codes=(1,))
        assert "<<<<<<<" in (made.directory / "labels/one/all.jsonl").read_text()

    def test_without_a_real_conflict_it_is_finished(self, made):
        near = IDS[4]
        two(made, {A: "9", near: "9"}, {B: "7"})
        made.git("checkout", "-q", "theirs")
        path = made.directory / "labels/one/all.jsonl"  # without the empty lines git takes neighbours for conflicts
        path.write_text("\n".join(line for line in path.read_text().split("\n") if line) + "\n")
        made.commit("Squeeze")
        made.git("checkout", "-q", "ours")
        made.git("merge", "-q", "theirs", codes=(1,))
        merged = merge_labels(made.directory)
        assert (merged.state, merged.branch) == ("merged", "theirs")
        assert {name: label for name, label in made.labels().items() if label != "4"} == {A: "9", B: "7", near: "9"}
        assert len(made.git("log", "-1", "--format=%P").split()) == 2
        assert made.git("status", "--porcelain") == ""

    def test_real_conflicts_are_listed_and_kept(self, made):
        self.stop(made, {A: "9"}, {A: "7", C: "1"})
        before = made.state()
        assert [clash.id for clash in merge_labels(made.directory).conflicts] == [A]
        assert made.state() == before
        merged = merge_labels(made.directory, "theirs", both=True)
        assert (merged.state, merged.opinions) == ("merged", ("by/bob",))
        assert (made.labels()[A], made.labels()[C]) == ("9", "1")
        assert made.labels(f"labels/by/bob/{A[0]}.jsonl") == {A: "7"}

    @pytest.mark.parametrize("whole", [True, False])
    def test_what_was_resolved_by_hand_stands(self, made, whole):
        self.stop(made, {A: "9", C: "1"}, {A: "7", C: "2"})
        path = made.directory / "labels/one/all.jsonl"
        conflict = re.compile(r"<<<<<<<[^\n]*\n(.*?)=======\n.*?>>>>>>>[^\n]*\n", re.DOTALL)
        path.write_text(conflict.sub(lambda found: found[1].replace('"9"', '"5"'), path.read_text(), count=0 if whole else 1))
        merged = merge_labels(made.directory)
        if whole:
            assert merged.state == "merged"
            assert made.labels()[A] == "5"
        else:
            assert [clash.id for clash in merged.conflicts] == [C]
            assert merge_labels(made.directory, both=True).state == "merged"
            assert (made.labels()[A], made.labels()[C]) == ("5", "1")

    def test_refuses_another_branch_meanwhile(self, made):
        self.stop(made, {A: "9"}, {A: "7"})
        with pytest.raises(TacitError, match="expected no other merge in progress"):
            merge_labels(made.directory, "main")

    def test_other_files_are_left_to_the_person(self, made):
        (made.root / "readme.txt").write_text("one\n")
        made.commit("Add a file")
        two(made, {A: "9"}, {A: "7"})
        (made.root / "readme.txt").write_text("ours\n")
        made.commit("Ours")
        made.git("checkout", "-q", "theirs")
        (made.root / "readme.txt").write_text("theirs\n")
        made.commit("Theirs")
        made.git("checkout", "-q", "ours")
        made.git("merge", "-q", "theirs", codes=(1,))
        merged = merge_labels(made.directory, both=True)
        assert (merged.state, merged.remaining, merged.met) == ("staged", ("readme.txt",), False)
        (made.root / "readme.txt").write_text("both\n")
        made.git("add", "readme.txt")
        assert merge_labels(made.directory).state == "merged"
        assert made.labels(f"labels/by/bob/{A[0]}.jsonl") == {A: "7"}

    def test_a_rebase_that_stopped_is_resolved_and_left_to_git(self, made):
        two(made, {A: "9"}, {A: "7"})
        made.git("rebase", "-q", "theirs", codes=(1,))
        merged = merge_labels(made.directory, both=True)
        assert merged.state == "staged"
        made.git("-c", "core.editor=true", "rebase", "--continue")
        assert made.labels()[A] == "7"


class Killed(Exception):
    """Stands for a kill: nothing after it happens."""


@pytest.mark.parametrize("both", [False, True])
def test_a_kill_between_any_two_writes_loses_nothing(plain, monkeypatch, both):
    for number in range(6):
        plain.write({f"{number:x}" * 24: "1"}, f"import-{number}")
    plain.commit("More imports")
    theirs = {A: "7"} if both else {B: "7"}
    two(plain, {A: "9"}, theirs)
    plain.git("checkout", "-q", "theirs")
    for number in range(6):
        plain.relabel(f"{number:x}" * 24, "2", f"labels/import-{number}/all.jsonl")
    plain.commit("Relabel the imports", author="Bob")
    plain.git("checkout", "-q", "ours")
    start = plain.git("rev-parse", "HEAD")
    original = {name: getattr(os, name) for name in ("replace", "link")}
    finished = False
    for step in range(40):
        plain.git("reset", "-q", "--hard", start)
        plain.git("clean", "-qfd")
        left = step

        def dying(name, *arguments):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return original[name](*arguments)

        for name in original:
            monkeypatch.setattr(working_tree.os, name, lambda *arguments, name=name: dying(name, *arguments))
        try:
            merge_labels(plain.directory, "theirs", both=both)
            finished = True
        except Killed:
            for path in plain.directory.rglob("labels/**/*.jsonl"):
                for line in path.read_text().split("\n"):
                    assert not line or json.loads(line)
        finally:
            for name, function in original.items():
                monkeypatch.setattr(working_tree.os, name, function)
        merge_labels(plain.directory, "theirs", both=both)
        assert plain.git("status", "--porcelain") == "", step
        assert plain.labels()[A] == "9"
        assert [plain.labels(f"labels/import-{number}/all.jsonl") for number in range(6)] == [
            {f"{number:x}" * 24: "2"} for number in range(6)
        ]
        assert (plain.labels(f"labels/by/bob/{A[0]}.jsonl") if both else plain.labels()[B]) == ({A: "7"} if both else "7")
        assert {change.id for change in label_changes(plain.directory, "theirs", "HEAD")} == {A}
        if finished:
            break
    assert finished and step > 8
