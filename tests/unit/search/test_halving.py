import json

import pytest

from tacit.ground.progress import Reporter
from tacit.search.halving import halve, sample
from tacit.search.recipe import Recipe
from tacit.search.running import Stop
from tacit.search.trials import Records, Trial, Trials
from tacit.search.workers import Here
from tests.unit.search.small_task import task, training


class RateTrials(Trials):
    """Trials in which the open choice is the learning rate, so that only one candidate learns."""

    def __init__(self, failing=(), epochs=40):
        super().__init__(task(), None, Recipe(batch=16), 0, (), reporter=Reporter(), stop=Stop())
        self.failing, self.epochs, self.made = failing, epochs, []

    def training(self, settings, progress, **rest):
        self.made.append(settings)
        if settings in self.failing:
            raise RuntimeError("out of memory")
        recipe = Recipe(batch=16, learning_rate=settings["rate"], epochs=self.epochs)
        return training([(0, progress.left)], recipe=recipe)


def choose(options, records, failing=()):
    trials = RateTrials(failing)
    winner = halve(options, trials, seconds=None, steps=240, workers=Here(), records=records, stop=Stop())
    return winner, trials.made


OPTIONS = [{"rate": 1e-7}, {"rate": 0.05}, {"rate": 1e-6}, {"rate": 1e-8}]


def test_the_candidate_that_can_learn_wins():
    winner, made = choose(OPTIONS, Records(None))
    assert winner == {"rate": 0.05}
    assert len(made) == 4 + 2


def test_a_failing_candidate_is_recorded_and_loses(tmp_path):
    records = Records(tmp_path / "trials.jsonl")
    winner, _ = choose(OPTIONS, records, failing=[{"rate": 1e-7}])
    assert winner == {"rate": 0.05}
    assert [trial.failure for trial in records.trials if trial.settings == {"rate": 1e-7}] == ["RuntimeError: out of memory"]


def test_trials_on_record_are_not_run_again_and_a_torn_line_is_left_out(tmp_path):
    path = tmp_path / "trials.jsonl"
    winner, made = choose(OPTIONS, Records(path))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]) + "\n" + lines[3][:20])
    again, made_again = choose(OPTIONS, Records(path))
    assert again == winner
    assert len(made_again) == len(made) - 3
    read = Records(path).trials
    assert len(read) == len(lines)
    assert all(isinstance(trial, Trial) for trial in read)


def test_many_candidates_are_sampled_by_the_seed():
    many = [{"width": width} for width in range(100)]
    assert sample(many, 1) == sample(many, 1)
    assert sample(many, 1) != sample(many, 2)
    assert len(sample(many, 1)) == 16
    assert json.dumps(sample(many[:5], 1)) == json.dumps(many[:5])


@pytest.mark.parametrize("count", [2, 3, 5])
def test_any_number_of_candidates_ends_with_one(count):
    options = [{"rate": 10.0**-place} for place in range(2, 2 + count)]
    winner, _ = choose(options, Records(None))
    assert winner in options


def test_by_the_clock_every_trial_uses_its_share_of_the_time():
    records = Records(None)
    options, trials = [{"rate": 0.05}, {"rate": 0.01}], RateTrials(epochs=10_000)
    halve(options, trials, seconds=3.0, steps=64, workers=Here(), records=records, stop=Stop())
    assert [1.0 <= trial.seconds <= 2.5 for trial in records.trials] == [True, True]
