"""A merge of label files against a plain one of dictionaries, on thousands of small histories; and each kind of conflict."""

from __future__ import annotations

import random

import pytest

from tacit.examples.records import Record
from tacit.history.three_way import Merge, Versions

IDS = [f"{number:02x}" + "0" * 22 for number in range(12)]
FILES = ("labels/one/all.jsonl", "labels/two/all.jsonl")


def text(records: dict[str, Record]) -> bytes | None:
    lines = [records[name].line() for name in sorted(records)]
    return ("\n\n".join(lines) + "\n").encode() if lines else None


def records(content: bytes | None) -> dict[str, str]:
    lines = [line for line in (content or b"").decode().split("\n") if line]
    found = {line[8:32]: line for line in lines}
    assert len(found) == len(lines), "an id stands twice"
    return found


def merged(
    base: dict[str, Record], ours: dict[str, Record], theirs: dict[str, Record], file: str = FILES[0]
) -> tuple[Merge, dict[str, str]]:
    merge = Merge({file: Versions(text(base), text(ours), text(theirs))})
    contents = merge.contents()
    return merge, records(contents.get(file, text(ours)))


def one(name: str, label: str = "4", **more: str) -> dict[str, Record]:
    return {name: Record(name, label, **more)}


@pytest.mark.parametrize("seed", range(40))
def test_agrees_with_a_merge_of_dictionaries(seed):
    chance = random.Random(seed)
    for _ in range(50):
        base = {name: Record(name, chance.choice("abc")) for name in IDS if chance.random() < 0.7}
        sides = []
        for _ in range(2):
            side = dict(base)
            for name in IDS:
                if chance.random() < 0.3:
                    if chance.random() < 0.3:
                        side.pop(name, None)
                    else:
                        side[name] = Record(name, chance.choice("abc"))
            sides.append(side)
        ours, theirs = sides
        merge, got = merged(base, ours, theirs)
        wanted, conflicts = {}, []
        for name in IDS:
            versions = [side.get(name) for side in (base, ours, theirs)]
            if versions[1] == versions[2] or versions[0] == versions[2]:
                result = versions[1]
            elif versions[0] == versions[1]:
                result = versions[2]
            else:
                conflicts.append(name)
                result = versions[1]
            if result is not None:
                wanted[name] = result.line()
        assert got == wanted
        assert [conflict.id for conflict in merge.conflicts] == conflicts


def test_fields_are_merged_one_by_one():
    a = IDS[0]
    merge, got = merged(one(a), one(a, "9"), one(a, "4", split="test"))
    assert not merge.conflicts
    assert got == {a: Record(a, "9", "test").line()}


def test_names_the_field_that_contradicts():
    a = IDS[0]
    merge, _ = merged(one(a), one(a, split="train"), one(a, split="test"))
    assert [conflict.fields for conflict in merge.conflicts] == [("split",)]


def test_several_names_in_another_order_are_no_conflict():
    a = IDS[0]
    merge, _ = merged({}, {a: Record(a, ["x", "y"])}, {a: Record(a, ["y", "x"])})
    assert not merge.conflicts


def test_follows_a_record_that_moved_to_another_import():
    a, b = IDS[:2]
    base, stays = one(a), one(b)
    merge = Merge(
        {
            FILES[0]: Versions(text(base | stays), text(stays), text(one(a, "9") | stays)),
            FILES[1]: Versions(None, text(base), None),
        }
    )
    assert not merge.conflicts
    assert records(merge.contents()[FILES[1]]) == {a: Record(a, "9").line()}
    assert FILES[0] not in merge.contents()


def test_removed_here_and_relabelled_there_is_a_conflict():
    a, b = IDS[:2]
    merge, got = merged(one(a) | one(b), one(b), one(a, "9") | one(b))
    assert [(conflict.id, conflict.ours) for conflict in merge.conflicts] == [(a, None)]
    assert a not in got
    assert merge.keep_both(merge.conflicts[0], "labels/by/ann/all.jsonl")
    assert records(merge.contents()[FILES[0]])[a] == Record(a, "9").line()


def test_an_opinion_about_a_removed_example_is_a_conflict_on_either_side():
    a, b = IDS[:2]
    by = "labels/by/ann/all.jsonl"
    without = Versions(text(one(a) | one(b)), text(one(b)), text(one(a) | one(b)))
    merge = Merge({FILES[0]: without, by: Versions(None, None, text(one(a, "9")))})
    assert [conflict.id for conflict in merge.conflicts] == [a]
    merge.keep_both(merge.conflicts[0], "labels/by/bob/all.jsonl")
    assert records(merge.contents()[FILES[0]]).keys() == {a, b}
    assert records(merge.contents()[by]).keys() == {a}
    turned = Merge({FILES[0]: Versions(without.base, without.theirs, without.ours), by: Versions(None, text(one(a, "9")), None)})
    assert [conflict.id for conflict in turned.conflicts] == [a]
    assert turned.contents() == {}


def test_keeps_both_labels_side_by_side():
    a, b = IDS[:2]
    by = "labels/by/bob/all.jsonl"
    merge, _ = merged(one(a) | one(b), one(a, "9") | one(b), one(a, "7", group="g") | one(b))
    merge.files[by] = Versions(None, None, None)
    assert merge.keep_both(merge.conflicts[0], by)
    assert records(merge.contents()[FILES[0]])[a] == Record(a, "9", None, "g").line()
    assert records(merge.contents()[by]) == {a: Record(a, "7").line()}
    assert not merge.conflicts


def test_a_file_that_only_they_changed_is_theirs_to_the_byte():
    base = text(one(IDS[0]))
    theirs = b"\n" + Record(IDS[0], "9").line().encode() + b"\n\n\n"
    assert Merge({FILES[0]: Versions(base, base, theirs)}).contents() == {FILES[0]: theirs}


def test_what_is_no_record_is_named_by_line_and_side():
    base = text(one(IDS[0]))
    merge = Merge({FILES[0]: Versions(base, base, (base or b"") + b"\n<<<<<<< ours\n{nonsense\n")})
    assert [problem.partition(": ")[0] for problem in merge.problems] == [f"{FILES[0]}:{line} of theirs" for line in (3, 4)]


def test_an_id_that_stands_twice_is_named():
    a = IDS[0]
    twice = (text(one(a, "9")) or b"") + b"\n" + (text(one(a, "7")) or b"")
    merge = Merge({FILES[0]: Versions(text(one(a)), text(one(a)), twice)})
    assert len(merge.problems) == 1
    assert "twice" in merge.problems[0]


def test_line_ends_of_another_system_are_no_change():
    a, b = IDS[:2]
    base = text(one(a) | one(b)) or b""
    merge = Merge({FILES[0]: Versions(base, (text(one(a, "9") | one(b)) or b""), base.replace(b"\n", b"\r\n"))})
    assert not merge.conflicts
    assert records(merge.contents().get(FILES[0], text(one(a, "9") | one(b)))) == {a: Record(a, "9").line(), b: Record(b, "4").line()}


def test_a_relabel_of_an_import_that_the_other_side_packed_becomes_an_edit_of_it():
    a, b = IDS[:2]
    edits = "labels/one/edits/00.jsonl"
    base, relabelled = text(one(a) | one(b)), text(one(a, "9") | one(b))
    merge = Merge({FILES[0]: Versions(base, None, relabelled)}, packed={"one"})
    assert (merge.conflicts, merge.unread()) == ([], [edits])
    assert merge.contents() == {edits: text(one(a, "9"))}
    merge = Merge({FILES[0]: Versions(base, relabelled, None)}, packing={"one"})
    assert not merge.conflicts
    assert merge.contents() == {FILES[0]: None, edits: text(one(a, "9"))}
    assert len(Merge({FILES[0]: Versions(base, None, relabelled)}).conflicts) == 1
