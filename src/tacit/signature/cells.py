"""Cells of a table: what a person writes for a number, a category, or nothing."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np

from tacit.ground.errors import InputError
from tacit.signature.checks import what_came

#: Texts (lower case, stripped) that mean "no value here" in a column of numbers.
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "-"})

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_GREATEST = float(np.finfo(np.float32).max)


def is_missing(value: Any) -> bool:
    """Tell whether a cell of a column of numbers holds no value: None, NaN, an empty text, or a usual word for it ("?", "NA", "null" ...).

    >>> is_missing(" ? "), is_missing(float("nan")), is_missing(0)
    (True, True, False)
    """
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    if isinstance(value, float | np.floating | Decimal):
        return math.isnan(value)
    return False


def number_of(value: Any) -> float:
    """Turn a cell into a number: a number, a bool (0 or 1), or a text such as " 42 ", "1,234.5" or "1e-3".

    Raises: InputError for anything else, and for what is not finite as float32.

    >>> number_of("1,234")
    1234.0
    """
    if type(value) is float or type(value) is int or isinstance(value, int | float | np.number | np.bool_ | Decimal):
        if isinstance(value, np.complexfloating):
            raise InputError(f"expected a number, got {what_came(value)}")
        try:
            number = float(value)
        except OverflowError:
            raise InputError(f"expected a number within ±{_GREATEST:.2g}, got one that is far larger") from None
    elif isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text):
            number = float(text)
        elif _THOUSANDS.fullmatch(text):
            number = float(text.replace(",", ""))
        else:
            raise InputError(f"expected a number, got {what_came(value)}")
    elif isinstance(value, np.ndarray) and value.ndim == 0:
        return number_of(value.item())
    else:
        raise InputError(f"expected a number, got {what_came(value)}")
    if not -_GREATEST <= number <= _GREATEST:
        raise InputError(f"expected a number within ±{_GREATEST:.2g}, got {what_came(value)}")
    return number


def category_text(value: Any) -> str | None:
    """Turn a cell into the text by which a category or class is known; None when the cell is empty (None, NaN, blank).

    Texts are stripped; whole numbers lose their ``.0``, so that 3, 3.0 and "3" are one category. Words such as "none" or
    "?" stay: among categories they are values like any other ("none" may be a class, "NA" is Namibia).

    >>> category_text(" a "), category_text(3.0), category_text("?"), category_text("")
    ('a', '3', '?', None)
    """
    if isinstance(value, str):
        return str(value.strip()) or None
    if is_missing(value):
        return None
    if isinstance(value, float | np.floating):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return category_text(value.item())
    raise InputError(f"expected a text or a number, got {what_came(value)}")
