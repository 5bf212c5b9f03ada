import pytest
import torch

from tacit.ground.errors import ConfigError, InputError
from tacit.ground.progress import Reporter
from tacit.search.workers import Failure, Here, attempt, workers_on


def on(place, *, alike=False):
    return workers_on(place, reporter=Reporter(), alike=alike)


def picky(item):
    if item == "bad":
        raise InputError("expected good, got bad")
    return item.upper()


def test_this_process_gives_results_and_failures_in_order():
    assert list(Here().run(picky, ["a", "bad", "b"])) == [(0, "A"), (1, Failure("InputError: expected good, got bad")), (2, "B")]


def test_an_error_that_nobody_foresaw_goes_through():
    with pytest.raises(KeyError):
        attempt(lambda item: {}[item], "x")


def test_what_must_come_out_alike_runs_on_one_thread_and_the_threads_come_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with on(None, alike=True) as workers:
            assert [threads for _, threads in workers.run(lambda _: torch.get_num_threads(), [0])] == [1]
        with on(None) as workers:
            assert [threads for _, threads in workers.run(lambda _: torch.get_num_threads(), [0])] == [2]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("place", "said"), [("rai:2", "did you mean `ray`?"), ("", "known: ray"), ("moon", "known: ray")])
def test_an_unknown_place_is_refused(place, said):
    with pytest.raises(ConfigError, match="expected a place to run on") as refused, on(place):
        pass
    assert said in str(refused.value)
