"""A text classifier: the pieces of a token are embedded and added, a convolution reads phrases, the strongest answers count.

Source of the convolution with maximum over time: Kim 2014, "Convolutional Neural Networks for Sentence Classification".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.table import Skeleton


class TextNet(nn.Module):
    """int32[batch, token, piece] -> scores float32[batch, score]. Row 0 of the embedding is padding and stays zero."""

    def __init__(self, signature: Signature, *, embedding: int, width: int, dropout: float) -> None:
        super().__init__()
        (spec,) = signature.input.arrays
        tokens, pieces = spec.shape
        self.pieces = pieces
        self.embedding = nn.Embedding(spec.limit or 1, embedding, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=0.3 / pieces**0.5)
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        self.dropout = nn.Dropout(dropout)
        self.words = nn.Conv1d(embedding, width, 1)
        self.phrases = nn.Conv1d(embedding, width, 3, padding=1)
        self.head = nn.Linear(4 * width, signature.output.width)
        self.often = 8.0 / tokens

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        tokens = self.embedding(x).sum(dim=2).permute(0, 2, 1)  # float32[batch, embedding, token]
        tokens = self.dropout(tokens)
        found = torch.cat([torch.relu(self.words(tokens)), torch.relu(self.phrases(tokens))], dim=1)
        pooled = torch.cat([found.amax(dim=2), found.sum(dim=2) * self.often], dim=1)
        scores: Tensor = self.head(self.dropout(pooled))
        return scores


def build(signature: Signature, *, embedding: int = 32, width: int = 64, dropout: float = 0.3) -> nn.Module:
    """Build the text classifier."""
    return TextNet(signature, embedding=embedding, width=width, dropout=dropout)


TEXTNET = Skeleton("textnet", build, ({"embedding": 16, "width": 32}, {"embedding": 32, "width": 64}), usual=1)
