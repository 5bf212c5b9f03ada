"""Augmentations: label-preserving changes of a training batch, by the names of the axes they act on.

Each takes float32[batch, ...] with the axes of `spec` and a generator, and gives an array of the same shape. They work on raw
values, before the network's own standardisation, and draw all randomness from the generator, so a step can be repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tacit.ground.tables import Table
from tacit.signature.base import ArraySpec

Augmentation = Callable[[Tensor, ArraySpec, torch.Generator], Tensor]

_SPACE = ("row", "column", "time", "sample")


def shift(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Move every example by up to a twelfth of each spatial axis; what comes in is what stood at the edge."""
    for axis, (name, size) in enumerate(zip(spec.axes, spec.shape, strict=True), start=1):
        reach = max(1, round(size / 12)) if size > 4 else 0
        if name in _SPACE and reach:
            by = torch.randint(-reach, reach + 1, (len(x), 1), generator=generator)
            places = (torch.arange(size) + by).clamp_(0, size - 1).to(x.device)
            shape = [1] * x.ndim
            shape[0], shape[axis] = len(x), size
            x = torch.gather(x, axis, places.reshape(shape).expand(x.shape))
    return x


def flip(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Mirror half of the examples from left to right."""
    if "column" not in spec.axes:
        return x
    axis = spec.axes.index("column") + 1
    chosen = (torch.rand(len(x), generator=generator) < 0.5).to(x.device).reshape([-1] + [1] * (x.ndim - 1))
    return torch.where(chosen, x.flip(axis), x)


def upend(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Mirror half of the examples from top to bottom: for what lies on a table, or is seen from above."""
    if "row" not in spec.axes:
        return x
    axis = spec.axes.index("row") + 1
    chosen = (torch.rand(len(x), generator=generator) < 0.5).to(x.device).reshape([-1] + [1] * (x.ndim - 1))
    return torch.where(chosen, x.flip(axis), x)


def affine(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Turn (up to 10 degrees), stretch (up to 10 %), shear and shift pictures, with bilinear interpolation."""
    if spec.axes != ("row", "column", "channel"):
        return x
    count = len(x)
    angle, shear = ((torch.rand(2, count, generator=generator) * 2 - 1) * torch.tensor([[math.radians(10)], [0.1]])).unbind(0)
    stretch = 1 + (torch.rand(2, count, generator=generator) * 2 - 1) * 0.1
    move = (torch.rand(2, count, generator=generator) * 2 - 1) * 0.15
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([cos * stretch[0], -sin * stretch[1] + shear, move[0]], dim=1)
    second = torch.stack([sin * stretch[0], cos * stretch[1], move[1]], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), [count, 1, *spec.shape[:2]], align_corners=False).to(x.device)
    pictures = x.permute(0, 3, 1, 2)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False).permute(0, 2, 3, 1)


def erase(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Paint over a rectangle of up to a third of each side with a random level (Zhong et al. 2017) in half of the pictures."""
    if "row" not in spec.axes or "column" not in spec.axes:
        return x
    hidden = torch.ones([len(x)] + [1] * (x.ndim - 1), dtype=torch.bool)
    for name in ("row", "column"):
        axis, size = spec.axes.index(name) + 1, spec.shape[spec.axes.index(name)]
        length = torch.randint(1, max(2, size // 3 + 1), (len(x), 1), generator=generator)
        start = torch.randint(-(size // 6), size, (len(x), 1), generator=generator)
        inside = (torch.arange(size) >= start) & (torch.arange(size) < start + length)
        shape = [1] * x.ndim
        shape[0], shape[axis] = len(x), size
        hidden = hidden & inside.reshape(shape)
    chosen = torch.rand(len(x), generator=generator) < 0.5
    level = torch.rand(len(x), generator=generator) * 255.0
    shape = [-1] + [1] * (x.ndim - 1)
    hidden = (hidden & chosen.reshape(shape)).to(x.device)
    return torch.where(hidden, level.reshape(shape).to(x.device), x)


def scale(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Multiply each example by a factor from 0.8 to 1.25 (each channel of a series by its own)."""
    if spec.limit is not None:
        return x
    shape = [len(x), spec.shape[0]] + [1] * (x.ndim - 2) if "channel" in spec.axes[:1] else [len(x)] + [1] * (x.ndim - 1)
    factor = torch.exp((torch.rand(shape, generator=generator) * 2 - 1) * math.log(1.25))
    return x * factor.to(x.device)


def gain(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Make samples louder or softer by up to 9 decibels; on a logarithmic spectrum that is an added level."""
    if spec.limit is not None:
        return x
    decibels = (torch.rand([len(x)] + [1] * (x.ndim - 1), generator=generator) * 2 - 1).to(x.device) * 9.0
    if "sample" in spec.axes:
        return x * 10.0 ** (decibels / 20.0)
    return x + decibels * (math.log(10.0) / 20.0)


def mask(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Hide a run of up to a fifth of the channels and one of up to a fifth of the time (Park et al. 2019, SpecAugment)."""
    if "channel" not in spec.axes or "time" not in spec.axes:
        return x
    level = x.mean(dim=tuple(range(1, x.ndim)), keepdim=True)
    for name in ("channel", "time"):
        axis, size = spec.axes.index(name) + 1, spec.shape[spec.axes.index(name)]
        length = torch.randint(0, size // 5 + 1, (len(x), 1), generator=generator)
        start = torch.randint(0, size, (len(x), 1), generator=generator)
        hidden = (torch.arange(size) >= start) & (torch.arange(size) < start + length)
        shape = [1] * x.ndim
        shape[0], shape[axis] = len(x), size
        x = torch.where(hidden.reshape(shape).to(x.device), level, x)
    return x


def warp(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Stretch a spectrum: its channels by up to 15 % either way, its time to between 0.8 and 1.1 times as long.

    A stretch along a mel axis is another length of the vocal tract (Jaitly and Hinton 2013, "Vocal tract length perturbation"), one along
    time another speed (Ko et al. 2015, "Audio augmentation for speech recognition"). Time that was made shorter is moved, too, but not
    out of what is seen. What comes in is what stood at the edge.
    """
    if spec.limit is not None or spec.axes != ("channel", "time"):
        return x
    draws = torch.rand(4, len(x), generator=generator)
    across = torch.exp((draws[0] * 2 - 1) * math.log(1.15))
    along = torch.exp(draws[1] * math.log(1.25 * 1.1) - math.log(1.1))
    move = (draws[2] * 2 - 1) * (along - 1.0).clamp(min=0.0)
    none = torch.zeros(len(x))
    first = torch.stack([along, none, move], dim=1)
    second = torch.stack([none, across, (draws[3] * 2 - 1) * 0.05], dim=1)
    grid = F.affine_grid(torch.stack([first, second], dim=1), [len(x), 1, *spec.shape], align_corners=False).to(x.device)
    return F.grid_sample(x.unsqueeze(1), grid, padding_mode="border", align_corners=False).squeeze(1)


def floor(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Bury three quarters of the logarithmic spectra in noise: of a random level, a random slope over the channels, and rough in time."""
    if spec.limit is not None or spec.axes != ("channel", "time"):
        return x
    channels, steps = spec.shape
    draws = torch.rand(3, len(x), 1, 1, generator=generator)
    peak = x.flatten(1).amax(dim=1)[:, None, None].cpu()
    slope = torch.linspace(-1.0, 1.0, channels)[None, :, None] * (draws[1] * 4.0 - 2.0)
    level = peak - 2.5 - 6.0 * draws[0] + slope  # 22 to 74 decibels below the loudest
    rough = torch.randn(len(x), channels, steps, generator=generator) * 0.5
    buried = torch.logaddexp(x, (level + rough).to(x.device))
    return torch.where((draws[2] < 0.75).to(x.device), buried, x)


def tilt(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Add a smooth random curve along the channels of a logarithmic spectrum, up to some 9 decibels: another microphone, another room."""
    if spec.limit is not None or spec.axes != ("channel", "time"):
        return x
    place = torch.linspace(0.0, math.pi, spec.shape[0])
    curves = torch.stack([torch.cos(place * order) / order for order in (1, 2, 3)])  # [curve, channel]
    weights = torch.randn(len(x), 3, generator=generator) * 0.6
    return x + (weights @ curves)[:, :, None].to(x.device)


def dropout_tokens(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Turn a tenth of the tokens into padding."""
    if spec.limit is None or "token" not in spec.axes:
        return x
    kept = torch.rand([*x.shape[: spec.axes.index("token") + 2]] + [1] * (x.ndim - 2), generator=generator) >= 0.1
    return x * kept.to(x.device, x.dtype)


def jitter(x: Tensor, spec: ArraySpec, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise of a twentieth of the batch's standard deviation."""
    if spec.limit is not None:
        return x
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return x + noise * (0.05 * x.std())


AUGMENTATIONS = Table(
    "augmentation",
    {
        name: f"tacit.search.augmentation:{name}"
        for name in (
            *("shift", "flip", "upend", "affine", "erase", "scale"),
            *("gain", "mask", "jitter", "warp", "floor", "tilt", "dropout_tokens"),
        )
    },
    group="tacit.augmentations",
)
