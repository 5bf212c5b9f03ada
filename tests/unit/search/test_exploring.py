import dataclasses
from types import SimpleNamespace

import pytest

from tacit.ground.budget import Budget
from tacit.ground.errors import BudgetError
from tacit.ground.progress import Reporter
from tacit.search.choosing import Choosing
from tacit.search.exploring import Exploration, Space, front
from tacit.search.limits import Limits
from tacit.search.running import Outcome, Stop
from tacit.search.search import Search
from tacit.search.trials import Order, Ran, Records, Trial
from tacit.search.workers import Here
from tacit.skeletons.choices import between, choice
from tests.unit.search.small_task import examples

SPACE = Space({"width": between(1, 40), "kind": choice("a", "b", "c"), "fixed": 7})


class Costs(Limits):
    """Costs that are known at once: as many MACs as the network is wide, twice as many for kind c."""

    def __init__(self, most=None):
        super().__init__(Budget(macs=most), examples().signature, lambda settings: settings, lambda settings: {"macs": 0.0})

    def costs(self, settings):
        return {"macs": float(settings["width"] * (2 if settings["kind"] == "c" else 1))}

    def within(self, settings):
        return self.budget.macs is None or self.costs(settings)["macs"] <= self.budget.macs

    def widest(self, settings, name, values):
        fitting = [value for value in values.values if self.within({**settings, name: value})]
        return {**settings, name: fitting[-1]} if fitting else None


class Work:
    """A trial that takes no time: kind b is better, wide is better, and short runs say less."""

    def __init__(self, failing=()):
        self.orders, self.failing = [], failing

    def __call__(self, order: Order) -> Ran:
        self.orders.append(order)
        settings = order.settings
        score = settings["width"] / 40 + (0.5 if settings["kind"] == "b" else 0.0) + 0.001 * order.rung
        failure = "MemoryError: no room" if settings["kind"] in self.failing else None
        trial = Trial(order.rung, settings, [(0, order.steps)], 0.0, None if failure else score, failure, order.number, dict(order.costs))
        return Ran(trial, None if failure else Outcome({}, score))


def exploration(work, *, space=SPACE, most=None, records=None, seed=1, workers=None, steps=480, stop=None, **choosing) -> Exploration:
    return Exploration(
        space,
        Choosing(**{"trials": 8, "batch": 4, **choosing}),
        Costs(most),
        work,
        workers or Here(),
        records or Records(None),
        Reporter(),
        stop or Stop(),
        seed,
        None,
        steps,
        lambda: 0.0,
    )


class Backwards:
    """Three workers, of which the last piece is done first."""

    count = 3

    def run(self, work, items):
        done = [(place, work(item)) for place, item in enumerate(items)]
        yield from reversed(done)


def test_the_better_ones_of_each_batch_are_trained_for_longer():
    work = Work()
    winner = exploration(work).run()
    by_rung = [[order for order in work.orders if order.rung == rung] for rung in range(3)]
    assert len({order.number for order in by_rung[0]}) == 8
    assert {order.steps for order in by_rung[0]} == {20}
    assert {order.steps for order in by_rung[1]} == {40}
    assert {order.steps for order in by_rung[2]} == {80}
    assert len(by_rung[2]) < len(by_rung[1]) < 8
    best = max(by_rung[2], key=lambda order: (order.settings["kind"] == "b", order.settings["width"]))
    assert winner == best.settings
    assert winner["fixed"] == 7


@pytest.mark.parametrize("pruner", ["none", "halving", "median", "successive_halving", "hyperband"])
def test_one_process_and_several_workers_find_the_same_and_it_repeats(pruner):
    alone, records = Work(), [Records(None) for _ in range(3)]
    first = exploration(alone, records=records[0], pruner=pruner, trials=12).run()
    again = exploration(Work(), records=records[1], pruner=pruner, trials=12).run()
    there = exploration(Work(), records=records[2], pruner=pruner, trials=12, workers=Backwards()).run()
    assert first == again == there
    assert records[0].in_order() == records[1].in_order() == records[2].in_order()
    assert exploration(Work(), pruner=pruner, trials=12, seed=2).run() != first or pruner == "none"


@pytest.mark.parametrize("kept", [0, 1, 5, 9])
def test_a_search_that_was_killed_goes_on_with_what_is_on_record(tmp_path, kept):
    whole, path = Work(), tmp_path / "trials.jsonl"
    wanted = exploration(whole, records=Records(path)).run()
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:kept]) + '{"rung": 0, "sett')
    rest = Work()
    assert exploration(rest, records=Records(path)).run() == wanted
    assert len(rest.orders) == len(whole.orders) - kept
    assert len(Records(path).trials) == len(whole.orders)


def test_what_is_over_a_limit_is_never_trained_and_is_no_trial():
    work = Work()
    exploration(work, most=12).run()
    assert all(Costs().costs(order.settings)["macs"] <= 12 for order in work.orders)
    assert len({order.number for order in work.orders}) == 8


def test_candidates_are_made_as_wide_as_the_limit_allows():
    work = Work()
    exploration(work, space=dataclasses.replace(SPACE, scale="width"), most=20, trials=3, batch=3).run()
    assert {(order.settings["kind"], order.settings["width"]) for order in work.orders} == {("a", 20), ("b", 20), ("c", 10)}


def test_a_limit_that_nothing_keeps_names_the_nearest_before_anything_is_trained():
    work = Work()
    space = Space({"width": between(20, 40), "kind": "a"})
    with pytest.raises(BudgetError, match="expected a network of at most 10 macs"):
        exploration(work, space=space, most=10).run()
    assert work.orders == []


def test_candidates_that_fail_are_on_record_and_the_rest_goes_on():
    records = Records(None)
    winner = exploration(Work(failing=("b",)), records=records).run()
    assert winner["kind"] != "b"
    assert {trial.failure for trial in records.trials if trial.settings["kind"] == "b"} == {"MemoryError: no room"}


def test_no_candidate_is_tried_twice():
    work = Work()
    exploration(work, space=Space({"width": between(1, 3), "kind": "a"}), trials=8).run()
    assert sorted(order.settings["width"] for order in work.orders if order.rung == 0) == [1, 2, 3]


def test_a_request_to_stop_ends_it_with_the_best_so_far():
    stop, work = Stop(), Work()

    def asks(order):
        ran = work(order)
        stop.asked = len(work.orders) == 6
        return ran

    winner = exploration(asks, stop=stop).run()
    assert len(work.orders) == 6
    assert winner in [order.settings for order in work.orders]


def test_a_warm_start_searches_nothing():
    warm = SimpleNamespace(start=object(), choosing=Choosing())
    assert Search.space(warm, {"width": 8}) is None


def test_the_front_holds_what_nothing_beats_in_score_and_cost():
    rows = [(0.9, 100), (0.8, 50), (0.7, 60), (0.9, 90), (0.95, 200)]
    trials = [Trial(0, {"place": place}, [], 0.0, score, None, place, {"macs": macs}) for place, (score, macs) in enumerate(rows)]
    trials.append(Trial(0, {"place": 5}, [], 0.0, None, "MemoryError", 5, {"macs": 1}))
    assert [trial.number for trial in front(trials, ("macs",))] == [4, 3, 1]


def test_several_objectives_train_everything_and_the_first_one_decides():
    work, records = Work(), Records(None)
    search = exploration(work, records=records, sampler="nsga2", pruner="none", objectives=("accuracy", "macs"))
    winner = search.run()
    best = max(records.trials, key=lambda trial: trial.validation)
    assert winner == best.settings
    assert len(work.orders) == 8
