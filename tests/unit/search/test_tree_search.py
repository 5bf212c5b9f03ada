"""Tree search over many games at once: what it finds, and that a game by itself is searched as among others."""

import numpy as np
import pytest

from tacit.search.players import OPENING, RandomPlayer, SearchingPlayer, UctPlayer, match
from tacit.search.tree_search import ByPlayouts, Noise, Ucb1, search
from tacit.search.walking import Puct
from tests.unit.environments.tic_tac_toe import TicTacToe, after

GAME = TicTacToe()
WINS, BLOCKS = after("a", "d", "b", "e"), after("a", "e", "b")


def flat(positions):
    """Know nothing: all moves alike, every position worth nothing."""
    return np.zeros((len(positions), 9), np.float32), np.zeros(len(positions), np.float32)


def knowing(positions):
    """Judge a position by its own numbers, so that searches differ from game to game."""
    seeds = (positions.astype(np.int64) * 3 ** np.arange(9)).sum(axis=1)
    scores = np.sin(seeds[:, None] * np.arange(1, 10)).astype(np.float32)
    return scores, np.cos(seeds).astype(np.float32) * 0.5


@pytest.mark.parametrize(("position", "move"), [(WINS, "c"), (BLOCKS, "c")])
def test_it_wins_at_once_and_sees_what_the_other_threatens(position, move):
    found = search(GAME, position, flat, evaluations=100)
    assert GAME.moves[int(found.visits[0].argmax())] == move


def test_as_many_positions_are_judged_as_were_asked_for():
    judged = []

    def counting(positions):
        judged.append(len(positions))
        return flat(positions)

    found = search(GAME, GAME.start(3), counting, evaluations=20)
    assert judged == [3] * 20 and found.visits.sum(axis=1).tolist() == [19.0] * 3


def test_only_legal_moves_are_tried_and_an_ended_game_is_not_judged():
    found = search(GAME, WINS, flat, evaluations=64, noise=Noise(), random=np.random.default_rng(0))
    assert (found.visits[0][~GAME.legal(WINS)[0]] == 0).all() and np.isclose(found.prior[0].sum(), 1.0)
    almost = after("a", "b", "c", "e", "d", "g", "f", "i")  # one free square, after which all is over

    def once(positions):
        assert len(positions) == 1 and np.array_equal(positions, almost)
        return flat(positions)

    assert search(GAME, almost, once, evaluations=10).visits[0].argmax() == GAME.moves.index("h")


def test_a_game_by_itself_is_searched_as_among_others():
    positions = np.concatenate([GAME.start(1), WINS, BLOCKS, after("e")])
    together = search(GAME, positions, knowing, evaluations=40)
    for row in range(4):
        alone = search(GAME, positions[row : row + 1], knowing, evaluations=40)
        assert np.array_equal(alone.visits[0], together.visits[row]) and alone.worth[0] == together.worth[row]


def test_the_worth_is_that_of_who_moves():
    """Whoever is to move wins in `WINS`; after a quiet move there the other one does."""
    assert search(GAME, WINS, flat, evaluations=200).worth[0] > 0.5
    lost = GAME.play(WINS, np.array([GAME.moves.index("g")]))
    assert search(GAME, lost, flat, evaluations=200).worth[0] > 0.5
    doomed = after("a", "b", "e", "i", "g")  # two threats at once
    assert search(GAME, doomed, flat, evaluations=200).worth[0] < -0.5


def test_noise_makes_the_priors_differ_from_game_to_game():
    quiet = search(GAME, GAME.start(2), knowing, evaluations=30)
    assert np.array_equal(quiet.visits[0], quiet.visits[1])
    noisy = [search(GAME, GAME.start(2), knowing, evaluations=30, noise=Noise(), random=np.random.default_rng(5)).visits for _ in range(2)]
    assert not np.array_equal(noisy[0][0], noisy[0][1]) and np.array_equal(noisy[0], noisy[1])


def test_rules_weigh_what_is_known_against_what_is_not():
    edges = np.zeros((1, 3, 3), np.float32)
    edges[0, 2] = [0.6, 0.4, -np.inf]
    assert Puct()(edges, np.zeros(1, np.float32))[0] == 0
    edges[0, 0, 0], edges[0, 1, 0] = 10, -8
    assert Puct()(edges, np.zeros(1, np.float32))[0] == 1
    assert Ucb1(np.random.default_rng(0))(edges, np.zeros(1, np.float32))[0] == 1  # the other one was never tried
    edges[0, 0, 1], edges[0, 1, 1] = 10, -9
    assert Ucb1(np.random.default_rng(0), explore=0.1)(edges, np.zeros(1, np.float32))[0] == 0


def test_random_games_judge_a_position_for_who_moves():
    judge = ByPlayouts(GAME, np.random.default_rng(0))
    assert judge(after("a", "b", "e", "c").repeat(300, axis=0))[1].mean() > 0.3
    assert judge(after("a", "b", "e", "i", "g").repeat(300, axis=0))[1].mean() < -0.3


def test_a_match_gives_both_sides_the_same_openings():
    random = RandomPlayer(GAME, np.random.default_rng(0))
    seen = []

    def watching(positions):
        seen.append(positions.copy())
        return random(positions)

    played = match(GAME, watching, watching, 40, seed=3)
    assert played.began.sum() == 20 and played.outcomes.shape == (40,)
    first = np.concatenate([part for part in seen if (np.abs(part).sum(axis=1) == OPENING).all()][:2])
    assert (np.unique(first, axis=0, return_counts=True)[1] % 2 == 0).all()
    assert played.outcomes.tolist() != match(GAME, random, random, 40, seed=4).outcomes.tolist()


def test_better_players_win():
    random = RandomPlayer(GAME, np.random.default_rng(0))
    uct = UctPlayer(GAME, 60, np.random.default_rng(1))
    assert (match(GAME, uct, random, 60, seed=0).outcomes >= 0).mean() > 0.9
    assert match(GAME, random, uct, 60, seed=0).outcomes.mean() < -0.5

    def network(planes):
        return np.zeros((len(planes), 9), np.float32), np.zeros(len(planes), np.float32)

    assert match(GAME, SearchingPlayer(GAME, network, 200), random, 40, seed=0).outcomes.mean() > 0.7
    assert SearchingPlayer(GAME, network, 1)(BLOCKS)[0] == 2  # the first legal move
