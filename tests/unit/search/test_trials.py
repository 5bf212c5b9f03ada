import pickle

import numpy as np
import pytest

from tacit.ground.progress import Reporter
from tacit.search.recipe import Recipe
from tacit.search.running import Stop
from tacit.search.trials import Order, Records, Trials, run_all
from tacit.search.workers import Failure, Here
from tacit.skeletons.table import skeleton_for
from tests.unit.search.small_task import examples, task


def trials(**changes) -> Trials:
    whole = examples()
    values = {"task": task(), "skeleton": skeleton_for(whole.signature, None), "recipe": Recipe(batch=16), "seed": 3}
    return Trials(**{**values, "inputs": whole.split("train").inputs, **changes})


def orders(*widths, steps=8):
    return [Order(number, 0, {"width": width}, steps=steps) for number, width in enumerate(widths)]


class Backwards:
    """Workers elsewhere, as far as results go: everything is pickled, and the last piece is done first."""

    count = 3

    def __init__(self, dies_at=None):
        self.dies_at = dies_at

    def run(self, work, items):
        sent = pickle.dumps(work)
        for place in reversed(range(len(items))):
            if place == self.dies_at:
                yield place, Failure("WorkerDied: killed for memory")
            else:
                yield place, pickle.loads(pickle.dumps(pickle.loads(sent)(pickle.loads(pickle.dumps(items[place])))))


def test_a_trial_elsewhere_gives_what_it_gives_here(tmp_path):
    here = run_all(trials(), orders(8, 12, 16), workers=Here(), records=Records(None), stop=Stop())
    records = Records(tmp_path / "trials.jsonl")
    there = run_all(trials(), orders(8, 12, 16), workers=Backwards(), records=records, stop=Stop())
    assert [ran.trial.settings["width"] for ran in there] == [8, 12, 16]
    assert [trial.number for trial in records.trials] == [2, 1, 0]
    assert [trial.number for trial in records.in_order()] == [0, 1, 2]
    for one, other in zip(here, there, strict=True):
        assert one.trial.validation == other.trial.validation
        assert one.progress == other.progress
        assert all(np.array_equal(weight, other.outcome.weights[name]) for name, weight in one.outcome.weights.items())


def test_a_worker_that_dies_is_a_failed_trial_and_the_rest_goes_on():
    records = Records(None)
    results = run_all(trials(), orders(8, 12, 16), workers=Backwards(dies_at=1), records=records, stop=Stop())
    assert [ran.trial.failure for ran in results] == [None, "WorkerDied: killed for memory", None]
    assert results[1].outcome is None
    assert len(records.trials) == 3


@pytest.mark.parametrize("error", [MemoryError("no memory"), RuntimeError("out of memory"), ValueError("x")])
def test_a_trial_that_fails_here_is_a_record(error):
    class Fails(Trials):
        def training(self, settings, progress, **rest):
            if settings["width"] == 12:
                raise error
            return super().training(settings, progress, **rest)

    failing = Fails(**{name: value for name, value in trials().__dict__.items()})
    results = run_all(failing, orders(8, 12), workers=Here(), records=Records(None), stop=Stop())
    assert [ran.trial.failure for ran in results] == [None, f"{type(error).__name__}: {error}"]


def test_what_is_on_record_is_not_run_again(tmp_path):
    path = tmp_path / "trials.jsonl"
    first = run_all(trials(), orders(8, 12), workers=Here(), records=Records(path), stop=Stop())
    ran = []
    again = run_all(trials(), orders(8, 12, 16), workers=Here(), records=Records(path), stop=Stop(), ended=ran.append)
    assert [one.trial.settings["width"] for one in ran] == [16]
    assert [one.trial.validation for one in again[:2]] == [one.trial.validation for one in first]


def test_after_a_request_to_stop_nothing_more_is_run_or_recorded():
    stop = Stop()

    class Asks(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            stop.asked = True

    records, ended = Records(None), []
    results = run_all(trials(stop=stop, reporter=Asks()), orders(8, 12), workers=Here(), records=records, stop=stop, ended=ended.append)
    assert results == []
    assert records.trials == []
    assert [ran.stopped for ran in ended] == [True]
    assert ended[0].outcome is not None


def test_a_short_trial_looks_at_validation_once_and_a_long_one_more_often():
    assert [trials()._looks(steps) for steps in (1, 8, 16, 10_000, None)] == [1, 1, 3, 8, 2]  # 40 examples, 16 in a step


def test_a_search_tells_how_much_of_the_whole_is_done():
    told = []

    class Keeps(Reporter):
        def progress(self, fraction, seconds_left, message=""):
            told.append((fraction, seconds_left))

    trials(reporter=Keeps())(Order(0, 0, {"width": 8}, steps=8, before=0.5, share=0.25))
    assert 0.5 < told[0][0] < told[-1][0] == 0.75
    assert told[0][1] > 0
