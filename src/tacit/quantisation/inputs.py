"""Choose what the integers of each input stand for: exact where its numbers are whole, one scale per column where columns differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tacit.ir.graph import Buffer, Graph, Matmul, View
from tacit.quantisation.constants import is_constant
from tacit.quantisation.formats import Format, must_be_narrow, range_format
from tacit.quantisation.useful import Limits
from tacit.quantisation.weights import Reals

_AT_ONCE = 4096  # examples
_WIDE = 4.0  # times by which the ranges of an input's elements may differ before they get their own scales


def input_formats(graph: Graph, examples: Sequence[np.ndarray], limits: Limits, *, wide: Iterable[str] = ()) -> dict[str, Format]:
    """Give the format of every input. examples: all that there are, since the extremes of a column may be rare. wide: get 16 bits."""
    narrow, found = must_be_narrow(graph), dict[str, Format]()
    for buffer, array in zip(graph.of_kind("input"), examples, strict=True):
        if buffer.dtype == "int32":
            found[buffer.name] = Format("int32", 1.0, 0)
            continue
        least, greatest, whole = _extremes(np.asarray(array), buffer.size)
        kind = _whole(float(least.min()), float(greatest.max())) if whole else None
        least, greatest = (np.clip(end, *limits[buffer.name]) for end in (least, greatest))
        found[buffer.name] = kind or _real(buffer, graph, least, greatest)
        if found[buffer.name].dtype == "int16" and (buffer.name in narrow or buffer.name not in wide):
            found[buffer.name] = range_format(float(min(least.min(), 0.0)), float(max(greatest.max(), 0.0)), "uint8")
    return found


def _extremes(array: np.ndarray, size: int) -> tuple[Reals, Reals, bool]:
    """Give the least and greatest value of each element over all examples (NaN counts as 0), and whether all are whole numbers."""
    least, greatest, whole = np.full(size, np.inf), np.full(size, -np.inf), True
    for start in range(0, len(array), _AT_ONCE):
        values = np.nan_to_num(array[start : start + _AT_ONCE].astype(np.float32)).reshape(-1, size)
        least, greatest = np.minimum(least, values.min(0)), np.maximum(greatest, values.max(0))
        whole = whole and bool(np.all(values == np.rint(values)))
    return least, greatest, whole


def _whole(least: float, greatest: float) -> Format | None:
    """Give an exact format to whole numbers, or None where 16 bits don't hold them."""
    if least < -32768 or greatest > 32767:
        return None
    return Format("uint8", 1.0, 0) if least >= 0 and greatest <= 255 else Format("int16", 1.0, 0)


def _real(buffer: Buffer, graph: Graph, least: Reals, greatest: Reals) -> Format:
    """Give 16 bits; one scale per place along the axis that differs most, where the readers can do with that."""
    plain = range_format(float(min(least.min(), 0.0)), float(max(greatest.max(), 0.0)), "int16")
    sizes = np.maximum(np.abs(least), np.abs(greatest)).reshape(buffer.shape)
    best: tuple[float, tuple[float, ...]] | None = None
    for axis in range(sizes.ndim):
        each = sizes.max(tuple(other for other in range(sizes.ndim) if other != axis), keepdims=True)
        each = np.maximum(each, each.max() * 1e-9)
        ratio = float(each.max() / max(each.min(), 1e-300))
        scales = np.broadcast_to(np.maximum(each / 32767.0, 1e-30), buffer.shape).reshape(-1)
        if ratio > (best[0] if best else _WIDE) and may_vary(buffer.name, scales, graph):
            best = ratio, tuple(map(float, scales))
    return plain if best is None else Format("int16", plain.scale, 0, best[1])


def may_vary(name: str, scales: Reals, graph: Graph) -> bool:
    """Say whether all readers of a buffer can take these scales of its elements into their weights and multipliers."""
    for step in graph.instructions:
        if not isinstance(step, Matmul):
            continue
        batch, rows, inner = step.axes.batch, step.axes.rows, step.axes.inner
        if step.a.buffer == name:
            varies = [scale_of(step.a, scales).shape[axis] > 1 for axis in range(len(step.a.shape))]
            over_inner, over_rows = any(varies[batch + rows :]), any(varies[batch : batch + rows])
            constant = is_constant(step.b, graph) and step.b.index is None
            if (over_inner and (over_rows or not constant)) or (over_rows and step.bias is not None):
                return False
        if step.b.buffer == name:
            varies = [scale_of(step.b, scales).shape[axis] > 1 for axis in range(len(step.b.shape))]
            over_inner, over_columns = any(varies[batch : batch + inner]), any(varies[batch + inner :])
            constant = is_constant(step.a, graph) and step.a.index is None
            if over_inner and (over_columns or not constant):
                return False
    return True


def scale_of(view: View, scales: Reals) -> Reals:
    """Give the scales of the elements of a view; extents of the view, or 1 along axes where nothing varies."""
    shape = [extent if stride else 1 for extent, stride in zip(view.shape, view.strides, strict=True)]
    values = np.lib.stride_tricks.as_strided(scales[view.offset :], shape, [stride * 8 for stride in view.strides]).copy()
    for axis in range(values.ndim):
        first = values.take([0], axis)
        if np.array_equal(np.broadcast_to(first, values.shape), values):
            values = first
    return values
