"""Gaussian mixtures with diagonal covariances, one for each state of hidden Markov models; all states are scored in one product."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_ROUNDS = 2
_LEAST_SHARE = 1e-3
_LEAST_VARIANCE = 0.02  # of the variance over all frames


@dataclass(frozen=True, eq=False)
class Mixtures:
    """means, variances: float64[state, part, feature]. shares: float64[state, part], which sum to 1 over the parts."""

    means: np.ndarray
    variances: np.ndarray
    shares: np.ndarray

    def log_likelihoods(self, frames: np.ndarray) -> np.ndarray:
        """Give float32[frame, state] of frames float32[frame, feature]."""
        states, parts, features = self.means.shape
        inverse = 1.0 / self.variances
        constant = np.log(self.shares) - 0.5 * (np.log(2 * np.pi * self.variances) + self.means**2 * inverse).sum(axis=2)
        linear = (self.means * inverse).reshape(-1, features).T.astype(np.float32)
        square = (-0.5 * inverse).reshape(-1, features).T.astype(np.float32)
        single = np.asarray(frames, np.float32)
        each = single @ linear + (single * single) @ square + constant.reshape(-1).astype(np.float32)
        each = each.reshape(len(single), states, parts)
        greatest = np.asarray(each.max(axis=2))
        if parts == 1:
            return greatest
        return np.asarray(greatest + np.log(np.exp(each - greatest[:, :, None]).sum(axis=2)))


def fit_mixtures(frames: np.ndarray, states: np.ndarray, count: int, *, before: Mixtures | None = None, split: bool = False) -> Mixtures:
    """Fit the mixtures of `count` states to the frames that each of them was given, states int[frame].

    before: from where expectation and maximisation go on (None: one Gaussian each). split: double the parts first, each going a fifth
    of a deviation to both sides. A state without frames keeps what it had, or gets all frames.
    """
    spread = np.asarray(frames, np.float64).var(axis=0)
    order = np.argsort(states, kind="stable")
    bounds = np.searchsorted(states[order], np.arange(count + 1))
    fitted = []
    for state in range(count):
        own = np.asarray(frames[order[bounds[state] : bounds[state + 1]]], np.float64)
        old = None if before is None else (before.means[state], before.variances[state], before.shares[state])
        fitted.append(_fit(own if len(own) >= 2 else np.asarray(frames, np.float64) if old is None else own, old, spread, split=split))
    means, variances, shares = (np.stack(part) for part in zip(*fitted, strict=True))
    return Mixtures(means, variances, shares)


Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


def _fit(frames: np.ndarray, old: Parts | None, spread: np.ndarray, *, split: bool) -> Parts:
    least = _LEAST_VARIANCE * spread
    if old is None:
        return frames.mean(axis=0)[None], np.maximum(frames.var(axis=0), least)[None], np.ones(1)
    means, variances, shares = old
    if split:
        away = 0.2 * np.sqrt(variances)
        means, variances, shares = (
            np.concatenate([means - away, means + away]),
            np.concatenate([variances] * 2),
            np.concatenate([shares] * 2) / 2,
        )
    if len(frames) < 2 * len(means):
        return means, variances, shares
    squares = frames * frames
    for _ in range(_ROUNDS):
        inverse = 1.0 / variances
        constant = np.log(shares) - 0.5 * (np.log(variances) + means**2 * inverse).sum(axis=1)
        each = frames @ (means * inverse).T - 0.5 * squares @ inverse.T + constant
        belongs = np.exp(each - each.max(axis=1, keepdims=True))
        belongs /= belongs.sum(axis=1, keepdims=True)
        weight = belongs.sum(axis=0)
        alive = weight > 2.0
        safe = np.where(alive, weight, 1.0)[:, None]
        means = np.where(alive[:, None], belongs.T @ frames / safe, means)
        variances = np.where(alive[:, None], np.maximum(belongs.T @ squares / safe - means**2, least), variances)
        shares = np.maximum(weight / weight.sum(), _LEAST_SHARE)
        shares /= shares.sum()
    return means, variances, shares
