"""Examples in memory: the source code of a program, as columns.

The store on disk is `tacit.examples.store`; reading what a person has is `tacit.examples.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.signature.signature import Signature

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, eq=False)
class Examples:
    """Columns over `example`, the first axis of every array.

    ids: str[example], the hash of each input. inputs: one array per `signature.input.arrays`, dtype as stored there,
    shape [example, *shape]. targets: [example, *target.shape], as `signature.output.encode` gives them.
    splits: str[example], one of train, validation, test. groups: str[example] or None.
    labels_digest: hash over ids, labels and splits; the name of this version of the source code. disputes: how many examples of
    the program people label differently; left_out: how many of these have no label that most give, and so are not among the others.
    """

    signature: Signature
    ids: np.ndarray
    inputs: tuple[np.ndarray, ...]
    targets: np.ndarray
    splits: np.ndarray
    groups: np.ndarray | None = None
    labels_digest: str = ""
    disputes: int = 0
    left_out: int = 0

    @classmethod
    def none(cls, signature: Signature) -> Examples:
        """Give no examples of a signature: what a program has that learns by acting.

        >>> from tacit.signature.types import signature_from_json
        >>> len(Examples.none(signature_from_json({"input": {"type": "vector", "size": 2}, "output": {"type": "number"}})))
        0
        """
        inputs = tuple(np.zeros((0, *spec.shape), spec.dtype) for spec in signature.input.arrays)
        target = signature.output.target
        names = np.zeros(0, "<U24")
        return cls(signature, names, inputs, np.zeros((0, *target.shape), target.dtype), names)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray | Sequence[int]) -> Examples:
        """Give the examples at `rows` (positions or a boolean mask), in that order."""
        rows = np.asarray(rows)
        groups = None if self.groups is None else self.groups[rows]
        inputs = tuple(array[rows] for array in self.inputs)
        return replace(self, ids=self.ids[rows], inputs=inputs, targets=self.targets[rows], splits=self.splits[rows], groups=groups)

    def split(self, name: str) -> Examples:
        """Give the examples of one split: train, validation or test."""
        return self.take(self.splits == name)
