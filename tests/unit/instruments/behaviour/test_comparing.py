from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image as Pillow

from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError, InputError
from tacit.instruments.behaviour.comparing import diff
from tacit.instruments.behaviour.report import markdown, parts, sheet, summary
from tacit.instruments.layout import plain
from tacit.signature.outputs import Class, Labels, Number
from tests.unit.instruments.behaviour.linear import linear, program

SIDES = Class("left", "right")
#: left where x < 0, right where x > 0; and one that has its border at x = 1.
GOOD, SHIFTED = linear(SIDES, [[-1, 1], [0, 0]]), linear(SIDES, [[-1, 1], [0, 0]], [1, -1])


def kinds(found, split=None) -> dict[str, list[str]]:
    return {kind: [item.id[-2:] for item in found.of(kind, split)] for kind in ("broke", "fixed", "changed")}


def test_what_broke_and_what_was_fixed_is_listed_with_answers_and_margins():
    points = program(SIDES, [(-2, 0), (0.5, 0), (0.25, 0), (3, 0)], ["left", "right", "left", "right"])
    found = diff(GOOD, SHIFTED, against=points, timed=False)
    assert kinds(found) == {"broke": ["01"], "fixed": ["02"], "changed": []}
    (broke,) = found.of("broke")
    assert (broke.label, broke.before, broke.after) == ("right", "right", "left")
    assert (broke.margin_before, broke.margin_after) == (1.0, -1.0)
    assert found.main.metrics[0].name == "accuracy" and found.main.metrics[0].difference == 0.0
    assert {(item.name, item.broke, item.fixed) for item in found.classes} == {("left", 0, 1), ("right", 1, 0)}
    assert found.confusions == (("left", "right", "left", 1), ("right", "right", "left", 1))


def test_the_same_binary_twice_changes_nothing():
    points = program(SIDES, [(-2, 0), (0.5, 0)], ["left", "left"])
    found = diff(GOOD, GOOD, against=points)
    assert found.same and found.main.probability == 1.0 and "same thing" in " ".join(found.notes)
    assert summary(found) == "the same answers on all 2 test examples"
    assert [cost.name for cost in found.costs] == ["seconds per example"]


def test_wrong_before_and_after_in_another_way_is_neither_broken_nor_fixed():
    three = Class("a", "b", "c")
    first, second = linear(three, [[0, 1, 0], [0, 0, 1]]), linear(three, [[0, 0, 1], [0, 1, 0]])
    found = diff(first, second, against=program(three, [(1, 0)], ["a"]), timed=False)
    assert kinds(found) == {"broke": [], "fixed": [], "changed": ["00"]}


def test_the_headline_is_the_test_split_and_training_examples_are_said_to_be_learnt():
    points = program(SIDES, [(0.5, 0)] * 3, ["right"] * 3, splits=["train", "validation", "test"])
    found = diff(GOOD, SHIFTED, against=points, timed=False)
    assert found.headline == "test" and found.main.broke == 1
    assert {split.name: split.learnt for split in found.splits} == {"train": True, "validation": False, "test": False}
    assert [item.split for item in found.moved] == ["test", "train", "validation"]
    only = diff(GOOD, SHIFTED, against=points, splits=("validation",), timed=False)
    assert [split.name for split in only.splits] == ["validation"] and only.headline == "validation"


def test_a_slice_that_changed_is_found_among_many_that_did_not():
    chance = np.random.default_rng(0)
    x = np.where(np.arange(400) % 20 == 0, 0.5, np.where(np.arange(400) % 2 == 0, 3.0, -3.0))
    labels = ["right" if value > 0 else "left" for value in x]
    groups = ["odd one" if value == 0.5 else f"group {chance.integers(0, 8)}" for value in x]
    found = diff(GOOD, SHIFTED, against=program(SIDES, np.stack([x, chance.normal(size=400)], 1), labels, groups=groups), timed=False)
    names = [item.name for item in found.slices]
    assert names[0] in ("group: odd one", "class: right") and "group: odd one" in names
    assert not [name for name in names if name.startswith(("group: group", "class: left"))]
    assert found.tested >= len(names)


def test_chance_alone_makes_no_slice_significant():
    chance = np.random.default_rng(3)
    points = chance.normal(0, 1, (600, 2))
    labels = ["right" if value > 0 else "left" for value in points[:, 0] + 0.2 * chance.normal(size=600)]
    one, two = linear(SIDES, [[-1, 1], [-0.2, 0.2]]), linear(SIDES, [[-1, 1], [0.2, -0.2]])
    found = diff(one, two, against=program(SIDES, points, labels, groups=[f"g{k % 9}" for k in range(600)]), timed=False)
    assert found.main.broke > 10 and found.tested > 5
    assert not [item.name for item in found.slices if item.name.startswith(("group", "class"))]


def test_a_class_that_one_of_them_lacks_is_left_out_and_said():
    wider = Class("left", "right", "up")
    second = linear(wider, [[-1, 1, 0], [0, 0, 1]])
    points = program(wider, [(-2, 0), (3, 0), (0, 9)], ["left", "right", "up"])
    found = diff(GOOD, second, against=points, timed=False)
    assert found.main.count == 2 and found.same
    text = " ".join(found.notes)
    assert "only the second knows up" in text and "1 examples are left out" in text


def test_classes_in_another_order_are_compared_by_their_names():
    other = Class("right", "left")
    found = diff(GOOD, linear(other, [[1, -1], [0, 0]]), against=program(SIDES, [(-2, 0), (2, 0)], ["left", "right"]), timed=False)
    assert found.same and found.main.metrics[0].after == 1.0


def test_several_labels_count_as_right_when_all_are():
    tags = Labels("far", "high")
    first, second = linear(tags, [[1, 0], [0, 1]]), linear(tags, [[1, 0], [0, -1]])
    points = program(tags, [(1, 1), (1, -1), (-1, 1)], [["far", "high"], ["far"], ["high"]])
    found = diff(first, second, against=points, timed=False)
    assert kinds(found)["broke"] == ["00", "01", "02"]
    assert found.of("broke")[0].before == ["far", "high"] and found.of("broke")[0].after == ["far"]
    assert found.main.metrics[0].name == "exact_match"
    assert {item.name: item.broke for item in found.classes} == {"far": 2, "high": 2}


def test_numbers_give_how_far_they_moved_and_break_only_within_a_distance():
    amount = Number(10.0, 2.0, "EUR")
    first, second = linear(amount, [[1], [0]]), linear(amount, [[1], [0]], [0.5])
    points = program(amount, [(0, 0), (1, 0), (2, 0)], [10, 12, 14.9])
    found = diff(first, second, against=points, timed=False)
    assert found.mean_change == pytest.approx(1.0)
    assert kinds(found) == {"broke": [], "fixed": [], "changed": ["00", "01", "02"]}
    assert found.main.metrics[0].before == pytest.approx(0.3) and found.main.metrics[0].after == pytest.approx(0.7)
    assert "move by 1 on average" in summary(found)
    near = diff(first, second, against=points, within=0.5, timed=False)
    assert kinds(near) == {"broke": ["00", "01"], "fixed": ["02"], "changed": []}


def test_joint_outputs_are_right_when_every_part_is():
    both = SIDES * Number()
    first, second = linear(both, [[-1, 1, 1], [0, 0, 0]]), linear(both, [[1, -1, 1], [0, 0, 0]])
    found = diff(first, second, against=program(both, [(1, 0)], [("right", 1.0)]), timed=False)
    assert kinds(found)["broke"] == ["00"]
    assert found.moved[0].before["class"] == "right" and found.moved[0].after["class"] == "left"


def test_the_goals_of_the_program_are_scored_with_an_interval():
    points = program(SIDES, [(k / 50 - 1, 0) for k in range(100)], ["left"] * 50 + ["right"] * 50, goals=(Goal("macro_f1", 0.9),))
    metrics = {metric.name: metric for metric in diff(GOOD, SHIFTED, against=points, timed=False).main.metrics}
    assert metrics["macro_f1"].low < metrics["macro_f1"].difference < metrics["macro_f1"].high < 0
    assert metrics["accuracy"].low < metrics["accuracy"].difference < metrics["accuracy"].high < 0


def test_outputs_of_two_kinds_and_other_inputs_are_refused():
    points = program(SIDES, [(0, 0)], ["left"])
    with pytest.raises(InputError, match="outputs of one kind"):
        diff(GOOD, linear(Number(), [[1], [0]]), against=points)
    with pytest.raises(InputError, match="classes in common, got none"):
        diff(GOOD, linear(Class("up", "down"), [[1, 0], [0, 1]]), against=points)
    with pytest.raises(InputError, match="lie in no program directory"):
        diff(GOOD, GOOD)
    with pytest.raises(ConfigError, match="expected splits of train, validation, test, got dev"):
        diff(GOOD, GOOD, against=points, splits=("dev",))
    with pytest.raises(InputError, match="got none of train"):
        diff(GOOD, GOOD, against=points, splits=("train",))


def test_reports_hold_the_numbers_and_bars_in_names_do_not_break_the_tables():
    odd = Class("a|b", "right")
    first, second = linear(odd, [[-1, 1], [0, 0]]), linear(odd, [[-1, 1], [0, 0]], [1, -1])
    found = diff(first, second, against=program(odd, [(-2, 0), (0.5, 0)], ["a|b", "right"]))
    text = plain(parts(found))
    assert "1 broke, 0 fixed of 2 test examples (within chance, p = 1.000)" in text and "right → a|b" in text
    lines = markdown(found).splitlines()
    assert lines[2].startswith("**1 broke, 0 fixed") and any("a\\|b" in line for line in lines)
    document = json.loads(json.dumps(found.to_json()))
    assert document["splits"][0]["metrics"][0]["difference"] == -0.5 and "shown" not in document
    assert Pillow.open(io.BytesIO(sheet(found))).size[0] > 300


@pytest.mark.parametrize(("limit", "fails"), [("0", True), ("1", False), ("49%", True), ("50%", False), ("12.5%", True)])
def test_a_limit_of_what_may_break(limit, fails):
    found = diff(GOOD, SHIFTED, against=program(SIDES, [(-2, 0), (0.5, 0)], ["left", "right"]), timed=False)
    assert found.breaks_more_than(limit) is fails
