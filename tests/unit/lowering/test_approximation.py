import math

import numpy as np
import pytest
import torch
from torch import nn

from tacit.lowering.lower import lower_module
from tacit.lowering.piecewise import fit, saturation
from tacit.signature.base import ArraySpec

ROW = [ArraySpec("row", (40,), "float32", ("column",))]
SATURATING = [nn.Sigmoid(), nn.Tanh(), nn.GELU(), nn.GELU(approximate="tanh"), nn.SiLU(), nn.Softplus(), nn.ELU(0.7), nn.SELU(), nn.Mish()]


@pytest.mark.parametrize("layer", SATURATING, ids=str)
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_the_reported_error_holds_everywhere(layer, tolerance):
    x = np.concatenate([np.linspace(-9, 9, 300), [-200, -30, 30, 200]]).astype(np.float32)
    samples = [np.resize(x, (8, 40))]
    lowered = lower_module(layer, ROW, approximate=tolerance, samples=samples)
    (record,) = lowered.approximations
    assert record.greatest_error <= tolerance
    assert record.range == (-math.inf, math.inf)
    assert 0 < record.relus < 250
    greatest = float(layer(torch.from_numpy(samples[0])).abs().max())
    assert lowered.max_relative_error * greatest <= record.greatest_error + 1e-6 * greatest


@pytest.mark.parametrize("function", [torch.exp, torch.log, torch.reciprocal, torch.sqrt, torch.rsqrt, torch.sin], ids=lambda f: f.__name__)
def test_bounded_functions_take_their_range_from_a_clamp(function):
    class Clamped(nn.Module):
        def forward(self, x):
            return function(x.clamp(0.2, 2.5))

    lowered = lower_module(Clamped(), ROW, approximate=1e-3)
    (record,) = lowered.approximations
    assert record.operation == function.__name__
    assert record.range == pytest.approx((0.2, 2.5))
    assert lowered.max_relative_error <= record.greatest_error / 0.2


def test_the_range_is_followed_through_arithmetic():
    class Mean(nn.Module):
        def forward(self, x):
            total = (x.relu().clamp(max=4) * 2 + 1).sum(1, keepdim=True) * 0 + x.clamp(0, 1)
            return total * torch.reciprocal(x.clamp(0, 1) * 3 + 1)

    (record,) = lower_module(Mean(), ROW, approximate=1e-3).approximations
    assert record.range == (1.0, 4.0)


def test_a_sum_of_relus_costs_two_instructions():
    assert len(lower_module(nn.Sigmoid(), ROW, approximate=1e-3).graph.instructions) == 2


def test_fewer_relus_for_a_larger_error():
    coarse, fine = (fit(np.exp, 0.0, 1.0, tolerance) for tolerance in (1e-2, 1e-4))
    assert len(coarse.knots) < len(fine.knots) < 80
    grid = np.linspace(0, 1, 1234)
    assert np.abs(fine(grid) - np.exp(grid)).max() <= fine.error <= 1e-4


def test_a_line_beyond_the_range():
    low, high, slopes = saturation(lambda x: np.logaddexp(0, x), 1e-4)
    assert slopes == pytest.approx((0.0, 1.0))
    assert -12 < low < -8 and 8 < high < 12


def test_what_can_not_be_reached_is_not_claimed():
    assert fit(lambda x: np.sin(1e6 * x), 0.0, 1.0, 1e-6) is None
    assert fit(np.exp, 1.0, 1.0, 1e-6) is None
