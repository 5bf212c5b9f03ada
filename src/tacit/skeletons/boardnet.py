"""A residual ConvNet for boards that keeps every square: scores of moves, and what the position is worth.

Source: Silver et al. 2018, "A general reinforcement learning algorithm" (AlphaZero), the supplement on the network.
"""

from __future__ import annotations

from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.layers import ConvNormRelu, Residual
from tacit.skeletons.table import Skeleton

_SCORE_PLANES, _WORTH_PLANES = 4, 2


class BoardNet(nn.Module):
    """float32[batch, plane, row, column] -> scores float32[batch, score], and where asked worth float32[batch, 1] before a tanh."""

    def __init__(self, signature: Signature, *, width: int, depth: int, worth: bool) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        planes, rows, columns = spec.shape
        self.body = nn.Sequential(ConvNormRelu(planes, width, spatial=2), *(Residual(width, spatial=2) for _ in range(depth)))
        self.score_planes = ConvNormRelu(width, _SCORE_PLANES, spatial=2, kernel=1)
        self.scores = nn.Linear(_SCORE_PLANES * rows * columns, signature.output.width)
        self.worth_planes = ConvNormRelu(width, _WORTH_PLANES, spatial=2, kernel=1) if worth else None
        self.worth = nn.Sequential(nn.Linear(_WORTH_PLANES * rows * columns, width), nn.ReLU(), nn.Linear(width, 1)) if worth else None

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Scores of moves, and the worth of the position to the player whose turn it is."""
        x = self.body(x)
        scores: Tensor = self.scores(self.score_planes(x).flatten(1))
        if self.worth is None or self.worth_planes is None:
            return scores
        worth: Tensor = self.worth(self.worth_planes(x).flatten(1))
        return scores, worth


def build(signature: Signature, *, width: int = 32, depth: int = 2, worth: bool = False) -> nn.Module:
    """Build the network for boards; worth: also give what a position is worth."""
    return BoardNet(signature, width=width, depth=depth, worth=worth)


BOARDNET = Skeleton("boardnet", build, ({"width": 16}, {"width": 32}, {"width": 64}), usual=1)
