import numpy as np
import pytest

from tacit.goals.evidence import check_goals, check_goals_fit
from tacit.goals.goal import Goal
from tacit.goals.own import asks_for, goal_json, identity, own_scores, reads_arrays, reads_examples, score_arrays, score_binary
from tacit.goals.table import metric_of
from tacit.ground.errors import ConfigError, InputError
from tacit.signature.outputs import Class

OUTPUT = Class("no", "yes")


class Fixed:
    """What behaves like a binary: its scores are the first input column."""

    def evaluate(self, examples):
        return np.stack([-examples.inputs[0], examples.inputs[0]], axis=1)


class Two:
    inputs = (np.array([1.0, -2.0, 3.0], np.float32),)
    targets = np.array([1, 0, 0])

    def __len__(self):
        return 3


def test_a_goal_takes_its_name_from_its_function_unless_it_has_one():
    def profit(binary):
        return 1.0

    assert Goal(score=profit).metric == "profit"
    assert Goal("gain", 3.0, score=profit).metric == "gain"
    assert Goal(score=lambda binary: 0.0).metric == "score"
    with pytest.raises(ConfigError, match="neither"):
        Goal()
    with pytest.raises(ConfigError, match="expected a function"):
        Goal(score=3)


def test_what_a_score_is_given_follows_from_its_parameters():
    assert asks_for(Goal(score=lambda program: 0)) == ("binary",)
    assert asks_for(Goal(score=lambda b, examples, seed: 0)) == ("binary", "examples", "seed")
    assert asks_for(Goal(score=lambda scores, targets, inputs: 0)) == ("scores", "targets", "inputs")
    assert asks_for(Goal(score=lambda candidates, targets, share=0.1: 0)) == ("candidates", "targets")
    assert reads_arrays(Goal(score=lambda scores: 0)) and not reads_arrays(Goal(score=lambda binary: 0))
    assert reads_examples(Goal(score=lambda b, examples: 0)) and not reads_examples(Goal(score=lambda b, seed: 0))
    with pytest.raises(ConfigError, match="`target`") as caught:
        asks_for(Goal(score=lambda scores, target: 0))
    assert "did you mean `targets`?" in str(caught.value)
    with pytest.raises(ConfigError, match="without parameters"):
        asks_for(Goal(score=lambda: 0))


def test_scores_of_one_candidate_and_of_all_at_once_agree():
    def one(scores, targets):
        return float((scores.argmax(1) == targets).mean())

    def every(candidates, targets):
        return (candidates.argmax(2) == targets).mean(axis=1)

    scores = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)
    targets = np.arange(7) % 2
    got = score_arrays(Goal(score=one), scores, targets, ())
    assert got.tolist() == score_arrays(Goal(score=every), scores, targets, ()).tolist()
    assert got.dtype == np.float64 and len(set(got)) > 1


def test_a_binary_is_measured_by_arrays_by_examples_and_by_seed():
    def right(scores, targets):
        return float((scores.argmax(1) == targets).mean())

    assert score_binary(Goal(score=right), Fixed(), Two(), seed=0) == pytest.approx(2 / 3)
    assert score_binary(Goal(score=lambda b, examples: len(examples)), Fixed(), Two(), seed=0) == 3.0
    assert score_binary(Goal(score=lambda b, seed: seed % 10), Fixed(), Two(), seed=17) == 7.0


@pytest.mark.parametrize(
    ("value", "said"),
    [(float("nan"), "got nan"), (float("inf"), "got inf"), ("0.5", "got str '0.5'"), (None, "got NoneType None"), ([1.0, 2.0], "got list")],
)
def test_what_is_no_finite_number_is_refused(value, said):
    with pytest.raises(InputError, match="expected a finite number") as caught:
        score_binary(Goal("gain", score=lambda binary: value), Fixed(), None, seed=0)
    assert said in str(caught.value) and "the score `gain`" in str(caught.value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.array([0.5]), np.array(0.5), 1, True])
def test_numbers_of_other_libraries_are_numbers(value):
    assert score_binary(Goal(score=lambda binary: value), Fixed(), None, seed=0) == float(np.asarray(value).reshape(-1)[0])


def test_a_score_that_raises_names_the_line_and_the_error():
    def broken(binary):
        return 1 / 0

    with pytest.raises(InputError) as caught:
        score_binary(Goal(score=broken), Fixed(), None, seed=0)
    text = str(caught.value)
    assert "got ZeroDivisionError in line" in text and "`test_own.py`" in text and "division by zero" in text and "try:" in text


def test_a_score_of_all_candidates_must_give_one_number_each():
    goal = Goal(score=lambda candidates: 1.0)
    with pytest.raises(InputError, match="3 finite numbers"):
        score_arrays(goal, np.zeros((3, 2, 2), np.float32), np.zeros(2), ())


def test_goals_of_ones_own_are_held_against_what_was_measured():
    least = Goal("error", 0.5, score=lambda binary: 0.4, lower_is_better=True)
    scores = {"test": own_scores([least], Fixed(), Two(), "test")}
    assert check_goals([least], scores)[0] == {
        "metric": "error", "threshold": 0.5, "split": "test", "label": None, "value": 0.4, "met": True,
    }  # fmt: skip
    assert not check_goals([Goal("error", 0.5, score=lambda binary: 0.4)], scores)[0]["met"]
    assert check_goals([least], {})[0]["value"] is None


def test_as_a_metric_it_compares_in_its_own_sense_and_is_undefined_where_it_needs_more_than_scores():
    plain = Goal("mean", score=lambda scores, targets: float(scores.mean()), lower_is_better=True)
    assert metric_of(plain)(np.ones((2, 2), np.float32), np.zeros(2, np.int64), OUTPUT) == 1.0
    assert metric_of(plain).better(1.0, 2.0)
    assert np.isnan(metric_of(Goal(score=lambda binary: 1.0))(np.ones((2, 2), np.float32), np.zeros(2, np.int64), OUTPUT))


def test_a_score_may_not_be_called_as_a_metric_is():
    with pytest.raises(ConfigError, match="a name of its own"):
        check_goals_fit([Goal("accuracy", score=lambda binary: 1.0)], OUTPUT)
    with pytest.raises(ConfigError, match="`wrong`"):
        check_goals_fit([Goal("gain", score=lambda binary, wrong: 1.0)], OUTPUT)
    check_goals_fit([Goal("gain", score=lambda binary: 1.0)], OUTPUT)


def test_another_function_is_another_goal():
    assert identity(lambda binary: 1.0) != identity(lambda binary: 2.0)
    assert identity(None) is None
    one = goal_json(Goal("gain", score=lambda binary: 1.0))
    assert one["score"] and one["lower_is_better"] is False
    assert "score" not in goal_json(Goal("accuracy"))
