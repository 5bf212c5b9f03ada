"""What every type of an input or an output can do.

A type owns the way from a person's value to fixed arrays and back. It needs NumPy and Pillow alone. It is a frozen
dataclass whose fields are JSON values (tuples become lists), so `to_json` and `from_json` need no code in the types.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np


@dataclass(frozen=True)
class ArraySpec:
    """One array that a type becomes: its name, its shape without a batch axis, its dtype as it is *stored*.

    Stored arrays (dtype uint8, int16, float32) become float32 at the binary's boundary; int32 arrays stay integers
    and index rows of an embedding, with values in ``0 <= value < limit``.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[str, ...]
    limit: int | None = None


class Type(abc.ABC):
    """Common to inputs and outputs."""

    kind: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """Give ``{"type": kind, field: value, ...}``."""
        return {"type": self.kind, **{f.name: getattr(self, f.name) for f in dataclasses.fields(self)}}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Build from the fields of `to_json` (without ``type``); lists become tuples. Raises: ConfigError for bad values."""
        return cls(**{key: _tuples(value) for key, value in fields.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


class InputType(Type):
    """An input: reads what a person has into arrays of fixed shape."""

    #: Names of the augmentations (`tacit.search.augmentation`) that are safe for this type without being asked.
    augmentations: ClassVar[tuple[str, ...]] = ()
    #: Key of the default skeleton in `tacit.skeletons`.
    skeleton: ClassVar[str]

    @property
    @abc.abstractmethod
    def arrays(self) -> tuple[ArraySpec, ...]:
        """The arrays that `read` gives, in order."""

    @abc.abstractmethod
    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Turn a person's value (path, bytes, PIL image, array, string, dict row ...) into the arrays of `arrays`.

        Raises: InputError, naming what was expected and what came.
        """

    @abc.abstractmethod
    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Describe a value in one line of text for a terminal."""


class OutputType(Type):
    """An output: labels to targets for training, scores back to a person's value."""

    #: Keys of the default loss (`tacit.search.losses`) and metric (`tacit.goals`).
    loss: ClassVar[str]
    metric: ClassVar[str]

    @property
    @abc.abstractmethod
    def width(self) -> int:
        """How many scores the binary gives."""

    @property
    @abc.abstractmethod
    def target(self) -> ArraySpec:
        """The array that `encode` gives (shape without a batch axis)."""

    @abc.abstractmethod
    def encode(self, label: Any) -> np.ndarray:
        """Turn one label (a class name, a number, a list of names) into a target. Raises: InputError."""

    @abc.abstractmethod
    def decode(self, scores: np.ndarray) -> Any:
        """Turn float32[width] scores into a person's value (a `str`, a `float`, a list of `str`)."""

    @abc.abstractmethod
    def label(self, target: np.ndarray) -> Any:
        """Turn a target back into the label that `encode` would take."""
