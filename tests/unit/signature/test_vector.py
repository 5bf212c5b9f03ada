"""Vectors and boards from lists, arrays, text and files."""

import numpy as np
import pytest

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.board import Board
from tacit.signature.vector import Vector


def message(type_, value):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return caught.value.message


def test_numbers_come_in_many_forms(tmp_path):
    np.save(tmp_path / "v.npy", np.array([1.0, 2.5]))
    for value in ([1, 2.5], (1, 2.5), np.array([1, 2.5]), "[1, 2.5]", tmp_path / "v.npy", str(tmp_path / "v.npy")):
        (read,) = Vector(2).read(value)
        assert read.dtype == np.float32 and read.tolist() == [1.0, 2.5]
    assert Vector(1).read(3)[0].tolist() == [3.0]


def test_named_numbers_come_as_a_dict_in_any_order():
    assert Vector(2, names=("a", "b")).read({"b": 2, "a": 1})[0].tolist() == [1.0, 2.0]
    text = message(Vector(2, names=("alpha", "beta")), {"alpha": 1, "betta": 2})
    assert "unknown name `betta`, did you mean `beta`?" in text and "missing `beta`" in text


def test_what_is_no_vector_is_refused():
    assert message(Vector(2), [1, 2, 3]) == "expected float32[value=2], got a list of 3"
    assert message(Vector(2), [1, np.nan]) == "expected finite numbers, got nan - at [1]"
    assert message(Vector(2), "one two") == 'expected numbers, got the string "one two"'
    assert message(Vector(2), ["a", "b"]) == "expected float32[value=2], got a list of 2"
    with pytest.raises(ConfigError, match="expected 3 names, got 1"):
        Vector(3, names=("a",))


def test_boards_are_planes_of_rows(tmp_path):
    planes = np.zeros((2, 2, 3))
    planes[0, 0, 1] = planes[1, 1, 2] = 1
    np.save(tmp_path / "b.npy", planes)
    board = Board(2, 2, 3)
    for value in (planes, planes.tolist(), tmp_path / "b.npy"):
        assert np.array_equal(board.read(value)[0], planes)
    assert board.show(board.read(planes)) == ".x./..o"
    assert message(board, planes[0]) == "expected float32[plane=2, row=2, column=3], got an array float64[2, 3]"
