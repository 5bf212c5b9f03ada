"""Fit a function of one variable by a sum of ReLUs with the least greatest error, and compute that error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Function = Callable[[Array], Array]
GRID = 20001  # points on which the error is computed
MOST_KNOTS = 4096


@dataclass(frozen=True)
class Piecewise:
    """``constant + slope * x + sum of weights[j] * max(0, x - knots[j])``; error: the greatest on the range."""

    constant: float
    slope: float
    knots: Array
    weights: Array
    error: float

    def __call__(self, x: Array) -> Array:
        """Evaluate at float64[point], with the float32 constants that a graph stores; knots ascend."""
        bent = np.concatenate([[0.0], np.cumsum(self.weights)])
        shift = np.concatenate([[0.0], np.cumsum(self.weights * self.knots)])
        place = np.searchsorted(self.knots, x, side="right")
        made: Array = self.constant + (self.slope + bent[place]) * x - shift[place]
        return made


def fit(function: Function, low: float, high: float, tolerance: float, *, slopes: tuple[float, float] | None = None) -> Piecewise | None:
    """Fit `function` on ``low ... high`` within `tolerance` with as few knots as found; None when it can't be reached.

    slopes: the slopes beyond the range, when the function is a line there; else the outermost pieces go on.
    The density of the knots is the square root of the second derivative, which makes the error of all pieces equal
    (de Boor, A Practical Guide to Splines, chapter XII); then each piece is moved by half its error.
    """
    if not high > low:
        return None
    fewest, most = 1, 2
    found = _with_pieces(function, low, high, most, slopes)
    while found.error > tolerance:
        fewest, most = most, most * 2
        if most > MOST_KNOTS:
            return None
        found = _with_pieces(function, low, high, most, slopes)
    while most - fewest > 1:
        middle = (fewest + most) // 2
        tried = _with_pieces(function, low, high, middle, slopes)
        if tried.error <= tolerance:
            most, found = middle, tried
        else:
            fewest = middle
    return found


def _with_pieces(function: Function, low: float, high: float, pieces: int, slopes: tuple[float, float] | None) -> Piecewise:
    grid = _grid(low, high)
    knots = _place(function, grid, pieces)
    values = function(knots)
    best = _assemble(function, knots, values, grid, slopes)
    errors = np.interp(grid, knots, values) - function(grid)
    piece = np.clip(np.searchsorted(knots, grid, side="right") - 1, 0, pieces - 1)
    greatest, least = np.full(pieces, -np.inf), np.full(pieces, np.inf)
    np.maximum.at(greatest, piece, errors)
    np.minimum.at(least, piece, errors)
    extreme = np.where(np.abs(greatest) > np.abs(least), greatest, least)
    extreme[~np.isfinite(extreme)] = 0.0
    shift = np.zeros(pieces + 1)
    shift[0], shift[-1] = extreme[0] / 2, extreme[-1] / 2
    shift[1:-1] = (extreme[:-1] + extreme[1:]) / 4
    if slopes is not None:  # the ends lie on the lines that go on beyond
        shift[0] = shift[-1] = 0.0
    moved = _assemble(function, knots, values - shift, grid, slopes)
    return moved if moved.error < best.error else best


def _grid(low: float, high: float) -> Array:
    even = np.linspace(low, high, GRID)
    if low > 0 and high / low > 8:  # steep near zero: as many points per octave
        return np.unique(np.concatenate([even, np.geomspace(low, high, GRID)]))
    return even


def _place(function: Function, grid: Array, pieces: int) -> Array:
    values = function(grid)
    first = np.diff(values) / np.diff(grid)
    middle = (grid[:-1] + grid[1:]) / 2
    second = np.abs(np.diff(first) / np.diff(middle))
    density = np.sqrt(second + 1e-12)
    reach = np.concatenate([[0.0], np.cumsum(density * np.diff(middle))])
    inner = np.interp(np.linspace(0.0, reach[-1], pieces + 1)[1:-1], reach, middle)
    return np.concatenate([[grid[0]], inner, [grid[-1]]])


def _assemble(function: Function, knots: Array, values: Array, grid: Array, slopes: tuple[float, float] | None) -> Piecewise:
    inner = np.diff(values) / np.diff(knots)
    if slopes is None:
        places, slope, bends = knots[1:-1], inner[0], np.diff(inner)
    else:
        places, slope, bends = knots, slopes[0], np.diff(np.concatenate([[slopes[0]], inner, [slopes[1]]]))
    places, bends = places.astype(np.float32).astype(np.float64), bends.astype(np.float32).astype(np.float64)
    slope = float(np.float32(slope))
    constant = float(np.float32(values[0] - slope * knots[0]))
    made = Piecewise(constant, slope, places, bends, 0.0)
    span = knots[-1] - knots[0]
    points = (
        grid
        if slopes is None
        else np.concatenate([np.linspace(knots[0] - span, knots[0], 2001), grid, np.linspace(knots[-1], knots[-1] + span, 2001)])
    )
    error = float(np.abs(made(points) - function(points)).max())
    return Piecewise(constant, slope, places, bends, error)


def saturation(function: Function, tolerance: float) -> tuple[float, float, tuple[float, float]]:
    """Find the range outside of which the function is a line within `tolerance`, and the slopes of the two lines."""
    far = 1000.0
    ends = []
    slopes = []
    for sign in (-1.0, 1.0):
        two = function(np.array([sign * far / 2, sign * far]))
        slope = float((two[1] - two[0]) / (sign * far / 2))
        distance = np.linspace(0.0, far / 10, 100001)
        off = np.abs(function(sign * distance) - (two[1] + slope * sign * (distance - far)))
        beyond = np.nonzero(off > tolerance)[0]
        ends.append(sign * float(distance[min(int(beyond[-1]) + 1 if len(beyond) else 1, len(distance) - 1)]))
        slopes.append(slope)
    return ends[0], ends[1], (slopes[0], slopes[1])
