"""Round constant operands to 8 bits with one scale per column, or exactly where small whole numbers suffice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]
MOST = 127
FINE = 64  # what 1 becomes where the bias needs finer steps than the other operand has
RATIO = 256.0  # of the scales of two columns: a column that is smaller still is less than a step of the result


@dataclass(frozen=True, eq=False)
class Rounded:
    """``values ~ scale * integers``; `scale` has the extents of `values` along the axes where it varies, else 1."""

    integers: npt.NDArray[np.int8]
    scale: Reals


def exact(values: Reals) -> Rounded | None:
    """Give whole numbers of which `values` are multiples, when at most 127 suffice; else None.

    >>> found = exact(np.array([0.25, -0.5, 0.0]))
    >>> found.integers.tolist(), float(found.scale[0])
    ([1, -2, 0], 0.25)
    """
    sizes = np.abs(values[values != 0])
    if sizes.size == 0:
        return None
    unit = float(sizes.min())
    ratios = values / unit
    if np.abs(ratios).max() > MOST or np.abs(ratios - np.rint(ratios)).max() > 1e-6:
        return None
    return Rounded(np.rint(ratios).astype(np.int8), np.full((1,) * values.ndim, unit))


def nearest(values: Reals, over: tuple[int, ...], *, steps: int = MOST, least: Reals | float = 0.0) -> Rounded:
    """Round to the nearest of ``2 * steps + 1`` steps; one scale for all elements along the axes `over`, at each place of the others.

    least: what the scale may not fall below (extents of the scale, or 1).
    """
    scale = np.abs(values).max(over, keepdims=True) / steps
    largest = float(scale.max())
    floor = largest / RATIO if steps == MOST else 0.0
    scale = np.maximum(np.where(scale > 0, scale, largest if largest > 0 else 1.0), np.maximum(least, floor))
    return Rounded(np.clip(np.rint(values / scale), -MOST, MOST).astype(np.int8), scale)
