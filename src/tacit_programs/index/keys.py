"""From what a person has to codes: uint64 in the order of the keys, and back.

Integers keep their order by turning the sign bit, floats by an order-preserving map of their bits (-0 is 0; NaN has no place in an order
and is refused), moments and durations by their count of units. What pandas or Arrow hold is read through NumPy's protocol: neither is
imported here, and uint64 keys without gaps are taken as they lie, not copied.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import tacit

_SIGN = np.uint64(1 << 63)
_MOST = 2**64 - 1
#: Positions are kept in 32 bits.
MOST_KEYS = 4_000_000_000
_EXACT = 2**53


@dataclass(frozen=True)
class Kind:
    """What keys are: ``uint64``, ``int64``, ``float64``, ``datetime64[unit]``, ``timedelta64[unit]``, ``str`` or ``bytes``."""

    name: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """Give the dtype of keys that are numbers."""
        return np.dtype(self.name)

    @property
    def is_text(self) -> bool:
        """Tell whether keys are strings of characters or bytes."""
        return self.name in ("str", "bytes")

    def encode(self, values: np.ndarray) -> np.ndarray:
        """Give uint64 codes of numbers of the kind's dtype."""
        if self.name == "uint64":
            return values
        if self.name == "float64":
            bits = (values + 0.0).view(np.uint64)  # -0 + 0 is 0
            return np.where(bits >> np.uint64(63), ~bits, bits | _SIGN)
        return values.view(np.uint64) ^ _SIGN

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Give numbers of the kind's dtype back."""
        if self.name == "uint64":
            return codes
        if self.name == "float64":
            return np.where(codes & _SIGN, codes ^ _SIGN, ~codes).view(np.float64)
        return (codes ^ _SIGN).view(self.dtype)


def array_of(values: Any, *, where: str) -> np.ndarray:
    """Give a one-dimensional array of numbers, moments, or objects that are all str or all bytes.

    Raises: TacitError for what is no list of values of one type, or has gaps.
    """
    values = _plain(values, where)
    if isinstance(values, list | tuple):
        return _from_objects(values, where)
    array: np.ndarray = np.asarray(values)
    if array.ndim != 1:
        raise tacit.TacitError(f"expected a list of values, got an array of {array.ndim} axes - at `{where}`", fix="array.reshape(-1)")
    return _from_objects(array.tolist(), where) if array.dtype.kind in "OUST" else array


def kind_of(array: np.ndarray, *, where: str) -> Kind:
    """Give what keys an array holds. Raises: TacitError for dtypes without an order of their own."""
    letter = array.dtype.kind
    if letter == "O":
        return Kind("bytes" if len(array) and isinstance(array[0], bytes) else "str")
    if letter in "mM":
        unit, count = np.datetime_data(array.dtype)
        if unit == "generic":
            raise tacit.TacitError(f"expected a unit of time, got none - at `{where}`", fix='keys.astype("datetime64[ns]")')
        return Kind(f"{'datetime64' if letter == 'M' else 'timedelta64'}[{'' if count == 1 else count}{unit}]")
    if letter == "f" and array.dtype.itemsize <= 8:
        return Kind("float64")
    if letter in "ui":
        return Kind("uint64" if letter == "u" else "int64")
    raise tacit.TacitError(
        f"expected numbers, moments, str or bytes, got {array.dtype} - at `{where}`",
        fix="keys.astype(float), or another type",
    )


def codes_of(array: np.ndarray, kind: Kind, *, where: str) -> np.ndarray:
    """Give the codes of keys of this kind, contiguous. Raises: TacitError for NaN and NaT."""
    _refuse_gaps(array, where)
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(kind.encode(np.ascontiguousarray(array, dtype=kind.dtype)))


def query_codes(array: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray | None]:
    """Give the codes of queries, and -1 or 1 for each that lies below or above all that keys could be (None: none does).

    Raises: TacitError for queries of another type than the keys.
    """
    letter, mine = array.dtype.kind, kind.dtype.kind
    if mine in "ui" and letter in "ui":
        array, beyond = _whole(array, mine)
        return kind.encode(array), beyond
    if mine == "f" and letter in "fui":
        if letter in "ui" and len(array) and (array.max() > _EXACT or array.min() < -_EXACT):
            raise tacit.TacitError("expected queries that float64 holds exactly, got integers above 2**53", fix="ask with floats")
        return codes_of(array, kind, where="queries"), None
    if mine == letter and mine in "mM":
        converted = array.astype(kind.dtype)
        if not np.array_equal(converted.astype(array.dtype), array, equal_nan=True):
            at = int(np.flatnonzero(converted.astype(array.dtype) != array)[0])
            raise tacit.TacitError(f"expected queries in {kind.name}, got {array[at]} ({array.dtype}) - at `queries[{at}]`")
        return codes_of(converted, kind, where="queries"), None
    raise wrong_type(array.dtype, kind)


def query_code(value: Any, kind: Kind) -> int | None:
    """Give the code of one query that is an int or a float of Python's own, the common case; None for all others."""
    if type(value) is int:
        if kind.name == "int64" and -(2**63) <= value < 2**63:
            return value + 2**63
        return value if kind.name == "uint64" and 0 <= value <= _MOST else None
    return None


def wrong_type(dtype: Any, kind: Kind) -> tacit.TacitError:
    """Give the error for queries of another type than the keys."""
    fix = "ask with integers" if kind.name in ("int64", "uint64") else f"ask with what the keys are: {kind.name}"
    return tacit.TacitError(f"expected queries of {kind.name}, got {dtype} - at `queries`", fix=fix)


def refuse_disorder(codes: np.ndarray, kind: Kind) -> None:
    """Refuse keys that are not sorted. Raises: TacitError that names the first place."""
    step = 1 << 20
    for begin in range(0, len(codes) - 1, step):
        part = codes[begin : begin + step + 1]
        falls = part[1:] < part[:-1]
        if falls.any():
            at = begin + int(falls.argmax()) + 1
            before, after = kind.decode(codes[at - 1 : at + 1])
            raise disorder(before, after, at)


def disorder(before: Any, after: Any, at: int) -> tacit.TacitError:
    """Give the error for keys that are not sorted."""
    return tacit.TacitError(
        f"expected sorted keys, got {after!s:.60} after {before!s:.60} - at `keys[{at}]`",
        fix="compile(keys, sorted=False), which sorts them and keeps their order in `index.order`",
    )


def _plain(values: Any, where: str) -> Any:
    """Give what pandas, Arrow or a person holds as something that NumPy takes without a copy where there can be none."""
    if hasattr(values, "null_count") and hasattr(values, "to_numpy"):  # an array of Arrow, in chunks or not
        values = values.combine_chunks() if hasattr(values, "combine_chunks") else values
        if values.null_count:
            at = int(np.flatnonzero(~np.asarray(values.is_valid()))[0])
            raise tacit.TacitError(f"expected {where} without gaps, got null - at `{where}[{at}]`", fix="drop_null()")
        return values.to_numpy(zero_copy_only=False)
    dtype = getattr(values, "dtype", None)
    if hasattr(dtype, "tz") and hasattr(values, "to_numpy"):  # moments of pandas with a time zone: their instants
        return values.to_numpy(dtype=f"datetime64[{getattr(dtype, 'unit', 'ns')}]")
    if not hasattr(values, "__array__") and not isinstance(values, list | tuple):
        if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
            raise tacit.TacitError(f"expected a list or an array of keys, got {type(values).__name__} - at `{where}`", fix=f"[{where}]")
        values = list(values)
    return values


def _from_objects(values: Sequence[Any], where: str) -> np.ndarray:
    """Give an array of values that Python holds one by one. Raises: TacitError where their types differ."""
    first = _type_of(values[0]) if len(values) else "float"
    for at, value in enumerate(values):
        if value is None or value != value or type(value).__name__ == "NAType":
            raise tacit.TacitError(f"expected {where} without gaps, got {value} - at `{where}[{at}]`", fix="drop what is missing")
        if _type_of(value) != first:
            raise tacit.TacitError(
                f"expected {where} of one type, got {first} and {_type_of(value)} - at `{where}[{at}]`", fix=f"convert all to {first}"
            )
    if first in ("str", "bytes"):
        texts = np.empty(len(values), object)
        texts[:] = values
        return texts
    if first == "int":
        low, high = min(values), max(values)
        if low < -(2**63) or high > _MOST or (low < 0 and high >= 2**63):
            raise tacit.TacitError(f"expected integers of 64 bits, got {low} to {high} - at `{where}`", fix="keys of one range")
        return np.array(values, np.uint64 if high >= 2**63 else np.int64)
    if first in ("float", "datetime"):
        return np.array([_instant(value) for value in values] if first == "datetime" else values)
    raise tacit.TacitError(f"expected numbers, moments, str or bytes, got {first} - at `{where}[0]`", fix="keys of a type with an order")


def _instant(value: Any) -> np.datetime64:
    """Give a moment; one with a time zone becomes that of UTC."""
    zone = getattr(value, "tzinfo", None)
    return np.datetime64(value if zone is None else value.astimezone(datetime.UTC).replace(tzinfo=None))


def _type_of(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "bool"
    for name, types in (("int", (int, np.integer)), ("float", (float, np.floating)), ("str", (str,)), ("bytes", (bytes,))):
        if isinstance(value, types):
            return name
    return "datetime" if isinstance(value, datetime.datetime | datetime.date | np.datetime64) else type(value).__name__


def _refuse_gaps(array: np.ndarray, where: str) -> None:
    if array.dtype.kind == "f":
        gaps = np.isnan(array)
    elif array.dtype.kind in "mM":
        gaps = np.isnat(array)
    else:
        return
    if gaps.any():
        at = int(gaps.argmax())
        raise tacit.TacitError(f"expected {where} without gaps, got {array[at]} - at `{where}[{at}]`", fix=f"{where}[{where} == {where}]")


def _whole(array: np.ndarray, mine: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Give integers in the 64 bits that the keys have, and which lie below or above those."""
    if array.dtype.kind == mine:
        return np.ascontiguousarray(array, dtype=np.uint64 if mine == "u" else np.int64), None
    if mine == "u":
        below = array < 0
        return np.where(below, 0, array).astype(np.uint64), -below.astype(np.int8) if below.any() else None
    above = array > np.uint64(2**63 - 1) if array.dtype.itemsize == 8 else np.zeros(len(array), bool)
    return np.where(above, 0, array).astype(np.int64), above.astype(np.int8) if above.any() else None
