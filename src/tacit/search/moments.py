"""Mean and deviation of what was seen so far, added to batch by batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class Moments:
    """float64[*shape] over all rows that were added. Source: Chan et al. 1983, "Algorithms for Computing the Sample Variance"."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.mean, self.square, self.count = np.zeros(shape), np.zeros(shape), 0

    def add(self, rows: np.ndarray) -> None:
        """Count rows [row, *shape] in."""
        count, mean = len(rows), rows.mean(axis=0, dtype=np.float64)
        square = np.square(rows - mean, dtype=np.float64).sum(axis=0)
        whole, apart = self.count + count, mean - self.mean
        self.square += square + apart**2 * (self.count * count / whole)
        self.mean += apart * (count / whole)
        self.count = whole

    def deviation(self) -> np.ndarray:
        """Give the standard deviation; 1 where nothing varies."""
        deviation = np.sqrt(self.square / max(1, self.count))
        return np.where(deviation < 1e-6 * np.maximum(1.0, np.abs(self.mean)), 1.0, deviation)

    def state(self) -> dict[str, np.ndarray]:
        """Give arrays that `restore` takes."""
        return {"mean": self.mean.copy(), "square": self.square.copy(), "count": np.array(self.count)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from `state()`."""
        self.mean, self.square, self.count = state["mean"].copy(), state["square"].copy(), int(state["count"])
