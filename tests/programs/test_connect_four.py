"""Connect Four keeps its rules, and they are those of the game."""

import inspect

import numpy as np

from tacit.environments.game import random_moves
from tacit.environments.game_check import check_game
from tacit_programs.connect_four import ConnectFour, rules, show

GAME = ConnectFour()


def after(columns):
    """Give the position after stones in columns 1 to 7, uint64[1, 3]."""
    positions = GAME.start(1)
    for column in columns:
        positions = GAME.play(positions, np.array([int(column) - 1]))
    return positions


def test_it_keeps_the_protocol_of_games():
    check_game(GAME)
    assert len(inspect.getsource(rules).splitlines()) < 150


def won(board: np.ndarray) -> bool:
    """Look for four in a row the slow way, bool[row, column]."""
    rows, columns = board.shape
    for row, column in np.ndindex(rows, columns):
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            places = [(row + down * step, column + right * step) for step in range(4)]
            if all(0 <= y < rows and 0 <= x < columns and board[y, x] for y, x in places):
                return True
    return False


def test_games_end_as_a_slow_look_at_the_board_says():
    random = np.random.default_rng(0)
    positions, ends = GAME.start(40), []
    while len(positions):
        outcome, planes = GAME.outcome(positions), GAME.encode(positions)
        for row in range(len(positions)):
            last = 1 - int(GAME.turn(positions[row : row + 1])[0])
            wanted = 1.0 - 2.0 * last if won(planes[row, 1] > 0) else 0.0 if planes[row].sum() == 42 else np.nan
            assert np.array_equal(outcome[row], wanted, equal_nan=True), show(positions[row])
        ends += outcome[~np.isnan(outcome)].tolist()
        positions = positions[np.isnan(outcome)]
        positions = GAME.play(positions, random_moves(GAME, positions, random)) if len(positions) else positions
    assert set(ends) >= {1.0, -1.0}


def test_a_row_does_not_go_on_over_the_edge():
    """Three on top of the first column and one at the foot of the second are neighbours in the bits, not on the board."""
    squares = np.uint64(sum(1 << place for place in (3, 4, 5, 7)))
    position = np.array([[squares, 0, 7]], np.uint64)
    assert np.isnan(GAME.outcome(position)).all()


def test_a_full_column_takes_no_stone_and_a_full_board_is_drawn():
    assert GAME.legal(after("111111")).tolist() == [[False] + [True] * 6]
    full = after("111111222222333333" + "4" + "444445555556666667" + "7777" + "7")
    assert np.isnan(GAME.outcome(after("1"))).all() and int(full[0, 2]) == 42
    drawn = after("121212212121343434434343565656656565777777")
    assert GAME.outcome(drawn).tolist() == [0.0] and not GAME.legal(drawn).any()


def test_who_moves_sees_the_own_squares_first():
    planes = GAME.encode(after("44"))[0]
    assert planes[0].sum() == 1 and planes[0][5, 3] == 1 and planes[1][4, 3] == 1
    assert show(after("441")[0]).splitlines()[-3:] == [". . . o . . .", "x . . x . . .", "1 2 3 4 5 6 7"]
