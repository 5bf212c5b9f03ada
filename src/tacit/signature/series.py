"""`Series`: several channels over time, as float32[channel, time]."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import InputError, raise_all
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.cells import number_of
from tacit.signature.checks import check_one_of, check_whole, what_came
from tacit.signature.plots import curves

_MOST_BYTES = 256 * 2**20
_FITS = ("exact", "last")
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, repr=False)
class Series(InputType):
    """Channels over time: float32[channel, time].

    fit: what happens to a series of another length. ``exact`` refuses it; ``last`` keeps the last `steps`, and repeats the
    first value in front of a shorter one.

    >>> Series(1, 4, fit="last").read([5, 6])[0].tolist()
    [[5.0, 5.0, 5.0, 6.0]]
    """

    kind: ClassVar[str] = "series"
    skeleton: ClassVar[str] = "seriesnet"
    augmentations: ClassVar[tuple[str, ...]] = ("scale",)

    channels: int
    steps: int
    fit: str = "exact"

    def __post_init__(self) -> None:
        check_whole(self.channels, name="channels", kind="Series", most=65536)
        check_whole(self.steps, name="steps", kind="Series", most=2**24)
        check_one_of(self.fit, _FITS, name="fit", kind="Series")

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"a series of {self.channels} channel{'s' if self.channels > 1 else ''} over {self.steps} steps"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `values`."""
        return (ArraySpec("values", (self.channels, self.steps), "float32", ("channel", "time"), normalise=("channel",)),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read an array or nested lists [channel, time] ([time] for one channel), or the path of a CSV or `.npy` file.

        A CSV file has one row per step and one column per channel; a first row of names is skipped.
        Raises: InputError for another shape, for text, and for values that are not finite.
        """
        if isinstance(value, str | os.PathLike):
            array = _from_file(Path(value))
        elif isinstance(value, np.ndarray | list | tuple) or hasattr(value, "__array__"):
            array = _from_value(value)
        else:
            raise InputError(
                f"expected a series, got {what_came(value)}", fix="an array [channel, time], nested lists, or the path of a CSV file"
            )
        if array.ndim == 1 and self.channels == 1:
            array = array[None, :]
        return (self._fitted(_finite(array)),)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Draw the first channel as a line of blocks and give the range of all."""
        values = np.asarray(arrays[0], np.float32)
        means = np.array([part.mean() for part in np.array_split(values[0], min(32, self.steps))])
        spread = float(np.ptp(means)) or 1.0
        line = "".join(_BLOCKS[int((mean - means.min()) / spread * 7.999)] for mean in means)
        return f"series {self.channels} x {self.steps}, {values.min():.4g} to {values.max():.4g}, first channel {line}"

    def picture(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Draw the channels as lines over time."""
        return curves(arrays[0])

    def _fitted(self, array: np.ndarray) -> np.ndarray:
        wanted = f"float32[channel={self.channels}, time={self.steps}]"
        if array.ndim != 2 or array.shape[0] != self.channels or array.shape[1] == 0:
            turned = array.ndim == 2 and array.shape[1] == self.channels
            raise InputError(f"expected {wanted}, got {what_came(array)}", fix="turn it: `array.T`" if turned else None)
        steps = array.shape[1]
        if steps == self.steps:
            return array
        if self.fit == "exact":
            raise InputError(
                f"expected {wanted}, got {what_came(array)}", fix=f'`Series({self.channels}, {self.steps}, fit="last")` takes any length'
            )
        if steps > self.steps:
            return array[:, -self.steps :]
        return np.concatenate([np.repeat(array[:, :1], self.steps - steps, axis=1), array], axis=1)


def _from_value(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (ValueError, TypeError):
        raise InputError(f"expected rows of equal length, got {what_came(value)} whose rows differ") from None
    return array


def _finite(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "buif":
        raise InputError(f"expected an array of numbers, got {what_came(array)}")
    with np.errstate(over="ignore"):
        narrow = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(narrow))
    if len(bad):
        place = ", ".join(str(int(at)) for at in bad[0])
        raise InputError(
            f"expected finite numbers, got {array[tuple(bad[0])]} - at [{place}]",
            cause=f"{len(bad)} of {array.size} values are not finite as float32" if len(bad) > 1 else None,
            fix="fill the gaps first, for example with the value before",
        )
    return narrow


def _from_file(path: Path) -> np.ndarray:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(f"expected a CSV or .npy file, got a folder - at `{path}`")
        if size == 0 or size > _MOST_BYTES:
            came = "an empty file" if size == 0 else f"{size:,} bytes"
            raise InputError(f"expected a CSV or .npy file of at most {_MOST_BYTES:,} bytes, got {came} - at `{path}`")
        if path.suffix.lower() == ".npy":
            array: np.ndarray = np.load(path, allow_pickle=False)
            return array
        return _from_csv(path)
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"expected a CSV or .npy file, got a path that can't be read - at `{path}`", cause=f"the system says: {reason}"
        ) from None


def _from_csv(path: Path) -> np.ndarray:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    if rows and not _numbers(rows[0][1]):
        rows = rows[1:]
    problems = []
    table: list[list[float]] = []
    for number, row in rows:
        try:
            table.append([number_of(cell) for cell in row])
        except InputError as error:
            problems.append(f"line {number}: {error.message}")
            continue
        if len(row) != len(rows[0][1]):
            problems.append(f"line {number}: expected {len(rows[0][1])} columns, got {len(row)}")
    raise_all(problems, heading=f"expected a CSV of numbers - at `{path}`")
    if not table:
        raise InputError(f"expected a CSV of numbers, got no row of them - at `{path}`")
    return np.array(table, np.float64).T


def _numbers(row: Sequence[str]) -> bool:
    try:
        return bool([number_of(cell) for cell in row])
    except InputError:
        return False
