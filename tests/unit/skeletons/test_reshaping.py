"""A network takes the widths of any state, and the numbers of channels that its modules keep follow."""

import pytest
import torch
from torch import nn

from tacit.ground.errors import ConfigError
from tacit.skeletons.reshaping import fit_shapes


def network(wide: int) -> nn.Module:
    """A depthwise convolution (two filters for every channel) between full ones, a norm, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(3, wide, 3),
        nn.BatchNorm2d(wide),
        nn.Conv2d(wide, 2 * wide, 3, groups=wide),
        nn.ConvTranspose2d(2 * wide, wide, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(wide, 5),
    ).eval()


@pytest.mark.parametrize("wide", [4, 16])
def test_a_network_takes_the_widths_of_a_state(wide):
    other, x = network(wide), torch.randn(2, 3, 9, 9)
    made = fit_shapes(network(8), other.state_dict())
    assert torch.equal(made(x), other(x))
    kept = [(layer.in_channels, layer.out_channels, layer.groups) for layer in made if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    assert kept == [(3, wide, 1), (wide, 2 * wide, wide), (2 * wide, wide, 1)]
    assert made[1].num_features == made[6].in_features == wide


def test_the_state_of_another_network_is_refused_whole():
    with pytest.raises(ConfigError) as caught:
        fit_shapes(nn.Linear(2, 3), {"weight": torch.zeros(3), "scale": torch.zeros(3)})
    assert "`bias` is not in both" in str(caught.value)
    assert "`scale` is not in both" in str(caught.value)
    assert "`weight` has 1 axes, not 2" in str(caught.value)
