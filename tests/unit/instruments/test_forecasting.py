import datetime

import pytest

from tacit.ground.budget import Budget
from tacit.ground.errors import BudgetError
from tacit.instruments.forecasting import preview
from tacit.instruments.layout import plain
from tacit.skeletons.choices import between, choice
from tests.unit.test_compiler import program


def test_a_single_network_is_trained_with_everything():
    found = preview(program())
    assert found.candidates == 1
    assert found.rungs == ()
    assert found.winner.steps == 40
    assert found.space == {}
    assert "nothing is open: one network is trained" in plain(found.parts())


def test_a_few_choices_are_halved_as_compile_halves_them():
    found = preview(program(settings={"width": choice(4, 8, 12, 16), "dropout": 0.0}, budget=Budget(steps=400)))
    assert [(rung.candidates, rung.steps) for rung in found.rungs] == [(4, 20), (2, 40)]
    assert found.winner.steps == 400
    assert found.choosing is None
    assert found.winner.epochs == pytest.approx(400 / 7)


def test_a_search_over_a_range_says_what_keeps_the_limits():
    given = program(settings={"width": between(4, 64)}, search={"trials": 6, "batch": 3, "pruner": "none", "fit": False})
    found = preview(given, plan=[(0, 300)])
    assert [(rung.candidates, rung.steps) for rung in found.rungs] == [(6, 20)]
    tight = program(settings=given.settings, search=given.search, budget=Budget(macs=250_000))
    limited = preview(tight, plan=[(0, 300)])
    assert 0 < limited.fitting < limited.drawn == found.drawn == found.fitting == 24
    assert all(settings["width"] <= 16 for settings in limited.paced)
    assert f"within the limits: {limited.fitting} of {limited.drawn} that were drawn" in plain(limited.parts())


def test_by_the_clock_the_minutes_are_divided_and_the_end_is_predicted():
    found = preview(program(settings={"width": choice(4, 8)}, budget=Budget(minutes=0.5)))
    choosing = sum(rung.candidates * rung.seconds for rung in found.rungs)
    assert choosing + found.winner.seconds + found.measuring == pytest.approx(found.seconds)
    assert found.seconds <= 30.5
    ends = datetime.datetime.fromisoformat(found.ends) - datetime.datetime.now().astimezone()
    assert abs(ends.total_seconds() - found.seconds) < 30
    assert preview(program(settings={"width": choice(4, 8)}), workers=2).rungs[0].seconds >= 0


def test_a_limit_that_nothing_keeps_is_refused():
    with pytest.raises(BudgetError, match="expected a network of at most 10 macs, got none among"):
        preview(program(settings={}, search={"trials": 3}, budget=Budget(steps=10, macs=10)))
