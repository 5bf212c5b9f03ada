"""A recogniser for sounds whose front end is part of the network: spectrum and logarithm by matmul and ReLU alone.

Frames are multiplied with cosines and sines (a convolution), ``|re| + |im|`` stands for the magnitude, triangular filters on
the mel scale gather it, and the logarithm is its own piecewise-linear interpolation: a sum of ReLUs at geometric knots.
Nothing of this is learnt, so training computes it once.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.signature.audio import framing
from tacit.signature.base import ArraySpec
from tacit.signature.signature import Signature
from tacit.signature.symbols import Symbols
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.layers import ConvNormRelu, Logarithm, Residual, absolute
from tacit.skeletons.table import Skeleton


def mel_filters(bands: int, *, window: int, rate: int) -> np.ndarray:
    """Give float32[band, bin]: triangles of equal width on the mel scale, 2595 log10(1 + f/700), from 60 Hz to half the rate."""
    mel = np.linspace(2595 * math.log10(1 + 60 / 700), 2595 * math.log10(1 + rate / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(window // 2 + 1) * rate / window
    rise = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0.0, np.minimum(rise, fall))
    normal: np.ndarray = (triangles / np.maximum(triangles.sum(1, keepdims=True), 1e-9)).astype(np.float32)
    return normal


class LogMel(nn.Module):
    """int16-valued samples float32[batch, sample] -> float32[batch, band, frame]."""

    waves: Tensor
    filters: Tensor

    def __init__(self, *, rate: int, bands: int, window: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        time = np.arange(window)
        phase = 2 * np.pi * np.outer(np.arange(window // 2 + 1), time) / window
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * (time + 0.5) / window)
        waves = np.concatenate([np.cos(phase), np.sin(phase)]) * hann * (4.0 / window / 32768.0)
        self.register_buffer("waves", torch.from_numpy(waves.astype(np.float32))[:, None])
        self.register_buffer("filters", torch.from_numpy(mel_filters(bands, window=window, rate=rate))[:, :, None])
        self.log = Logarithm(1e-5, 1.0, knots=15)

    def forward(self, x: Tensor) -> Tensor:
        """Give the interpolated logarithm of the mel spectrum, about 0 for silence and 11.5 for full scale."""
        spectrum = nn.functional.conv1d(x.unsqueeze(1), self.waves, stride=self.hop)
        magnitude = absolute(spectrum)
        real, imaginary = magnitude.chunk(2, dim=1)
        mel = nn.functional.conv1d(real + imaginary, self.filters)
        level: Tensor = self.log(mel)
        return level


class AudioNet(nn.Module):
    """Fixed log-mel front, convolutions over time, and a head: of the mean over time, or of each step for an output that has steps."""

    def __init__(self, signature: Signature, *, width: int, depth: int, bands: int, dropout: float, centred: float) -> None:
        super().__init__()
        self.centred = centred
        (spec,) = signature.input.arrays
        rate: int = signature.input.rate  # type: ignore[attr-defined]
        window, hop = framing(rate)
        self.front = LogMel(rate=rate, bands=bands, window=window, hop=hop)
        frames = (spec.shape[0] - window) // hop + 1
        self.front_spec = ArraySpec("mel", (bands, frames), "float32", ("channel", "time"))
        output = signature.output
        self.steps = output.steps if isinstance(output, Symbols) else 0
        strides = strides_for(frames, self.steps) if self.steps else (2, 2, 2)
        layers: list[nn.Module] = [nn.BatchNorm2d(bands), ConvNormRelu(bands, width, spatial=1, kernel=5)]
        for stage, stride in enumerate(strides):
            wide = width * (1 if stage == 0 else 2)
            layers += [Residual(wide, spatial=1, kernel=3) for _ in range(depth)]
            layers.append(ConvNormRelu(wide, 2 * width, spatial=1, kernel=3, stride=stride))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * width, output.width // self.steps if self.steps else output.width)

    def behind_front(self, x: Tensor) -> Tensor:
        """float32[batch, band, frame] -> scores float32[batch, score]; those of steps stand one step after the other."""
        if self.centred:
            x = x - self.centred * x.mean(dim=2, keepdim=True)
        y = self.body(x.unsqueeze(2))
        if self.steps:
            scores: Tensor = self.head(self.dropout(y.squeeze(2).transpose(1, 2)))  # [batch, step, name + 1]
            return scores.flatten(1)
        scores = self.head(self.dropout(y.mean(dim=(2, 3))))
        return scores

    def forward(self, x: Tensor) -> Tensor:
        """float32[batch, sample] -> scores float32[batch, score]."""
        return self.behind_front(self.front(x))


def strides_for(frames: int, steps: int) -> tuple[int, ...]:
    """Give the strides of the three stages by which frames become steps; each halves them, rounding up, or keeps them.

    Raises: ConfigError when `steps` is none of the four numbers that can be had.

    >>> strides_for(97, 25)
    (2, 2, 1)
    """
    possible = [-(-frames // 2**halvings) for halvings in range(4)]
    if steps not in possible:
        raise ConfigError(
            f"expected {', '.join(map(str, possible[:-1]))} or {possible[-1]} steps of an output for {frames} frames, got {steps}",
            fix=f"steps = {possible[2]}",
        )
    halvings = possible.index(steps)
    return (2,) * halvings + (1,) * (3 - halvings)


def build(
    signature: Signature, *, width: int = 64, depth: int = 1, bands: int = 40, dropout: float = 0.2, centred: float = 0.0
) -> nn.Module:
    """Build the network for sounds.

    centred: share of its mean over time that is taken from each band, by which rooms and microphones differ; less than 1 where part of
    what is heard is silence, which draws the mean down. Source: Atal 1974, "Effectiveness of linear prediction characteristics of the
    speech wave for automatic speaker identification and verification" (the whole mean, of cepstra).
    """
    return AudioNet(signature, width=width, depth=depth, bands=bands, dropout=dropout, centred=centred)


SPACE: dict[str, Open] = {
    "width": between(8, 128, log=True),
    "depth": choice(0, 1, 2),
    "bands": choice(20, 32, 40),
    "dropout": choice(0.1, 0.2, 0.3),
}
USUAL = {"width": 64, "depth": 1, "bands": 40, "dropout": 0.2}
AUDIONET = Skeleton("audionet", build, ({"width": 32}, {"width": 64}, {"width": 96}), usual=1, space=SPACE, starts=(USUAL,), scale="width")
