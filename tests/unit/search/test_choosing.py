import pytest

from tacit.goals.goal import Goal
from tacit.ground.errors import ConfigError
from tacit.search.choosing import Choosing, choosing_for

GOAL = Goal("accuracy")


def test_nothing_said_and_no_trials_is_no_search():
    assert choosing_for({}, GOAL) is None
    assert choosing_for({"trials": 0, "sampler": "tpe"}, GOAL) is None


def test_what_is_said_takes_the_place_of_what_is_usual():
    found = choosing_for({"trials": 40, "objectives": ["accuracy", "macs"]}, GOAL)
    assert found == Choosing(trials=40, objectives=("accuracy", "macs"))
    assert found.costs == ("macs",)


def test_everything_wrong_is_named_at_once():
    wrong = {"trial": 3, "batch": 0, "share": 1.0, "fit": 1, "sampler": "tpr", "pruner": "x", "objectives": ["macs", "speed"]}
    with pytest.raises(ConfigError) as caught:
        choosing_for(wrong, GOAL)
    assert str(caught.value).splitlines() == [
        "expected a search that is understood (8 problems)",
        "  - `search.trial` is not known: did you mean `trials`?",
        "  - `search.batch` must be a whole number above 0, got 0",
        "  - `search.share` must be a fraction between 0 and 1, got 1.0",
        "  - `search.fit` must be true or false, got 1",
        "  - `search.sampler` is 'tpr': did you mean `tpe`?",
        "  - `search.pruner` is 'x': known: halving, hyperband, median, none, successive_halving",
        "  - `search.objectives` begins with the metric of the first goal, `accuracy`, got `macs`",
        "  - `search.objectives`: `speed` is no cost; known: arena_bytes, latency, macs, weight_bytes",
        "try: look at [search] in tacit.toml; `tacit compile --preview` shows what is searched",
    ]


def test_pruners_that_judge_one_objective_are_refused_for_several():
    with pytest.raises(ConfigError, match="judges one objective only"):
        choosing_for({"pruner": "median", "objectives": ["accuracy", "macs"]}, GOAL)
