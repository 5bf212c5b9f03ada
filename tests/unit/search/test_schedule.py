import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.ground.errors import ConfigError
from tacit.search.schedule import Progress, one_cycle, parse_plan, print_plan


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)), min_size=0, max_size=5), st.integers(1, 50))
def test_progress_ends_at_exactly_one_however_often_it_is_planned_anew(replans, first):
    progress = Progress([(0, first)])
    replans = dict(replans)
    fractions = [0.0]
    while not progress.done:
        progress.advance()
        if progress.step in replans and not progress.done:
            progress.replan(replans[progress.step])
        fractions.append(progress.fraction)
    assert fractions[-1] == 1.0
    assert fractions == sorted(fractions)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=4), st.integers(2, 40))
def test_a_recorded_plan_takes_the_same_steps_again(replans, first):
    run = Progress([(0, first)])
    replans, taken = dict(replans), []
    while not run.done:
        run.advance()
        if run.step in replans and not run.done:
            run.replan(replans[run.step])
        taken.append(run.fraction)
    again, repeated = Progress(parse_plan(print_plan(run.plan))), []
    while not again.done:
        again.advance()
        repeated.append(again.fraction)
    assert repeated == taken


def test_progress_is_restored_in_the_middle_of_a_plan():
    whole = Progress([(0, 10), (4, 20)])
    for _ in range(3):
        whole.advance()
    restored = Progress.restore(json.loads(json.dumps(whole.state())))
    for _ in range(9):
        whole.advance()
        restored.advance()
        assert (restored.step, restored.fraction, restored.left, restored.plan) == (whole.step, whole.fraction, whole.left, whole.plan)


def test_the_rate_rises_then_falls_to_zero():
    rates = [one_cycle(step / 100, warmup=0.2) for step in range(101)]
    assert max(rates) == rates[20] == 1.0
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[100] == 0.0


@pytest.mark.parametrize("text", ["", "x", "0", "5:10", "0:10,3:0,5:2", "0:5,0:6", "-3", "0:5,3:2,2:9"])
def test_a_bad_plan_is_refused(text):
    with pytest.raises(ConfigError, match="expected `--steps`"):
        parse_plan(text)


def test_a_run_that_was_cut_short_is_repeated_as_short():
    run = Progress([(0, 10)])
    for _ in range(7):
        run.advance()
    run.end()
    assert run.done
    again = Progress(parse_plan(print_plan(run.plan)))
    while not again.done:
        again.advance()
    assert (again.step, again.fraction) == (7, run.fraction)
