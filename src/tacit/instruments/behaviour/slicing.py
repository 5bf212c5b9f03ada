"""Parts of a data set in which a change may show though it does not in the whole: by class, group, import, and what an input is like."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tacit.signature.base import InputType, Product
from tacit.signature.row import Row

#: Parts into which an amount is cut, from low to high.
QUANTILES = 4
#: Smaller slices say nothing, and of a column with many values only the most frequent are looked at.
LEAST_EXAMPLES, MOST_VALUES = 10, 50

Feature = np.ndarray  # float64[example] for an amount, str[example] for a name


def features_of(
    type_: InputType, arrays: Sequence[np.ndarray], values: Sequence[Any], *, named: Mapping[str, Sequence[Any]]
) -> dict[str, Feature]:
    """Give what can be said of each example, by name: amounts as float64[example], names as str[example].

    values: the inputs that stand in the records (None: media). named: columns that are known already (class, group, import ...).
    """
    found = {name: np.array([str(value) for value in column], dtype=object) for name, column in named.items()}
    for name, column in _features(type_, arrays):
        found[name] = column
    lengths = [len(value) if isinstance(value, str) else -1 for value in values]
    if lengths and min(lengths) >= 0:
        found["length of the text"] = np.array(lengths, np.float64)
    return found


def slices_of(features: Mapping[str, Feature]) -> Iterator[tuple[str, np.ndarray]]:
    """Give ``(name of a slice, int64[rows])`` for every value of a name and every quarter of an amount, with enough examples."""
    for name, column in features.items():
        cut = _quarters(column) if column.dtype != object else _values(column)
        for title, rows in cut:
            if LEAST_EXAMPLES <= len(rows) < len(column):
                yield f"{name}: {title}", rows


def _values(column: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    names, places, counts = np.unique(column.astype(str), return_inverse=True, return_counts=True)
    for place in np.argsort(-counts, kind="stable")[:MOST_VALUES]:
        yield str(names[place]), np.flatnonzero(places == place)


def _quarters(column: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    edges = np.unique(np.quantile(column, np.linspace(0, 1, QUANTILES + 1)))
    if len(edges) < 3:
        return
    places = np.clip(np.searchsorted(edges, column, side="right") - 1, 0, len(edges) - 2)
    for place in range(len(edges) - 1):
        yield f"{edges[place]:.4g} to {edges[place + 1]:.4g}", np.flatnonzero(places == place)


def _features(type_: InputType, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    if isinstance(type_, Product):
        for name, part, own in zip(type_.names, type_.parts, type_.divide(arrays), strict=True):
            for title, column in _features(part, own):
                yield f"{name}, {title}", column
        return
    if type_.kind in _BY_KIND:
        yield from _BY_KIND[type_.kind](type_, arrays)


def _image(type_: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    yield "brightness", _rows(arrays[0], np.mean)
    yield "contrast", _rows(arrays[0], np.std)


def _audio(type_: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    yield "loudness", _rows(arrays[0], lambda part: float(np.sqrt(np.mean(np.square(part)))))
    yield "share of silence", _rows(arrays[0], lambda part: float(np.mean(part == 0)))


def _series(type_: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    yield "mean level", _rows(arrays[0], np.mean)
    yield "spread over time", _rows(arrays[0], lambda part: float(part.std(axis=-1).mean()))


def _text(type_: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    yield "tokens", (np.asarray(arrays[0])[:, :, 0] != 0).sum(axis=1).astype(np.float64)


def _row(type_: Any, arrays: Sequence[np.ndarray]) -> Iterator[tuple[str, Feature]]:
    if not isinstance(type_, Row):
        return
    for place, name in enumerate(type_.numbers):
        yield name, np.asarray(arrays[0][:, place], np.float64)
    for place, (name, values) in enumerate(type_.categories):
        words = np.array(["unknown", *values], dtype=object)
        yield name, words[np.asarray(arrays[-1][:, place], np.int64)]


def _rows(array: np.ndarray, measure: Callable[[Any], Any]) -> np.ndarray:
    return np.array([float(measure(np.asarray(part, np.float64))) for part in array], np.float64)


_BY_KIND: dict[str, Callable[..., Iterator[tuple[str, Feature]]]] = {
    "image": _image,
    "audio": _audio,
    "series": _series,
    "text": _text,
    "row": _row,
}
