"""The geometry of convolutions and poolings: windows that slide along axes, and the zeros around these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.targets.onnx.access import Access, Along
from tacit.targets.onnx.arithmetic import Geometry
from tacit.targets.onnx.constants import Weights


@dataclass(frozen=True)
class Window:
    """Places ``base + row * stride + tap * dilation`` on one axis; `tap` is None where each window is one place."""

    along: Along
    row: int
    stride: int
    tap: int | None
    dilation: int


def window_of(along: Along, inner: Sequence[int]) -> Window | None:
    """Read an axis with one row letter and at most one inner letter as a window; None for others."""
    rows = [(letter, step) for letter, step in along.steps if letter not in inner]
    taps = [(letter, step) for letter, step in along.steps if letter in inner]
    if len(rows) != 1 or len(taps) > 1 or rows[0][1] < 1:
        return None
    tap, dilation = taps[0] if taps else (None, 1)
    return Window(along, rows[0][0], rows[0][1], tap, dilation)


def geometry_of(
    access: Access, windows: Sequence[Window], extents: Mapping[int, int], groups: int = 1
) -> tuple[Geometry, Access, dict[int, int]] | None:
    """Give strides and borders, and the access and the extents under which the axes of the windows are read as they lie.

    What the windows never reach at the ends of an axis is cut off, what they reach beyond it is border. None where they see nothing else.
    """
    strides, dilations, before, after, sizes = [], [], [], [], dict(extents)
    axes = dict(enumerate(access.axes))
    for window in windows:
        place = next(place for place, along in axes.items() if along is window.along)
        size, dilation = access.tensor.shape[place], abs(window.dilation)
        taps = 1 if window.tap is None else extents[window.tap]
        first = window.along.base + min(0, (taps - 1) * window.dilation)
        needed = (extents[window.row] - 1) * window.stride + (taps - 1) * dilation + 1
        start, low, high = max(0, first), max(0, -first), max(0, first + needed - size)
        rows = (low + size - start + high - (taps - 1) * dilation - 1) // window.stride + 1
        stop = size if rows == extents[window.row] else first + needed
        if stop <= start:
            return None
        strides.append(window.stride)
        dilations.append(dilation)
        before.append(low)
        after.append(high)
        sizes[window.row] = stop - start
        axes[place] = Along(start, ((window.row, 1),))
    geometry = Geometry(tuple(strides), tuple(dilations), tuple(before), tuple(after), groups)
    return geometry, replace(access, axes=tuple(axes.values())), sizes


def reordered(weights: Weights, windows: Sequence[Window]) -> Weights:
    """Turn the taps of windows that walk backwards."""
    turned = [2 + place for place, window in enumerate(windows) if window.dilation < 0]
    return replace(weights, values=np.ascontiguousarray(np.flip(weights.values, tuple(turned)))) if turned else weights
