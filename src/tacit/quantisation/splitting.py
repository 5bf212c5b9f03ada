"""Cut an instruction in two along an axis of its output: for multipliers that are too far apart for one shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tacit.ir.graph import View
from tacit.ir.integer import IntegerInstruction, IntegerMatmul
from tacit.quantisation.weights import Reals


def best_cut(factor: Reals) -> tuple[int, int] | None:
    """Give the axis, and the place on it, where a cut leaves the least greatest ratio of factors within a part; None when none helps."""
    live = np.where(factor > 0, factor, np.nan)
    best: tuple[float, tuple[int, int]] | None = None
    for axis in range(factor.ndim):
        others = tuple(other for other in range(factor.ndim) if other != axis)
        least, greatest = np.nanmin(live, others), np.nanmax(live, others)
        for place in range(1, factor.shape[axis]):
            worst = max(np.nanmax(greatest[:place]) / np.nanmin(least[:place]), np.nanmax(greatest[place:]) / np.nanmin(least[place:]))
            if best is None or worst < best[0]:
                best = float(worst), (axis, place)
    return None if best is None or best[0] > 0.9 * np.nanmax(live) / np.nanmin(live) else best[1]


def cut_factor(factor: Reals, axis: int, place: int) -> tuple[Reals, Reals]:
    """Cut an array of the extents of `out` (or 1)."""
    first, second = np.split(factor, [place], axis) if factor.shape[axis] > 1 else (factor, factor)
    return first, second


def halves(step: IntegerInstruction, axis: int, place: int) -> Iterator[IntegerInstruction]:
    """Give the two instructions that write the output up to a place of an axis, and from there on."""
    extent = step.out.shape[axis]
    for start, stop in ((0, place), (place, extent)):
        if not isinstance(step, IntegerMatmul):
            yield replace(step, out=narrowed(step.out, axis, start, stop), x=narrowed(step.x, axis, start, stop))
            continue
        batch, rows, inner = step.axes.batch, step.axes.rows, step.axes.inner
        part = replace(step, out=narrowed(step.out, axis, start, stop))
        if axis < batch + rows:
            part = replace(part, a=narrowed(step.a, axis, start, stop))
        if axis < batch:
            part = replace(part, b=narrowed(step.b, axis, start, stop))
        elif axis >= batch + rows:
            part = replace(part, b=narrowed(step.b, axis - rows + inner, start, stop))
        if step.bias is not None and not batch <= axis < batch + rows:
            part = replace(part, bias=narrowed(step.bias, axis if axis < batch else axis - rows, start, stop))
        yield part


def narrowed(view: View, axis: int, start: int, stop: int) -> View:
    """Give the elements of a view from `start` up to `stop` along an axis."""
    shape = tuple(stop - start if place == axis else extent for place, extent in enumerate(view.shape))
    index = view.index
    if index is not None:
        index = replace(index, offset=index.offset + start * index.strides[axis])
    return View(view.buffer, view.offset + start * view.strides[axis], shape, view.strides, index)
