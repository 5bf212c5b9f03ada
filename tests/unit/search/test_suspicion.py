import numpy as np
import pytest

from tacit.search.suspicion import _apart, level, rate
from tacit.signature.base import Joint
from tacit.signature.outputs import Class, Labels, Number

TEN = Class(*map(str, range(10)))


def noisy(count=3000, flipped=0.05, *, width=10, sure=3.0, seed=0):
    """Scores that are right mostly, true classes, and labels of which some are drawn anew."""
    random = np.random.default_rng(seed)
    true = random.integers(0, width, count)
    scores = random.normal(size=(count, width))
    scores[np.arange(count), true] += sure
    given = true.copy()
    wrong = random.permutation(count)[: round(flipped * count)]
    given[wrong] = (true[wrong] + random.integers(1, width, len(wrong))) % width
    return scores.astype(np.float32), true, given


def test_flipped_labels_are_named_precisely_and_the_right_one_is_suggested():
    scores, true, given = noisy(sure=5.0)
    rating = rate(TEN, {"scores": scores}, given)
    named = rating.probable(0.7)
    wrong = given != true
    assert (named & wrong).sum() >= 0.9 * wrong.sum()
    assert (named & wrong).sum() >= 0.95 * named.sum()
    assert np.mean(rating.guesses[named & wrong].argmax(axis=1) == true[named & wrong]) >= 0.95


def test_labels_of_a_clean_set_are_hardly_named():
    for sure in (2.0, 3.0, 5.0):
        scores, _, given = noisy(flipped=0.0, sure=sure)
        assert rate(TEN, {"scores": scores}, given).probable(0.7).mean() <= 0.005


def test_margins_rank_wrong_labels_first_and_the_final_scores_count_as_much():
    scores, true, given = noisy(flipped=0.1)
    wrong = given != true
    rating = rate(TEN, {"scores": scores, "final": scores}, given)
    assert np.allclose(rating.margins, rate(TEN, {"scores": scores}, given).margins)
    assert np.median(rating.margins[wrong]) < np.quantile(rating.margins[~wrong], 0.02)


def test_examples_that_were_not_seen_say_nothing():
    scores, _, given = noisy(300)
    counts = np.ones(300, np.float32)
    scores[7], counts[7] = 0.0, 0.0
    rating = rate(TEN, {"scores": scores, "counts": counts}, given)
    assert rating.margins[7] == np.inf
    assert rating.wrong[7] == 0.0
    assert rate(TEN, {"scores": scores, "counts": np.zeros(300)}, given) is None


def test_kept_classes_give_the_same_margins_as_all_of_them():
    wide = Class(*map(str, range(200)))
    scores, true, given = noisy(width=200, sure=8.0)
    classes = np.argsort(-scores, axis=1)[:, :64]
    rows = np.arange(len(given))
    classes[rows, 63] = np.where((classes == given[:, None]).any(axis=1), classes[:, 63], given)
    kept = rate(wide, {"scores": np.take_along_axis(scores, classes, axis=1), "classes": classes}, given)
    others = scores.copy()
    others[rows, given] = -np.inf
    assert np.allclose(kept.margins, scores[rows, given] - others.max(axis=1), atol=1e-5)
    wrong = given != true
    named = kept.probable(0.7)
    assert (named & wrong).sum() >= 0.9 * max(wrong.sum(), named.sum())
    assert np.array_equal(kept.guesses[named & wrong].argmax(axis=1), true[named & wrong])


def test_a_class_written_down_too_often_is_levelled_and_a_truly_frequent_one_is_not():
    scores = np.zeros((100, 2))
    scores[:, 0] += 1.0
    slight = np.repeat([0, 1], [60, 40])
    assert np.allclose(level(scores, slight)[:, 0], level(scores, slight)[:, 1])
    assert np.array_equal(level(scores, np.repeat([0, 1], [85, 15])), scores)


def test_one_wrong_label_among_several_is_found_and_turned():
    random = np.random.default_rng(0)
    true = random.random((2000, 3)) < [0.5, 0.2, 0.05]
    scores = np.where(true, 4.0, -4.0) + random.normal(size=true.shape)
    given = true.copy()
    wrong = random.permutation(2000)[:80]
    given[wrong, wrong % 3] ^= True
    output = Labels("a", "b", "c")
    rating = rate(output, {"scores": scores.astype(np.float32)}, given.astype(np.float32))
    named = np.flatnonzero(rating.probable(0.7))
    assert len(set(named) & set(wrong)) >= 0.9 * max(len(named), len(wrong))
    right = [output.decode(rating.guesses[row]) == output.label(true[row]) for row in named if row in set(wrong)]
    assert np.mean(right) >= 0.95


def test_a_number_far_from_what_the_others_say_is_found():
    random = np.random.default_rng(0)
    predicted = random.normal(size=2000)
    numbers = predicted + 0.1 * random.standard_t(4, 2000)
    wrong = random.permutation(2000)[:40]
    numbers[wrong] = random.normal(size=40) * 1.0
    far = np.abs(numbers - predicted) > 1.0
    output = Number(100.0, 10.0)
    rating = rate(output, {"scores": predicted[:, None].astype(np.float32)}, numbers[:, None])
    named = rating.probable(0.7)
    assert (named & far).sum() >= 0.95 * max(named.sum() - 5, far.sum())
    assert output.decode(rating.guesses[0]) == pytest.approx(100.0 + 10.0 * predicted[0], abs=1e-3)


def test_outputs_of_another_kind_are_not_rated():
    assert rate(Joint((TEN, Number())), {"scores": np.zeros((5, 11), np.float32)}, np.zeros((5, 2))) is None


def test_low_margins_that_a_valley_parts_from_the_others_are_named_and_hard_examples_are_not():
    random = np.random.default_rng(0)
    right, wrong = random.normal(3.4, 0.9, 960), random.normal(-3.7, 0.8, 40)
    found = _apart(np.append(right, wrong))
    assert (found[960:] > 0.6).all() and not found[:960].any()
    hard = 3.4 - random.gamma(1.5, 1.5, 1000)  # a long tail, and no group
    assert (hard < 0).sum() > 100 and not _apart(hard).any()
    assert not _apart(np.append(right, wrong[:5])).any(), "five are too few for a group"
