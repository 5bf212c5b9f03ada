"""The functions that generated files begin with; the text of those that a program needs is copied into it.

A buffer is an array [example, element]; that of a weight has one example.
"""

from __future__ import annotations

import math

import numpy as np


def view(buffer: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """Give [example, *shape] in the memory of a buffer; element (i, j, ...) stands at offset + i * strides[0] + j * strides[1] + ..."""
    steps = (buffer.strides[0], *(stride * buffer.itemsize for stride in strides))
    return np.lib.stride_tricks.as_strided(buffer[:, offset:], (len(buffer), *shape), steps)


def picked(
    buffer: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], integers: np.ndarray, step: int
) -> np.ndarray:
    """Give a copy of a view in which `integers` [example, *shape] pick rows: ``step * integer`` is added to the address."""
    places = integers.astype(np.int64) * step + offset
    for axis, (extent, stride) in enumerate(zip(shape, strides, strict=True)):
        places += (np.arange(extent) * stride).reshape([-1 if axis == other else 1 for other in range(len(shape))])
    if len(buffer) == 1:
        return np.take(buffer[0], places)
    return np.take_along_axis(buffer, places.reshape(len(buffer), -1), 1).reshape(places.shape)


def product(a: np.ndarray, b: np.ndarray, batch: int = 0, rows: int = 0, inner: int = 0, columns: int = 0) -> np.ndarray:
    """Give the sum over the inner axes of a[example, batch, rows, inner] * b[example, batch, inner, columns]; each may be several axes."""
    left, right = a.shape[1:], b.shape[1:]
    shape = (*left[: batch + rows], *right[batch + inner :])
    stack, high = math.prod(left[:batch]), math.prod(left[batch : batch + rows])
    deep, wide = math.prod(left[batch + rows :]), math.prod(right[batch + inner :])
    a, b = a.reshape(len(a), stack, high, deep), b.reshape(len(b), stack, deep, wide)
    if deep == 1:
        made: np.ndarray = a * b
    elif len(b) == 1:  # a weight: the examples are rows, too
        tall = a.transpose(1, 0, 2, 3).reshape(stack, len(a) * high, deep) @ b[0]
        made = tall.reshape(stack, len(a), high, wide).transpose(1, 0, 2, 3)
    else:
        made = a @ b
    return made.reshape(len(made), *shape)


def taken(array: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Check a float input and give it as [example, element]; what is not a number (NaN) is read as 0."""
    array = np.asarray(array, np.float32)
    if array.shape[1:] != shape or array.ndim != len(shape) + 1:
        raise ValueError(f"expected {name} [batch, {', '.join(map(str, shape))}], got {list(array.shape)}")
    return np.where(np.isnan(array), np.float32(0), array).reshape(len(array), math.prod(shape))


def counted(array: np.ndarray, name: str, shape: tuple[int, ...], limits: int | list[int]) -> np.ndarray:
    """Check an integer input and give it as [example, element]; each element must be at least 0 and below its limit."""
    array = np.asarray(array)
    if array.shape[1:] != shape or array.ndim != len(shape) + 1 or array.dtype.kind not in "iu":
        raise ValueError(f"expected integers {name} [batch, {', '.join(map(str, shape))}], got {array.dtype}{list(array.shape)}")
    flat = array.reshape(len(array), math.prod(shape))
    if ((flat < 0) | (flat >= np.array(limits))).any():
        raise ValueError(f"expected integers of {name} from 0 to below {limits}, got {flat.min()} to {flat.max()}")
    return flat.astype(np.int32)


def quantised(array: np.ndarray, inverse: float | np.ndarray, zero: int, low: int, high: int, dtype: type[np.generic]) -> np.ndarray:
    """Bring the float32 numbers of an input to integers: nearest steps of 1 / inverse, within low to high."""
    moved = np.clip(array * np.float32(inverse) + np.float32(zero - low + 0.5), np.float32(0), np.float32(high - low))
    made: np.ndarray = (np.trunc(moved).astype(np.int32) + low).astype(dtype)
    return made


def centred(buffer: np.ndarray, zero: int) -> np.ndarray:
    """Give a buffer of integers as float64, in which sums of their products are exact, with `zero` taken off."""
    made: np.ndarray = buffer.astype(np.float64) - zero
    return made


def shifted(x: np.ndarray, places: int) -> np.ndarray:
    """Divide int32 numbers by a power of two and round."""
    return (x + np.int32((1 << places) >> 1)) >> np.int32(places)


def requantised(
    x: np.ndarray, before: int, multiplier: np.ndarray, after: int, zero: int, low: int, high: int, old: int | np.ndarray = 0
) -> np.ndarray:
    """Bring sums to the integers of a buffer, in int32 arithmetic that no program overflows."""
    x = shifted(x.astype(np.int32), before) * multiplier + old
    return np.clip(shifted(x, after) + np.int32(zero), low, high)
