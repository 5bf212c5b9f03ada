"""Bring what belongs to the operands of a matmul to common axes: batch + rows + columns + inner, extent 1 where nothing varies."""

from __future__ import annotations

import numpy as np

from tacit.ir.graph import Axes, Matmul
from tacit.quantisation.weights import Reals


def aligned_a(values: Reals, axes: Axes) -> Reals:
    """batch + rows + inner -> batch + rows + columns + inner."""
    first = axes.batch + axes.rows
    return values.reshape([*values.shape[:first], *(1,) * axes.columns, *values.shape[first:]])


def aligned_b(values: Reals, axes: Axes) -> Reals:
    """batch + inner + columns -> batch + rows + columns + inner."""
    batch, inner, columns = axes.batch, axes.inner, axes.columns
    order = [*range(batch), *range(batch + inner, batch + inner + columns), *range(batch, batch + inner)]
    turned = np.transpose(values, order)
    return turned.reshape([*turned.shape[:batch], *(1,) * axes.rows, *turned.shape[batch:]])


def aligned_bias(values: Reals, axes: Axes) -> Reals:
    """batch + columns -> batch + rows + columns."""
    return values.reshape([*values.shape[: axes.batch], *(1,) * axes.rows, *values.shape[axes.batch :]])


def back_to_a(values: np.ndarray, axes: Axes) -> np.ndarray:
    """Undo `aligned_a` (columns have extent 1)."""
    first = axes.batch + axes.rows
    return values.reshape([*values.shape[:first], *values.shape[first + axes.columns :]])


def back_to_b(values: np.ndarray, axes: Axes) -> np.ndarray:
    """Undo `aligned_b` (rows have extent 1)."""
    batch, inner, columns = axes.batch, axes.inner, axes.columns
    flat = values.reshape([*values.shape[:batch], *values.shape[batch + axes.rows :]])
    return np.transpose(flat, [*range(batch), *range(batch + columns, batch + columns + inner), *range(batch, batch + columns)])


def back_to_bias(values: np.ndarray, axes: Axes) -> np.ndarray:
    """Undo `aligned_bias` (rows have extent 1)."""
    return values.reshape([*values.shape[: axes.batch], *values.shape[axes.batch + axes.rows :]])


def inner_axes(axes: Axes) -> tuple[int, ...]:
    """Give the places of the inner axes among the common axes."""
    first = axes.batch + axes.rows + axes.columns
    return tuple(range(first, first + axes.inner))


def row_axes(axes: Axes) -> tuple[int, ...]:
    """Give the places of the row axes among the common axes."""
    return tuple(range(axes.batch, axes.batch + axes.rows))


def terms(step: Matmul) -> int:
    """Count the products of one sum."""
    return int(np.prod(step.a.shape[step.axes.batch + step.axes.rows :], dtype=np.int64))


def of_out(values: Reals, axes: Axes) -> Reals:
    """Drop the inner axes, along which nothing varies: batch + rows + columns."""
    return values.reshape(values.shape[: axes.batch + axes.rows + axes.columns])
