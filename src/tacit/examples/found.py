"""What was found at a place that a person pointed to, before anything is stored: items with contents that are read on demand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["images", "sounds", "arrays", "texts", "rows"]


@dataclass(frozen=True, slots=True)
class File:
    """A media file: its suffix without the dot and a function that reads it."""

    suffix: str
    read: Callable[[], bytes]


#: A media file; an array of fixed shape; a text; a row of a table (column -> number, text or None).
Content = File | np.ndarray | str | dict[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One example as found. where: a path within the source or a line, for errors. label: as found, not yet settled."""

    where: str
    content: Content
    label: Any
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Found:
    """All that was found.

    place: what the person pointed to. label_from: in words, where labels came from. problems: mistakes in the source; nothing
    is stored when there is one. notes: what the person should know. columns: for rows, every column in order and whether it
    holds numbers or categories. classes: the names of integer labels, where the source gives them. grouped_by: in words.
    white: for arrays that are pictures, what white is in them where it is not 255.
    """

    place: str
    kind: Kind
    items: list[Item]
    label_from: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    columns: tuple[tuple[str, Literal["number", "category"]], ...] = ()
    classes: tuple[str, ...] = ()
    grouped_by: str | None = None
    white: float | None = None
