"""The evidence of a split, and goals held against it."""

import json

import numpy as np
import pytest

from tacit.goals.evidence import MOST_CONFUSED, check_goals, check_goals_fit, evaluate_scores
from tacit.goals.goal import Goal
from tacit.ground.digests import canonical_json
from tacit.ground.errors import ConfigError, InputError, TacitError, UnknownName
from tacit.signature.outputs import Class, Labels, Number

TWO = Class("ham", "spam")
# true, guessed: ham ham ham spam | spam spam ham
SCORES = np.array([[1, 0], [1, 0], [3, 0], [0, 1], [0, 2], [1, 0]], np.float32)
TARGETS = np.array([0, 0, 0, 0, 1, 1])


def test_the_block_of_a_class():
    block = evaluate_scores(TWO, SCORES, TARGETS)
    assert block["count"] == 6 and block["accuracy"] == pytest.approx(4 / 6) and block["confusion"] == [[3, 1], [1, 1]]
    assert block["per_class"] == {
        "ham": {"precision": 0.75, "recall": 0.75, "f1": 0.75, "count": 4},
        "spam": {"precision": 0.5, "recall": 0.5, "f1": 0.5, "count": 2},
    }
    assert block["balanced_accuracy"] == block["macro_f1"] == 0.625
    assert set(block) == {"count", "accuracy", "balanced_accuracy", "log_loss", "macro_f1", "roc_auc", "per_class", "confusion"}
    assert json.loads(canonical_json(block)) == block


def test_blocks_of_other_outputs():
    number = evaluate_scores(Number(10.0, 2.0, "mm"), np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]]))
    assert number == {"count": 2, "mean_absolute_error": 1.0, "root_mean_square_error": pytest.approx(2**0.5), "r2": 0.0}
    labels = evaluate_scores(Labels("a", "b"), np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert labels["exact_match"] == 0.5 and labels["micro_f1"] == pytest.approx(0.8) and "confusion" not in labels
    assert labels["per_class"]["b"] == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "count": 0}
    joint = TWO * Number()
    targets = np.stack([joint.encode(("ham", 0)), joint.encode(("spam", 1))])
    block = evaluate_scores(joint, np.array([[1, 0, 0], [1, 0, 1]], np.float32), targets)
    assert block["joint"] == 0.75 and block["parts"]["class"]["accuracy"] == 0.5 and block["parts"]["number"]["r2"] == 1.0
    for made in (number, labels, block):
        canonical_json(made)


def test_what_is_not_defined_is_null_and_large_tables_are_left_out():
    empty = evaluate_scores(TWO, np.zeros((0, 2)), np.zeros(0, int))
    assert empty["count"] == 0 and empty["accuracy"] is None and empty["confusion"] == [[0, 0], [0, 0]]
    assert evaluate_scores(TWO, SCORES[:4], TARGETS[:4])["roc_auc"] is None
    many = Class(map(str, range(MOST_CONFUSED + 1)))
    assert "confusion" not in evaluate_scores(many, np.zeros((1, many.width)), np.zeros(1, int))
    canonical_json(empty)


def test_scores_that_are_not_finite_are_refused():
    bad = SCORES.copy()
    bad[1, 0], bad[1, 1], bad[4, 0] = np.nan, np.inf, -np.inf
    with pytest.raises(InputError) as caught:
        evaluate_scores(TWO, bad, TARGETS)
    assert str(caught.value) == "expected finite scores, got NaN or infinity in 2 of 6 examples\ntry: a smaller learning rate"


def test_goals_are_held_against_the_split_that_they_name():
    blocks = {"test": evaluate_scores(TWO, SCORES, TARGETS), "validation": evaluate_scores(TWO, SCORES[:0], TARGETS[:0])}
    goals = (
        Goal("accuracy", 4 / 6),
        Goal("accuracy", 0.67),
        Goal("recall", 0.5, label="spam"),
        Goal("recall", 0.51, label="spam"),
        Goal("log_loss", 10.0),
        Goal("log_loss", 0.01),
        Goal("accuracy"),
        Goal("accuracy", 0.0, split="validation"),
        Goal("accuracy", 0.0, split="train"),
    )
    verdicts = check_goals(goals, blocks)
    assert [verdict["met"] for verdict in verdicts] == [True, False, True, False, True, False, True, False, False]
    assert [verdict["value"] for verdict in verdicts[-2:]] == [None, None]
    assert verdicts[2] == {"metric": "recall", "threshold": 0.5, "split": "test", "label": "spam", "value": 0.5, "met": True}
    canonical_json(verdicts)


def test_goals_that_the_evidence_can_not_answer():
    blocks = {"test": evaluate_scores(TWO, SCORES, TARGETS)}
    with pytest.raises(TacitError) as caught:
        check_goals([Goal("f1", 0.5, label="eggs")], blocks)
    assert str(caught.value) == "expected the metric `f1` of the class `eggs` in the evidence of `test`, got none"
    with pytest.raises(TacitError) as caught:
        check_goals([Goal("r2", 0.5)], blocks)
    assert str(caught.value) == "expected the metric `r2` in the evidence of `test`, got none"
    with pytest.raises(UnknownName):
        check_goals([Goal("speed")], blocks)


def test_goals_that_do_not_fit_are_all_named():
    check_goals_fit([Goal("accuracy"), Goal("f1", 0.9, label="spam")], TWO)
    with pytest.raises(ConfigError) as caught:
        check_goals_fit([Goal("acuracy"), Goal("accuracy"), Goal("r2"), Goal("f1", label="span")], TWO)
    assert str(caught.value) == (
        "expected goals that this program's output can meet (3 problems)\n"
        "  - goal 1: expected a known metric, got `acuracy`; did you mean `accuracy`?\n"
        '  - goal 3: expected an output of the type number, got Class("ham", "spam") - at the metric `r2`\n'
        "  - goal 4: expected a known class, got `span` - at the metric `f1`; did you mean `spam`?"
    )
