import numpy as np
import pytest

from tacit.compiler import compile
from tacit.goals.goal import Goal
from tacit.ground.budget import Budget
from tacit.ground.errors import ConfigError, InputError
from tacit.instruments.testing import test as check
from tacit.program import Program
from tacit.signature.outputs import Class
from tacit.signature.vector import Vector

POINTS = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
SIGNATURE = Vector(2) >> Class("no", "yes")


def agree(binary):
    """The share of points where the answer is whether both numbers have the same sign."""
    scores = binary.run([POINTS])[0].reshape(-1, 2)
    return float(((scores[:, 1] > scores[:, 0]) == (POINTS[:, 0] * POINTS[:, 1] > 0)).mean())


def scored(generations=25, *, score=agree, **more):
    goal = Goal(score=score, threshold=0.9)
    return Program("signs", SIGNATURE, goals=(goal,), settings={"width": 8}, budget=Budget(generations=generations), **more)


def test_a_score_is_enough_without_examples_or_an_environment():
    binary = compile(scored())
    (goal,) = binary.evidence["goals"]
    assert goal["value"] == pytest.approx(agree(binary)) and goal["value"] >= 0.9 and goal["met"]
    assert binary((1.0, 2.0)) == "yes" and binary((1.0, -2.0)) == "no"
    assert binary.evidence["run"]["unit"] == "generations" and binary.evidence["run"]["steps"] == 25
    assert binary.evidence["run"]["recipe"]["protection"].startswith("none")
    assert check(binary, against=scored()).met
    alone = check(binary)
    assert alone.met and any("measured with the program only" in note or "got the binary alone" in note for note in alone.notes)


def test_equal_seeds_make_equal_binaries_and_a_run_goes_on_from_its_folder(tmp_path):
    first = compile(scored(6), seed=1)
    assert compile(scored(6), seed=1).to_bytes() == first.to_bytes()
    assert compile(scored(6), seed=2).digest != first.digest
    compile(scored(6), seed=1, run_directory=tmp_path)
    assert compile(scored(6), seed=1, run_directory=tmp_path, resume=True).digest == first.digest


def test_a_program_without_anything_to_learn_from_is_refused():
    with pytest.raises(ConfigError, match="expected examples, an environment or a game"):
        Program("nothing", SIGNATURE, goals=(Goal("accuracy"),))


def test_a_score_that_does_not_work_is_said():
    with pytest.raises(InputError, match="got str 'fine'"):
        compile(scored(score=lambda binary: "fine"))


def pole(**more):
    given = {
        "evolution": {"population": 8},
        "settings": {"width": 8},
        "budget": Budget(generations=2),
        "episodes": 4,
        "options": {"max_episode_steps": 40},
    }
    return Program("pole", environment="CartPole-v1", **{**given, **more})


def test_an_environment_is_searched_by_the_returns_of_its_episodes():
    binary = compile(pole())
    evidence = binary.evidence
    assert evidence["run"]["search"] == "evolution"
    assert evidence["scores"]["test"]["count"] == 4 and evidence["scores"]["test"]["return"] >= 8.0
    assert "episodes of its own" in evidence["run"]["recipe"]["protection"]
    assert compile(pole()).to_bytes() == binary.to_bytes()
    assert compile(pole(evolution=None, recipe={"search": "evolution"})).evidence["run"]["search"] == "evolution"


def test_a_score_of_ones_own_goes_before_the_return_of_an_environment():
    def to_the_left(binary):
        return float(binary.run([np.zeros((1, 4), np.float32)])[0].argmax() == 0)

    binary = compile(pole(goals=(Goal(score=to_the_left),)))
    assert binary.evidence["goals"][0]["metric"] == "to_the_left"
    assert binary.evidence["scores"]["test"]["to_the_left"] == to_the_left(binary)


def test_settings_of_gradient_descent_are_refused():
    with pytest.raises(ConfigError, match=r"`train\.learning_rate`"):
        compile(pole(recipe={"learning_rate": 0.1}))
