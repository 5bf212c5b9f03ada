import math
import sys
from dataclasses import replace

import pytest

from tacit.compiler import compile
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError
from tacit.program import Program
from tacit.search.evolution_skeletons import LEAST_ALIVE, Ageing
from tacit.skeletons.choices import between, choice
from tests.unit.search.small_task import examples

SPACE = {
    "width": between(8, 96, step=8),
    "depth": choice(1, 2, 3, 4),
    "kind": choice("plain", "residual", "inverted"),
    "rate": between(0.001, 1.0, log=True),
}


def study(seed=0, *, objectives=1, startup=4, space=SPACE):
    return Ageing(space, sampler="evolution", pruner="none", seed=seed, objectives=objectives, startup=startup, rungs=1, factor=2)


def worth(settings):
    """Best at width 64, depth 3, inverted, rate 0.03."""
    off = abs(settings["width"] - 64) / 88 + abs(settings["depth"] - 3) / 3 + abs(math.log10(settings["rate"] / 0.03)) / 3
    return -off - (settings["kind"] != "inverted")


def searched(seed, trials=60):
    one, told = study(seed), []
    for _ in range(trials // 4):
        batch = [one.ask() for _ in range(4)]
        for number, settings in batch:
            told.append(worth(settings))
            one.tell(number, [told[-1]])
    return told


def test_what_is_suggested_lies_in_the_space():
    one = study()
    for step in range(80):
        number, settings = one.ask()
        assert settings["width"] in SPACE["width"].values and isinstance(settings["width"], int)
        assert settings["depth"] in (1, 2, 3, 4) and settings["kind"] in SPACE["kind"].values
        assert 0.001 <= settings["rate"] <= 1.0
        one.tell(number, [worth(settings)] if step % 5 else None)


def test_it_is_better_than_drawing_evenly_on_average():
    drawn = []
    for seed in range(8):
        one = study(seed, startup=60)  # all of them are drawn
        drawn.append(max(worth(one.ask()[1]) for _ in range(60)))
    bred = [max(searched(seed)) for seed in range(8)]
    assert sum(bred) / 8 > sum(drawn) / 8 + 0.05


def test_the_same_answers_bring_the_same_questions():
    assert searched(3) == searched(3) != searched(4)


def test_what_is_known_to_be_good_is_suggested_first():
    one = study()
    one.begin_with({"width": 32, "depth": 2, "kind": "not among them", "unknown": 1})
    _, settings = one.ask()
    assert (settings["width"], settings["depth"]) == (32, 2) and set(settings) == set(SPACE)
    assert settings["kind"] in SPACE["kind"].values


def test_the_oldest_die_whatever_they_were_worth():
    one = study()
    number, _settings = one.ask()
    one.tell(number, [1e9])
    for _ in range(LEAST_ALIVE):
        number, _settings = one.ask()
        one.tell(number, [0.0])
    assert len(one._adults) == LEAST_ALIVE and all(adult.values == (0.0,) for adult in one._adults)


def test_a_child_differs_from_its_parents_in_at_least_one_setting_where_it_can():
    one = study(startup=1, space={"depth": choice(1, 2, 3)})
    number, settings = one.ask()
    one.tell(number, [1.0])
    for _ in range(10):
        assert one.ask()[1] != settings


def test_of_several_objectives_what_is_beaten_in_all_dies_out():
    def last_widths(costs):
        one = study(objectives=2)
        for _ in range(60):
            number, settings = one.ask()
            one.tell(number, [0.5, settings["width"] * costs])
        return sum(adult.settings["width"] for adult in one._adults) / len(one._adults)

    assert last_widths(1.0) < 32 < 64 < last_widths(-1.0)


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_value_that_is_none_has_no_children(value):
    one = study()
    number, _ = one.ask()
    one.tell(number, [value])
    assert one._adults == []


def test_a_search_by_evolution_needs_no_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    whole = examples()
    settings = {"width": between(4, 16, step=4), "dropout": choice(0.0, 0.1, 0.2), "halvings": 0}
    search = {"sampler": "evolution", "trials": 4, "batch": 2, "pruner": "none"}
    program = Program("shapes", whole.signature, whole, settings=settings, search=search, budget=Budget(steps=60))
    run = compile(program).evidence["run"]
    tried = [trial["settings"] for trial in run["trials"]]
    assert len(tried) == 4 and all(one["width"] in (4, 8, 12, 16) for one in tried)
    assert run["settings"] in tried and compile(program).evidence["run"]["settings"] == run["settings"]
    with pytest.raises(ConfigError, match="goes with none and with halving"):
        compile(replace(program, search={**search, "pruner": "median"}))
