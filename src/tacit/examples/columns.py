"""What one column of a table holds: numbers, categories, texts, or nothing that could be learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tacit.ground.errors import InputError
from tacit.signature.cells import category_text, is_missing, number_of

MOST_VALUES = 1_000  # of a category
COUNTERS = {"id", "index", "key", "row", "no", "number", "unnamed: 0", "column 1"}  # columns that only number the rows
FEW_NUMBERS = 8  # whole numbers with up to so many values are codes, not amounts


@dataclass(frozen=True)
class Column:
    """kind: what the column holds, and why. problems: (row, what is wrong). words, letters: means over its texts."""

    kind: Literal["number", "category", "text", "unusable"]
    why: str
    words: float = 0.0
    letters: float = 0.0
    problems: tuple[tuple[int, str], ...] = ()


def look_at(cells: Sequence[Any], *, name: str) -> Column:
    """Decide what a column holds.

    >>> look_at(["1", "2.5", "NA"], name="width").kind
    'number'
    """
    present = [(row, cell) for row, cell in enumerate(cells) if not is_missing(cell)]
    if not present:
        return Column("unusable", "it is empty")
    if any(isinstance(cell, list | dict | bytes) for _, cell in present):
        return Column("unusable", "it holds lists, objects or bytes")
    parsed = {cell: _parsed(cell) for cell in {cell for _, cell in present}}  # a column repeats its cells
    numbers = {row: number for row, cell in present if (number := parsed[cell]) is not None}
    distinct_numbers = len(set(numbers.values()))
    if len(numbers) == len(present):
        return _numbers(numbers, distinct_numbers, name, len(cells))
    if len(numbers) >= 0.9 * len(present) and distinct_numbers > 20:
        odd = [(row, f"expected a number in `{name}`, as in the other rows, got `{cell}`") for row, cell in present if row not in numbers]
        return Column("number", "most cells are numbers", problems=tuple(odd))
    texts = [text for cell in cells if (text := category_text(cell)) is not None]  # words such as "none" are values here
    counts = Counter(texts)
    words = sum(len(text.split()) for text in texts) / len(texts)
    letters = sum(map(len, texts)) / len(texts)
    dense = letters >= 5 and sum(not text.isascii() for text in texts[:1000]) > len(texts[:1000]) / 2  # scripts without spaces
    if len(counts) == 1:
        return Column("unusable", "the same value stands in every row")
    if len(counts) > len(texts) / 2 and len(counts) > 2 and (words >= 3 or dense):
        return Column("text", "it holds texts, which a row can't take", words, letters)
    if len(texts) > 20 and len(counts) > max(20, len(texts) / 2):
        return Column("text", "nearly every row has a value of its own", words, letters)
    if len(counts) > MOST_VALUES:
        return Column("text", f"it has {len(counts):,} different values", words, letters)
    return Column("category", f"{len(counts)} different texts", words, letters)


def _parsed(cell: Any) -> float | None:
    try:
        return None if isinstance(cell, bool) else number_of(cell)
    except InputError:
        return None


def _numbers(numbers: dict[int, float], distinct: int, name: str, rows: int) -> Column:
    whole = all(number == int(number) for number in numbers.values())
    if distinct == 1 and len(numbers) == rows:
        return Column("unusable", "the same number stands in every row")
    counting = whole and distinct == rows and rows > 20
    if counting and (name.lower() in COUNTERS or name.lower().endswith(("_id", " id"))):
        return Column("unusable", "every row has a number of its own")
    if whole and 2 < distinct <= FEW_NUMBERS and len(numbers) >= 10 * distinct:
        return Column("category", f"{distinct} different whole numbers")
    return Column("number", "numbers")
