"""Which elements of a buffer a view names: bounds, the distinct elements, and boolean masks over them.

The windows of a convolution name most elements many times. As a *set* they are a few arithmetic progressions, which is
what makes the exact checks of the verifier and of the memory plan cheap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.ir.graph import View

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Elements:
    """The set ``{start + sum(i_j * stride_j)}`` for ``0 <= i_j < extent_j``; strides are positive and descend."""

    start: int
    axes: tuple[tuple[int, int], ...]  # (stride, extent)

    @property
    def stop(self) -> int:
        """Give one more than the last address."""
        return self.start + sum(stride * (extent - 1) for stride, extent in self.axes) + 1

    def mark(self, mask: Mask) -> None:
        """Set the elements of this set in a mask over the whole buffer."""
        if self._few:
            self._strided(mask)[...] = True
        else:
            np.logical_or(mask, self._spread(len(mask)), out=mask)

    def of(self, mask: Mask) -> Mask:
        """Give what a mask over the whole buffer says of the elements of this set; some may repeat."""
        return self._strided(mask) if self._few else mask[self._spread(len(mask))]

    def steps(self, size: int) -> int:
        """Count the elements of a buffer of `size` that `mark` or `of` goes through."""
        return size if self._few else size * sum(extent.bit_length() for _, extent in self.axes)

    @property
    def _few(self) -> bool:
        """Tell whether walking the progressions names no element very often; in a sum such as {0, 2, 4 ...} + {0, 3, 6 ...} it does."""
        return len(self.axes) <= 16 and math.prod(extent for _, extent in self.axes) <= 8 * (self.stop - self.start) + 4096

    def _strided(self, mask: Mask) -> Mask:
        strides = tuple(stride for stride, _ in self.axes)
        extents = tuple(extent for _, extent in self.axes)
        return np.ndarray(extents, np.bool_, buffer=mask, offset=self.start, strides=strides)

    def _spread(self, size: int) -> Mask:
        """Give a mask of this set: per progression, what is there so far is doubled until it is long enough."""
        mask = np.zeros(size, np.bool_)
        mask[self.start] = True
        for stride, extent in self.axes:
            count = 1
            while count < extent:
                more = min(count, extent - count)
                mask[more * stride :] |= mask[: size - more * stride].copy()
                count += more
        return mask


def bounds(view: View) -> tuple[int, int]:
    """Give the least and greatest address of a view, over every value that its index may take.

    >>> bounds(View("x", 4, (3, 2), (10, -1)))
    (3, 24)
    """
    spans = [stride * (extent - 1) for extent, stride in zip(view.shape, view.strides, strict=True)]
    if view.index is not None:
        spans.append(view.index.step * (view.index.limit - 1))
    return view.offset + sum(min(0, span) for span in spans), view.offset + sum(max(0, span) for span in spans)


def elements(view: View) -> Elements:
    """Give the set of elements that a view may name, with as few axes as is easy.

    Two progressions whose sum has no gaps are one: ``{0, 1, 2} + {0, 2, 4} = {0, ..., 6}``.

    >>> elements(View("x", 0, (26, 26, 3, 3), (28, 1, 28, 1)))
    Elements(start=0, axes=((1, 784),))
    """
    pairs = list(zip(view.strides, view.shape, strict=True))
    if view.index is not None:
        pairs.append((view.index.step, view.index.limit))
    start, extents = view.offset, dict[int, int]()
    for stride, extent in pairs:
        if stride < 0:
            start += stride * (extent - 1)
        if stride != 0 and extent > 1:
            extents[abs(stride)] = extents.get(abs(stride), 1) + extent - 1
    return Elements(start, _without_gaps(sorted(extents.items())))


def _without_gaps(axes: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Join progressions (ascending strides) while one of them fills the steps of the next; give them descending."""
    joined: list[tuple[int, int]] = []
    for stride, extent in axes:
        for place, (fine, count) in enumerate(joined):
            if stride % fine == 0 and stride // fine <= count:
                joined[place] = (fine, count + (extent - 1) * (stride // fine))
                break
        else:
            joined.append((stride, extent))
    if len(joined) < len(axes):
        return _without_gaps(sorted(joined))
    return tuple(reversed(joined))


def names_twice(view: View, size: int) -> bool:
    """Say whether some element of a buffer of `size` elements is named twice by the view (its index left out)."""
    if steps_apart(view):
        return False
    mask = np.zeros(size, np.bool_)
    elements(View(view.buffer, view.offset, view.shape, view.strides)).mark(mask)
    return int(np.count_nonzero(mask)) < view.size


def steps_apart(view: View) -> bool:
    """Say whether each axis of a view steps over all that the axes of smaller strides reach, so that no element is named twice.

    >>> steps_apart(View("x", 0, (3, 2), (2, 1))), steps_apart(View("x", 0, (3, 2), (1, 1)))
    (True, False)
    """
    reach = 0
    for stride, extent in sorted((abs(stride), extent) for stride, extent in zip(view.strides, view.shape, strict=True) if extent > 1):
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True


def overlap(one: View, other: View, size: int) -> bool:
    """Say whether two views of the same buffer of `size` elements name an element in common."""
    first, second = elements(one), elements(other)
    if first.stop <= second.start or second.stop <= first.start:
        return False
    mask = np.zeros(size, np.bool_)
    first.mark(mask)
    return bool(second.of(mask).any())
