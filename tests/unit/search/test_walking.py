"""The way through trees in C is that in NumPy to the last bit."""

import numpy as np
import pytest

from tacit.search import walking
from tacit.search.tree_search import ByPlayouts, Forest, Noise, search
from tacit.search.walking import NativeWalk, PlainWalk, Puct, walk_by
from tacit_programs.connect_four import ConnectFour
from tests.unit.environments.tic_tac_toe import TicTacToe, after

LIBRARY = walking._library()
needs_compiler = pytest.mark.skipif(LIBRARY is None, reason="there is no compiler")


def knowing(game):
    """Judge positions by their own numbers, so that each is searched in its own way."""

    def judge(positions):
        numbers = game.encode(positions).reshape(len(positions), -1) @ np.arange(1, np.prod(game.planes) + 1, dtype=np.float32)
        return np.sin(numbers[:, None] * np.arange(1, len(game.moves) + 1)).astype(np.float32), np.cos(numbers).astype(np.float32) * 0.5

    return judge


def grown(game, walk, positions, simulations):
    forest, judge = Forest(game, positions, simulations + 1), knowing(game)
    forest.add(np.arange(len(positions)), positions, judge)
    for _ in range(simulations):
        forest.simulate(walk, judge)
    return forest


@needs_compiler
@pytest.mark.parametrize("game", [TicTacToe(), ConnectFour()], ids=["ended", "deep"])
@pytest.mark.parametrize("rule", [Puct(), Puct(explore=0.3, first=0.0), Puct(explore=7.0, first=1.0)], ids=str)
def test_c_and_numpy_grow_the_same_trees(game, rule):
    positions = game.start(6)
    for ply in range(3):
        positions = game.play(
            positions, np.arange(6) + ply if isinstance(game, TicTacToe) and ply < 1 else game.legal(positions).argmax(axis=1)
        )
    one, other = grown(game, NativeWalk(rule, LIBRARY), positions, 60), grown(game, PlainWalk(rule), positions, 60)
    for name in ("edges", "below", "worth", "ended", "positions"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@needs_compiler
def test_a_rule_that_differs_is_found():
    game, positions = TicTacToe(), TicTacToe().start(3)
    one, other = grown(game, NativeWalk(Puct(), LIBRARY), positions, 40), grown(game, PlainWalk(Puct(explore=1.7)), positions, 40)
    assert not np.array_equal(one.edges, other.edges)


def test_another_rule_is_walked_in_numpy_and_so_is_a_machine_without_a_compiler(monkeypatch):
    assert isinstance(walk_by(lambda edges, worth: np.zeros(len(edges), np.int64)), PlainWalk)
    with_it = search(TicTacToe(), after("a", "e"), knowing(TicTacToe()), evaluations=30, noise=Noise(), random=np.random.default_rng(2))
    monkeypatch.setattr(walking, "_library", lambda: None)
    assert isinstance(walk_by(Puct()), PlainWalk)
    without = search(TicTacToe(), after("a", "e"), knowing(TicTacToe()), evaluations=30, noise=Noise(), random=np.random.default_rng(2))
    assert np.array_equal(with_it.visits, without.visits) and with_it.worth[0] == without.worth[0]


def test_a_games_own_random_games_judge_where_it_has_some():
    class Own(TicTacToe):
        def playouts(self, positions, seeds):
            assert seeds.dtype == np.uint64 and len(set(seeds.tolist())) == len(positions)
            return np.full(len(positions), 0.25, np.float32)

    scores, worth = ByPlayouts(Own(), np.random.default_rng(0))(np.concatenate([after("a"), after("a", "b")]))
    assert worth.tolist() == [-0.25, 0.25] and not scores.any()
