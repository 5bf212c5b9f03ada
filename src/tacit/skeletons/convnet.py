"""Residual ConvNets in one and two dimensions.

The early layers are the dear ones, so the stem halves the picture at once; widths double at each later halving up to
four times the first, and are multiples of 16 where the machine's kernels want that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.layers import ConvNormRelu, Residual, Standardise, stages


class ConvNet(nn.Module):
    """Standardise, stem, stages of residual blocks, mean over space, linear.

    spatial: 1 or 2. The input is float32[batch, row, column, channel] (2) or float32[batch, channel, time] (1).
    """

    def __init__(
        self, *, spatial: int, channels: int, sizes: tuple[int, ...], scores: int, width: int, depth: int, kernel: int, dropout: float
    ) -> None:
        super().__init__()
        self.spatial = spatial
        self.standardise = Standardise(channels, axes=spatial + 2, channel_axis=spatial + 1 if spatial == 2 else 1)
        halve_at_once = min(sizes) >= 20
        left = tuple((size + 1) // 2 for size in sizes) if halve_at_once else sizes
        layers: list[nn.Module] = []
        stem_kernel, stem_stride, stem_padding = (kernel + 1, 2, kernel // 2) if halve_at_once else (kernel, 1, kernel // 2)
        layers.append(ConvNormRelu(channels, width, spatial=spatial, kernel=stem_kernel, stride=stem_stride, padding=stem_padding))
        layers += [Residual(width, spatial=spatial, kernel=kernel) for _ in range(depth)]
        wide = width
        for stage in range(stages(left, smallest=4, most=4)):
            wider = min(2 * wide, 4 * width) if stage < 2 else wide
            layers.append(ConvNormRelu(wide, wider, spatial=spatial, kernel=kernel, stride=2))
            wide = wider
            layers += [Residual(wide, spatial=spatial, kernel=kernel) for _ in range(depth)]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(wide, scores)

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the standardisation on training arrays, shape [example, ...]."""
        self.standardise.fit(array)

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        x = self.standardise(x)
        x = x.permute(0, 3, 1, 2) if self.spatial == 2 else x.unsqueeze(2)
        x = self.body(x).mean(dim=(2, 3))
        scores: Tensor = self.head(self.dropout(x))
        return scores


def build_2d(signature: Signature, *, width: int = 32, depth: int = 1, kernel: int = 3, dropout: float = 0.0) -> nn.Module:
    """Build the residual ConvNet for pictures, float32[batch, row, column, channel]."""
    (spec,) = signature.input.arrays
    rows, columns, channels = spec.shape
    return ConvNet(
        spatial=2,
        channels=channels,
        sizes=(rows, columns),
        scores=signature.output.width,
        width=width,
        depth=depth,
        kernel=kernel,
        dropout=dropout,
    )


def build_1d(signature: Signature, *, width: int = 32, depth: int = 1, kernel: int = 5, dropout: float = 0.2) -> nn.Module:
    """Build the residual ConvNet for series, float32[batch, channel, time]."""
    (spec,) = signature.input.arrays
    channels, steps = spec.shape
    return ConvNet(
        spatial=1,
        channels=channels,
        sizes=(steps,),
        scores=signature.output.width,
        width=width,
        depth=depth,
        kernel=kernel,
        dropout=dropout,
    )


class ChannelsFirst(nn.Module):
    """Give a person's own module what PyTorch modules expect: standardised, channels before space."""

    def __init__(self, signature: Signature, module: nn.Module) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        self.last = spec.axes[-1] == "channel" and len(spec.shape) == 3
        self.bare = "channel" not in spec.axes
        axes, axis = len(spec.shape) + 1, spec.axes.index("channel") + 1 if "channel" in spec.axes else 0
        self.standardise = Standardise(1 if self.bare else spec.shape[axis - 1], axes=axes, channel_axis=axis)
        self.module = module

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the standardisation on training arrays, shape [example, ...]."""
        self.standardise.fit(array.reshape(1, -1) if self.bare else array)

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        x = self.standardise(x)
        if self.last:
            x = x.permute(0, 3, 1, 2)
        scores: Tensor = self.module(x)
        return scores


#: Sizes from small to large, by which the search fits the network to the budget.
SIZES_2D: tuple[dict[str, Any], ...] = tuple(
    {"width": width, "depth": depth} for width, depth in ((8, 1), (16, 1), (32, 1), (48, 1), (64, 1), (64, 2), (96, 2))
)
SIZES_1D: tuple[dict[str, Any], ...] = tuple({"width": width, "depth": depth} for width, depth in ((16, 1), (32, 1), (64, 1), (64, 2)))

__all__ = ["SIZES_1D", "SIZES_2D", "ChannelsFirst", "ConvNet", "build_1d", "build_2d"]
