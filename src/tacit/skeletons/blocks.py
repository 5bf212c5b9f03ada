"""Blocks of which a ConvNet is made: each takes and gives the same channels, and begins as the identity behind a ReLU.

A dense convolution multiplies every channel with every other at each place of its window; the other blocks spend the same
multiplications on more channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tacit.ground.tables import Table
from tacit.skeletons.layers import ConvNormRelu

#: Channels of one group of a grouped convolution.
GROUP = 8


class Branch(nn.Module):
    """``relu(x + body(x))``, where the last norm of the body begins at 0 (He et al. 2018, "Bag of Tricks", 3.1)."""

    def __init__(self, *layers: ConvNormRelu) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)
        nn.init.zeros_(layers[-1].norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, row, column] -> the same shape."""
        return torch.relu(x + self.body(x))


def separable(channels: int, *, spatial: int, kernel: int) -> nn.Module:
    """Build a depthwise convolution and one over channels (Chollet 2017, "Xception")."""
    return Branch(
        ConvNormRelu(channels, channels, spatial=spatial, kernel=kernel, groups=channels, relu=False),
        ConvNormRelu(channels, channels, spatial=spatial, kernel=1, relu=False),
    )


def inverted(channels: int, *, spatial: int, kernel: int) -> nn.Module:
    """Build a depthwise convolution over twice the channels (Sandler et al. 2018, "MobileNetV2", without its linear bottleneck)."""
    wide = 2 * channels
    return Branch(
        ConvNormRelu(channels, wide, spatial=spatial, kernel=1),
        ConvNormRelu(wide, wide, spatial=spatial, kernel=kernel, groups=wide),
        ConvNormRelu(wide, channels, spatial=spatial, kernel=1, relu=False),
    )


def bottleneck(channels: int, *, spatial: int, kernel: int) -> nn.Module:
    """Build a convolution over half of the channels (He et al. 2016, "Deep Residual Learning", figure 5)."""
    narrow = max(1, channels // 2)
    return Branch(
        ConvNormRelu(channels, narrow, spatial=spatial, kernel=1),
        ConvNormRelu(narrow, narrow, spatial=spatial, kernel=kernel),
        ConvNormRelu(narrow, channels, spatial=spatial, kernel=1, relu=False),
    )


def grouped(channels: int, *, spatial: int, kernel: int) -> nn.Module:
    """Build a convolution within groups of channels, and one over all of them (Xie et al. 2017, "Aggregated Residual Transformations")."""
    groups = channels // GROUP if channels % GROUP == 0 else 1
    return Branch(
        ConvNormRelu(channels, channels, spatial=spatial, kernel=kernel, groups=groups),
        ConvNormRelu(channels, channels, spatial=spatial, kernel=1, relu=False),
    )


def halving(inputs: int, outputs: int, *, spatial: int, kernel: int, apart: bool) -> nn.Module:
    """Build the convolution that halves the plane. apart: depthwise first, then over channels."""
    if not apart:
        return ConvNormRelu(inputs, outputs, spatial=spatial, kernel=kernel, stride=2)
    depthwise = ConvNormRelu(inputs, inputs, spatial=spatial, kernel=kernel, stride=2, groups=inputs, relu=False)
    return nn.Sequential(depthwise, ConvNormRelu(inputs, outputs, spatial=spatial, kernel=1))


#: Name -> a function (channels, *, spatial, kernel) -> a module.
BLOCKS = Table(
    "block",
    {
        "residual": "tacit.skeletons.layers:Residual",
        **{name: f"tacit.skeletons.blocks:{name}" for name in ("separable", "inverted", "bottleneck", "grouped")},
    },
    group="tacit.blocks",
)
#: Blocks whose network halves the plane by a depthwise convolution, too.
APART = ("separable", "inverted")
