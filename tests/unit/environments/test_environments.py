"""Environments from ids, functions and objects; episodes of a policy; and what is refused."""

import pickle
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from tacit.environments.environment import Checked, Step, best
from tacit.environments.opening import environment_of
from tacit.environments.rollouts import Rollouts, episode_seeds, episodes_of, returns
from tacit.ground.errors import ConfigError, InputError, MissingPackage, UnknownName
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Number
from tacit.signature.vector import Vector


class Walk(gymnasium.Env):
    """Begin at 0 and step left or right; the reward is the place, the end is at 3 or after `length` steps."""

    def __init__(self, observation=None, action=None, length=10, breaks=""):
        self.observation_space = observation or spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.action_space = action or spaces.Discrete(2)
        self.length, self.breaks = length, breaks

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.age = self.np_random.uniform(-0.1, 0.1), 0
        return np.array([self.place]), {}

    def step(self, action):
        self.age += 1
        self.place += 1 if action == 1 else -1
        if self.breaks == "raises" and self.age == 2:
            raise ZeroDivisionError("float division by zero")
        reward = np.nan if self.breaks == "reward" and self.age == 2 else self.place
        place = np.inf if self.breaks == "place" and self.age == 2 else self.place
        return np.array([place]), reward, self.place >= 3, self.age >= self.length, {}


def right(observations):
    return np.ones(len(observations), np.int64)


def left(observations):
    return np.zeros(len(observations), np.int64)


def message(work, error):
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_ids_functions_and_objects_give_the_same_environment():
    opened = [environment_of(given) for given in ("CartPole-v1", lambda: gymnasium.make("CartPole-v1"), gymnasium.make("CartPole-v1"))]
    assert all(environment.signature == Vector(4) >> Class("0", "1") for environment in opened)
    found = [returns(environment, right, 5, seed=3) for environment in opened]
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2]) and (found[0] > 5).all()
    assert pickle.loads(pickle.dumps(opened[0])).name == "CartPole-v1"


def test_an_episode_depends_on_its_seed_alone():
    environment = environment_of("CartPole-v1")
    seeds = episode_seeds(0, 7)
    apart = [episodes_of(environment, right, [seed]).returns[0] for seed in seeds]
    assert episodes_of(environment, right, seeds).returns.tolist() == apart
    rollouts = Rollouts(environment, 8)
    for _ in range(2):
        assert rollouts.run(right, seeds).returns.tolist() == apart
    assert len({*episode_seeds(0, 50), *episode_seeds(1, 50), *episode_seeds(0, 50, purpose="test")}) == 150


def test_many_candidates_run_in_one_pass_with_the_same_starts():
    """The policy is asked about all lanes in the order given, so a candidate's episodes stand together."""
    environment = environment_of(Walk)
    seeds = episode_seeds(0, 3)

    def both(observations):
        assert observations.shape == (6, 1)
        return np.repeat([1, 0], 3)

    found = Rollouts(environment, 6).run(both, seeds * 2, whole=True)
    assert found.returns[:3].tolist() == episodes_of(environment, right, seeds).returns.tolist()
    assert found.returns[3:].tolist() == episodes_of(environment, left, seeds).returns.tolist()
    assert found.steps[3:].tolist() == [10, 10, 10] and (found.steps[:3] <= 4).all()


def test_returns_are_sums_of_rewards_and_ends_are_told_apart():
    lanes = Checked(environment_of(Walk), 2)
    start = lanes.reset(np.arange(2), [1, 2])
    for _ in range(3):
        step = lanes.step(np.arange(2), np.array([1, 0]))
    assert np.allclose(step.observations[:, 0], start[:, 0] + [3, -3])
    assert step.ended.tolist() == [start[0, 0] >= 0, False] and not step.cut.any()
    assert Rollouts(environment_of(Walk), 1, most_steps=4).run(left, [1]).steps.tolist() == [4]


def test_spaces_become_types_and_back():
    def signature(observation=None, action=None):
        return environment_of(Walk(observation, action)).signature

    assert signature(spaces.Box(0, 255, (8, 6, 3), np.uint8)).input == Image(8, 6, 3)
    assert signature(spaces.Box(-1, 1, (2, 3))).input == Vector(6)
    assert signature(spaces.Discrete(5)).input == Vector(5)
    assert signature(spaces.Dict({"a": spaces.Discrete(3), "b": spaces.Box(0, 1, (2,))})).input == Vector(5)
    assert signature(action=spaces.Discrete(3, start=-1)).output == Class("-1", "0", "1")
    assert signature(action=spaces.Box(0, 4, (1,))).output == Number(2.0, 2.0)
    assert signature(action=spaces.Box(-np.inf, np.inf, (1,))).output == Number()
    assert signature(action=spaces.Box(-2, 2, (3,))).output.parts == (Number(0.0, 2.0),) * 3
    assert signature(action=spaces.MultiDiscrete([2, 3])).output.parts == (Class("0", "1"), Class("0", "1", "2"))


@pytest.mark.parametrize(
    ("space", "targets", "wanted"),
    [
        (spaces.Discrete(3, start=-1), [0, 2], [-1, 1]),
        (spaces.Box(0, 4, (1,), np.float32), [[0.0], [5.0]], [[2.0], [4.0]]),
        (spaces.Box(-2, 2, (2,), np.float32), [[0.5, -1.0], [9.0, 0.0]], [[1.0, -2.0], [2.0, 0.0]]),
        (spaces.MultiDiscrete([2, 3]), [[1.0, 2.0], [0.0, 1.0]], [[1, 2], [0, 1]]),
    ],
)
def test_targets_become_actions_within_their_bounds(space, targets, wanted):
    from tacit.environments.spaces import writer

    environment = environment_of(Walk(action=space))
    actions = writer(space, environment.signature.output)(np.array(targets))
    assert np.array_equal(np.array(actions), wanted) and all(space.contains(np.asarray(action, space.dtype)) for action in actions)


def test_the_best_action_is_a_target_of_the_output():
    joint = Class("a", "b") * Number()
    assert best(joint, np.array([[0.0, 1.0, 0.5]])).tolist() == [[1.0, 0.5]]
    assert best(Number(), np.array([[0.25]])).tolist() == [[0.25]]


def test_types_that_a_person_names_have_to_fit():
    named = Vector(1, names=("place",)) >> Class("left", "right")
    assert environment_of(Walk, signature=named).signature == named
    text = message(lambda: environment_of(Walk, signature=Vector(2) >> Class("a", "b", "c")), ConfigError)
    assert "expected an input of 1 numbers in one array, got Vector(2); Vector(1) fits" in text
    assert 'expected an output such as Class("0", "1"), got Class("a", "b", "c")' in text


def test_what_is_no_environment_is_refused():
    text = message(lambda: environment_of("CartPol-v1"), UnknownName)
    assert text == "expected the id of an environment, got `CartPol-v1`\ntry: did you mean `CartPole-v1`?"
    assert "got the number 3" in message(lambda: environment_of(3), ConfigError)
    assert "without `reset`, `step`" in message(lambda: environment_of(dict), ConfigError)
    assert "cause" not in message(lambda: environment_of("CartPole-v1", options={"legth": 3}), ConfigError)


def test_spaces_without_a_type_are_named_all_at_once():
    text = message(lambda: environment_of(Walk(spaces.Text(5), spaces.Dict({"a": spaces.Discrete(2)}))), ConfigError)
    assert "the observation space Text" in text and "`Box`, `Discrete`, `MultiDiscrete`, `MultiBinary` would do, or" in text
    assert "the action space Dict" in text and "`Discrete`, `Box`, `MultiDiscrete` would do, Box of floats" in text


@pytest.mark.parametrize(
    ("breaks", "wanted"),
    [
        ("raises", "`step(0)` failed - at `Walk`\nZeroDivisionError: float division by zero"),
        ("reward", "got the reward nan - at `Walk`, step 2 of the episode with seed 5"),
        ("place", "expected finite observations, got inf at [0] - at `Walk`, step 2 of the episode with seed 5"),
    ],
)
def test_an_environment_that_breaks_says_where(breaks, wanted):
    environment = environment_of(Walk(breaks=breaks))
    assert wanted in message(lambda: Rollouts(environment, 1).run(left, [5]), InputError)


def test_an_environment_of_ones_own_needs_no_package(monkeypatch):
    class Counting:
        name, signature = "counting", Vector(1) >> Class("stay", "go")

        def lanes(self, count):
            return CountingLanes(count)

    class CountingLanes:
        def __init__(self, count):
            self.places = np.zeros(count)

        def reset(self, lanes, seeds):
            self.places[lanes] = 0
            return self.places[lanes, None]

        def step(self, lanes, actions):
            self.places[lanes] += actions
            places = self.places[lanes]
            return Step(places[:, None], places, places >= 3, np.zeros(len(lanes), bool))

    for name in [name for name in sys.modules if name.partition(".")[0] == "gymnasium" or name.startswith("tacit.environments.gym")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    assert returns(environment_of(Counting()), right, 4, seed=0).tolist() == [6.0] * 4
    assert message(lambda: environment_of("CartPole-v1"), MissingPackage).endswith('pip install "tacit[act]"')
