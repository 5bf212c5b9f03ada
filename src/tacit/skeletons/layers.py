"""Layers that the skeletons share; each is within the two operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Standardise(nn.Module):
    """``(x - mean) / scale`` per channel, where `channel_axis` counts from the front and 0 is the batch.

    mean, scale: float32[channel], fitted on training arrays by `fit_inputs`. A constant channel keeps scale 1.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, channels: int, *, axes: int, channel_axis: int) -> None:
        super().__init__()
        self.axes, self.channel_axis = axes, channel_axis
        shape = [1] * axes
        shape[channel_axis] = channels
        self.register_buffer("mean", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def fit(self, array: np.ndarray) -> None:
        """Set mean and scale from array[example, ...]; the sums run in float64 over chunks, so memory stays flat."""
        others = tuple(axis for axis in range(self.axes) if axis != self.channel_axis)
        total = square = np.zeros(1)
        count = 0
        for start in range(0, len(array), 1024):
            chunk = array[start : start + 1024].astype(np.float64)
            total = total + chunk.sum(axis=others)
            square = square + (chunk**2).sum(axis=others)
            count += chunk.size // chunk.shape[self.channel_axis]
        mean = total / max(count, 1)
        deviation = np.sqrt(np.maximum(square / max(count, 1) - mean**2, 0.0))
        deviation[deviation < 1e-6 * np.maximum(1.0, np.abs(mean))] = 1.0
        self.mean.copy_(torch.from_numpy(mean).reshape(self.mean.shape))
        self.scale.copy_(torch.from_numpy(deviation).reshape(self.scale.shape))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise float32[batch, ...]."""
        return (x - self.mean) / self.scale


class PiecewiseLinear(nn.Module):
    """Encode each number by how far it has come in each of at most `bins` intervals between quantiles.

    Component i is ``clip((x - knot_i) / (knot_i+1 - knot_i), 0, 1)``, which is two ReLUs. Source: Gorishniy et al., "On
    Embeddings for Numerical Features in Tabular Deep Learning" (2022), section 3.2.
    """

    lower: Tensor
    inverse: Tensor

    def __init__(self, numbers: int, bins: int) -> None:
        super().__init__()
        self.bins = bins
        self.register_buffer("lower", torch.zeros(numbers, bins))
        self.register_buffer("inverse", torch.ones(numbers, bins))

    def fit(self, values: np.ndarray, present: np.ndarray | None = None) -> None:
        """Set the knots from values[example, number]; repeated quantiles become empty intervals of weight 0."""
        for column in range(values.shape[1]):
            known = values[:, column] if present is None else values[present[:, column] > 0, column]
            if len(known) == 0:
                known = np.zeros(1)
            knots = _knots(known.astype(np.float64), self.bins)
            lower, inverse = np.zeros(self.bins), np.zeros(self.bins)
            lower[: len(knots) - 1] = knots[:-1]
            inverse[: len(knots) - 1] = 1.0 / np.diff(knots)
            self.lower[column] = torch.from_numpy(lower)
            self.inverse[column] = torch.from_numpy(inverse)

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, number] -> float32[batch, number, bin]."""
        return ((x.unsqueeze(2) - self.lower) * self.inverse).clamp(0.0, 1.0)


def _knots(values: np.ndarray, bins: int) -> np.ndarray:
    """Give at most ``bins + 1`` knots: half at quantiles of the values, the rest at quantiles of the *different* values.

    A column that is nearly always 0 (a capital gain) has all of its quantiles there, and all of its meaning elsewhere.
    """
    usual = np.quantile(values, np.linspace(0, 1, bins // 2 + 1))
    different = np.unique(values)
    rare = different[np.linspace(0, len(different) - 1, min(len(different), bins - len(np.unique(usual)) + 1)).round().astype(int)]
    return np.union1d(usual, rare)


class Logarithm(nn.Module):
    """``log(x / least)`` between `least` and `most`, as its own interpolation between geometric knots: a sum of ReLUs.

    Below `least` it is 0 (not minus infinity), above `most` it goes on with the last slope.
    """

    knots: Tensor
    bends: Tensor

    def __init__(self, least: float, most: float, *, knots: int) -> None:
        super().__init__()
        places = np.geomspace(least, most, knots)
        slopes = np.diff(np.log(places)) / np.diff(places)
        self.register_buffer("knots", torch.from_numpy(places[:-1].astype(np.float32)))
        self.register_buffer("bends", torch.from_numpy(np.diff(slopes, prepend=0.0).astype(np.float32)))

    def forward(self, x: Tensor) -> Tensor:
        """float32[...] -> float32[...]."""
        return torch.relu(x.unsqueeze(-1) - self.knots) @ self.bends


def absolute(x: Tensor) -> Tensor:
    """``|x|`` as two ReLUs."""
    return torch.relu(x) + torch.relu(-x)


class Residual(nn.Module):
    """``relu(x + body(x))``: two convolutions with batch norm; the sum is an accumulation in place."""

    def __init__(self, channels: int, *, spatial: int, kernel: int = 3) -> None:
        super().__init__()
        self.first = ConvNormRelu(channels, channels, spatial=spatial, kernel=kernel)
        self.second = ConvNormRelu(channels, channels, spatial=spatial, kernel=kernel, relu=False)
        # The branch begins as nothing, so a deep net starts out as a shallow one (He et al. 2018, "Bag of Tricks", 3.1).
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, ...] -> the same shape."""
        return torch.relu(x + self.second(self.first(x)))


class ConvNormRelu(nn.Module):
    """Convolution without bias, batch norm, ReLU: one matmul instruction once lowered.

    With one spatial axis the array is float32[batch, channel, 1, time]: a picture of one row, since training knows fast
    kernels (channels last) for pictures alone.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        spatial: int,
        kernel: int = 3,
        stride: int = 1,
        padding: int | None = None,
        relu: bool = True,
        groups: int = 1,
    ) -> None:
        super().__init__()
        around = (kernel - 1) // 2 if padding is None else padding
        plane = spatial == 2
        self.conv = nn.Conv2d(
            inputs,
            outputs,
            (kernel if plane else 1, kernel),
            stride=(stride if plane else 1, stride),
            padding=(around if plane else 0, around),
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, channel, row, column] -> float32[batch, channel, row, column]."""
        y = self.norm(self.conv(x))
        return torch.relu(y) if self.relu else y


def stages(sizes: Sequence[int], *, smallest: int, most: int) -> int:
    """Count how often the shortest side may be halved (rounding up) before it falls below `smallest`, at most `most`.

    >>> stages((28, 28), smallest=4, most=4)
    3
    """
    side, count = min(sizes), 0
    while count < most and (side + 1) // 2 >= smallest:
        side, count = (side + 1) // 2, count + 1
    return count
