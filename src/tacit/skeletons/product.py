"""A network for several inputs at once: the usual network of each part gives features, a linear layer joins them."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.signature.base import Product, Signature
from tacit.signature.outputs import Class
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.table import SKELETONS, Skeleton


class ProductNet(nn.Module):
    """Arrays of all parts, one after the other -> scores float32[batch, score]."""

    def __init__(self, signature: Signature, *, features: int, width: int) -> None:
        super().__init__()
        product = signature.input
        if not isinstance(product, Product):
            raise ConfigError(f"expected a product of inputs, got {product!r} - at the skeleton `product`", fix="name another skeleton")
        # A network for a part is one that gives `features` scores; what they stand for is learnt.
        unnamed = Class(tuple(map(str, range(features))))
        networks = []
        for part in product.parts:
            skeleton: Skeleton = SKELETONS.get(part.skeleton)
            settings = {"width": width} if any("width" in size for size in skeleton.sizes) else {}
            networks.append(skeleton.build(Signature(part, unnamed), **settings))
        self.networks = nn.ModuleList(networks)
        ends = list(itertools.accumulate(len(part.arrays) for part in product.parts))
        self.places = tuple(zip([0, *ends[:-1]], ends, strict=True))
        self.norm = nn.BatchNorm1d(features * len(networks))
        self.head = nn.Linear(features * len(networks), signature.output.width)

    def fit_inputs(self, *arrays: np.ndarray) -> None:
        """Fit every part to its own training arrays."""
        for network, (start, end) in zip(self.networks, self.places, strict=True):
            if hasattr(network, "fit_inputs"):
                network.fit_inputs(*arrays[start:end])  # type: ignore[operator]

    def forward(self, *arrays: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        found = [network(*arrays[start:end]) for network, (start, end) in zip(self.networks, self.places, strict=True)]
        scores: Tensor = self.head(torch.relu(self.norm(torch.cat(found, dim=1))))
        return scores


def build(signature: Signature, *, features: int = 32, width: int = 16) -> nn.Module:
    """Build the network for a product of inputs."""
    return ProductNet(signature, features=features, width=width)


SPACE: dict[str, Open] = {"width": between(8, 64, log=True), "features": choice(16, 32, 64)}
USUAL = {"width": 16, "features": 32}
PRODUCT = Skeleton("product", build, ({"width": 16}, {"width": 32}, {"width": 64}), space=SPACE, starts=(USUAL,), scale="width")
