"""Types of outputs: `Class` (one of several names), `Number`, `Labels` (any of several names at once)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import ConfigError, InputError
from tacit.ground.tables import did_you_mean
from tacit.signature.base import ArraySpec, OutputType
from tacit.signature.cells import category_text, number_of
from tacit.signature.checks import check_names, what_came

_SHOWN = 12


def _gather(given: Sequence[Any], names: Iterable[str] | None) -> tuple[Any, ...]:
    if names is not None:
        return tuple(names)
    if len(given) == 1 and not isinstance(given[0], str) and isinstance(given[0], Iterable):
        return tuple(given[0])
    return tuple(given)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" ... ({len(names)} in all)" if len(names) > _SHOWN else "")


@dataclass(frozen=True, init=False, repr=False)
class Class(OutputType):
    """One of several names: ``Class("cat", "dog")`` or ``Class(("cat", "dog"))``.

    Scores: float32[class], before any softmax. Target: int64, the position of the name.

    >>> animal = Class("cat", "dog")
    >>> animal.decode(np.array([0.1, 2.0], np.float32))
    'dog'
    """

    kind: ClassVar[str] = "class"
    loss: ClassVar[str] = "cross_entropy"
    metric: ClassVar[str] = "accuracy"

    names: tuple[str, ...]

    def __init__(self, *given: str | Sequence[str], names: Iterable[str] | None = None) -> None:
        object.__setattr__(self, "names", _gather(given, names))
        check_names(self.names, name="names", kind="Class", least=2)
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.names)})

    def __repr__(self) -> str:
        return f"Class({_quoted(self.names)})"

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"one of {len(self.names)} classes: {_listed(self.names)}"

    @property
    def width(self) -> int:
        """One score per class."""
        return len(self.names)

    @property
    def target(self) -> ArraySpec:
        """The position of the name, int64[]."""
        return ArraySpec("target", (), "int64", (), limit=len(self.names))

    def encode(self, label: Any) -> np.ndarray:
        """Turn a class name (numbers are taken by their text: 4 is "4") into its position. Raises: InputError."""
        return np.array(_place(label, self._places), np.int64)  # type: ignore[attr-defined]

    def decode(self, scores: np.ndarray) -> str:
        """Give the name with the greatest score (the first of equals)."""
        return self.names[int(np.argmax(scores))]

    def label(self, target: np.ndarray) -> str:
        """Give the name at a position."""
        return self.names[int(target)]

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Turn float32[..., class] scores into float32[..., class] that sum to 1 (softmax)."""
        shifted = np.asarray(scores, np.float32) - np.max(scores, axis=-1, keepdims=True)
        powers = np.exp(shifted)
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


@dataclass(frozen=True, init=False, repr=False)
class Labels(OutputType):
    """Any of several names at once: ``Labels("urgent", "invoice")``; a value is a list of names in the order of `names`.

    Scores: float32[label], before any sigmoid; a label is given when its probability is at least 0.5 (its score at least 0).
    Target: float32[label] of 0 and 1.
    """

    kind: ClassVar[str] = "labels"
    loss: ClassVar[str] = "binary_cross_entropy"
    metric: ClassVar[str] = "micro_f1"

    names: tuple[str, ...]

    def __init__(self, *given: str | Sequence[str], names: Iterable[str] | None = None) -> None:
        object.__setattr__(self, "names", _gather(given, names))
        check_names(self.names, name="names", kind="Labels", least=1)
        object.__setattr__(self, "_places", {name: place for place, name in enumerate(self.names)})

    def __repr__(self) -> str:
        return f"Labels({_quoted(self.names)})"

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"any of {len(self.names)} labels: {_listed(self.names)}"

    @property
    def width(self) -> int:
        """One score per label."""
        return len(self.names)

    @property
    def target(self) -> ArraySpec:
        """1 where the label is given, else 0."""
        return ArraySpec("target", (len(self.names),), "float32", ("label",))

    def encode(self, label: Any) -> np.ndarray:
        """Turn a list, tuple or set of names (or one name) into float32[label]. Raises: InputError."""
        given = [label] if isinstance(label, str) else label
        if not isinstance(given, list | tuple | set | frozenset | np.ndarray):
            raise InputError(f"expected a list of labels, got {what_came(label)}")
        target = np.zeros(len(self.names), np.float32)
        for item in given:
            target[_place(item, self._places)] = 1.0  # type: ignore[attr-defined]
        return target

    def decode(self, scores: np.ndarray) -> list[str]:
        """Give the names whose score is at least 0."""
        return [name for name, score in zip(self.names, scores, strict=True) if score >= 0]

    def label(self, target: np.ndarray) -> list[str]:
        """Give the names whose target is 1."""
        return [name for name, given in zip(self.names, target, strict=True) if given > 0.5]

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Turn float32[..., label] scores into probabilities, each for itself (sigmoid)."""
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(scores, np.float32))), np.float32)


@dataclass(frozen=True, repr=False)
class Number(OutputType):
    """A number; `mean` and `scale` are fitted on the training labels, so that scores and targets are about 0 with a spread of 1.

    Scores and target: float32[1], ``(value - mean) / scale``.

    >>> price = Number.fitted([10.0, 20.0, 30.0], unit="EUR")
    >>> round(price.decode(price.encode("1,020.5")), 3)
    1020.5
    """

    kind: ClassVar[str] = "number"
    loss: ClassVar[str] = "squared_error"
    metric: ClassVar[str] = "mean_absolute_error"

    mean: float = 0.0
    scale: float = 1.0
    unit: str = ""

    def __post_init__(self) -> None:
        for name in ("mean", "scale"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ConfigError(f"expected a finite number, got {what_came(value)} - at `Number.{name}`")
            object.__setattr__(self, name, float(value))
        if self.scale <= 0:
            raise ConfigError(f"expected a number above 0, got {what_came(self.scale)} - at `Number.scale`")
        if not isinstance(self.unit, str):
            raise ConfigError(f"expected a string, got {what_came(self.unit)} - at `Number.unit`")

    @classmethod
    def fitted(cls, labels: Iterable[Any], *, unit: str = "") -> Number:
        """Fit mean and scale (the standard deviation; 1 when all labels are equal) on training labels. Raises: InputError."""
        values = np.array([number_of(label) for label in labels], np.float64)
        if not len(values):
            raise InputError("expected at least one number to fit the scale on, got none")
        spread = float(values.std())
        return cls(float(values.mean()), spread if spread > 0 else 1.0, unit)

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"a number in {self.unit}" if self.unit else "a number"

    @property
    def width(self) -> int:
        """One score."""
        return 1

    @property
    def target(self) -> ArraySpec:
        """The standardised number, float32[1]."""
        return ArraySpec("target", (1,), "float32", ("number",))

    def encode(self, label: Any) -> np.ndarray:
        """Turn a number, or its text, into the standardised float32[1]. Raises: InputError."""
        return np.array([(number_of(label) - self.mean) / self.scale], np.float32)

    def decode(self, scores: np.ndarray) -> float:
        """Give the number in its own unit."""
        return float(np.asarray(scores, np.float64).reshape(-1)[0] * self.scale + self.mean)

    def label(self, target: np.ndarray) -> float:
        """Give the number in its own unit."""
        return self.decode(target)


def _quoted(names: Sequence[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:_SHOWN])
    return shown + (f", ... {len(names)} names" if len(names) > _SHOWN else "")


def _place(label: Any, places: dict[str, int]) -> int:
    if isinstance(label, str) and label in places:
        return places[label]
    name = category_text(label)
    if name is None:
        raise InputError(f"expected a class name, got {what_came(label)}")
    if name not in places:
        raise InputError(f"expected a known class, got `{name}`", fix=did_you_mean(name, list(places)))
    return places[name]
