"""Products of what was computed with constants: the recognised forms, from the most special to the one that always works.

Letters are told apart by what depends on them: rows (the computed factor and the result), columns (the constant and the result),
groups (all three) and inner ones (the factors alone, summed over).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tacit.targets.onnx.access import Access, read
from tacit.targets.onnx.arithmetic import Arithmetic, Term
from tacit.targets.onnx.constants import Constant, Weights, arranged, summed
from tacit.targets.onnx.convolution import Window, geometry_of, reordered, window_of
from tacit.targets.onnx.nodes import Tensor
from tacit.targets.onnx.problem import Problem

FEW_TAPS = 4  # sums of so few windows are slices that are added


class Weighted:
    """One product of a computed factor and a constant."""

    def __init__(self, arithmetic: Arithmetic, problem: Problem, access: Access, constant: Constant, bias: Constant | None) -> None:
        self.arithmetic, self.nodes, self.access, self.bias = arithmetic, arithmetic.nodes, access, bias
        self.extents = dict(enumerate(problem.extents))
        walked = access.letters
        alone = [letter for letter, summing in enumerate(problem.inner) if summing and letter not in walked]
        self.constant = summed(constant, alone, problem.extents)
        weighted = self.constant.letters
        self.inner = [letter for letter in walked if problem.inner[letter]]
        self.groups = [letter for letter in walked if letter in weighted and not problem.inner[letter]]
        self.rows = [letter for letter in walked if letter not in weighted and not problem.inner[letter]]
        self.columns = [letter for letter in weighted if letter not in walked]

    def term(self) -> Term:
        """Give the nodes of the first form that fits."""
        for form in (self._pointwise, self._mean, self._pooling, self._taps, self._convolution, self._linear):
            found = form()
            if found is not None:
                return found
        return self._matrices()

    # --- forms -----------------------------------------------------------------------------------------------------------

    def _pointwise(self) -> Term | None:
        """``x * w``: nothing is summed."""
        if self.inner:
            return None
        letters = self.access.letters
        x = read(self.nodes, self.access, self.extents, letters)
        x = self.nodes.reshape(x, [*x.shape, *[1] * len(self.columns)])  # before its numbers are taken, for stored ones are reshaped freely
        return self._times(self.arithmetic.value(x, self.access), letters, self.constant)

    def _mean(self) -> Term | None:
        """``w * sum(x)``: the constant is the same all along the inner letters, and these have axes of their own."""
        if self.columns or not self.constant.uniform(self.inner) or self._windows():
            return None
        letters = self.access.letters
        x = read(self.nodes, self.access, self.extents, letters)
        axes = [axis for axis, letter in enumerate(letters) if letter in self.inner]
        left = [letter for letter in letters if letter not in self.inner]
        constant = self._first(self.constant)
        number, count = self.arithmetic.number(constant), math.prod(self.extents[letter] for letter in self.inner)
        if self.arithmetic.averages and number is not None and number != 1:
            return Term(self.arithmetic.mean(x, self.access, axes), tuple(left), _near_one(number * count))
        return self._times(self.arithmetic.sum(self.arithmetic.value(x, self.access), axes), left, constant)

    def _pooling(self) -> Term | None:
        """``w * sum(windows of x)``."""
        number = self.arithmetic.number(self._first(self.constant))
        windows = [window_of(axis, self.inner) for axis in self.access.axes if set(axis.letters) & set(self.inner)]
        if not self.arithmetic.averages or number is None or self.columns or not self.constant.uniform(self.inner):
            return None
        found = [window for window in windows if window is not None and window.dilation == 1 and window.stride]
        if not 1 <= len(found) <= 2 or len(found) < len(windows):
            return None
        placed = geometry_of(self.access, found, self.extents)
        if placed is None:
            return None
        geometry, access, extents = placed
        spatial, kernel = [window.row for window in found], [self.extents[window.tap] for window in found if window.tap is not None]
        if any(pad >= size for pads in (geometry.before, geometry.after) for pad, size in zip(pads, kernel, strict=True)):
            return None  # runtimes refuse windows that lie in the border as a whole
        others = [letter for letter in access.letters if letter not in spatial]
        x = read(self.nodes, access, extents, [*others, *spatial])
        x = self.nodes.reshape(x, [math.prod(self.extents[letter] for letter in others), *x.shape[len(others) :]])
        shape = [x.shape[0], *(self.extents[letter] for letter in spatial)]
        made = self._term(self.arithmetic.pool(x, self.access, kernel, geometry, shape), [*others, *spatial])
        return Term(made.tensor, made.letters, _near_one(number * math.prod(kernel)))

    def _taps(self) -> Term | None:
        """``x[t] * w[0] + x[t + 1] * w[1]``: slices instead of windows."""
        count = math.prod(self.extents[letter] for letter in self.inner)
        if self.columns or count > (FEW_TAPS if self._windows() else 2):
            return None
        letters = [letter for letter in self.access.letters if letter not in self.inner]
        taps = []
        for places in np.ndindex(*(self.extents[letter] for letter in self.inner)):
            access, constant = self.access, self.constant
            for letter, place in zip(self.inner, places, strict=True):
                access, constant = access.at(letter, place), constant.at(letter, place)
            number = self.arithmetic.number(constant)
            taps.append((number is not None and number < 0, access, constant))
        made: Tensor | None = None
        for negative, access, constant in sorted(taps, key=lambda tap: tap[0]):
            subtracted = negative and made is not None
            if subtracted:
                constant = Constant(-constant.values, constant.scale)
            part = self.arithmetic.applied(self._times(self._value(access, letters), letters, constant))
            made = part if made is None else self.arithmetic.add(made, part, -1 if subtracted else 1)
        return None if made is None else Term(made, tuple(letters))

    def _convolution(self) -> Term | None:
        """``Conv``: windows along at most three axes, the other inner letters being channels."""
        windows: list[Window] = []
        for axis in self.access.axes:
            if set(axis.letters) & set(self.rows):
                window = window_of(axis, self.inner)
                if window is None or window.row in self.groups:
                    return None
                windows.append(window)
            elif set(axis.letters) & set(self.groups) and set(axis.letters) & set(self.inner):
                return None
        sliding = [window for window in windows if window.tap is not None]
        if not 1 <= len(windows) <= 3 or (not sliding and (self.groups or not self._channels_first())):
            return None
        placed = geometry_of(self.access, windows, self.extents, math.prod(self.extents[g] for g in self.groups))
        if placed is None:
            return None
        geometry, access, extents = placed
        spatial, taps = [window.row for window in windows], [[] if window.tap is None else [window.tap] for window in windows]
        channels = [letter for letter in access.letters if letter in self.inner]
        x = read(self.nodes, access, extents, [*self.groups, *channels, *spatial])
        x = self.nodes.reshape(x, [math.prod(self.extents[letter] for letter in [*self.groups, *channels]), *x.shape[-len(spatial) :]])
        outputs = [*self.groups, *self.columns]
        weights = reordered(arranged(self.constant, [outputs, channels, *taps], self._sizes(), 0), windows)
        bias = self._channel_bias(outputs)
        shape = [weights.values.shape[0], *(self.extents[letter] for letter in spatial)]
        made = self.arithmetic.convolve(x, self.access, weights, bias, geometry, shape)
        return None if made is None else self._term(made, [*outputs, *spatial], biased=bias is not None)

    def _linear(self) -> Term | None:
        """``Gemm``: everything is summed over; the constant takes the order of the tensor, and nothing moves."""
        if self.rows or self.groups:
            return None
        letters = self.access.letters
        x = read(self.nodes, self.access, self.extents, letters)
        weights = arranged(self.constant, [letters, self.columns], self._sizes(), 1)
        bias = self._channel_bias(self.columns)
        made = self.arithmetic.linear(self.nodes.reshape(x, [x.size]), self.access, weights, bias)
        return self._term(made, self.columns, biased=bias is not None)

    def _matrices(self) -> Term:
        """``x[group, row, inner] @ w[group, inner, column]``."""
        letters = self.access.letters
        rows, inner = [[letter for letter in letters if letter in part] for part in (self.rows, self.inner)]
        x = read(self.nodes, self.access, self.extents, [*self.groups, *rows, *inner])
        sizes = [[self.extents[letter] for letter in part] for part in (self.groups, rows, inner)]
        if self.groups:
            x = self.nodes.reshape(x, [math.prod(size) for size in sizes])
            weights = arranged(self.constant, [self.groups, inner, self.columns], self._sizes(), None)
        else:
            x = self.nodes.reshape(x, [*sizes[1], math.prod(sizes[2])])
            weights = arranged(self.constant, [inner, self.columns], self._sizes(), 1)
        return self._term(self.arithmetic.matrices(x, self.access, weights), [*self.groups, *rows, *self.columns])

    # --- parts ------------------------------------------------------------------------------------------------------------

    def _sizes(self) -> list[int]:
        return list(self.extents.values())

    def _value(self, access: Access, letters: Sequence[int]) -> Tensor:
        return self.arithmetic.value(read(self.nodes, access, self.extents, letters), access)

    def _windows(self) -> bool:
        """Say whether an axis has both inner and other letters."""
        return any(len({letter in self.inner for letter in axis.letters}) > 1 for axis in self.access.axes)

    def _channels_first(self) -> bool:
        """Say whether the inner letters come before the rows in the tensor."""
        kinds = [letter in self.rows for letter in self.access.letters]
        return kinds == sorted(kinds)

    def _first(self, constant: Constant) -> Constant:
        for letter in self.inner:
            constant = constant.at(letter, 0)
        return constant

    def _term(self, tensor: Tensor, letters: Sequence[int], *, biased: bool = False) -> Term:
        return Term(self.nodes.reshape(tensor, [self.extents[letter] for letter in letters]), tuple(letters), biased=biased)

    def _channel_bias(self, channels: Sequence[int]) -> Weights | None:
        """Give the bias as one number per channel, if it depends on nothing else."""
        if self.bias is None or not set(self.bias.letters) <= set(channels):
            return None
        return arranged(self.bias, [channels], self._sizes(), 0)

    def _times(self, x: Tensor, letters: Sequence[int], constant: Constant) -> Term:
        """Multiply a sum over `letters` by a constant over groups and columns."""
        number = self.arithmetic.number(constant)
        if number is not None:
            return Term(x, tuple(letters), number)
        order = (*letters, *self.columns)
        factor = aligned(self.arithmetic.factors(constant), order)
        shape = [self.extents[letter] for letter in order]
        return Term(self.arithmetic.multiply(x, self.arithmetic.constant(factor), shape), order)


def aligned(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Give an array over all letters the axes of `order`; it must not depend on the others."""
    left = [letter for letter in range(array.ndim) if letter not in order]
    turned = array.transpose([*order, *left])
    return turned.reshape(turned.shape[: len(order)])


def _near_one(factor: float) -> float:
    return 1.0 if abs(factor - 1) < 1e-6 else factor
