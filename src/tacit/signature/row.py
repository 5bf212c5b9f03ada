"""`Row`: numbers and categories of one row of a table, as float32[number] and int32[category]."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from tacit.ground.errors import ConfigError, InputError, raise_all
from tacit.ground.tables import did_you_mean
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.cells import category_text, is_missing, number_of
from tacit.signature.checks import check_names, what_came


@dataclass(frozen=True, repr=False)
class Row(InputType):
    """A row of a table: `numbers` are column names, `categories` are pairs of a column name and its values.

    Arrays: ``numbers`` float32[number], ``present`` uint8[number] (1 where there is a value), ``categories``
    int32[category] (0: unknown or missing, else 1 + the position of the value). A missing number becomes the `fill` of its
    column, 0 when no fill was fitted.

    >>> row = Row(numbers=("age",), categories=(("city", ("Rome", "Oslo")),))
    >>> [array.tolist() for array in row.read({"age": " 1,042 ", "city": "Oslo"})]
    [[1042.0], [1], [2]]
    """

    kind: ClassVar[str] = "row"
    skeleton: ClassVar[str] = "mlp"

    numbers: tuple[str, ...] = ()
    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    fill: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.numbers, name="numbers", kind="Row", least=0)
        if not isinstance(self.categories, tuple) or any(not isinstance(pair, tuple) or len(pair) != 2 for pair in self.categories):
            raise ConfigError("expected pairs (column, values) - at `Row.categories`", fix='`categories=(("city", ("Rome", "Oslo")),)`')
        check_names(self.columns, name="columns", kind="Row", least=1)
        for column, values in self.categories:
            check_names(values, name=f"categories[{column!r}]", kind="Row", least=1)
        if self.fill and (len(self.fill) != len(self.numbers) or not all(math.isfinite(value) for value in self.fill)):
            raise ConfigError(f"expected {len(self.numbers)} finite numbers, got {what_came(self.fill)} - at `Row.fill`")

    def __repr__(self) -> str:
        return f"Row({len(self.numbers)} numbers, {len(self.categories)} categories)"

    def describe(self) -> str:
        """Say in one line what the type is."""
        names = ", ".join(self.columns[:12]) + (f" ... ({len(self.columns)} in all)" if len(self.columns) > 12 else "")
        return f"a row of {len(self.numbers)} numbers and {len(self.categories)} categories: {names}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns in the order in which a plain sequence is read: numbers, then categories."""
        return (*self.numbers, *(name for name, _ in self.categories))

    @property
    def category_limits(self) -> tuple[int, ...]:
        """The number of ids of each category column, the 0 of unknown included."""
        return tuple(len(values) + 1 for _, values in self.categories)

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """`numbers` and `present` where there are number columns, `categories` where there are category columns."""
        specs: tuple[ArraySpec, ...] = ()
        if self.numbers:
            shape = (len(self.numbers),)
            specs += (
                ArraySpec("numbers", shape, "float32", ("number",), normalise=("number",)),
                ArraySpec("present", shape, "uint8", ("number",)),
            )
        if self.categories:
            specs += (ArraySpec("categories", (len(self.categories),), "int32", ("category",), limit=max(self.category_limits)),)
        return specs

    def fitted(self, rows: Iterable[Mapping[str, Any]]) -> Row:
        """Give this type with `fill` set to the median of each number column in training rows (0 for a column without values)."""
        values: list[list[float]] = [[] for _ in self.numbers]
        for row in rows:
            for column, name in zip(values, self.numbers, strict=True):
                if not is_missing(row[name]):
                    column.append(number_of(row[name]))
        return replace(self, fill=tuple(float(np.float32(np.median(column))) if column else 0.0 for column in values))

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read a dict by column name, a sequence in the order of `columns`, or the text of a JSON object.

        Raises: InputError that names every unknown, missing and unreadable column.
        """
        cells = self._cells(value)
        problems: list[str] = []
        numbers = np.zeros(len(self.numbers), np.float32)
        present = np.zeros(len(self.numbers), np.uint8)
        for place, name in enumerate(self.numbers):
            cell = cells[place]
            if is_missing(cell):
                numbers[place] = self.fill[place] if self.fill else 0.0
                continue
            try:
                numbers[place] = number_of(cell)
                present[place] = 1
            except InputError as error:
                problems.append(f"column `{name}`: {error.message}")
        ids = np.zeros(len(self.categories), np.int32)
        for place, (name, places) in enumerate(self._places):
            cell = cells[len(self.numbers) + place]
            try:
                ids[place] = places[cell] if isinstance(cell, str) and cell in places else places.get(category_text(cell), 0)
            except InputError as error:
                problems.append(f"column `{name}`: {error.message}")
        if problems:
            raise_all(problems, heading="expected a row of this program's columns")
        return ((numbers, present) if self.numbers else ()) + ((ids,) if self.categories else ())

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Give ``column=value`` for every column, ``?`` where there is none."""
        shown = []
        if self.numbers:
            shown += [
                f"{name}={float(value):g}" if there else f"{name}=?"
                for name, value, there in zip(self.numbers, arrays[0], arrays[1], strict=True)
            ]
        if self.categories:
            shown += [
                f"{name}={values[int(at) - 1] if at else '?'}" for (name, values), at in zip(self.categories, arrays[-1], strict=True)
            ]
        return ", ".join(shown)

    @cached_property
    def _places(self) -> tuple[tuple[str, dict[str | None, int]], ...]:
        return tuple((name, {value: place for place, value in enumerate(values, 1)}) for name, values in self.categories)

    def _cells(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            value = _json_object(value)
        columns = self.columns
        if isinstance(value, Mapping):
            if len(value) == len(columns) and all(name in value for name in columns):
                return [value[name] for name in columns]
            problems = [f"unknown column `{name}`, {did_you_mean(str(name), list(columns))}" for name in value if name not in columns]
            problems += [f"missing column `{name}`" for name in columns if name not in value]
            raise_all(problems, heading="expected a row of this program's columns", fix="give null for a value that is not known")
        if isinstance(value, list | tuple | np.ndarray) and np.ndim(value) == 1 and len(value) == len(columns):
            return list(value)
        raise InputError(
            f"expected a dict with {len(columns)} columns, or their values in order, got {what_came(value)}",
            fix=f"columns: {', '.join(columns)}",
        )


def _json_object(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise InputError(f"expected a row, got {what_came(text)}", fix="""a JSON object such as '{"age": 42, "city": "Oslo"}'""")
    return value
