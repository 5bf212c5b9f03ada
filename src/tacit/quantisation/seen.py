"""What passed through a buffer: extremes of all values, and a sample of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass
class Seen:
    """What passed through a buffer: extremes of all, and a sample of values."""

    low: float = np.inf
    high: float = -np.inf
    parts: list[Floats] = field(default_factory=list)

    def add(self, values: Floats, most: int) -> None:
        """Note some values, at most about `most` of them in the sample, evenly spaced."""
        flat = values.reshape(-1)
        self.low, self.high = min(self.low, float(flat.min())), max(self.high, float(flat.max()))
        step = max(1, -(-flat.size // most)) | 1  # odd, so that no column of a power of two is left out
        self.parts.append(np.array(flat[::step], np.float32))

    @property
    def values(self) -> Floats:
        """Give the sample."""
        return np.concatenate(self.parts) if self.parts else np.zeros(1, np.float32)
