import numpy as np
import pytest

from tacit.ir.interpreter import evaluate
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.search import scoring
from tacit.search.scoring import scores_by
from tacit.search.workers import Failure, Here, attempt
from tests.unit.search.small_task import examples, training

COUNT = 23


class Elsewhere:
    """Workers that do pieces from the last to the first, and fail at some of them."""

    count = 3

    def __init__(self, failing=()):
        self.failing, self.sizes = failing, []

    def run(self, work, items):
        for place in reversed(range(len(items))):
            self.sizes.append(len(items[place][0]))
            yield place, Failure("WorkerDied: at once") if place in self.failing else attempt(work, items[place])


@pytest.fixture(scope="module")
def graph():
    return optimise(lower_module(training([(0, 1)]).network, examples().signature.input.arrays).graph)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(scoring, "_BATCH", 4)
    monkeypatch.setattr(scoring, "_SHARD", 9)


@pytest.mark.parametrize("failing", [(), (0,), (0, 1, 2)])
def test_shards_give_the_scores_of_one_pass_to_the_last_bit(graph, small_shards, failing):
    inputs = examples(COUNT).inputs
    workers = Elsewhere(failing)
    np.testing.assert_array_equal(scores_by(workers, graph, inputs, worth=0), evaluate(graph, inputs, batch=4)[0])
    assert sorted(workers.sizes) == [7, 8, 8]


@pytest.mark.parametrize(("workers", "worth"), [(Here(), 0), (Elsewhere(), 1e15)])
def test_a_small_pass_is_made_here(graph, small_shards, workers, worth):
    inputs = examples(COUNT).inputs
    np.testing.assert_array_equal(scores_by(workers, graph, inputs, worth=worth), evaluate(graph, inputs, batch=4)[0])
    assert getattr(workers, "sizes", []) == []
