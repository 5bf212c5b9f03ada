import builtins

import pytest

from tacit.ground.errors import MissingPackage
from tacit.ground.tables import resolve
from tacit.search.samplers import PRUNERS, SAMPLERS
from tacit.search.studies import Study
from tacit.skeletons.choices import between, choice

SPACE = {"block": choice("plain", "wide", "deep"), "width": between(4, 64, log=True), "growth": choice(1.0, 1.5, 2.0)}
OPTUNA = [name for name, row in SAMPLERS.rows().items() if row.startswith("tacit.search.studies:")]


def study(sampler="tpe", pruner="none", *, seed=1, objectives=1, startup=4):
    return Study(SPACE, sampler=sampler, pruner=pruner, seed=seed, objectives=objectives, startup=startup, rungs=3, factor=2)


def batches(sampler, *, seed=1, count=3, score=lambda settings: settings["width"] / 64):
    asked_for, found = study(sampler, seed=seed), []
    for _ in range(count):
        batch = [asked_for.ask() for _ in range(4)]
        for number, settings in batch:
            asked_for.tell(number, [score(settings)])
        found += [settings for _, settings in batch]
    return found


@pytest.mark.parametrize("sampler", [name for name in OPTUNA if name != "gp"])
def test_a_sampler_repeats_itself_by_the_seed_and_stays_within_the_space(sampler):
    found = batches(sampler)
    assert found == batches(sampler)
    assert found != batches(sampler, seed=2)
    for settings in found:
        assert settings["block"] in SPACE["block"].values
        assert isinstance(settings["width"], int)
        assert 4 <= settings["width"] <= 64
        assert settings["growth"] in SPACE["growth"].values


def test_the_usual_sampler_learns_where_the_good_ones_are():
    def score(settings):
        return float(settings["block"] == "deep") + settings["width"] / 64

    def later(sampler):
        return sum(score(settings) for seed in range(3) for settings in batches(sampler, count=10, seed=seed, score=score)[-16:]) / 48

    assert later("tpe") > 1.2 * later("random")


def test_a_search_begins_with_what_is_known_to_be_good_as_far_as_the_space_holds_it():
    begun = study()
    begun.begin_with({"block": "wide", "width": 8, "growth": 7.0, "other": 3})
    _, settings = begun.ask()
    assert settings["block"] == "wide"
    assert settings["width"] == 8
    assert settings["growth"] in (1.0, 1.5, 2.0)


@pytest.mark.parametrize("pruner", ["median", "successive_halving", "hyperband"])
def test_a_pruner_of_optuna_ends_what_is_much_worse(pruner):
    judged = study("random", pruner)
    ended = []
    for _ in range(24):
        number, settings = judged.ask()
        judged.report(number, 1, float(settings["block"] == "deep"))
        ends = judged.ends(number)
        judged.tell(number, [0.0], pruned=ends)
        ended.append((settings["block"], ends))
    if pruner == "hyperband":  # it gives some brackets of candidates a longer life, and here there are few in each
        return
    assert any(ends for block, ends in ended if block != "deep")
    assert not any(ends for block, ends in ended if block == "deep")
    assert set(PRUNERS.rows()) >= {"none", "halving", pruner}


def test_several_objectives_are_told_together():
    several = study("nsga2", objectives=2)
    for _ in range(8):
        number, settings = several.ask()
        several.report(number, 1, 0.5)  # is no objective by itself
        several.tell(number, [settings["width"] / 64, float(settings["width"])])


def test_without_optuna_the_error_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.split(".")[0] == "optuna":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return real(name, *rest, **more)

    monkeypatch.delitem(__import__("sys").modules, "tacit.search.studies")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage) as caught:
        resolve("tacit.search.studies:Study")
    assert str(caught.value).splitlines()[-1] == 'try: pip install "tacit[search]"'
