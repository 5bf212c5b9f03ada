"""Metrics, held against scikit-learn."""

import math
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from tacit.goals.goal import Goal
from tacit.goals.metrics import Metric, confusion_counts, hits_and_misses
from tacit.goals.table import METRICS, metric_of
from tacit.ground.errors import ConfigError, InputError, UnknownName
from tacit.signature.outputs import Class, Labels, Number

SEEDS = st.integers(0, 2**32 - 1)
NAMES = ("a", "b", "c", "d")


def classes(seed, width=4, most=40, least=1):
    """Scores with ties and classes that may be absent."""
    random = np.random.default_rng(seed)
    count = int(random.integers(least, most))
    scores = np.round(random.normal(size=(count, width)), int(random.integers(0, 3))).astype(np.float32)
    return scores, random.integers(0, int(random.integers(1, width + 1)), count), Class(NAMES[:width])


def value(name, scores, targets, output, **more):
    return METRICS.get(name)(scores, targets, output, **more)


def quietly(work, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(work(*arguments, **options))


def test_every_row_of_the_table_is_a_metric_of_its_name():
    assert all(isinstance(METRICS.get(name), Metric) and METRICS.get(name).name == name for name in METRICS)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_classes_agree_with_sklearn(seed):
    scores, targets, output = classes(seed)
    guessed = scores.argmax(axis=1)
    assert value("accuracy", scores, targets, output) == pytest.approx(theirs.accuracy_score(targets, guessed))
    assert value("balanced_accuracy", scores, targets, output) == pytest.approx(quietly(theirs.balanced_accuracy_score, targets, guessed))
    assert value("macro_f1", scores, targets, output) == pytest.approx(quietly(theirs.f1_score, targets, guessed, average="macro"))
    chances = output.probabilities(scores).astype(np.float64)
    chances /= chances.sum(axis=1, keepdims=True)
    assert value("log_loss", scores, targets, output) == pytest.approx(theirs.log_loss(targets, chances, labels=range(4)), rel=1e-4)
    for place, name in enumerate(NAMES):
        for kind, work in (("f1", theirs.f1_score), ("precision", theirs.precision_score), ("recall", theirs.recall_score)):
            wanted = quietly(work, targets == place, guessed == place, zero_division=0)
            assert value(kind, scores, targets, output, label=name) == pytest.approx(wanted)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_the_area_under_the_curve_agrees_with_sklearn(seed):
    scores, targets, output = classes(seed, width=2)
    found = value("roc_auc", scores, targets, output)
    if len(set(targets)) < 2:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(theirs.roc_auc_score(targets, scores[:, 1].astype(float) - scores[:, 0]))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(-100, 100), st.floats(0.01, 100))
def test_numbers_agree_with_sklearn_in_their_own_unit(seed, mean, scale):
    random = np.random.default_rng(seed)
    output = Number(mean, scale)
    scores, targets = random.normal(size=(2, int(random.integers(2, 30)), 1)).astype(np.float32)
    guessed, true = scores[:, 0] * scale + mean, targets[:, 0] * scale + mean
    close = {"rel": 1e-4, "abs": 1e-4 * (abs(mean) + scale)}
    assert value("mean_absolute_error", scores, targets, output) == pytest.approx(theirs.mean_absolute_error(true, guessed), **close)
    assert value("root_mean_square_error", scores, targets, output) == pytest.approx(theirs.root_mean_squared_error(true, guessed), **close)
    assert value("r2", scores, targets, output) == pytest.approx(theirs.r2_score(targets, scores), rel=1e-3, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_labels_agree_with_sklearn(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 30))
    scores, targets = random.normal(size=(count, 4)).astype(np.float32), (random.random((count, 4)) < 0.3).astype(np.float32)
    output, guessed = Labels(NAMES), (scores >= 0).astype(int)
    assert value("exact_match", scores, targets, output) == pytest.approx(theirs.accuracy_score(targets, guessed))
    assert value("micro_f1", scores, targets, output) == pytest.approx(theirs.f1_score(targets, guessed, average="micro", zero_division=0))
    assert value("macro_f1", scores, targets, output) == pytest.approx(theirs.f1_score(targets, guessed, average="macro", zero_division=0))
    wanted = theirs.recall_score(targets[:, 1], guessed[:, 1], zero_division=0)
    assert value("recall", scores, targets, output, label="b") == pytest.approx(wanted)


def test_edges_of_r2():
    def r2(guessed, true):
        return value("r2", np.array(guessed, np.float32)[:, None], np.array(true, np.float32)[:, None], Number())

    assert r2([1, 1], [1, 1]) == 1.0 and r2([1, 2], [1, 1]) == 0.0 and math.isnan(r2([1], [1])) and r2([3, 1], [1, 3]) == -3.0


def test_a_joint_output_averages_what_is_1_when_perfect():
    joint = Class("a", "b") * Labels("x", "y") * Number()
    targets = np.stack([joint.encode(("a", ["x"], -1)), joint.encode(("b", ["y"], 1))])
    perfect = np.array([[9, 0, 9, -9, -1], [0, 9, -9, 9, 1]], np.float32)
    assert value("joint", perfect, targets, joint) == 1.0
    assert value("joint", perfect[::-1], targets, joint) == pytest.approx((0 + 0 - 3) / 3)


def test_nothing_to_measure_is_not_a_number():
    assert math.isnan(value("accuracy", np.zeros((0, 2)), np.zeros(0, int), Class("a", "b")))
    assert math.isnan(value("mean_absolute_error", np.zeros((0, 1)), np.zeros((0, 1)), Number()))


def test_better_and_met():
    accuracy, error = METRICS.get("accuracy"), METRICS.get("mean_absolute_error")
    assert (
        accuracy.better(0.9, 0.8)
        and not accuracy.better(0.8, 0.8)
        and not accuracy.better(math.nan, 0.1)
        and accuracy.better(0.1, math.nan)
    )
    assert error.better(0.8, 0.9) and not error.better(0.9, 0.8) and not error.better(math.nan, math.nan)
    assert accuracy.met(0.9, 0.9) and not accuracy.met(0.89, 0.9) and not accuracy.met(None, 0.0) and not accuracy.met(math.nan, 0.0)
    assert error.met(0.9, 0.9) and not error.met(0.91, 0.9) and not error.met(None, 1e9)


def test_metric_of_a_goal_is_about_its_class():
    scores, targets, output = classes(3, least=20)
    assert metric_of(Goal("f1", label="b"))(scores, targets, output) == value("f1", scores, targets, output, label="b")
    assert metric_of(Goal("accuracy"))(scores, targets, output) == value("accuracy", scores, targets, output)


def test_errors():
    two, three = Class("a", "b"), Class("a", "b", "c")

    def message(work, error=ConfigError):
        with pytest.raises(error) as caught:
            work()
        return str(caught.value)

    assert message(lambda: METRICS.get("acuracy"), UnknownName) == "expected a known metric, got `acuracy`\ntry: did you mean `accuracy`?"
    assert (
        message(lambda: METRICS.get("accuracy").check(Number()))
        == "expected an output of the type class, got Number() - at the metric `accuracy`"
    )
    assert message(lambda: METRICS.get("roc_auc").check(three)) == "expected an output of two classes, got 3 - at the metric `roc_auc`"
    assert (
        message(lambda: METRICS.get("f1").check(two)) == 'expected the name of one class, got none - at the metric `f1`\ntry: label = "a"'
    )
    assert (
        message(lambda: METRICS.get("f1").check(two, label="c")) == "expected a known class, got `c` - at the metric `f1`\ntry: known: a, b"
    )
    assert message(lambda: METRICS.get("accuracy").check(two, label="a")) == (
        "expected no class, got `a` - at the metric `accuracy`\ntry: `f1`, `precision` and `recall` are about one class"
    )
    assert message(lambda: value("accuracy", np.zeros((3, 2)), np.zeros(4, int), two), InputError) == (
        "expected scores [example, 2] and as many targets of shape [], got [3, 2] and [4] - at the metric `accuracy`"
    )
    assert "got [3, 3]" in message(lambda: value("accuracy", np.zeros((3, 3)), np.zeros(3, int), two), InputError)


def test_counts_of_many_classes_need_no_table_of_pairs():
    classes = 20_000
    output = Class([f"c{place}" for place in range(classes)])
    scores, targets = np.zeros((3, classes), np.float32), np.array([5, 7, 9])
    scores[0, 5] = scores[1, 8] = scores[2, 9] = 1
    tracemalloc.start()
    try:
        right, wrong, missed = hits_and_misses(scores, targets, output)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000 and {len(counts) for counts in (right, wrong, missed)} == {classes}
    assert [list(np.flatnonzero(counts)) for counts in (right, wrong, missed)] == [[5, 9], [8], [7]]


def test_counts_agree_with_the_table_of_pairs():
    random = np.random.default_rng(0)
    scores, targets = random.normal(size=(200, 7)).astype(np.float32), random.integers(0, 6, 200)
    table = confusion_counts(scores, targets)
    right, wrong, missed = hits_and_misses(scores, targets, Class([*"abcdefg"]))
    assert (right == np.diag(table)).all() and (wrong + right == table.sum(0)).all() and (missed + right == table.sum(1)).all()
