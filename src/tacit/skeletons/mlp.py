"""A residual MLP for rows of numbers and categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.choices import Open, between, choice
from tacit.skeletons.layers import PiecewiseLinear, Standardise
from tacit.skeletons.table import Skeleton


class RowNet(nn.Module):
    """Numbers (standardised and piecewise-linear) and embedded categories into a residual MLP.

    Inputs, by their dtype: float32[batch, number] values, float32[batch, number] presence (1 or 0) when there are numbers;
    int32[batch, category] when there are categories, or float32[batch, category, value] shares of their values.
    """

    def __init__(self, signature: Signature, *, width: int, depth: int, bins: int, dropout: float) -> None:
        super().__init__()
        specs = signature.input.arrays
        floats = [spec for spec in specs if spec.limit is None]
        self.numbers = floats[0].shape[0] if floats else 0
        categories = next((spec for spec in specs if spec.limit is not None), None)
        self.categories = categories.shape[0] if categories is not None else 0
        embedded = 0
        if categories is not None and categories.limit is not None:
            embedded, rows = min(16, 4 + categories.limit // 4), categories.limit
            self.embeddings = nn.ModuleList(nn.Embedding(rows, embedded) for _ in range(self.categories))
            for embedding in self.embeddings:
                nn.init.normal_(embedding.weight, std=0.3)  # type: ignore[arg-type]
        if self.numbers:
            self.standardise = Standardise(self.numbers, axes=2, channel_axis=1)
            self.pieces = PiecewiseLinear(self.numbers, bins)
        inputs = self.numbers * (bins + 2) + self.categories * embedded
        self.first = nn.Linear(inputs, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, width))
            for _ in range(depth)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, signature.output.width))

    def fit_inputs(self, *arrays: np.ndarray) -> None:
        """Fit standardisation and knots on training arrays."""
        if self.numbers:
            values, present = arrays[0].astype(np.float64), arrays[1] > 0
            filled = np.where(present, values, np.nan)
            with np.errstate(all="ignore"):
                means = np.where(present.any(0), np.nanmean(np.where(present.any(0), filled, 0.0), axis=0), 0.0)
            self.standardise.fit(np.where(present, values, means))
            self.pieces.fit(values, present)

    def forward(self, *arrays: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        parts = []
        if self.numbers:
            values, present = arrays[0], arrays[1]
            known = self.standardise(values).clamp(-4.0, 4.0) * present
            pieces = self.pieces(values) * present.unsqueeze(2)
            parts += [known, present, pieces.flatten(1)]
        if self.categories:
            parts += [_rows_of(embedding.weight, arrays[-1][:, place]) for place, embedding in enumerate(self.embeddings)]
        x = self.first(torch.cat(parts, 1) if len(parts) > 1 else parts[0])
        for block in self.blocks:
            x = x + block(x)
        scores: Tensor = self.head(self.dropout(x))
        return scores


def _rows_of(table: Any, chosen: Tensor) -> Tensor:
    """Pick rows float32[batch, column] of a table by int32[batch], or mix them by their shares float32[batch, row]."""
    picked: Tensor = chosen @ table if chosen.is_floating_point() else F.embedding(chosen, table)
    return picked


def build(signature: Signature, *, width: int = 128, depth: int = 2, bins: int = 32, dropout: float = 0.2) -> nn.Module:
    """Build the MLP for rows."""
    return RowNet(signature, width=width, depth=depth, bins=bins, dropout=dropout)


SPACE: dict[str, Open] = {
    "width": between(16, 512, log=True),
    "depth": choice(0, 1, 2, 3),
    "bins": choice(8, 16, 32, 64),
    "dropout": choice(0.0, 0.1, 0.2, 0.3),
}
USUAL = {"width": 128, "depth": 2, "bins": 32, "dropout": 0.2}
MLP = Skeleton("mlp", build, ({"width": 64}, {"width": 128}, {"width": 256}), usual=1, space=SPACE, starts=(USUAL,), scale="width")
