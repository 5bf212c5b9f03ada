"""From labels as found to labels as stored: class names, numbers, or lists of names; and why it was taken for that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tacit.examples.found import Item
from tacit.signature.cells import category_text

MOST_CLASSES = 1_000  # whole numbers with more values than this are amounts
SEPARATOR = ";"
NOTHING = "[]"  # a sequence without a name, written so that it can be told from a label that is missing


@dataclass(frozen=True)
class Settled:
    """kind: the output type. values: one label per item, as stored. names: the classes in order; empty for numbers."""

    kind: Literal["Class", "Number", "Labels", "Symbols"]
    values: list[Any]
    names: tuple[str, ...]
    why: str


def label_missing(value: Any) -> bool:
    """Say whether a label is no label. Narrower than for cells: `none` and `-` are classes of many sets.

    >>> label_missing(float("nan")), label_missing("NaN"), label_missing("none")
    (True, True, False)
    """
    if isinstance(value, str):
        return value.strip().lower() in {"", "nan", "na", "n/a", "#n/a", "<na>", "null", "?"}
    return value is None or (isinstance(value, float) and math.isnan(value))


def settle(
    items: Sequence[Item], classes: Sequence[str] = (), *, names_only: bool = False, spelled: bool = False
) -> tuple[Settled, list[str]]:
    """Decide what kind of labels these are and give them as they are stored, with every problem found.

    classes: the names of labels 0, 1, 2 ... names_only: labels are names whatever they look like (folders).
    spelled: the inputs go on in time, so that a label may be a sequence of names.
    """
    values = [item.label for item in items]
    problems = [f"{item.where}: the label is missing" for item in items if not names_only and label_missing(item.label)]
    if problems:
        return Settled("Class", [], (), ""), problems
    if spelled and not names_only and (sequences := _sequences(values)) is not None:
        return sequences, []
    if any(isinstance(value, list | tuple) for value in values):
        return _several(values, "lists")
    if classes and all(isinstance(value, int | float) and value in range(len(classes)) for value in values):
        values, names_only = [classes[int(value)] for value in values], True
    if not names_only and any(isinstance(value, str) and SEPARATOR in value for value in values):
        parts = [str(value).split(SEPARATOR) for value in values]
        if len({part.strip() for row in parts for part in row}) < len(values):
            return _several(parts, f"separated by `{SEPARATOR}`")
    numbers = None if names_only else _numbers(values)
    if numbers is not None:
        whole = all(number == int(number) for number in numbers if math.isfinite(number))
        distinct = len(set(numbers))
        if not all(math.isfinite(number) for number in numbers):
            bad = [item.where for item, number in zip(items, numbers, strict=True) if not math.isfinite(number)]
            return Settled("Number", [], (), ""), [f"{where}: expected a finite number as label" for where in bad]
        if not whole or distinct > min(MOST_CLASSES, max(2, len(values) // 5)):
            kind = f"whole numbers with {distinct:,} different values" if whole else "numbers with a fraction"
            return Settled("Number", numbers, (), f"the labels are {kind}"), []
        names = [str(int(number)) for number in numbers]
        order = tuple(str(int(number)) for number in sorted(set(numbers)))
        return _classes(names, order, f"the labels are {distinct} different whole numbers")
    names = [_name(value) for value in values]
    # Names keep the order of `classes` where the source gives one.
    order = tuple(name for name in classes if name in set(names)) if classes else tuple(sorted(set(names), key=natural))
    return _classes(names, order, f"the labels are {len(order)} different names")


def _name(value: Any) -> str:
    return category_text(value) or str(value).strip()


def natural(name: str) -> tuple[bool, float, str]:
    """Give a key that sorts numbers by size, before names by letter.

    >>> sorted(["b", "10", "9", "nan"], key=natural)
    ['9', '10', 'b', 'nan']
    """
    try:
        number = float(name)
    except ValueError:
        return (True, 0.0, name)
    return (False, number, name) if math.isfinite(number) else (True, 0.0, name)


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """Give the labels as floats when all are numbers (or texts that read as one), else None."""
    if any(isinstance(value, bool) for value in values):
        return None
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        return None


def _classes(names: list[str], order: tuple[str, ...], why: str) -> tuple[Settled, list[str]]:
    problems = []
    if len(order) == 1:
        problems.append(f"expected at least two classes, got one: `{order[0]}`")
    elif len(order) > max(2, len(names) / 2) or len(order) > 10_000:
        count = f"{len(order):,} different labels in {len(names):,} examples"
        problems.append(f"expected a few classes with several examples each, got {count}")
    return Settled("Class", names, order, why), problems


def _sequences(values: Sequence[Any]) -> Settled | None:
    """Take labels for sequences when most have several of a few names, and are too different to be classes; None when they are not.

    A list counts as one where a name stands in it twice, for several names at once have no order.
    """
    lists = any(isinstance(value, list | tuple) for value in values)
    if lists and not any(len(set(map(str, value))) < len(value) for value in values if isinstance(value, list | tuple)):
        return None
    rows = [[_name(part) for part in value] if isinstance(value, list | tuple) else _name(value).split() for value in values]
    rows = [[] if row == [NOTHING] else row for row in rows]
    counts = Counter(name for row in rows for name in row)
    different = len({tuple(row) for row in rows})
    several = sum(len(row) > 1 for row in rows) > len(rows) / 2
    if not several or len(counts) > min(MOST_CLASSES, counts.total() / 3) or not (lists or different > max(2, len(rows) / 2)):
        return None
    names = tuple(sorted(counts, key=natural))
    longest = max(map(len, rows))
    why = f"the labels are {different:,} different sequences of up to {longest} out of {len(names)} names"
    return Settled("Symbols", [" ".join(row) for row in rows], names, why)


def _several(rows: Sequence[Any], how: str) -> tuple[Settled, list[str]]:
    values = []
    for row in rows:
        members = row if isinstance(row, list | tuple) else [row]
        values.append(sorted({str(part).strip() for part in members if not label_missing(part)}, key=natural))
    counts = Counter(name for row in values for name in row)
    names = tuple(sorted(counts, key=natural))
    problems = [] if names else ["expected labels, got only empty lists"]
    return Settled("Labels", values, names, f"the labels are several names per example ({how}), {len(names)} in all"), problems
