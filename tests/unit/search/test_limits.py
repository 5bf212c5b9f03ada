import pytest

from tacit.ground.budget import Budget, latency_seconds
from tacit.ground.errors import BudgetError, ConfigError
from tacit.search.limits import Limits, count_macs, shown
from tacit.shipping import costs
from tacit.skeletons.choices import between
from tacit.skeletons.table import CONVNET_2D, network_for
from tests.unit.search.small_task import examples
from tests.unit.test_compiler import program

WHOLE = examples()


def network(settings):
    return network_for(CONVNET_2D, WHOLE.signature, settings, inputs=WHOLE.inputs, seed=0)


def limits(**most) -> Limits:
    budget = Budget(**most)
    given = program(budget=budget)
    return Limits(budget, WHOLE.signature, network, lambda one: costs(one, given))


@pytest.mark.parametrize("block", ["residual", "separable", "bottleneck"])
def test_the_quick_count_is_never_above_the_exact_one(block):
    settings = {"width": 12, "block": block}
    exact = limits().costs(settings)["macs"]
    assert 0.9 * exact < count_macs(network(settings), WHOLE.signature) <= exact


@pytest.mark.parametrize(
    "most", [{"macs": 60_000}, {"weight_bytes": 20_000}, {"arena_bytes": 6_000}, {"macs": 60_000, "arena_bytes": 4_096}]
)
def test_the_widest_within_a_limit_keeps_it_and_the_next_one_does_not(most):
    held = limits(**most)
    found = held.widest({"block": "residual"}, "width", between(2, 64))
    assert all(held.costs(found)[name] <= limit for name, limit in most.items())
    wider = held.costs({**found, "width": found["width"] + 1})
    assert any(wider[name] > limit for name, limit in most.items())


def test_what_no_width_can_keep_is_none():
    assert limits(macs=500).widest({}, "width", between(4, 64)) is None


def test_a_latency_is_predicted_before_there_is_a_binary():
    held = limits(latency="20us@1GHz")
    found = held.widest({}, "width", between(2, 64))
    assert held.costs(found)["latency"] <= 20e-6 < held.costs({**found, "width": 64})["latency"]
    assert shown("latency", 20e-6) == "0.02 ms (predicted) of latency"


def test_an_impossible_limit_names_the_nearest_and_what_it_has():
    held = limits(macs=4000, weight_bytes=100)
    with pytest.raises(BudgetError) as caught:
        held.keep([{"width": 8}, {"width": 4}])
    lines = str(caught.value).splitlines()
    assert lines[0] == "expected a network of at most 4,000 macs, 100 weight_bytes, got none among 2"
    assert lines[1].startswith("the nearest, {'width': 4}, has ")
    assert lines[2].startswith("try: raise `budget.weight_bytes` above 100, or set smaller values")


def test_costs_on_record_are_not_counted_again():
    held = limits(macs=10)
    held.learn({"width": 8}, {"macs": 5.0})
    assert held.within({"width": 8})


@pytest.mark.parametrize("text, wanted", [("0.5ms", (5e-4, None)), ("80us@168MHz", (8e-5, 168e6)), ("2 s @ 1 GHz", (2.0, 1e9))])
def test_a_latency_is_a_time_and_maybe_a_clock(text, wanted):
    assert latency_seconds(text) == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["", "fast", "5", "0ms", "1ms@0Hz", "1ms@c", "1.2.3ms"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match=r"expected a time such as `0\.5ms`"):
        latency_seconds(text)
