"""Evolution strategies: from the ranks of a generation to the centre and the spread of the next one.

Members come in pairs, ``centre + spread * noise`` and ``centre - spread * noise`` (antithetic sampling), and only the order of their
scores counts, so any score will do, however it is scaled. Moves are float32[weight] in units of the space's scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tacit.ground.tables import Table


class Strategy(Protocol):
    """The state of a search: where its centre is, and how far members lie from it."""

    centre: Tensor
    spread: Tensor

    def tell(self, noises: Tensor, scores: np.ndarray, *, fraction: float) -> None:
        """Take one generation in.

        noises: float32[pair, weight]. scores: float64[2 pair], of ``+noise`` and ``-noise`` of each pair in turn; higher is better, NaN
        is worse than anything. fraction: how much of the search is done.
        """

    def state(self) -> dict[str, Tensor]:
        """Give everything that `restore` needs."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state()`."""


class Separable:
    """SNES: a normal distribution with a spread of its own per weight, moved along its natural gradient.

    Source: Schaul, Glasmachers and Schmidhuber 2011, "High Dimensions and Heavy Tails for Natural Evolution Strategies", section 3;
    utilities and rates: Wierstra et al. 2014, "Natural Evolution Strategies", tables 1 and 2.
    """

    def __init__(self, count: int, *, spread: float, rate: float) -> None:
        self.centre, self.spread = torch.zeros(count), torch.full((count,), spread)
        self._rate = rate
        self._spread_rate = (3.0 + math.log(count)) / (5.0 * math.sqrt(count))

    def tell(self, noises: Tensor, scores: np.ndarray, *, fraction: float) -> None:
        """Take one generation in, see `Strategy`."""
        utilities = torch.from_numpy(_utilities(scores)).float()
        plus, minus = utilities[0::2], utilities[1::2]
        self.centre = self.centre + self._rate * self.spread * ((plus - minus) @ noises)
        self.spread = self.spread * torch.exp(0.5 * self._spread_rate * ((plus + minus) @ (noises.square() - 1.0)))

    def state(self) -> dict[str, Tensor]:
        """Give everything that `restore` needs."""
        return {"centre": self.centre, "spread": self.spread}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state()`."""
        self.centre, self.spread = state["centre"], state["spread"]


class Ascent:
    """OpenAI's evolution strategy: a fixed spread, the gradient estimated from centred ranks, Adam, a rate that falls to 0.

    Source: Salimans et al. 2017, "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", algorithm 1 and section
    2.1 (antithetic pairs, fitness shaping by ranks); Adam: Kingma and Ba 2015.
    """

    FIRST, SECOND = 0.9, 0.99

    def __init__(self, count: int, *, spread: float, rate: float) -> None:
        self.centre, self.spread = torch.zeros(count), torch.full((count,), spread)
        self._rate = rate
        self._mean, self._square, self._told = torch.zeros(count), torch.zeros(count), 0

    def tell(self, noises: Tensor, scores: np.ndarray, *, fraction: float) -> None:
        """Take one generation in, see `Strategy`."""
        ranks = torch.from_numpy(shares_below(scores)).float()
        slope = ((ranks[0::2] - ranks[1::2]) @ noises) / len(noises)
        self._told += 1
        self._mean = self.FIRST * self._mean + (1.0 - self.FIRST) * slope
        self._square = self.SECOND * self._square + (1.0 - self.SECOND) * slope.square()
        mean, square = self._mean / (1.0 - self.FIRST**self._told), self._square / (1.0 - self.SECOND**self._told)
        self.centre = self.centre + self._rate * (1.0 - fraction) * mean / (square.sqrt() + 1e-8)

    def state(self) -> dict[str, Tensor]:
        """Give everything that `restore` needs."""
        told = torch.tensor(self._told)
        return {"centre": self.centre, "spread": self.spread, "mean": self._mean, "square": self._square, "told": told}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state()`."""
        self.centre, self.spread = state["centre"], state["spread"]
        self._mean, self._square, self._told = state["mean"], state["square"], int(state["told"])


STRATEGIES = Table(
    "strategy",
    {
        "separable": "tacit.search.evolution_strategies:Separable",
        "ascent": "tacit.search.evolution_strategies:Ascent",
    },
    group="tacit.strategies",
)


def shares_below(scores: np.ndarray) -> np.ndarray:
    """Give each score the share of the others that it beats, ties by half: float64[member] from 0 to 1.

    >>> shares_below(np.array([3.0, np.nan, 7.0, 7.0])).round(3).tolist()
    [0.333, 0.0, 0.833, 0.833]
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    _, place, count = np.unique(known, return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - (count + 1) / 2
    shares: np.ndarray = middle[place] / max(1, len(scores) - 1)
    return shares


def _utilities(scores: np.ndarray) -> np.ndarray:
    """Give the utilities of natural evolution strategies by rank: only the better half counts, ties get the mean of their ranks."""
    count = len(scores)
    by_rank = np.maximum(0.0, math.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    by_rank = by_rank / by_rank.sum() - 1.0 / count
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    sorted_scores = np.where(np.isnan(scores), -np.inf, scores)[order]
    _, place, members = np.unique(-sorted_scores, return_inverse=True, return_counts=True)
    utilities = np.empty(count)
    utilities[order] = (np.bincount(place, by_rank) / members)[place]
    return utilities
