"""Who wrote a label: authors, edits that are not committed, pull requests."""

from __future__ import annotations

import pytest

from tacit.history.authorship import pull_requests, who_wrote
from tacit.history.git import find_repository
from tests.unit.history.repositories import IDS, make


def test_names_author_date_commit_and_subject(made):
    made.relabel(IDS[3], "9")
    commit = made.commit("Relabel (#12)", author="Bob")
    found = who_wrote(made.directory, [IDS[2], IDS[3], "f" * 24])
    assert found.keys() == {IDS[2], IDS[3]}
    bob = found[IDS[3]]
    assert (bob.commit, bob.author, bob.email, bob.subject, bob.pull_request) == (commit, "Bob", "bob@example.org", "Relabel (#12)", 12)
    assert (bob.date, bob.file, bob.line) == ("2026-01-02T03:04:05+01:00", "labels/one/all.jsonl", 7)
    assert str(bob) == f"Bob, 2026-01-02, {commit[:10]} Relabel (#12)"
    assert found[IDS[2]].author == "Ann"


def test_an_edit_that_is_not_committed_says_so(made):
    made.relabel(IDS[3], "9")
    assert who_wrote(made.directory, [IDS[3]])[IDS[3]].commit is None
    assert str(who_wrote(made.directory, [IDS[3]])[IDS[3]]) == "not committed yet"
    assert who_wrote(made.directory, [IDS[3]], "HEAD")[IDS[3]].author == "Ann"


def test_a_new_file_and_a_repository_without_commits(made, tmp_path):
    made.write({"e" * 24: "1"}, "two")
    assert who_wrote(made.directory, ["e" * 24])["e" * 24].commit is None
    empty = make(tmp_path / "empty")
    empty.write({IDS[0]: "1"})
    assert who_wrote(empty.directory, IDS[:1])[IDS[0]].commit is None


def test_the_import_counts_and_not_the_opinions(made):
    made.write({IDS[1]: "9"}, "by/bob")
    made.commit("Say what Bob thinks", author="Bob")
    assert who_wrote(made.directory, [IDS[1]])[IDS[1]].author == "Ann"


def test_many_ids_of_one_file(made):
    assert len(who_wrote(made.directory, IDS)) == len(IDS)


@pytest.mark.parametrize("nested", [False, True])
def test_finds_the_pull_request_that_merged_a_commit(plain, nested):
    plain.git("checkout", "-q", "-b", "topic")
    plain.relabel(IDS[3], "9")
    topic = plain.commit("Relabel")
    plain.git("checkout", "-q", "main")
    plain.relabel(IDS[9], "7")
    own = plain.commit("Relabel on main")
    if nested:
        plain.git("checkout", "-q", "-b", "develop")
    plain.git("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from ann/topic", "topic")
    if nested:
        plain.git("checkout", "-q", "main")
        plain.git("merge", "-q", "--no-ff", "-m", "Merge branch 'develop'", "develop")
    found = who_wrote(plain.directory, [IDS[3], IDS[9]])
    assert (found[IDS[3]].commit, found[IDS[3]].pull_request) == (topic, 7)
    assert (found[IDS[9]].commit, found[IDS[9]].pull_request) == (own, None)
    assert pull_requests(find_repository(plain.directory), []) == {}


def test_a_branch_that_merged_main_does_not_claim_its_commits(plain):
    plain.git("checkout", "-q", "-b", "topic")
    plain.relabel(IDS[3], "9")
    plain.commit("Relabel")
    plain.git("checkout", "-q", "main")
    plain.relabel(IDS[9], "7")
    plain.commit("Relabel on main")
    plain.git("checkout", "-q", "topic")
    plain.git("merge", "-q", "--no-edit", "main")
    plain.git("checkout", "-q", "main")
    plain.git("merge", "-q", "--no-ff", "-m", "Merge pull request #7 from ann/topic", "topic")
    found = who_wrote(plain.directory, [IDS[3], IDS[9]])
    assert (found[IDS[3]].pull_request, found[IDS[9]].pull_request) == (7, None)
