"""A plain network for vectors: standardise, linear layers with ReLUs between them."""

from __future__ import annotations

import itertools
import math

import numpy as np
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.layers import Standardise
from tacit.skeletons.table import Skeleton


class VectorNet(nn.Module):
    """float32[batch, value] -> scores float32[batch, score]."""

    def __init__(self, signature: Signature, *, width: int, depth: int) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        count = math.prod(spec.shape)
        self.standardise = Standardise(count, axes=2, channel_axis=1)
        widths = [count, *([width] * depth)]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.head = nn.Linear(widths[-1], signature.output.width)
        for layer in self.hidden:
            # Orthogonal weights with the gain of a ReLU (Huang et al. 2022, "The 37 Implementation Details of PPO", detail 2).
            nn.init.orthogonal_(layer.weight, math.sqrt(2.0))  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def fit_inputs(self, array: np.ndarray) -> None:
        """Fit the standardisation on training arrays, [example, *shape]."""
        self.standardise.fit(array.reshape(len(array), -1))

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        x = self.standardise(x.flatten(1))
        for layer in self.hidden:
            x = layer(x).relu()
        scores: Tensor = self.head(x)
        return scores


def build(signature: Signature, *, width: int = 64, depth: int = 2) -> nn.Module:
    """Build the network for vectors."""
    return VectorNet(signature, width=width, depth=depth)


VECTORNET = Skeleton("vectornet", build, ({"width": 32}, {"width": 64}, {"width": 128}), usual=1)
