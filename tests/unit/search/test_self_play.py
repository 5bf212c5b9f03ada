"""Self-play learns a small game, goes on after a kill with the same result, and does not depend on who plays which games."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from tacit.environments.game import opened, signature_of_game
from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.search.game_network import check_game_network, network_of
from tacit.search.players import RandomPlayer, SearchingPlayer, match
from tacit.search.policy_recipe import SelfPlayRecipe, settings_for
from tacit.search.rounds import Driver
from tacit.search.running import Stop
from tacit.search.schedule import Progress
from tacit.search.self_play import SelfPlay
from tacit.search.self_play_games import Played, Share, play_share
from tacit.search.workers import Here
from tacit.skeletons.boardnet import build
from tests.unit.environments.tic_tac_toe import TicTacToe

GAME = TicTacToe()
RECIPE = SelfPlayRecipe(evaluations=12, games=16, shares=2, explore=4, keep=600, batch=64)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fresh(workers=None, *, recipe=RECIPE, seed=0, game=GAME):
    torch.manual_seed(0)
    network = build(signature_of_game(game), width=8, depth=1, worth=True)
    return SelfPlay(game, network, recipe, seed=seed, workers=workers or Here())


def driver(rounds, count, folder=None, stop=None):
    checkpoint = None if folder is None else folder / "state.safetensors"
    return Driver(rounds, Progress([(0, count)]), reporter=Reporter(), stop=stop or Stop(), checkpoint=checkpoint)


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_not_to_lose():
    rounds = fresh(recipe=dataclasses.replace(RECIPE, reuse=10.0, learning_rate=5e-3, games=24))
    random = RandomPlayer(GAME, np.random.default_rng(0))
    before = match(GAME, SearchingPlayer(GAME, network_of(rounds.network), 1), random, 100, seed=1).outcomes.mean()
    driver(rounds, 14).finish()
    after = match(GAME, SearchingPlayer(GAME, network_of(rounds.network), 1), random, 100, seed=1).outcomes.mean()
    assert after > before + 0.25


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path):
    whole = driver(fresh(), 5).finish()
    stop = Stop()
    first = fresh()
    begun = driver(first, 5, tmp_path, stop)
    learn = first.round

    def until_the_third(number, fraction):
        learn(number, fraction)
        stop.asked = number == 2

    first.round = until_the_third
    assert begun.finish().interrupted
    again = driver(fresh(), 5, tmp_path)
    assert again.resume() and again.progress.step == 3
    assert same(whole.weights, again.finish().weights)


def test_it_makes_no_difference_who_plays_which_games():
    class Backwards(Here):
        count = 2

        def run(self, work, items):
            yield from reversed(list(super().run(work, items)))

    rounds = [fresh(), fresh(Backwards())]
    for one in rounds:
        one.round(0, 0.0)
    assert same(rounds[0].weights(), rounds[1].weights())


def test_what_was_played_is_told_to_who_moved():
    rounds = fresh()
    played = play_share(Share(GAME, rounds.network, RECIPE, 6, 3))
    assert np.allclose(played.policies.sum(axis=1), 1.0) and (played.policies[~GAME.legal(played.positions)] == 0).all()
    starts = np.flatnonzero((played.positions == 0).all(axis=1))
    assert len(starts) == 6 and played.positions.dtype == np.int8
    for start, end in zip(starts, [*starts[1:], len(played.positions)], strict=True):
        signs = played.outcomes[start:end] * (1 - 2 * (np.arange(end - start) % 2))
        assert len(set(signs.tolist())) == 1  # game by game, seen by each of the two in turn


def test_only_what_was_searched_fully_is_learnt_from():
    rounds = fresh()
    recipe = dataclasses.replace(RECIPE, full=0.4, evaluations=20, fast=3)
    played = play_share(Share(GAME, rounds.network, recipe, 24, 3))
    whole = play_share(Share(GAME, rounds.network, RECIPE, 24, 3))
    assert 0.2 < len(played.positions) / len(whole.positions) < 0.6
    assert ((played.policies * 19).round(3) % 1 == 0).all()  # shares of so many visits, not of two
    nothing = play_share(Share(GAME, rounds.network, dataclasses.replace(recipe, full=0.0), 2, 3))
    assert len(nothing.positions) == 0 and nothing.policies.shape == (0, 9)


def test_games_begin_with_up_to_so_many_random_moves():
    random = np.random.default_rng(0)
    moves = (opened(GAME, 300, random, 3) != 0).sum(axis=1)
    assert sorted(set(moves.tolist())) == [0, 1, 2, 3] and np.bincount(moves).min() > 50
    late = opened(GAME, 100, random, 9)
    assert np.isnan(GAME.outcome(late)).all() and (late != 0).sum(axis=1).max() > 4
    assert (opened(GAME, 5, random, 0) == 0).all()
    played = play_share(Share(GAME, fresh().network, dataclasses.replace(RECIPE, opening=2), 12, 3))
    assert len(np.flatnonzero((played.positions == 0).all(axis=1))) < 12


def test_positions_of_any_dtype_are_kept():
    dtype = np.dtype([("board", np.int8, 9), ("ko", np.uint16)])
    positions = np.zeros(3, dtype)
    positions["board"][:, 0], positions["ko"] = [1, 2, 3], [7, 8, 9]
    played = Played(positions, np.ones((3, 2), np.float32), np.zeros(3, np.float32), np.zeros(3, np.float32))
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in played.state().items()}
    back = Played.restored({name: tensor.numpy() for name, tensor in tensors.items()}, like=np.zeros(1, dtype))
    assert back.positions.dtype == dtype and back.positions["ko"].tolist() == [7, 8, 9]
    assert Played.joined([played, played]).newest(4).positions["ko"].tolist() == [9, 7, 8, 9]


def test_a_game_that_fails_ends_the_run_with_its_reason():
    class Breaking(TicTacToe):
        def play(self, positions, moves):
            raise ValueError("the board is full")

    with pytest.raises(InputError) as caught:
        fresh(game=Breaking()).round(0, 0.0)
    assert str(caught.value).endswith("at `tic-tac-toe`\nValueError: the board is full")


def test_folding_changes_nothing_but_the_speed():
    rounds = fresh()
    rounds.round(0, 0.0)
    planes = GAME.encode(GAME.start(5))
    with torch.no_grad():
        scores, worth = copy.deepcopy(rounds.network).eval()(torch.from_numpy(planes))
    found = network_of(rounds.network)(planes)
    assert np.allclose(found[0], scores.numpy(), atol=1e-5) and np.allclose(found[1], worth.tanh().numpy()[:, 0], atol=1e-5)


def test_a_network_without_a_worth_is_refused():
    with pytest.raises(ConfigError, match=r"expected a network that gives scores \[batch, 9\] and a worth \[batch, 1\], got one tensor"):
        check_game_network(build(signature_of_game(GAME)), signature_of_game(GAME))


def test_settings_are_checked_whole():
    assert settings_for(SelfPlayRecipe, {"games": 4, "noise": 0, "opening": 0}).noise == 0.0
    with pytest.raises(ConfigError) as caught:
        settings_for(SelfPlayRecipe, {"game": 4, "evaluations": 0, "reuse": "often"})
    text = str(caught.value)
    assert (
        "`train.game` is not known: did you mean `games`?" in text and "`train.reuse` expected a number of at least 0, got 'often'" in text
    )
    assert "`train.evaluations` expected a whole number of at least 1, got 0" in text
