"""Which examples of a program hold the same thing: exactly, once they are decoded, or nearly."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.ground.errors import InputError
from tacit.instruments.linting.cells import near_rows
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.nearest import Alike, nothing_alike
from tacit.instruments.linting.pictures import near_pictures
from tacit.instruments.linting.waves import near_series, near_sounds
from tacit.instruments.linting.wording import near_texts
from tacit.signature.cells import category_text, is_missing, number_of


@dataclass(frozen=True)
class Copies:
    """exact: rows of each content that several examples have, the first one first. near: pairs of rows of different content.

    equal: rows of a table that are equal as they stand (`copy` in their records); two things may well be so.
    """

    exact: list[list[int]]
    near: Alike
    equal: list[list[int]]


def copies_of(context: Context) -> Copies:
    """Look for copies, once for all checks."""
    return context.shared("copies", _copies)


def _copies(context: Context) -> Copies:
    cells = _cells(context) if context.signature.input.kind == "row" else None
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, key in _contents(context, cells):
        groups[key].append(row)
    exact, equal = [], []
    for rows in groups.values():
        different: dict[str, int] = {}
        for row in rows:
            different.setdefault(context.records[row].key, row)
        if len(different) > 1:
            exact.append(list(different.values()))
        if len(rows) > len(different):
            equal.append(rows)
    firsts = np.array(sorted(rows[0] for rows in groups.values()), np.int64)
    near = _near(context, firsts, cells)
    return Copies(exact, Alike(firsts[near.first], firsts[near.second], near.difference, near.details), equal)


def _contents(context: Context, cells: tuple[np.ndarray, np.ndarray] | None) -> list[tuple[int, bytes]]:
    """Give (row, digest of the decoded content) of every example that can be read and holds something."""
    found = []
    for row in np.flatnonzero(context.readable).tolist():
        value = context.records[row].input
        if isinstance(value, str):
            content = " ".join(unicodedata.normalize("NFC", value).split()).encode("utf-8", "surrogatepass")
            lively = bool(content)
        elif cells is not None:
            content = cells[0][row].tobytes() + cells[1][row].tobytes()
            lively = True
        else:
            content = b"".join(array[row].tobytes() for array in context.inputs)
            lively = any(array[row].size and array[row].max() > array[row].min() for array in context.inputs)
        if lively:
            found.append((row, hashlib.blake2b(content, digest_size=16).digest()))
    return found


def _cells(context: Context) -> tuple[np.ndarray, np.ndarray]:
    """Give float64[row, number], NaN for none, and int64[row, category] of a table, as they stand in the records.

    Unlike the decoded inputs they tell apart what the signature doesn't know: values that came up only later.
    """
    type_: Any = context.signature.input
    names = [name for name, _ in type_.categories]
    numbers = np.full((len(context.records), len(type_.numbers)), np.nan)
    categories = np.zeros((len(context.records), len(names)), np.int64)
    codes: dict[str | None, int] = {}
    for row, record in enumerate(context.records):
        if not isinstance(record.input, dict):
            continue
        for place, name in enumerate(type_.numbers):
            cell = record.input.get(name)
            try:
                numbers[row, place] = np.nan if is_missing(cell) else number_of(cell)
            except InputError:
                continue
        for place, name in enumerate(names):
            try:
                text = category_text(record.input.get(name))
            except InputError:
                text = None
            categories[row, place] = codes.setdefault(text, len(codes))
    return numbers, categories


def _near(context: Context, rows: np.ndarray, cells: tuple[np.ndarray, np.ndarray] | None) -> Alike:
    chance = np.random.default_rng(context.options.seed)
    if cells is not None:
        return near_rows(cells[0][rows], cells[1][rows])
    kind = context.signature.input.kind
    if kind == "text":
        return near_texts([str(context.records[row].input) for row in rows], chance)
    search = NEAR.get(kind)
    if search is None:
        return nothing_alike()
    whole = len(rows) == len(context.records)  # then nothing needs to be copied
    return search(context.inputs[0] if whole else context.inputs[0][rows], chance)


#: Kind of an input -> how near duplicates are found among its first array.
NEAR: dict[str, Callable[[np.ndarray, np.random.Generator], Alike]] = {
    "image": near_pictures,
    "audio": near_sounds,
    "series": near_series,
}
