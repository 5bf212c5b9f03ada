"""How contestants take turns, and what is made of their times."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import contestants
from benchmarks.contestants import Contestant


def counting(name: str, log: list[str]) -> Contestant:
    def run(count: int) -> None:
        log.append(name)
        for _ in range(count):
            sum(range(200))

    return Contestant(name, run, (np.zeros(2, np.float32),), (np.zeros(2, np.float32),))


def test_turns_go_forwards_and_backwards():
    log: list[str] = []
    times = contestants.take_turns([counting(name, log) for name in "abc"], rounds=3, seconds=0.0005)
    measured = log[-18:]  # each is warmed up before it is timed
    assert measured[::2] == measured[1::2] == list("abccbaabc")
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3, "c": 3}
    assert all(value > 0 for values in times.values() for value in values)


def test_a_ratio_is_that_of_each_round():
    times = {"slow": [2.0, 40.0, 6.0], "fast": [1.0, 20.0, 2.0]}  # the machine was ten times slower in the second round
    assert contestants.ratio(times, "slow", "fast") == (2.0, 2.0, 2.5)


def test_means_and_quartiles():
    assert contestants.geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert contestants.geometric_mean([]) is None
    assert contestants.quartiles([3.0]) == (3.0, 3.0, 3.0)


def test_an_answer_is_read_from_the_arrays_that_a_run_writes():
    given, made = np.zeros(3, np.float32), np.zeros(3, np.float32)

    def run(count: int) -> None:
        made[:] = 2 * given

    contestant = Contestant("double", run, (given,), (made,))
    assert contestant.answer([np.arange(3, dtype=np.float32).reshape(1, 3)])[0].tolist() == [0, 2, 4]


def test_a_wrong_answer_has_an_error_and_a_nan_has_no_small_one():
    right = [np.array([1.0, 2.0])]
    assert contestants.relative_error(right, right) == 0
    assert contestants.relative_error([np.array([1.0, 2.5])], right) == 0.25
    assert not contestants.relative_error([np.array([1.0, np.nan])], right) <= 0.1


def test_an_array_stands_at_the_address_asked_for():
    array = contestants.aligned(7, np.dtype(np.int32))
    assert (array.ctypes.data % 64, array.dtype, array.size) == (0, np.int32, 7)
