import inspect

import pytest

from tacit.ground.errors import ConfigError
from tacit.skeletons.choices import Between, between, candidates, choice, combinations, opened, plain
from tacit.skeletons.table import SKELETONS

SPACES = [name for name in SKELETONS if SKELETONS.get(name).space]


@pytest.mark.parametrize("name", SPACES)
def test_a_space_names_settings_of_its_skeleton_and_its_starts_lie_in_it(name):
    skeleton = SKELETONS.get(name)
    assert set(skeleton.space) <= set(inspect.signature(skeleton.build).parameters)
    assert skeleton.scale is None or isinstance(skeleton.space[skeleton.scale], Between)
    assert skeleton.starts
    for start in skeleton.starts:
        assert set(start) == set(skeleton.space)
        for key, value in start.items():
            open_ = skeleton.space[key]
            assert value in open_.values, (key, value)


def test_every_skeleton_that_is_usual_for_an_input_declares_a_space():
    assert {"convnet2d", "convnet1d", "seriesnet", "mlp", "textnet", "audionet", "product"} <= set(SPACES)


def test_a_range_has_the_values_that_it_says():
    assert between(8, 32, step=8).values == (8, 16, 24, 32)
    assert between(1, 3).values == (1, 2, 3)
    assert between(0.1, 0.3, step=0.1).values == pytest.approx((0.1, 0.2, 0.3))
    assert between(0.0, 1.0).values is None
    assert not between(1, 4, step=0.5).whole


@pytest.mark.parametrize("given", [{"step": 0}, {"step": -1}, {"log": True, "step": 2}])
def test_a_range_that_is_none_is_refused(given):
    with pytest.raises(ConfigError, match="expected a range of numbers"):
        between(1, 4, **given)


def test_everything_wrong_with_a_range_is_named_at_once():
    with pytest.raises(ConfigError) as caught:
        between(0, -4, step=-1, log=True)
    assert "(4 problems)" in str(caught.value)


def test_combinations_are_counted_and_listed():
    settings = {"width": between(8, 32, step=8), "block": choice("a", "b"), "depth": 1}
    assert combinations(settings) == 8
    assert len(candidates(settings)) == 8
    assert combinations({"dropout": between(0.0, 0.5)}) == float("inf")
    assert set(opened(settings)) == {"width", "block"}


def test_open_settings_are_written_as_they_stand_in_a_file():
    assert plain(between(8, 32, step=8)) == {"between": [8, 32], "step": 8}
    assert plain(between(1.0, 2.0, log=True)) == {"between": [1.0, 2.0], "log": True}
    assert plain(choice("a", 2)) == {"choice": ["a", 2]}
    assert plain(3) == 3
