"""Games and the checker of games, which is seen to fail on every rule that it holds a game to."""

import dataclasses
import pickle

import numpy as np
import pytest

from tacit.environments.game import random_moves, signature_of_game, to_mover, turned
from tacit.environments.game_check import check_game
from tacit.environments.opening import FromFile, game_of
from tacit.ground.errors import ConfigError, InputError
from tacit.signature.board import Board
from tacit.signature.outputs import Class
from tests.unit.environments.tic_tac_toe import TicTacToe, after


def message(work, error=InputError):
    with pytest.raises(error) as caught:
        work()
    return str(caught.value)


def test_a_game_that_keeps_its_rules_passes():
    check_game(TicTacToe())
    check_game(TicTacToe(), seed=1)
    assert signature_of_game(TicTacToe()) == Board(2, 3, 3) >> Class(tuple("abcdefghi"))


def broken(**parts):
    return type("Broken", (TicTacToe,), {"name": "broken", **parts})()


def _stuck(self, positions):
    return TicTacToe.legal(self, positions) & (positions != 0).any(axis=1, keepdims=True).repeat(9, axis=1)


def _in_place(self, positions, moves):
    positions[np.arange(len(moves)), moves] = 1 - 2 * self.turn(positions)
    return positions


def _batched(self, positions, moves):
    return TicTacToe.play(self, positions, np.roll(moves, 1))


def _wrong_view(self, positions):
    return TicTacToe.encode(self, positions) * (1 + positions[:, :1, None, None])


def _corner_wins(self, positions):
    outcome = TicTacToe.outcome(self, positions)
    return np.where(np.isnan(outcome) & (positions[:, 0] == 1), 1.0, outcome).astype(np.float32)


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({"moves": ("a", "a")}, "`moves`: expected at least two different names, got ['a', 'a']"),
        ({"planes": (2, 0, 3)}, "`planes`: expected (planes, rows, columns), got (2, 0, 3)"),
        ({"longest": 5}, "`longest`: a game goes on after 5 moves"),
        ({"symmetries": ((np.zeros(9, int), np.arange(9)),)}, "`symmetries[0]`: expected a permutation of 9 squares"),
        ({"legal": _stuck}, "`legal`: no move is legal, though the game goes on; before the first move"),
        ({"play": _in_place}, "`play`: it changed the positions that it was given; before the first move"),
        ({"play": _batched}, "`play`: a position by itself becomes another one than among others"),
        (
            {"turn": lambda self, positions: np.zeros(len(positions), int)},
            "`turn`: expected the other player after a move; after the moves ",
        ),
        ({"turn": lambda self, positions: 1 - TicTacToe.turn(self, positions)}, "`turn`: expected 0, the player who begins"),
        ({"outcome": lambda self, positions: 2 * TicTacToe.outcome(self, positions)}, "`outcome`: expected -1 to 1 or NaN, got "),
        ({"outcome": lambda self, positions: np.zeros((len(positions), 1))}, "`outcome`: expected float32[16], got float64[16, 1]"),
        ({"encode": _wrong_view}, "`encode` differs on the turned board; after the moves "),
        ({"outcome": _corner_wins}, "`outcome` differs on the turned board; after the moves "),
        ({"symmetries": ((np.arange(9)[::-1].copy(), np.arange(9)),)}, "`symmetries[0]`: `encode` differs on the turned board"),
        ({"encode": lambda self, positions: TicTacToe.encode(self, positions) / 0.0}, "`encode`: expected finite numbers"),
        ({"legal": lambda self, positions: 1 / 0}, "it failed with ZeroDivisionError: division by zero"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_breaks_a_rule_is_named(parts, wanted):
    text = message(lambda: check_game(broken(**parts)))
    assert text.startswith("expected a game that keeps its own rules - at `broken`") and wanted in text


def test_what_a_game_lacks_is_named_all_at_once():
    @dataclasses.dataclass
    class Half:
        name: str = "half"
        moves: tuple = ("a", "b")

    text = message(lambda: check_game(Half()))
    assert "expected a game - at `half` (9 problems)" in text and "`planes` is missing" in text and "`encode` is missing" in text


def test_outcomes_are_for_the_player_who_began_and_turn_to_the_mover():
    game = TicTacToe()
    won = after("a", "d", "b", "e", "c")
    assert game.outcome(won).tolist() == [1.0] and to_mover(game, won, game.outcome(won)).tolist() == [-1.0]
    lost = after("a", "d", "b", "e", "i", "f")
    assert game.outcome(lost).tolist() == [-1.0] and to_mover(game, lost, game.outcome(lost)).tolist() == [-1.0]
    assert np.isnan(game.outcome(after("a"))).all()


def test_a_symmetry_turns_planes_as_it_turns_moves():
    game = TicTacToe()
    for squares, moves in game.symmetries:
        where = int(np.argsort(moves)[0])
        assert np.array_equal(turned(game.encode(after("a")), (squares, moves)), game.encode(after(game.moves[where])))


def test_random_moves_are_legal_and_all_come_up():
    game = TicTacToe()
    positions = after("a", "b", "c", "d").repeat(500, axis=0)
    counts = np.bincount(random_moves(game, positions, np.random.default_rng(0)), minlength=9)
    assert counts[:4].tolist() == [0, 0, 0, 0] and counts[4:].min() > 60


def test_games_come_as_objects_classes_and_names():
    for given in (TicTacToe(), TicTacToe, lambda: TicTacToe(), "tests.unit.environments.tic_tac_toe:TicTacToe"):
        assert game_of(given).name == "tic-tac-toe"
    assert "did you mean `TicTacToe`?" in message(lambda: game_of("tests.unit.environments.tic_tac_toe:TicTacTo"), ConfigError)
    assert "there is none - at `no.such:Game`" in message(lambda: game_of("no.such:Game"), ConfigError)
    assert "got the number 3 without `name`, `moves`" in message(lambda: game_of(3), ConfigError)


def test_a_game_of_a_file_pickles_as_its_path(tmp_path):
    rules = tmp_path / "rules.py"
    rules.write_text("from tests.unit.environments.tic_tac_toe import TicTacToe\n\n\nclass Own(TicTacToe):\n    name = 'own'\n")
    game = game_of(FromFile(rules, "Own"))
    check_game(game)
    assert game.name == "own" and pickle.loads(pickle.dumps(game)).name == "own"
    assert "expected a game" in message(lambda: game_of(FromFile(rules, "Other")).name, ConfigError)
    rules.write_text("import nothing_of_this_name\n")
    assert "expected a file that can be run - at" in message(lambda: game_of(FromFile(rules, "Own")), ConfigError)
