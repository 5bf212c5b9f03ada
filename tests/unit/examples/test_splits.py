from collections import Counter

import pytest

from tacit.examples.splits import SplitRule, choose_rule, normal_split, straddling


def keys(count: int) -> list[str]:
    return [f"{number:024x}" for number in range(count)]


def test_a_split_depends_on_the_key_alone():
    rule = SplitRule(0.1, 0.2)
    before = [rule.split(key) for key in keys(500)]
    assert [rule.split(key) for key in keys(1000)][:500] == before


def test_fractions_are_kept():
    counts = Counter(SplitRule(0.1, 0.2).split(key) for key in keys(20_000))
    assert counts["test"] / 20_000 == pytest.approx(0.2, abs=0.01)
    assert counts["validation"] / (20_000 - counts["test"]) == pytest.approx(0.1, abs=0.01)


def test_changing_the_fraction_of_the_test_leaves_train_and_validation_apart():
    small, large = SplitRule(0.1, 0.1), SplitRule(0.1, 0.3)
    for key in keys(2000):
        if large.split(key) != "test":
            assert small.split(key) == large.split(key)


def test_a_given_split_is_kept():
    rule = SplitRule(0.9, 0.9)
    assert [rule.split(key, "test") for key in keys(5)] == ["test"] * 5
    assert [rule.split(key, "train") for key in keys(5)] == ["train"] * 5


def test_validation_is_cut_out_of_a_given_train_only():
    given = ["train"] * 800 + ["test"] * 200
    rule, _ = choose_rule(keys(1000), given, None, None)
    splits = [rule.split(key, split) for key, split in zip(keys(1000), given, strict=True)]
    assert rule.from_train == ("validation",)
    assert splits[800:] == ["test"] * 200
    assert set(splits[:800]) == {"train", "validation"}


def test_test_is_cut_out_of_train_when_only_validation_was_given():
    given = ["train"] * 80 + ["validation"] * 20
    rule, _ = choose_rule(keys(100), given, None, None)
    splits = [rule.split(key, split) for key, split in zip(keys(100), given, strict=True)]
    assert rule.from_train == ("test",) and rule.test == 0.2
    assert splits[80:] == ["validation"] * 20 and "test" in splits[:80]


def test_nothing_is_cut_where_all_three_were_given():
    given = ["train", "validation", "test"] * 10
    rule, _ = choose_rule(keys(30), given, None, None)
    assert (rule.validation, rule.test, rule.from_train) == (0.0, 0.0, ())


def test_a_partly_given_split_leaves_the_rest_to_the_hash():
    given = [None] * 500 + ["test"] * 100
    rule, _ = choose_rule(keys(600), given, None, None)
    splits = {rule.split(key, split) for key, split in zip(keys(500), given, strict=False)}
    assert splits == {"train", "validation"}  # a test was given, so none is made


def test_the_validation_fraction_falls_with_size():
    assert choose_rule(keys(1000), [None] * 1000, None, None)[0].validation == 0.1
    assert choose_rule(keys(100_000), [None] * 100_000, None, None)[0].validation == 0.031


@pytest.mark.parametrize("people", [6, 21, 200])
def test_groups_never_straddle_and_every_part_is_there(people: int):
    groups = [f"person {number % people}" for number in range(3000)]
    rule, _ = choose_rule(keys(3000), [None] * 3000, groups, [str(number % 7 % 3) for number in range(3000)])
    assert rule.by == "group"
    splits = [rule.split(group) for group in groups]
    assert set(splits) == {"train", "validation", "test"}
    assert all(len({split for split, other in zip(splits, groups, strict=True) if other == group}) == 1 for group in set(groups))


def test_validation_is_cut_by_group_when_the_given_split_keeps_groups_apart():
    groups = [str(number % 30) for number in range(3000)]
    given = ["test" if int(group) >= 21 else "train" for group in groups]
    rule, why = choose_rule(keys(3000), given, groups, None)
    assert rule.by == "group" and rule.from_train == ("validation",) and not why
    assert not straddling([rule.split(group, split) for group, split in zip(groups, given, strict=True)], groups)


def test_a_given_split_with_the_same_groups_on_both_sides_is_not_cut_by_group():
    groups = [str(number % 6) for number in range(600)]
    given = ["test" if number < 60 else "train" for number in range(600)]
    rule, why = choose_rule(keys(600), given, groups, None)
    assert rule.by == "id"
    assert why == ["the given split has the same groups in train and elsewhere, so the validation part is not cut by group either"]


def test_every_class_stands_in_every_part_of_a_small_set():
    for size in (24, 30, 60):
        names = [str(number % 3) for number in range(size)]
        rule, _ = choose_rule(keys(size), [None] * size, None, names)
        found = {(rule.split(key), name) for key, name in zip(keys(size), names, strict=True)}
        assert len({name for split, name in found if split == "test"}) == 3
        assert len({name for split, name in found if split == "train"}) == 3


def test_names_of_splits():
    assert [normal_split(name) for name in ("Train", " VAL ", "valid", "dev", "testing", "cats")] == [
        *("train", "validation", "validation", "validation", "test"),
        None,
    ]
