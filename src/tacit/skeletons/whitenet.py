"""A residual ConvNet behind a fixed first layer that whitens patches of the training pictures.

Neighbouring levels of a photo are nearly equal, and gradient descent spends its first passes on undoing that. Here the first layer is
computed instead: the principal directions of patches, each divided by its deviation, with both signs, so that the ReLU behind it loses
nothing. It never learns, so training neither needs its gradient nor that of its input; lowered, it is one matmul like any other.
Source: Page 2019, "How to Train Your ResNet 8"; Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 3.2 (arXiv 2404.00498).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.blocks import BLOCKS
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.layers import ConvNormRelu, stages
from tacit.skeletons.table import Skeleton

#: Patches are drawn from at most so many pictures, at most so many from each.
_PICTURES, _PLACES = 4096, 16
#: Variance that is added to each direction, as a share of that of a level: what is fainter is noise, and stays faint.
_NOISE = 5e-4
#: At most so many directions are kept; the faintest are left out.
DIRECTIONS = 48


class Whitening(nn.Module):
    """Levels float32[batch, row, column, channel] -> float32[batch, 2 x direction, row, column], at least 0.

    kernel, stride: of the patches. Before `fit_inputs` the directions are drawn at random.
    """

    weight: Tensor
    mean: Tensor

    def __init__(self, channels: int, *, kernel: int, stride: int, padding: int, directions: int) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding
        kept = min(directions, channels * kernel * kernel)
        drawn = torch.randn(kept, channels, kernel, kernel) / (64.0 * kernel)
        self.register_buffer("weight", torch.cat([drawn, -drawn]))
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))

    def fit(self, array: np.ndarray) -> None:
        """Set the directions from pictures[example, row, column, channel]; the same pictures give the same ones."""
        patches = _patches(array, self.kernel)
        level = patches.reshape(-1, array.shape[-1]).mean(0)
        spread = max(float(patches.reshape(-1, array.shape[-1]).std(0).mean()), 1e-3)
        flat = ((patches - level) / spread).transpose(0, 3, 1, 2).reshape(len(patches), -1)
        values, vectors = np.linalg.eigh(flat.T @ flat / len(flat))
        kept = len(self.weight) // 2
        strongest = vectors[:, ::-1][:, :kept] / np.sqrt(np.maximum(values[::-1][:kept], 0.0) + _NOISE)
        strongest *= np.where(strongest.sum(0) < 0, -1.0, 1.0)
        weight = torch.from_numpy((strongest.T / spread).reshape(kept, array.shape[-1], self.kernel, self.kernel).astype(np.float32))
        self.weight.copy_(torch.cat([weight, -weight]))
        self.mean.copy_(torch.from_numpy(level.astype(np.float32)).reshape(self.mean.shape))

    def forward(self, x: Tensor) -> Tensor:
        """Whiten; beyond the border stands the mean."""
        centred = x.permute(0, 3, 1, 2) - self.mean
        return torch.relu(nn.functional.conv2d(centred, self.weight, stride=self.stride, padding=self.padding))


def _patches(array: np.ndarray, kernel: int) -> np.ndarray:
    """Give float64[patch, row, column, channel] from places that are drawn anew for each picture."""
    generator = np.random.default_rng(0)
    chosen = array[:: max(1, len(array) // _PICTURES)][:_PICTURES]
    rows, columns = array.shape[1] - kernel + 1, array.shape[2] - kernel + 1
    found = []
    for picture in chosen:
        for row, column in zip(generator.integers(0, rows, _PLACES), generator.integers(0, columns, _PLACES), strict=True):
            found.append(picture[row : row + kernel, column : column + kernel])
    return np.stack(found).astype(np.float64)


class WhiteNet(nn.Module):
    """Whitening, one convolution over channels, stages of residual blocks, mean over the plane, linear.

    The input is float32[batch, row, column, channel]; its plane may be smaller than the signature's, as in the first part of a run.
    """

    def __init__(self, signature: Signature, *, width: int, depths: tuple[int, ...], growth: float, block: str, dropout: float) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        rows, columns, channels = spec.shape
        stride = _stride(min(rows, columns))
        kernel = max(3, 2 * stride)
        self.white = Whitening(channels, kernel=kernel, stride=stride, padding=(kernel - stride + 1) // 2, directions=DIRECTIONS)
        make = partial(BLOCKS.get(block), spatial=2, kernel=3)
        layers: list[nn.Module] = [ConvNormRelu(len(self.white.weight), width, spatial=2, kernel=1)]
        layers += [make(width) for _ in range(depths[0])]
        wide, left = width, tuple(-(-side // stride) for side in (rows, columns))
        for stage in range(stages(left, smallest=4, most=4)):
            wider = round(wide * growth) if stage < 2 else wide
            layers.append(ConvNormRelu(wide, wider, spatial=2, stride=2))
            wide = wider
            layers += [make(wide) for _ in range(depths[min(stage + 1, len(depths) - 1)])]
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(wide, signature.output.width)

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the whitening to training arrays, shape [example, row, column, channel]."""
        self.white.fit(array)

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        scores: Tensor = self.head(self.dropout(self.body(self.white(x)).mean(dim=(2, 3))))
        return scores


def _stride(side: int) -> int:
    """Give the stride of the first layer: the plane behind it has 8 to 32 places a side, for pictures up to 128.

    >>> [_stride(side) for side in (8, 28, 32, 64, 96)]
    [1, 2, 2, 4, 4]
    """
    return 1 if side < 20 else 2 if side < 48 else 4


def build(
    signature: Signature,
    *,
    width: int = 64,
    depth: int = 1,
    depth_0: int | None = None,
    depth_1: int | None = None,
    depth_2: int | None = None,
    growth: float = 2.0,
    block: str = "residual",
    dropout: float = 0.0,
) -> nn.Module:
    """Build the network for pictures, float32[batch, row, column, channel].

    width: channels behind the whitening; growth: by how much the first two halvings of the plane multiply them. depth: residual blocks at
    each size of the plane; depth_0, depth_1, depth_2: behind that many halvings, where it differs (the last one holds for all further).
    block: a name in `tacit.skeletons.blocks.BLOCKS`.
    """
    depths = tuple(depth if own is None else own for own in (depth_0, depth_1, depth_2))
    return WhiteNet(signature, width=width, depths=depths, growth=growth, block=block, dropout=dropout)


SPACE: dict[str, Open] = {
    "width": between(8, 128, log=True),
    "growth": choice(1.4, 2.0),
    "depth_0": choice(0, 1),
    "depth_1": choice(0, 1, 2),
    "depth_2": choice(0, 1, 2),
    "block": choice("residual", "bottleneck", "grouped"),
}
SIZES: tuple[dict[str, Any], ...] = tuple(
    {"width": width, "depth_0": first} for width, first in ((8, 0), (16, 0), (32, 0), (48, 0), (64, 0), (64, 1), (96, 1))
)
USUAL = {"width": 32, "growth": 2.0, "depth_0": 0, "depth_1": 1, "depth_2": 1, "block": "residual"}
WHITENET = Skeleton("whitenet", build, SIZES, usual=2, space=SPACE, starts=(USUAL,), scale="width")
