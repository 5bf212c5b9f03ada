"""What a driver may use of a binary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tacit.signature.signature import Signature


class Driven(Protocol):
    """A binary, as a driver sees it."""

    @property
    def signature(self) -> Signature:
        """The types of the input and the output."""

    def run(self, arrays: Sequence[np.ndarray], entry: str = "main") -> list[np.ndarray]:
        """Run an entry point on arrays with a leading axis of examples."""
