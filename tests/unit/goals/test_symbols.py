import math

import numpy as np
import pytest

from tacit.goals.evidence import evaluate_scores
from tacit.goals.table import METRICS
from tacit.ground.errors import ConfigError
from tacit.signature.outputs import Class, Number
from tacit.signature.symbols import Symbols

OUTPUT = Symbols("a", "b", "c", steps=9)


def scores_of(label):
    """Give scores whose best path spells a label: each name in a step of its own, nothing between."""
    path = [OUTPUT.names.index(name) if place % 2 == 0 else 3 for name in label.split() for place in range(2)]
    return np.eye(4, dtype=np.float32)[path + [3] * (OUTPUT.steps - len(path))].ravel()


def batch(pairs):
    return np.stack([scores_of(heard) for heard, _ in pairs]), np.stack([OUTPUT.encode(true) for _, true in pairs])


def test_edits_of_all_examples_by_names_of_all():
    scores, targets = batch([("a b c", "a b c"), ("a c", "a b c"), ("b b", "b"), ("", ""), ("c", "a")])
    rate, exact = METRICS.get("symbol_error_rate"), METRICS.get("exact_match")
    assert rate(scores, targets, OUTPUT) == pytest.approx(3 / 8)
    assert exact(scores, targets, OUTPUT) == pytest.approx(2 / 5)
    block = evaluate_scores(OUTPUT, scores, targets)
    assert block["edits"] == {"substitutions": 1, "deletions": 1, "insertions": 1, "names": 8}
    assert {"symbol_error_rate", "exact_match"} <= set(block)
    assert not {"accuracy", "log_loss", "micro_f1"} & set(block)


def test_less_is_better_and_it_may_exceed_one():
    scores, targets = batch([("a b c", "b")])
    metric = METRICS.get("symbol_error_rate")
    assert metric(scores, targets, OUTPUT) == 2.0
    assert metric.better(0.1, 0.2)
    assert metric.met(0.1, 0.1)
    assert not metric.met(0.2, 0.1)


def test_it_is_not_defined_without_a_name_or_for_other_outputs():
    scores, targets = batch([("a", ""), ("", "")])
    assert math.isnan(METRICS.get("symbol_error_rate")(scores, targets, OUTPUT))
    assert evaluate_scores(OUTPUT, scores, targets)["symbol_error_rate"] is None
    with pytest.raises(ConfigError, match="symbols"):
        METRICS.get("symbol_error_rate")(np.zeros((1, 2)), np.zeros(1), Class("a", "b"))


def test_it_counts_in_a_joint_output():
    output = OUTPUT * Number()
    scores, targets = batch([("a", "a"), ("b", "a")])
    both = evaluate_scores(output, np.concatenate([scores, [[0.0], [1.0]]], axis=1), np.concatenate([targets, [[0.0], [1.0]]], axis=1))
    assert both["joint"] == pytest.approx((0.5 + 1.0) / 2)
    assert both["parts"]["symbols"]["symbol_error_rate"] == 0.5
