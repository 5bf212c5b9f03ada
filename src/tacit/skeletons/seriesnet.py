"""A network for series: what an engineer would compute of a window, learnt mixtures of the channels, and a ConvNet beside it.

Of every channel, and of learnt mixtures of the channels, it takes the mean, the logarithm of the mean absolute deviation, of the
mean absolute change, and of the spectrum's amplitudes ``|re| + |im|``. The logarithm is what carries over to people and machines
that were not in the training set: without it a linear classifier of the same quantities is 2 points worse on UCI-HAR.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.layers import ConvNormRelu, Logarithm, Residual, Standardise, absolute, stages
from tacit.skeletons.table import Skeleton


class WindowStatistics(nn.Module):
    """float32[batch, channel, time] -> float32[batch, channel, statistic]: mean, log deviation, log change, log amplitudes."""

    basis: Tensor

    def __init__(self, steps: int, amplitudes: int) -> None:
        super().__init__()
        self.amplitudes = min(amplitudes, steps // 2)
        time = np.arange(steps)
        phase = 2 * np.pi * np.outer(time, np.arange(1, self.amplitudes + 1)) / steps
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / steps)
        waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1) * hann[:, None] * (2.0 / steps)
        self.register_buffer("basis", torch.from_numpy(waves.astype(np.float32)))
        self.log = Logarithm(2e-3, 4.0, knots=14)
        self.count = self.amplitudes + 3

    def forward(self, x: Tensor) -> Tensor:
        """Give float32[batch, channel, statistic]."""
        mean = x.mean(dim=2, keepdim=True)
        around = x - mean
        deviation = absolute(around).mean(dim=2, keepdim=True)
        change = absolute(x[:, :, 1:] - x[:, :, :-1]).mean(dim=2, keepdim=True)
        waves = absolute(around @ self.basis)
        spectrum = waves[:, :, : self.amplitudes] + waves[:, :, self.amplitudes :]
        return torch.cat([mean, self.log(torch.cat([deviation, change, spectrum], dim=2))], dim=2)


class SeriesNet(nn.Module):
    """float32[batch, channel, time] -> scores float32[batch, score]."""

    def __init__(
        self, signature: Signature, *, width: int, depth: int, kernel: int, mixtures: int, amplitudes: int, dropout: float
    ) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        channels, steps = spec.shape
        self.standardise = Standardise(channels, axes=3, channel_axis=1)
        self.mixtures = ConvNormRelu(channels, mixtures, spatial=1, kernel=1)
        self.statistics = WindowStatistics(steps, amplitudes)
        count = (channels + mixtures) * self.statistics.count
        self.norm = nn.BatchNorm1d(count)
        self.hidden = nn.Sequential(nn.Linear(count, 4 * width), nn.BatchNorm1d(4 * width), nn.ReLU())
        layers: list[nn.Module] = [ConvNormRelu(channels, width, spatial=1, kernel=kernel + 1, stride=2, padding=kernel // 2)]
        wide = width
        for stage in range(stages(((steps + 1) // 2,), smallest=4, most=3)):
            wider = 2 * wide if stage < 2 else wide
            layers.append(ConvNormRelu(wide, wider, spatial=1, kernel=kernel, stride=2))
            wide = wider
            layers += [Residual(wide, spatial=1, kernel=kernel) for _ in range(depth)]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(count + 4 * width + wide, signature.output.width)

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the standardisation on training arrays, shape [example, channel, time]."""
        self.standardise.fit(array)

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        x = self.standardise(x)
        row = x.unsqueeze(2)  # float32[batch, channel, 1, time]
        mixed = torch.cat([x, self.mixtures(row).squeeze(2)], dim=1)
        known = self.dropout(self.norm(self.statistics(mixed).flatten(1)))
        seen = self.body(row).mean(dim=(2, 3))
        scores: Tensor = self.head(self.dropout(torch.cat([known, self.hidden(known), seen], dim=1)))
        return scores


def build(
    signature: Signature,
    *,
    width: int = 16,
    depth: int = 1,
    kernel: int = 5,
    mixtures: int = 8,
    amplitudes: int = 32,
    dropout: float = 0.3,
) -> nn.Module:
    """Build the network for series."""
    return SeriesNet(signature, width=width, depth=depth, kernel=kernel, mixtures=mixtures, amplitudes=amplitudes, dropout=dropout)


SPACE: dict[str, Open] = {
    "width": between(4, 64, log=True),
    "depth": choice(0, 1, 2),
    "kernel": choice(3, 5, 7, 9),
    "mixtures": choice(4, 8, 16),
    "amplitudes": choice(8, 16, 32),
    "dropout": choice(0.1, 0.3, 0.5),
}
USUAL = {"width": 16, "depth": 1, "kernel": 5, "mixtures": 8, "amplitudes": 32, "dropout": 0.3}
SERIESNET = Skeleton("seriesnet", build, ({"width": 8}, {"width": 16}, {"width": 32}), usual=1, space=SPACE, starts=(USUAL,), scale="width")
