"""A text classifier: the pieces of a token are embedded and added, a convolution reads phrases, the strongest answers count.

Source of the convolution with maximum over time: Kim 2014, "Convolutional Neural Networks for Sentence Classification".
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.signature.signature import Signature
from tacit.skeletons.choices import Open, between, choice
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
        self.words = nn.Linear(embedding, width)
        self.phrases = nn.Conv2d(embedding, width, (1, 3), padding=(0, 1))
        self.head = nn.Linear(4 * width + embedding, signature.output.width)
        self.often = 8.0 / tokens

    def forward(self, x: Tensor) -> Tensor:
        """Scores float32[batch, score]."""
        if self.training:
            # The same sum by a kernel that is made for it; lowering sees the plain form below.
            flat = F.embedding_bag(x.flatten(0, 1), self.embedding.weight, mode="sum", padding_idx=0)
            tokens = flat.view(x.shape[0], x.shape[1], -1)
        else:
            tokens = self.embedding(x).sum(dim=2)
        words = torch.relu(self.words(tokens))  # float32[batch, token, width]
        phrases = torch.relu(self.phrases(tokens.permute(0, 2, 1).unsqueeze(2))).squeeze(2).permute(0, 2, 1)
        found = torch.cat([words, phrases], dim=2)
        pooled = torch.cat([found.amax(dim=1), found.sum(dim=1) * self.often, tokens.sum(dim=1) * self.often], dim=1)
        scores: Tensor = self.head(self.dropout(pooled))
        return scores


def build(signature: Signature, *, embedding: int = 32, width: int = 64, dropout: float = 0.3) -> nn.Module:
    """Build the text classifier."""
    return TextNet(signature, embedding=embedding, width=width, dropout=dropout)


SIZES = ({"embedding": 16, "width": 32}, {"embedding": 32, "width": 64})
SPACE: dict[str, Open] = {"embedding": between(8, 64, log=True), "width": between(8, 128, log=True), "dropout": choice(0.1, 0.3, 0.5)}
TEXTNET = Skeleton("textnet", build, SIZES, usual=1, space=SPACE, starts=({**SIZES[1], "dropout": 0.3},), scale="width")
