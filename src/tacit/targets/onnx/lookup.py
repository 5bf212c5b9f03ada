"""Views that an integer input indexes: rows of a table become ``Gather``."""

from __future__ import annotations

import math

import numpy as np

from tacit.ir.graph import View
from tacit.targets.onnx.access import Access, read, whole
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.problem import Problem, addresses

MOST_GROWTH = 4  # a table whose rows overlap may become so many times larger; above that, single elements are gathered


def unsigned(table: np.ndarray) -> tuple[np.ndarray, int]:
    """Give a table of int8 as uint8 and the number that stands for zero: runtimes compute with unsigned activations."""
    if table.dtype != np.int8:
        return table, 0
    return (table.astype(np.int16) + 128).astype(np.uint8), 128


def looked_up(nodes: Nodes, problem: Problem, view: View, integers: Access, table: np.ndarray) -> Access:
    """Give a view of a weight (flat) that is indexed by `integers`."""
    index, extents = view.index, problem.extents
    if index is None or index.step == 0:
        raise ValueError("the view has no index")
    picked = integers.letters
    moving = [letter for letter, stride in enumerate(view.strides) if stride and view.shape[letter] > 1]
    both = [letter for letter in moving if letter in picked]
    rest = [letter for letter in moving if letter not in picked]
    unit = math.gcd(index.step, *(view.strides[letter] for letter in both))
    ends = [index.step * (index.limit - 1), *(view.strides[letter] * (extents[letter] - 1) for letter in both)]
    first = sum(min(0, end) for end in ends)
    count = sum(abs(end) for end in ends) // unit + 1
    if count * math.prod(extents[letter] for letter in rest) > max(MOST_GROWTH * table.size, 1 << 16):
        return _elementwise(nodes, problem, view, integers, nodes.constant(table))
    sizes, strides = [extents[letter] for letter in rest], [view.strides[letter] for letter in rest]
    rows = addresses(View("", view.offset + first, (count, *sizes), (unit, *strides)))
    offsets = _offsets(problem, view, picked, both) - first
    numbers = _rows(nodes, problem, integers, picked, index.step // unit, offsets // unit)
    name = nodes.constant(table[rows])
    made = nodes.add("Gather", [name, numbers], (*numbers.shape, *sizes), str(table.dtype), axis=0)
    return whole(made, [*picked, *rest])


def looked_up_elements(nodes: Nodes, problem: Problem, view: View, integers: Access, flat: Tensor) -> Access:
    """Give a view of what was computed (all of its buffer, [batch, size]) that is indexed by `integers`."""
    letters, places = _places(nodes, problem, view, integers)
    size = math.prod(places.shape)
    long = nodes.cast(nodes.reshape(places, [size]), "int64")
    made = nodes.add("GatherElements", [flat, long], [size], flat.dtype, axis=1)
    return whole(nodes.reshape(made, places.shape), letters)


def _elementwise(nodes: Nodes, problem: Problem, view: View, integers: Access, table: str) -> Access:
    letters, places = _places(nodes, problem, view, integers)
    made = nodes.add("Gather", [table, places], places.shape, str(nodes.constants[table].dtype), axis=0)
    return whole(made, letters)


def _places(nodes: Nodes, problem: Problem, view: View, integers: Access) -> tuple[list[int], Tensor]:
    """Give the address of each element of a view, over all of its letters."""
    moving = [letter for letter, stride in enumerate(view.strides) if stride and view.shape[letter] > 1]
    letters = [*integers.letters, *(letter for letter in moving if letter not in integers.letters)]
    offsets = _offsets(problem, view, letters, moving) + view.offset
    return letters, _rows(nodes, problem, integers, letters, view.index.step if view.index else 0, offsets)


def _offsets(problem: Problem, view: View, letters: list[int], moving: list[int]) -> np.ndarray:
    """Give the part of an address that the place on some letters decides, over `letters`."""
    sizes = tuple(problem.extents[letter] if letter in moving else 1 for letter in letters)
    return addresses(View("", 0, sizes, tuple(view.strides[letter] if letter in moving else 0 for letter in letters)))


def _rows(nodes: Nodes, problem: Problem, integers: Access, letters: list[int], step: int, offsets: np.ndarray) -> Tensor:
    """Give ``integers * step + offsets`` over `letters`, int32."""
    picked = integers.letters
    numbers = read(nodes, integers, dict(enumerate(problem.extents)), picked)
    numbers = nodes.reshape(numbers, [*numbers.shape, *[1] * (len(letters) - len(picked))])
    if step != 1:
        numbers = nodes.add("Mul", [numbers.name, nodes.constant(np.array(step, np.int32))], numbers.shape, "int32")
    if offsets.any():
        shape = np.broadcast_shapes(numbers.shape, offsets.shape)
        numbers = nodes.add("Add", [numbers.name, nodes.constant(offsets.astype(np.int32))], shape, "int32")
    return numbers
