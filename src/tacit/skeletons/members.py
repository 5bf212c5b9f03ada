"""Several networks of one skeleton side by side, whose scores are averaged: less variance for more multiplications.

Each member learns for itself (the loss is the mean of the members' losses), so they differ as their first weights do. Source:
Lakshminarayanan et al. 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn


class Members(nn.Module):
    """Give float32[batch, member, score] while training, their mean float32[batch, score] otherwise."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.has_front = hasattr(networks[0], "front")
        if self.has_front:
            for network in networks[1:]:
                network.front = networks[0].front

    def fit_inputs(self, *arrays: np.ndarray) -> None:
        """Fit every member to the training arrays."""
        for network in self.networks:
            if hasattr(network, "fit_inputs"):
                network.fit_inputs(*arrays)  # type: ignore[operator]

    def __getattr__(self, name: str) -> Tensor | nn.Module:
        if name in ("front", "front_spec") and self.has_front:
            found: Tensor | nn.Module = getattr(self.networks[0], name)
            return found
        if name == "behind_front" and self.has_front:
            return self._behind_front  # type: ignore[return-value]
        return super().__getattr__(name)

    def _together(self, scores: list[Tensor]) -> Tensor:
        return torch.stack(scores, dim=1) if self.training else sum(scores[1:], scores[0]) * (1.0 / len(scores))

    def _behind_front(self, x: Tensor) -> Tensor:
        return self._together([network.behind_front(x) for network in self.networks])  # type: ignore[operator]

    def forward(self, *arrays: Tensor) -> Tensor:
        """Scores of all members, or their mean."""
        if self.has_front:
            return self._behind_front(self.networks[0].front(*arrays))  # type: ignore[operator]
        return self._together([network(*arrays) for network in self.networks])
