"""Policy gradient learns small tasks, discrete and continuous, and goes on after a kill with the same result."""

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from tacit.environments.opening import environment_of
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.search.action_draws import ActionDraws
from tacit.search.gathering import Gathered
from tacit.search.moments import Moments
from tacit.search.policy_gradient import PolicyGradient, advantages_of, settle_norms
from tacit.search.policy_recipe import PolicyGradientRecipe
from tacit.search.rounds import Driver
from tacit.search.running import Stop
from tacit.search.schedule import Progress
from tacit.signature.outputs import Class, Labels, Number
from tacit.skeletons.vectornet import build

RECIPE = PolicyGradientRecipe(lanes=4, horizon=32, passes=4, batch=64, looks=4, learning_rate=3e-3)


class Follow(gymnasium.Env):
    """Say where the target is: the reward is how near one is. The number that is shown is far from 0, so it has to be standardised."""

    def __init__(self, discrete=False):
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,))
        self.action_space = spaces.Discrete(2) if discrete else spaces.Box(-2, 2, (1,), np.float32)
        self.discrete = discrete

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.age = 0
        return self._shown(), {}

    def _shown(self):
        self.target = self.np_random.uniform(-1, 1)
        return np.array([1000 + 50 * self.target], np.float32)

    def step(self, action):
        near = float((action == 1) == (self.target > 0)) if self.discrete else -abs(float(action[0]) - self.target)
        self.age += 1
        return self._shown(), near, False, self.age >= 8, {}


class Forgetful(Follow):
    """Draws from a generator that no seed sets."""

    shared = np.random.default_rng(0)

    def _shown(self):
        self.target = self.shared.uniform(-1, 1)
        return np.array([self.target], np.float32)


def fresh(environment, *, seed=0, recipe=RECIPE):
    torch.manual_seed(seed)
    signature = environment.signature
    return PolicyGradient(
        environment, build(signature, width=16), build(signature.input >> Number(), width=16), recipe, seed=seed, most_steps=None
    )


def driver(rounds, count, folder=None, stop=None):
    checkpoint = None if folder is None else folder / "state.safetensors"
    return Driver(rounds, Progress([(0, count)]), reporter=Reporter(), stop=stop or Stop(), checkpoint=checkpoint)


@pytest.mark.parametrize(("discrete", "before", "after"), [(True, 6.0, 7.4), (False, -3.0, -1.5)])
def test_it_learns_what_to_do(discrete, before, after):
    rounds = fresh(environment_of(lambda: Follow(discrete)))
    assert rounds.look() < before
    ended = driver(rounds, 40).finish()
    assert ended.score > after and len(ended.history) == 8


def test_a_run_that_was_killed_ends_as_one_that_was_not(tmp_path):
    environment = environment_of("CartPole-v1")
    whole = fresh(environment)
    driver(whole, 6).finish()
    first = fresh(environment)
    begun = driver(first, 6, tmp_path)
    for number in range(3):
        first.round(number, begun.progress.fraction)
        begun.progress.advance()
    begun.save()  # and here it is killed
    second = fresh(environment)
    again = driver(second, 6, tmp_path)
    assert again.resume() and again.progress.step == 3
    again.finish()
    assert all(torch.equal(tensor, second.weights()[name]) for name, tensor in whole.weights().items())


def test_an_environment_that_does_not_repeat_itself_is_told_on_resume(tmp_path):
    environment = environment_of(Forgetful)
    rounds = fresh(environment)
    begun = driver(rounds, 4, tmp_path)
    rounds.round(0, 0.0)
    begun.save()
    with pytest.raises(InputError, match="expected the environment to do the same again"):
        driver(fresh(environment), 4, tmp_path).resume()


def test_the_first_interrupt_keeps_the_best_so_far(tmp_path):
    stop, rounds = Stop(), fresh(environment_of("CartPole-v1"))
    stop.asked = True
    ended = driver(rounds, 100, tmp_path, stop).finish()
    assert ended.interrupted and len(ended.history) == 1 and (tmp_path / "state.safetensors").exists()


def test_advantages_are_discounted_sums_of_surprises_within_an_episode():
    random, none = np.random.default_rng(0), np.zeros(0)
    rewards, worths, after = (random.normal(size=(6, 2)).astype(np.float32) for _ in range(3))
    ended, cut = np.zeros((6, 2), bool), np.zeros((6, 2), bool)
    ended[2, 0] = cut[3, 1] = True
    recipe = PolicyGradientRecipe(discount=0.9, trace=0.7)
    surprises = rewards + 0.9 * after * ~ended - worths  # nothing comes after an end; behind a cut something would
    wanted = np.zeros((6, 2))
    for lane in range(2):
        for step in range(6):
            last = next((later for later in range(step, 6) if ended[later, lane] or cut[later, lane]), 5)
            wanted[step, lane] = sum((0.9 * 0.7) ** (later - step) * surprises[later, lane] for later in range(step, last + 1))
    gathered = Gathered(none, none, none, rewards, ended, cut, none, none)
    np.testing.assert_allclose(advantages_of(gathered, worths, after, recipe), wanted, atol=1e-5)


def test_what_is_shown_is_standardised_within_the_policy():
    rounds = fresh(environment_of(Follow))
    for number in range(2):
        rounds.round(number, 0.0)
    assert abs(float(rounds.policy.standardise.mean) - 1000) < 20 and 15 < float(rounds.policy.standardise.scale) < 45
    assert torch.equal(rounds.policy.standardise.mean, rounds.worth.standardise.mean)


def test_draws_follow_the_scores():
    draws = ActionDraws(Class("a", "b") * Number())
    scores = torch.tensor([[0.0, 1.0986, 0.5]]).repeat(4000, 1)
    drawn = draws.draw(scores, torch.Generator().manual_seed(0)).detach()
    assert abs(float(drawn[:, 0].mean()) - 0.75) < 0.03 and abs(float(drawn[:, 1].mean()) - 0.5) < 0.05
    assert abs(float(drawn[:, 1].std()) - float(draws.log_spread.detach().exp())) < 0.03
    chance, entropy = draws.log_chance(scores[:1], torch.tensor([[1.0, 0.5]]))
    normal = torch.distributions.Normal(0.5, draws.log_spread.exp())
    assert torch.allclose(chance, torch.log(torch.tensor(0.75)) + normal.log_prob(torch.tensor(0.5)), atol=1e-3)
    assert torch.allclose(entropy, torch.distributions.Categorical(torch.tensor([0.25, 0.75])).entropy() + normal.entropy(), atol=1e-3)
    assert ActionDraws(Class("a", "b")).to_targets(np.array([[1.0]])).tolist() == [1]


def test_outputs_that_are_no_actions_are_refused():
    with pytest.raises(ConfigError, match="expected actions of the types Class and Number"):
        ActionDraws(Labels("a", "b"))


def test_moments_are_those_of_all_rows():
    rows = np.random.default_rng(0).normal(5, 2, (100, 3))
    moments = Moments((3,))
    for part in np.array_split(rows, 7):
        moments.add(part)
    assert np.allclose(moments.mean, rows.mean(axis=0)) and np.allclose(moments.deviation(), rows.std(axis=0))
    constant = Moments((1,))
    constant.add(np.full((5, 1), 3.0))
    assert constant.deviation().tolist() == [1.0]


def test_batch_norms_are_set_by_what_is_seen_and_then_stay():
    network = torch.nn.Sequential(torch.nn.BatchNorm1d(1), torch.nn.Linear(1, 2))
    seen = torch.from_numpy(np.random.default_rng(0).normal(7, 3, (1024, 1)).astype(np.float32))
    settle_norms(network, seen)
    assert abs(float(network[0].running_mean) - 7) < 0.3 and abs(float(network[0].running_var) - 9) < 1 and not network.training
