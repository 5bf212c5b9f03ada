"""Small networks with all that channels go through, and what their inputs are."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.signature.base import ArraySpec

PICTURE = ArraySpec("x", (1, 14, 14), "float32", ("channel", "row", "column"))
SERIES = ArraySpec("x", (7, 5), "float32", ("time", "channel"))


class Mixed(nn.Module):
    """Depthwise and grouped convolutions, a parameter beside, a concatenation, a chunk, a maximum, a flattening."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.depthwise = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.point = nn.Conv2d(16, 12, 1)
        self.scale = nn.Parameter(torch.randn(1, 12, 1, 1))
        self.grouped = nn.Conv2d(12, 18, 3, groups=3, padding=1)
        self.join = nn.Conv2d(30, 8, 1)
        self.flat = nn.Linear(8 * 9, 20)
        self.head = nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.depthwise(self.first(x).relu()).relu(), 4)
        y = self.point(x) * self.scale
        x = self.join(torch.cat([y, self.grouped(y).relu()], 1)).relu()
        one, other = self.flat(x.flatten(1)).chunk(2, 1)
        return self.head(torch.cat([one.relu(), torch.maximum(one, other)], 1))


class Written(nn.Module):
    """A shape that is written down: its channels can't be removed, those before can."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 4, 1)
        self.head = nn.Linear(4 * 49, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.avg_pool2d(self.second(self.first(x).relu()).relu(), 2).view(x.shape[0], 4 * 49))


class Attention(nn.Module):
    """What is compared by a product stays; values and what is added to go."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(5, 16)
        self.query, self.key, self.value = nn.Linear(16, 8), nn.Linear(16, 8), nn.Linear(16, 12)
        self.out = nn.Linear(12, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x)
        shares = (self.query(x) @ self.key(x).transpose(1, 2)).relu() / 10
        return self.head((x + self.out(shares @ self.value(x))).mean(1).relu())


class Widening(nn.Module):
    """A transposed convolution, and an input beside what comes out of it."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.join = nn.Conv2d(7, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.join(torch.cat([x, self.up(self.down(x).relu())], 1)).relu().mean((2, 3)))


class Residual(nn.Module):
    """A shortcut around two convolutions with batch norms; what is added to is one group."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.one, self.one_norm = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.two, self.two_norm = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.head = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem_norm(self.stem(x)).relu()
        x = (x + self.two_norm(self.two(self.one_norm(self.one(x)).relu()))).relu()
        return self.head(x.mean((2, 3)))


def lively(network: nn.Module, seed: int = 0) -> nn.Module:
    """Give batch norms statistics as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None and part.running_var is not None:
            part.running_mean.copy_(0.3 * torch.randn(part.num_features, generator=generator))
            part.running_var.copy_(0.5 + torch.rand(part.num_features, generator=generator))
            part.weight.data.copy_(0.5 + torch.rand(part.num_features, generator=generator))
            part.bias.data.copy_(0.2 * torch.randn(part.num_features, generator=generator))
    return network.eval()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], ArraySpec]] = {
    "mixed": (Mixed, PICTURE),
    "written": (Written, PICTURE),
    "attention": (Attention, SERIES),
    "widening": (Widening, PICTURE),
    "residual": (Residual, PICTURE),
}
