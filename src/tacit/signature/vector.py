"""`Vector`: a fixed number of numbers, as float32[value]."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import ConfigError, InputError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.checks import check_names, check_whole, what_came

_SHOWN = 8


@dataclass(frozen=True, repr=False)
class Vector(InputType):
    """Numbers in a fixed order, none of them missing: float32[value]. What is measured at one moment, or comes out of another program.

    names: what the numbers stand for, in order; with them a value may also be a dict.

    >>> Vector(2, names=("place", "speed")).read({"speed": 3, "place": 1})[0].tolist()
    [1.0, 3.0]
    """

    kind: ClassVar[str] = "vector"
    skeleton: ClassVar[str] = "vectornet"

    size: int
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_whole(self.size, name="size", kind="Vector", most=2**24)
        check_names(self.names, name="names", kind="Vector", least=0)
        if self.names and len(self.names) != self.size:
            raise ConfigError(f"expected {self.size} names, got {len(self.names)} - at `Vector.names`")

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"{self.size} number{'s' if self.size > 1 else ''}" + (f": {', '.join(self.names)}" if self.names else "")

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `values`."""
        return (ArraySpec("values", (self.size,), "float32", ("value",), normalise=("value",)),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read an array, a sequence, JSON text or a `.npy` file of `size` numbers; a dict where there are names.

        Raises: InputError for another shape, for names that are not known or missing, and for values that are not finite.
        """
        if isinstance(value, os.PathLike) or (isinstance(value, str) and value.endswith(".npy")):
            value = _from_file(Path(value))
        elif isinstance(value, str):
            value = _from_text(value)
        if isinstance(value, Mapping):
            value = self._in_order(value)
        try:
            array = np.atleast_1d(np.asarray(value))
        except (ValueError, TypeError):
            array = np.zeros(0, object)
        if array.dtype.kind not in "buif" or array.shape != (self.size,):
            raise InputError(
                f"expected float32[value={self.size}], got {what_came(value)}", fix=f"{self.size} numbers in a list or an array"
            )
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        if not np.isfinite(narrow).all():
            place = int(np.flatnonzero(~np.isfinite(narrow))[0])
            raise InputError(f"expected finite numbers, got {array[place]} - at [{place}]")
        return (narrow,)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Give the first numbers, by name where they have one."""
        values = [f"{float(number):.4g}" for number in arrays[0][:_SHOWN]]
        words = [f"{name}={text}" for name, text in zip(self.names, values, strict=False)] if self.names else values
        return ", ".join(words) + (f" ... ({self.size} in all)" if self.size > _SHOWN else "")

    def _in_order(self, value: Mapping[Any, Any]) -> list[Any]:
        problems = [f"unknown name `{name}`, {did_you_mean(str(name), list(self.names))}" for name in value if name not in self.names]
        problems += [f"missing `{name}`" for name in self.names if name not in value]
        raise_all(problems, heading=f"expected {self.describe()}", fix=None if self.names else f"a list of {self.size} numbers")
        return [value[name] for name in self.names]


def _from_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise InputError(f"expected numbers, got {what_came(text)}", fix="a JSON list such as '[0.5, 1]'") from None


def _from_file(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
        return array
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"expected a `.npy` file of numbers - at `{path}`", cause=str(error)) from None
