"""Widths: what they cost, and the order in which they shrink."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tacit.ground.errors import ConfigError
from tacit.resizing.channels import cut, groups_of
from tacit.resizing.planning import BYTES, MACS, TIME, model_of, narrowing, sizes_of, vectors
from tacit.resizing.ranking import Ranking
from tacit.resizing.wishes import FASTER, LATENCY, SMALLER, Wish, wish_of
from tacit.resizing.wishes import MACS as WISHED_MACS
from tests.unit.resizing.cut_networks import PICTURE, Mixed, Residual, lively


def model(kind: str, lanes: int = 1, make=Residual, **settings):
    network = lively(make(**settings))
    return network, model_of(network, groups_of(network, [PICTURE]), [torch.zeros(1, *PICTURE.shape)], kind=kind, lanes=lanes)


def test_multiply_accumulates_and_bytes_are_exact_for_the_layers():
    _, macs = model(MACS)
    assert macs({0: 8, 1: 8}) == 196 * 9 * (8 + 64 + 64) + 8 * 3
    assert macs({0: 4, 1: 2}) == 196 * 9 * (4 + 8 + 8) + 4 * 3
    network, size = model(BYTES, make=Mixed)
    smaller = cut(network, size.groups, {0: np.arange(3)})
    assert size({0: 3}) == sum(4 * tensor.numel() for tensor in smaller.state_dict().values() if tensor.ndim > 1)


def test_time_counts_vectors():
    _, time = model(TIME, lanes=16, width=32)
    assert time({0: 32, 1: 32}) == time({0: 32, 1: 32} | {1: 32})
    saved_by_half, saved_by_a_quarter = (time({0: 32, 1: 32}) - time({0: 32, 1: size}) for size in (16, 24))
    assert saved_by_half > 2.5 * saved_by_a_quarter  # 24 takes as many vectors as 32
    assert vectors(48, 16) == 3


def test_widths_are_what_kernels_like():
    assert sizes_of(128, 16)[:3] == [128, 112, 96]
    assert sizes_of(6, 16) == [6, 5, 4, 3, 2, 1]
    assert all(size % 16 == 0 for size in sizes_of(128, 16))


def test_the_group_that_costs_little_error_shrinks_first():
    _, macs = model(MACS)
    dear, cheap = (Ranking(np.arange(8), np.array([factor * (8 - kept) for kept in range(9)], float)) for factor in (100.0, 0.01))
    path = narrowing(macs, [dear, cheap])
    costs = [macs(widths) for widths in path]
    assert costs == sorted(costs, reverse=True) and len(set(costs)) == len(costs)
    assert path[0] == {0: 8, 1: 8} and path[-1] == {0: 1, 1: 1}
    assert path.index({0: 8, 1: 1}) < next(number for number, widths in enumerate(path) if widths[0] < 8)


def test_wishes():
    assert wish_of(faster=2) == Wish(FASTER, 2.0)
    assert wish_of(smaller=4) == Wish(SMALLER, 4.0)
    assert wish_of(macs=1e6) == Wish(WISHED_MACS, 1e6)
    assert wish_of(latency="0.5ms@c-int8") == Wish(LATENCY, 5e-4, "c-int8")
    assert wish_of(latency=" 80 us ") == Wish(LATENCY, pytest.approx(8e-5))
    assert wish_of() is None


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"faster": 1}, ["`faster` is 1", "above 1"]),
        ({"faster": 0.5, "smaller": -2}, ["at once", "`faster` is 0.5", "`smaller` is -2"]),
        ({"faster": 1e9}, ["at most 1000"]),
        ({"macs": 0}, ["`macs` is 0"]),
        ({"macs": float("nan")}, ["`macs` is nan"]),
        ({"latency": "fast"}, ["`latency` is `fast`", "0.5ms@c"]),
        ({"latency": "5m@c"}, ["in `m`", "did you mean `ms`"]),
        ({"latency": "5ms@gpu"}, ["on `gpu`", "c-int8"]),
        ({"latency": "-5ms@c"}, ["`-5ms@c`"]),
        ({"latency": -1.0}, ["above 0"]),
    ],
)
def test_wishes_that_are_not_understood(given, names):
    with pytest.raises(ConfigError) as error:
        wish_of(**given)
    assert [name for name in names if name not in str(error.value)] == []
    assert "try: --faster 2" in str(error.value)
