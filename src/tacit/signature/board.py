"""`Board`: planes of squares, as float32[plane, row, column]; what a game shows of a position."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.checks import check_whole, what_came

_SIGNS = ".xo*#"


@dataclass(frozen=True, repr=False)
class Board(InputType):
    """Planes over the squares of a board: float32[plane, row, column], usually 0 and 1, used as they are.

    >>> Board(2, 3, 3).read(np.zeros((2, 3, 3)))[0].shape
    (2, 3, 3)
    """

    kind: ClassVar[str] = "board"
    skeleton: ClassVar[str] = "boardnet"

    planes: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        for name in ("planes", "rows", "columns"):
            check_whole(getattr(self, name), name=name, kind="Board", most=4096)

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"{self.planes} plane{'s' if self.planes > 1 else ''} over {self.rows} rows and {self.columns} columns"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `planes`."""
        return (ArraySpec("planes", (self.planes, self.rows, self.columns), "float32", ("plane", "row", "column")),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read an array or nested lists [plane, row, column], or a `.npy` file. Raises: InputError."""
        if isinstance(value, str | os.PathLike):
            try:
                value = np.load(Path(value), allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise InputError(f"expected a `.npy` file [plane, row, column] - at `{value}`", cause=str(error)) from None
        wanted = (self.planes, self.rows, self.columns)
        try:
            array = np.asarray(value)
        except (ValueError, TypeError):
            array = np.zeros(0, object)
        if array.dtype.kind not in "buif" or array.shape != wanted:
            raise InputError(f"expected float32[plane={wanted[0]}, row={wanted[1]}, column={wanted[2]}], got {what_came(value)}")
        narrow = array.astype(np.float32)
        if not np.isfinite(narrow).all():
            raise InputError(f"expected finite numbers, got {array[tuple(np.argwhere(~np.isfinite(narrow))[0])]}")
        return (narrow,)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Give the rows as text, one sign per plane that marks a square."""
        marked = np.asarray(arrays[0]) > 0.5
        first = np.where(marked.any(0), marked.argmax(0) + 1, 0)
        return "/".join("".join(_SIGNS[min(int(sign), len(_SIGNS) - 1)] for sign in row) for row in first)
