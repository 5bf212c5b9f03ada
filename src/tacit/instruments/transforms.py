"""Changes of an input that should not change the answer, by name; `tests.toml` asks for them as invariances.

A transform of arrays takes an array of many examples with the axes of its `ArraySpec`; it applies where those axes are
there. A transform of values takes what the person wrote (a text, the columns of a row). Both take an amount, whose meaning
stands in the first line of each, and a generator for all randomness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.signature.base import ArraySpec

ArrayChange = Callable[[np.ndarray, ArraySpec, float, np.random.Generator], np.ndarray]
ValueChange = Callable[[Any, float, np.random.Generator], Any]


@dataclass(frozen=True)
class Transform:
    """One row of the table: which input kinds it is for, the amount when none is given, and the change itself."""

    kinds: tuple[str, ...]
    amount: float
    of_array: ArrayChange | None = None
    of_value: ValueChange | None = None


def _flip(axis: str) -> ArrayChange:
    def change(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
        """Mirror along one axis; the amount is not used."""
        return np.flip(array, spec.axes.index(axis) + 1)

    return change


def _shift(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Move by up to `amount` of the size (at least one place) along every axis of space or time; the edge is repeated."""
    moved = array
    for axis, (name, size) in enumerate(zip(spec.axes, spec.shape, strict=True), 1):
        reach = min(size - 1, max(1, round(amount * size))) if amount > 0 else 0
        if name in ("row", "column", "time", "sample") and reach:
            by = random.integers(-reach, reach + 1, len(array))
            places = np.clip(np.arange(size) + by[:, np.newaxis], 0, size - 1)
            shape = [len(array), *(size if other == axis else 1 for other in range(1, array.ndim))]
            moved = np.take_along_axis(moved, places.reshape(shape), axis)
    return moved


def _rotate(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Turn by up to `amount` degrees about the middle, bilinear, the edge repeated."""
    height, width = spec.shape[:2]
    angles = np.deg2rad(random.uniform(-amount, amount, len(array)))
    rows, columns = np.mgrid[:height, :width]
    down, across = rows - (height - 1) / 2, columns - (width - 1) / 2
    turned = np.empty(array.shape, np.float32)
    for number, angle in enumerate(angles):
        y = np.clip(np.cos(angle) * down - np.sin(angle) * across + (height - 1) / 2, 0, height - 1)
        x = np.clip(np.sin(angle) * down + np.cos(angle) * across + (width - 1) / 2, 0, width - 1)
        top, left = np.floor(y).astype(int), np.floor(x).astype(int)
        below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
        v, u = (y - top)[..., np.newaxis], (x - left)[..., np.newaxis]
        image = array[number].astype(np.float32)
        turned[number] = (1 - v) * ((1 - u) * image[top, left] + u * image[top, right]) + v * (
            (1 - u) * image[below, left] + u * image[below, right]
        )
    return _as_stored(turned, array)


def _brightness(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Make brighter or darker by up to `amount` of white."""
    return _as_stored(array + 255 * _each(random.uniform(-amount, amount, len(array)), array), array)


def _contrast(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Stretch about the mean by a factor within 1 +- `amount`."""
    mean = array.mean(axis=tuple(range(1, array.ndim)), keepdims=True, dtype=np.float64)
    return _as_stored(mean + (array - mean) * _each(random.uniform(1 - amount, 1 + amount, len(array)), array), array)


def _gain(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Multiply by a factor within 1 +- `amount`."""
    return _as_stored(array * _each(random.uniform(1 - amount, 1 + amount, len(array)), array), array)


def _noise(array: np.ndarray, spec: ArraySpec, amount: float, random: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise of `amount` times the standard deviation (of each channel or column over all examples)."""
    own = [axis + 1 for axis, name in enumerate(spec.axes) if spec.normalise and name in spec.normalise]
    over = tuple(axis for axis in range(array.ndim) if axis not in own)
    spread = array.std(axis=over, keepdims=True, dtype=np.float64)
    return _as_stored(array + amount * spread * random.standard_normal(array.shape), array)


def _each(values: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Give one value per example the axes to spread over `array`."""
    return values.reshape(-1, *(1,) * (array.ndim - 1))


def _as_stored(values: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Round and clip to the dtype in which `array` is stored."""
    if array.dtype.kind == "f":
        return np.asarray(values, array.dtype)
    limits = np.iinfo(array.dtype)
    return np.asarray(np.clip(np.rint(values), limits.min, limits.max), array.dtype)


def _per_word(value: str, amount: float, random: np.random.Generator, change: Callable[[str], str]) -> str:
    words = value.split(" ")
    chosen = random.random(len(words)) < amount
    return " ".join(change(word) if picked else word for word, picked in zip(words, chosen, strict=True))


def _upper(value: str, amount: float, random: np.random.Generator) -> str:
    """Put a share `amount` of the words in capitals."""
    return _per_word(value, amount, random, str.upper)


def _lower(value: str, amount: float, random: np.random.Generator) -> str:
    """Put a share `amount` of the words in small letters."""
    return _per_word(value, amount, random, str.lower)


def _spaces(value: str, amount: float, random: np.random.Generator) -> str:
    """Double a share `amount` of the spaces and add one at either end."""
    return f" {_per_word(value, amount, random, lambda word: word + ' ')} "


def _typos(value: str, amount: float, random: np.random.Generator) -> str:
    """Swap two neighbouring letters within a share `amount` of the words of at least 4 letters."""

    def swap(word: str) -> str:
        if len(word) < 4:
            return word
        at = int(random.integers(1, len(word) - 2))
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _per_word(value, amount, random, swap)


#: Name -> what it does and to which kinds of input it applies.
TRANSFORMS: dict[str, Transform] = {
    "flip": Transform(("image",), 0.0, of_array=_flip("column")),
    "flip_vertical": Transform(("image",), 0.0, of_array=_flip("row")),
    "shift": Transform(("image", "audio", "series"), 0.05, of_array=_shift),
    "rotate": Transform(("image",), 5.0, of_array=_rotate),
    "brightness": Transform(("image",), 0.1, of_array=_brightness),
    "contrast": Transform(("image",), 0.2, of_array=_contrast),
    "gain": Transform(("audio", "series"), 0.2, of_array=_gain),
    "noise": Transform(("image", "audio", "series", "row"), 0.05, of_array=_noise),
    "upper": Transform(("text",), 1.0, of_value=_upper),
    "lower": Transform(("text",), 1.0, of_value=_lower),
    "spaces": Transform(("text",), 1.0, of_value=_spaces),
    "typos": Transform(("text",), 0.1, of_value=_typos),
}


def apply_to_arrays(
    name: str, arrays: tuple[np.ndarray, ...], specs: tuple[ArraySpec, ...], *, amount: float, seed: int = 0
) -> tuple[np.ndarray, ...]:
    """Change the arrays of many examples; arrays that index an embedding, and flags without a scale, stay as they are."""
    change = TRANSFORMS[name].of_array
    if change is None:
        raise TypeError(f"`{name}` changes values, not arrays")
    random = np.random.default_rng(seed)
    return tuple(
        change(array, spec, amount, random) if spec.limit is None and spec.normalise is not None else array
        for array, spec in zip(arrays, specs, strict=True)
    )
