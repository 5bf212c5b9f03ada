"""How a policy draws actions around its scores: by chances for a class, by a bell curve for a number, each part of a joint by itself.

Targets are float32[batch, target] here, a class being the float of its number, so that every output looks the same.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tacit.ground.errors import ConfigError
from tacit.signature.base import Joint, OutputType
from tacit.signature.outputs import Class, Number


class ActionDraws(nn.Module):
    """The distribution of actions given scores. log_spread: float32[number], learnt, not shipped: a binary gives the mean."""

    def __init__(self, output: OutputType) -> None:
        super().__init__()
        parts = output.parts if isinstance(output, Joint) else (output,)
        odd = [part for part in parts if not isinstance(part, Class | Number)]
        if odd:
            raise ConfigError(
                f"expected actions of the types Class and Number, got {odd[0]!r}", fix="a product of them: Class(...) * Number()"
            )
        self.output = output
        self.widths = [part.width for part in parts]
        self.kinds = [isinstance(part, Class) for part in parts]
        self.log_spread = nn.Parameter(torch.full((max(1, self.kinds.count(False)),), -0.5))
        self.has_numbers = False in self.kinds

    def draw(self, scores: Tensor, generator: torch.Generator) -> Tensor:
        """Draw one action per row: float32[batch, target]."""
        drawn, number = [], 0
        for kind, own in zip(self.kinds, torch.split(scores, self.widths, dim=1), strict=True):
            if kind:
                # The greatest of scores with Gumbel noise is a draw by their softmax.
                noise = torch.empty_like(own).exponential_(generator=generator).log()
                drawn.append((own - noise).argmax(dim=1, keepdim=True).float())
            else:
                noise = torch.empty_like(own).normal_(generator=generator)
                drawn.append(own + self.log_spread[number].exp() * noise)
                number += 1
        return torch.cat(drawn, dim=1)

    def log_chance(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Give the log probability (density) of targets, float32[batch], and the entropy, float32[batch]."""
        chance, entropy, number = scores.new_zeros(len(scores)), scores.new_zeros(len(scores)), 0
        for place, (kind, own) in enumerate(zip(self.kinds, torch.split(scores, self.widths, dim=1), strict=True)):
            if kind:
                logs = F.log_softmax(own, dim=1)
                chance = chance + logs.gather(1, targets[:, place : place + 1].long())[:, 0]
                entropy = entropy - (logs.exp() * logs).sum(dim=1)
            else:
                spread = self.log_spread[number]
                off = (targets[:, place] - own[:, 0]) / spread.exp()
                chance = chance - 0.5 * off**2 - spread - 0.5 * math.log(2 * math.pi)
                entropy = entropy + spread + 0.5 * math.log(2 * math.pi * math.e)
                number += 1
        return chance, entropy

    def to_targets(self, drawn: np.ndarray) -> np.ndarray:
        """Turn float32[batch, target] into targets as the output type has them (int64[batch] for a class)."""
        return drawn[:, 0].astype(np.int64) if isinstance(self.output, Class) else drawn
