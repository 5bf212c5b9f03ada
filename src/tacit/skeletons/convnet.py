"""Residual ConvNets in one and two dimensions.

The early layers are the dear ones, so the stem halves the picture at once; widths double at each later halving up to
four times the first, and are multiples of 16 where the machine's kernels want that. All of that can be chosen otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.blocks import APART, BLOCKS, GROUP, halving
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.layers import ConvNormRelu, Standardise, stages

#: How the last plane is given to the linear layer.
HEADS = ("mean", "places")
#: Name -> by how much the stem shrinks the plane.
STEMS = {"full": 1, "half": 2, "quarter": 4}


@dataclass(frozen=True)
class Shape:
    """The open choices of a ConvNet; see `build_2d`. None: as it follows from the rest."""

    width: int
    depth: int
    kernel: int
    dropout: float
    block: str = "residual"
    growth: float = 2.0
    stem: str | None = None
    depth_1: int | None = None
    depth_2: int | None = None
    depth_3: int | None = None
    halvings: int | None = None
    head: str = "mean"

    def depth_at(self, stage: int) -> int:
        """Give the number of blocks after so many halvings."""
        own = (None, self.depth_1, self.depth_2, self.depth_3)
        found = own[stage] if stage < len(own) else None
        return self.depth if found is None else found


class ConvNet(nn.Module):
    """Standardise, stem, stages of blocks, mean over space (or not), linear.

    spatial: 1 or 2. The input is float32[batch, row, column, channel] (2) or float32[batch, channel, time] (1).
    """

    def __init__(self, shape: Shape, *, spatial: int, channels: int, sizes: tuple[int, ...], scores: int) -> None:
        super().__init__()
        self.spatial = spatial
        self.standardise = Standardise(channels, axes=spatial + 2, channel_axis=spatial + 1 if spatial == 2 else 1)
        width, kernel = shape.width, shape.kernel
        stem, left = _stem(shape, channels, sizes, spatial)
        make = partial(BLOCKS.get(shape.block), spatial=spatial, kernel=kernel)
        layers: list[nn.Module] = [stem]
        layers += [make(width) for _ in range(shape.depth)]
        wide, count = width, stages(left, smallest=4, most=4)
        for stage in range(count if shape.halvings is None else min(count, shape.halvings)):
            wider = _grown(wide, shape) if stage < 2 else wide
            layers.append(halving(wide, wider, spatial=spatial, kernel=kernel, apart=shape.block in APART))
            wide, left = wider, tuple((side + 1) // 2 for side in left)
            layers += [make(wide) for _ in range(shape.depth_at(stage + 1))]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(shape.dropout)
        self.places = _places(shape.head, left)
        self.head = nn.Linear(wide * self.places, scores)

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the standardisation on training arrays, shape [example, ...]."""
        self.standardise.fit(array)

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        x = self.standardise(x)
        x = x.permute(0, 3, 1, 2) if self.spatial == 2 else x.unsqueeze(2)
        x = self.body(x)
        x = x.mean(dim=(2, 3)) if self.places == 1 else x.flatten(1)
        scores: Tensor = self.head(self.dropout(x))
        return scores


def _stem(shape: Shape, channels: int, sizes: tuple[int, ...], spatial: int) -> tuple[nn.Module, tuple[int, ...]]:
    """Build the first convolution, and give the sides that it leaves; without a word on it, it halves sides of 20 and more."""
    stride = STEMS[shape.stem] if shape.stem in STEMS else (2 if min(sizes) >= 20 else 1)
    if shape.stem is not None and shape.stem not in STEMS:
        raise ValueError(f"`stem` must be one of {', '.join(STEMS)}, got {shape.stem!r}")
    kernel = shape.kernel + (0 if stride == 1 else stride - 1)
    padding = shape.kernel // 2 if stride <= 2 else (kernel - 1) // 2
    layer = ConvNormRelu(channels, shape.width, spatial=spatial, kernel=kernel, stride=stride, padding=padding)
    return layer, tuple((size + 2 * padding - kernel) // stride + 1 for size in sizes)


def _places(head: str, left: tuple[int, ...]) -> int:
    """Count the places of the last plane that the linear layer tells apart."""
    if head not in HEADS:
        raise ValueError(f"`head` must be one of {', '.join(HEADS)}, got {head!r}")
    return 1 if head == "mean" else math.prod(left)


def _grown(wide: int, shape: Shape) -> int:
    """Give the width behind one of the first two halvings, at most what growth makes of the first width in two."""
    step = GROUP if shape.block == "grouped" and shape.width % GROUP == 0 else 1
    return max(step, round(wide * shape.growth / step) * step)


def build_2d(
    signature: Signature,
    *,
    width: int = 32,
    depth: int = 1,
    kernel: int = 3,
    dropout: float = 0.0,
    block: str = "residual",
    growth: float = 2.0,
    stem: str | None = None,
    depth_1: int | None = None,
    depth_2: int | None = None,
    depth_3: int | None = None,
    halvings: int | None = None,
    head: str = "mean",
) -> nn.Module:
    """Build the ConvNet for pictures, float32[batch, row, column, channel].

    width: channels behind the stem. growth: by how much the first two halvings multiply them. depth: blocks at each size of the plane;
    depth_1, depth_2, depth_3: behind that many halvings, where it differs. block: a name in `tacit.skeletons.blocks.BLOCKS`. stem:
    ``full``, ``half`` or ``quarter``, what it leaves of the plane. halvings: at most so many follow it. head: whether the linear layer
    is given the ``mean`` over the last plane, or all of its ``places``: few multiplications, and where things are is not forgotten.
    """
    (spec,) = signature.input.arrays
    rows, columns, channels = spec.shape
    shape = Shape(width, depth, kernel, dropout, block, growth, stem, depth_1, depth_2, depth_3, halvings, head)
    return ConvNet(shape, spatial=2, channels=channels, sizes=(rows, columns), scores=signature.output.width)


def build_1d(
    signature: Signature,
    *,
    width: int = 32,
    depth: int = 1,
    kernel: int = 5,
    dropout: float = 0.2,
    block: str = "residual",
    growth: float = 2.0,
    stem: str | None = None,
    depth_1: int | None = None,
    depth_2: int | None = None,
    depth_3: int | None = None,
    halvings: int | None = None,
    head: str = "mean",
) -> nn.Module:
    """Build the ConvNet for series, float32[batch, channel, time]; the settings are those of `build_2d`."""
    (spec,) = signature.input.arrays
    channels, steps = spec.shape
    shape = Shape(width, depth, kernel, dropout, block, growth, stem, depth_1, depth_2, depth_3, halvings, head)
    return ConvNet(shape, spatial=1, channels=channels, sizes=(steps,), scores=signature.output.width)


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

#: What a search decides when it is left to it.
SPACE_2D: dict[str, Open] = {
    "block": choice("residual", "separable", "inverted", "bottleneck", "grouped"),
    "width": between(4, 128, log=True),
    "growth": choice(1.0, 1.4, 2.0, 2.8),
    "depth": choice(0, 1, 2),
    "depth_1": choice(0, 1, 2, 3),
    "depth_2": choice(0, 1, 2, 3),
    "kernel": choice(3, 5),
    "stem": choice("full", "half", "quarter"),
    "head": choice("mean", "places"),
}
SPACE_1D: dict[str, Open] = {**SPACE_2D, "kernel": choice(3, 5, 9)}
_USUAL: dict[str, Any] = {
    **{"block": "residual", "growth": 2.0, "depth": 1, "depth_1": 1, "depth_2": 1, "kernel": 3, "stem": "half", "head": "mean"},
    "width": 16,
}
_PLACES = {**_USUAL, "head": "places"}
#: What a search begins with: the usual network, and the usual other ways to spend multiplications.
STARTS: tuple[dict[str, Any], ...] = (
    _USUAL,
    _PLACES,
    {**_PLACES, "depth": 0, "depth_1": 0, "depth_2": 0},
    {**_PLACES, "block": "bottleneck", "width": 24},
    {**_PLACES, "depth": 0, "depth_1": 0},
    {**_PLACES, "block": "separable", "depth_1": 2, "depth_2": 2, "width": 24},
)

__all__ = ["SIZES_1D", "SIZES_2D", "SPACE_1D", "SPACE_2D", "STARTS", "ChannelsFirst", "ConvNet", "build_1d", "build_2d"]
