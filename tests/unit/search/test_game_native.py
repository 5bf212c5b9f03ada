"""A network of a game as compiled code: what PyTorch computes, for other weights without another compilation, on any number of games."""

import numpy as np
import pytest
import torch

from tacit.environments.game import signature_of_game
from tacit.ground.errors import InputError
from tacit.search import game_native
from tacit.search.game_native import native_network, pays
from tacit.search.game_network import network_of
from tacit.skeletons.boardnet import build
from tacit.targets.c.toolchain import find_compiler
from tests.unit.environments.tic_tac_toe import TicTacToe

GAME = TicTacToe()
pytestmark = pytest.mark.skipif(find_compiler() is None, reason="there is no compiler")


def network(seed):
    torch.manual_seed(seed)
    made = build(signature_of_game(GAME), width=4, depth=1, worth=True)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def test_it_computes_what_pytorch_does_and_is_compiled_once():
    planes = np.random.default_rng(0).random((37, *GAME.planes), np.float32)
    first, second = network(1), network(2)
    asked = [native_network(GAME, one) for one in (first, second)]
    opened = len(game_native._opened)
    for one, ask in ((first, asked[0]), (second, asked[1]), (first, asked[0])):  # in turns: the weights are exchanged
        scores, worth = ask(planes)
        wanted, judged = network_of(one)(planes)
        assert np.abs(scores - wanted).max() < 1e-5 and np.abs(worth - judged).max() < 1e-5
        alone = [ask(planes[row : row + 1]) for row in (0, 36)]
        assert np.array_equal(alone[0][0][0], scores[0]) and alone[1][1][0] == worth[36]
    assert len(game_native._opened) == opened == 1
    with pytest.raises(InputError, match="expected planes of finite numbers"):
        asked[0](np.full((1, *GAME.planes), np.nan, np.float32))


def test_it_pays_for_many_games_of_a_network_that_is_not_tiny():
    assert not pays(GAME, network(0), games=16, evaluations=12)
    assert pays(GAME, network(0), games=16, evaluations=1e9)
