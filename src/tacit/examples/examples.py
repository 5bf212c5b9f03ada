"""Examples in memory: the source code of a program, as columns.

The store on disk is `tacit.examples.store`; reading what a person has is `tacit.examples.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tacit.signature.signature import Signature

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Examples:
    """Columns over `example`, the first axis of every array.

    ids: str[example], the hash of each input. inputs: one array per `signature.input.arrays`, dtype as stored there,
    shape [example, *shape]. targets: [example, *target.shape], as `signature.output.encode` gives them.
    splits: str[example], one of train, validation, test. groups: str[example] or None.
    labels_digest: hash over ids, labels and splits; the name of this version of the source code.
    """

    signature: Signature
    ids: np.ndarray
    inputs: tuple[np.ndarray, ...]
    targets: np.ndarray
    splits: np.ndarray
    groups: np.ndarray | None = None
    labels_digest: str = ""

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray | Sequence[int]) -> Examples:
        """Give the examples at `rows` (positions or a boolean mask), in that order."""
        rows = np.asarray(rows)
        groups = None if self.groups is None else self.groups[rows]
        inputs = tuple(array[rows] for array in self.inputs)
        return Examples(self.signature, self.ids[rows], inputs, self.targets[rows], self.splits[rows], groups, self.labels_digest)

    def split(self, name: str) -> Examples:
        """Give the examples of one split: train, validation or test."""
        return self.take(self.splits == name)
