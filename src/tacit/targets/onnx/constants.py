"""Constant factors over letters: an array with one axis per letter, of extent 1 along the letters that it does not depend on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.addresses import bounds
from tacit.ir.graph import View


@dataclass(frozen=True, eq=False)
class Constant:
    """``values * scale``; `scale` (None: 1) is what one step of integers is worth, over the same letters."""

    values: np.ndarray
    scale: np.ndarray | None = None

    @property
    def real(self) -> np.ndarray:
        """The numbers that are meant."""
        return self.values if self.scale is None else self.values * self.scale

    @property
    def letters(self) -> list[int]:
        """The letters on which the numbers depend."""
        values = [letter for letter, extent in enumerate(self.values.shape) if extent > 1]
        scale = [] if self.scale is None else [letter for letter, extent in enumerate(self.scale.shape) if extent > 1]
        return sorted({*values, *scale})

    def at(self, letter: int, place: int) -> Constant:
        """Fix one letter at a place."""
        if self.values.shape[letter] == 1:
            return self
        return replace(self, values=self.values.take([place], letter))

    def uniform(self, letters: Sequence[int]) -> bool:
        """Say whether the values are the same all along the given letters."""
        first = self.values[tuple(slice(0, 1) if letter in letters else slice(None) for letter in range(self.values.ndim))]
        return bool((self.values == first).all())


@dataclass(frozen=True, eq=False)
class Weights:
    """An array for a node; with `scale` (one number, or one per channel) its values are integers."""

    values: np.ndarray
    scale: np.ndarray | None = None

    @property
    def real(self) -> np.ndarray:
        """The numbers that are meant, where the channels are the last axis."""
        return (self.values if self.scale is None else self.values * self.scale).astype(np.float32)


def constant_of(view: View, flat: np.ndarray) -> Constant:
    """Read a view of a weight; along letters on which nothing depends the array has extent 1."""
    low, _ = bounds(view)
    strides = [stride * flat.itemsize for stride in view.strides]
    found = np.ndarray(view.shape, flat.dtype, flat[low:].data, (view.offset - low) * flat.itemsize, strides)
    if bool((found == found.flat[0]).all()):
        return Constant(found[(slice(0, 1),) * found.ndim])
    return Constant(found[tuple(slice(0, 1) if stride == 0 else slice(None) for stride in view.strides)])


def summed(constant: Constant, letters: Sequence[int], extents: Sequence[int]) -> Constant:
    """Sum over letters that only the constant depends on (or nothing does)."""
    if not letters:
        return constant
    times = math.prod(extents[letter] for letter in letters if constant.values.shape[letter] == 1)
    whole = constant.values.dtype.kind in "iu"
    values = constant.values.sum(tuple(letters), keepdims=True, dtype=np.int64 if whole else np.float64) * times
    return replace(constant, values=values if whole else values.astype(np.float32))


def arranged(constant: Constant, axes: Sequence[Sequence[int]], extents: Sequence[int], channel: int | None) -> Weights:
    """Give an array whose axes are made of letters, in order; `channel` is the axis along which integers may have scales of their own."""
    letters = [letter for axis in axes for letter in axis]
    shape = [math.prod(extents[letter] for letter in axis) for axis in axes]
    left = [letter for letter in range(constant.values.ndim) if letter not in letters]
    values = _laid_out(constant.values, letters, left, extents).reshape(shape)
    if constant.scale is None:
        return Weights(values)
    scaled = {letter for letter, extent in enumerate(constant.scale.shape) if extent > 1}
    if constant.scale.size == 1:
        return Weights(values, constant.scale.reshape(1))
    if channel is not None and scaled <= set(axes[channel]):
        rest = [letter for letter in range(constant.scale.ndim) if letter not in axes[channel]]
        return Weights(values, _laid_out(constant.scale, axes[channel], rest, extents).reshape(-1))
    return Weights(_laid_out(constant.real, letters, left, extents).reshape(shape).astype(np.float32))


def _laid_out(array: np.ndarray, letters: Sequence[int], left: Sequence[int], extents: Sequence[int]) -> np.ndarray:
    """Order the axes by letters, those that are `left` out having extent 1, and repeat what does not vary."""
    turned = array.transpose([*letters, *left])
    turned = turned.reshape(turned.shape[: len(letters)])
    return np.ascontiguousarray(np.broadcast_to(turned, [extents[letter] for letter in letters]))
