"""A matmul as one problem over named axes, the examples of the batch being one more axis.

`contraction_of` turns an instruction into a `Contraction`, in the normal form that the kernels work on: axes of extent 1
are gone, an axis on which one factor does not depend is a row or a column and not a batch ("stack") axis, and
neighbouring axes that every operand walks as one are one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Role = Literal["stack", "row", "column", "inner"]
Array = npt.NDArray[np.float32]
ITEM = 4  # bytes of a float32


@dataclass(frozen=True)
class Axis:
    """One axis: its role, its extent and the stride (in elements) of each operand along it, 0 where it does not depend."""

    role: Role
    extent: int
    out: int
    a: int
    b: int
    bias: int


@dataclass(frozen=True, eq=False)
class Operand:
    """A flat array and the place of the first element in it; `constant` when its values never change."""

    storage: Array
    offset: int
    constant: bool = False

    def view(self, extents: list[int], strides: list[int], shift: int = 0) -> Array:
        """View the elements along axes of the given extents and strides."""
        place = (self.offset + shift) * ITEM
        return np.ndarray(extents, np.float32, buffer=self.storage.data, offset=place, strides=[stride * ITEM for stride in strides])


@dataclass(frozen=True, eq=False)
class Contraction:
    """``out (+)= sum over inner axes of a * b (+ bias)``, then ReLU; the axes say how each operand walks."""

    axes: tuple[Axis, ...]
    out: Operand
    a: Operand
    b: Operand
    bias: Operand | None
    accumulate: bool
    relu: bool

    def role(self, *roles: Role) -> list[Axis]:
        """Give the axes of some roles, in order."""
        return [axis for axis in self.axes if axis.role in roles]

    def count(self, *roles: Role) -> int:
        """Multiply the extents of the axes of some roles."""
        return math.prod(axis.extent for axis in self.axes if axis.role in roles)


def normal_form(problem: Contraction) -> Contraction:
    """Drop, rename, order and join axes without changing the meaning."""
    axes = [axis for axis in problem.axes if axis.extent > 1]
    axes = [_renamed(axis) for axis in axes]
    ordered: list[Axis] = []
    for role in ("stack", "row", "column"):
        chosen = [axis for axis in axes if axis.role == role]
        ordered += _joined(sorted(chosen, key=lambda axis: -abs(axis.out)))
    inner = [axis for axis in axes if axis.role == "inner"]
    by_a = sum(axis.extent for axis in inner if axis.a) >= sum(axis.extent for axis in inner if axis.b) and not problem.a.constant
    ordered += _joined(sorted(inner, key=lambda axis: -abs(axis.a if by_a else axis.b)))
    return replace(problem, axes=tuple(ordered))


def _renamed(axis: Axis) -> Axis:
    """Make a stack axis a row or a column where one of the factors does not depend on it."""
    if axis.role == "stack" and axis.b == 0:
        return replace(axis, role="row")
    if axis.role == "stack" and axis.a == 0:
        return replace(axis, role="column")
    return axis


def _joined(axes: list[Axis]) -> list[Axis]:
    """Join neighbours of one role that every operand walks as a single axis."""
    joined: list[Axis] = []
    for axis in axes:
        if joined and _follows(joined[-1], axis):
            joined[-1] = replace(axis, extent=joined[-1].extent * axis.extent)
        else:
            joined.append(axis)
    return joined


def _follows(outer: Axis, inner: Axis) -> bool:
    return all(getattr(outer, operand) == getattr(inner, operand) * inner.extent for operand in ("out", "a", "b", "bias"))


def pieces(problem: Contraction, limit: int) -> list[Contraction]:
    """Split a problem along its outermost axes until each piece needs at most about `limit` elements of scratch."""
    need = problem.count("stack", "row") * problem.count("inner") + problem.count("stack", "row", "column")
    if not problem.b.constant:
        need += problem.count("stack", "column") * problem.count("inner")
    place = _outermost(problem, "stack", "row")
    if place is None:
        place = _outermost(problem, "column")
    if need <= limit or place is None:
        return [problem]
    axis = problem.axes[place]
    width = max(1, axis.extent // -(-need // limit))
    found: list[Contraction] = []
    for start in range(0, axis.extent, width):
        part = replace(axis, extent=min(width, axis.extent - start))
        axes = (*problem.axes[:place], part, *problem.axes[place + 1 :])
        piece = normal_form(
            replace(
                problem,
                axes=axes,
                out=_moved(problem.out, start * axis.out),
                a=_moved(problem.a, start * axis.a),
                b=_moved(problem.b, start * axis.b),
                bias=None if problem.bias is None else _moved(problem.bias, start * axis.bias),
            )
        )
        found += pieces(piece, limit) if part.extent == 1 else [piece]
    return found


def _outermost(problem: Contraction, *roles: Role) -> int | None:
    """Give the place of the axis of some roles that has the longest stride in the output."""
    places = [place for place, axis in enumerate(problem.axes) if axis.role in roles]
    return max(places, key=lambda place: abs(problem.axes[place].out), default=None)


def _moved(operand: Operand, elements: int) -> Operand:
    return replace(operand, offset=operand.offset + elements)
