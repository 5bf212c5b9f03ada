"""Where a view stands in the tensor of a piece: for each axis of the tensor a first place and the letters that walk along it.

A window of a convolution is an axis with two letters (position and tap); a border of zeros is a first place below 0. `find` gives
what it finds only after it has compared every address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.graph import View
from tacit.targets.onnx.contents import ZERO, Contents, Piece
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.problem import Problem

Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Along:
    """Places on one axis of a tensor: ``base + sum(i_letter * step)``, long steps first; places outside the axis read as zero."""

    base: int
    steps: Steps = ()

    @property
    def letters(self) -> list[int]:
        """The letters that walk along the axis."""
        return [letter for letter, _ in self.steps]

    def places(self, extents: Mapping[int, int]) -> np.ndarray:
        """Give every place that is touched, ascending."""
        found = np.array([self.base], np.int64)
        for letter, step in self.steps:
            found = np.unique(found[:, np.newaxis] + np.arange(extents[letter]) * step)
        return found

    def bounds(self, extents: Mapping[int, int]) -> tuple[int, int]:
        """Give the least and the greatest place."""
        spans = [step * (extents[letter] - 1) for letter, step in self.steps]
        return self.base + sum(min(0, span) for span in spans), self.base + sum(max(0, span) for span in spans)


@dataclass(frozen=True)
class Access:
    """A read of a tensor: one `Along` per axis. zero: the number that stands for zero, scale: what one step of the numbers is worth."""

    tensor: Tensor
    axes: tuple[Along, ...]
    zero: int = 0
    scale: float = 1.0

    @property
    def letters(self) -> list[int]:
        """The letters in the order in which they come along the axes."""
        return [letter for axis in self.axes for letter in axis.letters]

    def at(self, letter: int, place: int) -> Access:
        """Fix one letter at a place."""
        axes = []
        for axis in self.axes:
            base = axis.base + sum(step * place for own, step in axis.steps if own == letter)
            axes.append(Along(base, tuple(item for item in axis.steps if item[0] != letter)))
        return replace(self, axes=tuple(axes))


def whole(tensor: Tensor, letters: Sequence[int], zero: int = 0, scale: float = 1.0) -> Access:
    """Read a tensor whose axes are letters."""
    return Access(tensor, tuple(Along(0, ((letter, 1),)) for letter in letters), zero, scale)


# --- finding -----------------------------------------------------------------------------------------------------------


def refined(problem: Problem, field: str, contents: Contents, nodes: Nodes) -> tuple[Problem, int | None]:
    """Split letters until each walks along one axis of the piece that a view reads; give the piece, None where there is not one."""
    view = problem.views[field]
    numbers = [number for number in contents.owners(view) if number != ZERO]
    number = numbers[0] if len(numbers) == 1 else contents.join(numbers, nodes) if numbers else None
    if number is None:
        return problem, None
    for letter, stride in enumerate(view.strides):  # a window that goes on to the next row of a piece: one axis instead of two
        fine = _fine(contents.pieces[number], stride)
        if fine is not None and view.shape[letter] > fine and view.shape[letter] % fine:
            number = contents.merge(number, abs(stride) * fine, nodes)
    letter = 0
    while letter < len(problem.extents):
        fine = _fine(contents.pieces[number], problem.views[field].strides[letter])
        if fine is not None and 1 < fine < problem.extents[letter] and problem.extents[letter] % fine == 0:
            problem = problem.split(letter, fine)
        else:
            letter += 1
    return problem, number


def _fine(piece: Piece, stride: int) -> int | None:
    """Say how many steps of a letter fit on one row of its axis before it goes on to the next row."""
    axis = _axis_of(piece, stride) if stride else None
    coarser = [other for other in piece.strides if axis is not None and other > piece.strides[axis]]
    return min(coarser) // abs(stride) if coarser and min(coarser) % abs(stride) == 0 else None


def _axis_of(piece: Piece, stride: int) -> int | None:
    """Give the axis of the longest stride of which a letter's stride is a multiple."""
    fitting = [axis for axis, own in enumerate(piece.strides) if stride % own == 0]
    return max(fitting, key=lambda axis: piece.strides[axis], default=None)


def find(problem: Problem, view: View, contents: Contents, number: int) -> Access | None:
    """Describe a view as a read of one piece and of the zeros around it; None where it is not one."""
    piece = contents.pieces[number]
    steps: list[list[tuple[int, int]]] = [[] for _ in piece.strides]
    for letter, (stride, extent) in enumerate(zip(view.strides, view.shape, strict=True)):
        if stride == 0 or extent == 1:
            continue
        axis = _axis_of(piece, stride)
        if axis is None:
            return None
        steps[axis].append((letter, stride // piece.strides[axis]))
    steps = [sorted(along, key=lambda item: -abs(item[1])) for along in steps]
    extents = dict(enumerate(problem.extents))
    order = sorted(range(len(piece.strides)), key=lambda axis: -piece.strides[axis])
    candidates = []
    for bases in _bases(view.offset - piece.offset, [piece.strides[axis] for axis in order]):
        by_axis = dict(zip(order, bases, strict=True))
        axes = tuple(Along(by_axis[axis], tuple(steps[axis])) for axis in range(len(order)))
        bounds = [axis.bounds(extents) for axis in axes]
        outside = sum(max(0, -low) + max(0, high - size + 1) for (low, high), size in zip(bounds, piece.tensor.shape, strict=True))
        candidates.append((outside, axes))
    for _, axes in sorted(candidates, key=lambda candidate: candidate[0]):
        if contents.holds(number, [axis.places(extents) for axis in axes]):
            return Access(piece.tensor, axes, contents.zero)
    return None


def _bases(distance: int, strides: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Give ways to write a distance as a sum of multiples of strides, each next to the nearest."""
    if not strides:
        if distance == 0:
            yield ()
        return
    least = distance // strides[0]
    for first in (least, least + 1):
        for rest in _bases(distance - first * strides[0], strides[1:]):
            yield (first, *rest)


# --- reading -----------------------------------------------------------------------------------------------------------


def read(nodes: Nodes, access: Access, extents: Mapping[int, int], order: Sequence[int]) -> Tensor:
    """Give a tensor whose axes are the letters of an access, in the given order."""
    tensor, axes = _with_border(nodes, access, extents)
    tensor, axes = _gathered(nodes, tensor, axes, extents)
    while True:
        tensor = nodes.slice(tensor, [_region(along, extents) for along in axes])
        opened: list[tuple[int, Along]] = []
        for along in axes:
            if along.steps:
                first, *rest = along.steps
                opened.append((extents[first[0]], Along(0, ((first[0], 1),))))
                opened += [(first[1], Along(0, tuple(rest)))] if rest else []
        tensor, axes = nodes.reshape(tensor, [size for size, _ in opened]), [along for _, along in opened]
        if all(len(along.steps) == 1 and size == extents[along.steps[0][0]] for size, along in opened):
            letters = [along.steps[0][0] for along in axes]
            return nodes.transpose(tensor, [letters.index(letter) for letter in order])


def _with_border(nodes: Nodes, access: Access, extents: Mapping[int, int]) -> tuple[Tensor, list[Along]]:
    """Put zeros around a tensor as far as the access reaches over its ends."""
    before, after, axes = [], [], []
    for along, size in zip(access.axes, access.tensor.shape, strict=True):
        low, high = along.bounds(extents)
        if _nested(along, extents) and len(along.steps) > 1:
            high = max(high, _region(along, extents).stop - 1)
        before.append(max(0, -low))
        after.append(max(0, high - size + 1))
        axes.append(replace(along, base=along.base + before[-1]))
    return nodes.pad(access.tensor, before, after, access.zero), axes


def _gathered(nodes: Nodes, tensor: Tensor, axes: list[Along], extents: Mapping[int, int]) -> tuple[Tensor, list[Along]]:
    """Open the axes whose letters overlap, such as windows, by copying."""
    made: list[Along] = []
    single = sum(not along.steps for along in axes) == 1
    for axis, along in reversed(list(enumerate(axes))):
        if single and not along.steps:  # one place: the axis goes
            tensor = nodes.gather(tensor, axis, np.array(along.base))
            continue
        if _nested(along, extents):
            made.insert(0, along)
            continue
        places = np.full((), along.base, np.int64)
        for letter, step in along.steps:
            places = places[..., np.newaxis] + np.arange(extents[letter]) * step
        tensor = nodes.gather(tensor, axis, places)
        made = [*(Along(0, ((letter, 1),)) for letter in along.letters), *made]
    return tensor, made


def _nested(along: Along, extents: Mapping[int, int]) -> bool:
    """Say whether each letter of an axis walks within one step of the letter before it."""
    if len(along.steps) < 2:
        return True
    pairs = zip(along.steps, along.steps[1:], strict=False)
    return all(step > 0 for _, step in along.steps) and all(outer >= extents[letter] * step for (_, outer), (letter, step) in pairs)


def _region(along: Along, extents: Mapping[int, int]) -> range:
    """Give the places of an axis with one letter; with several, the run that is made of whole steps of the first."""
    if not along.steps:
        return range(along.base, along.base + 1)
    letter, step = along.steps[0]
    if len(along.steps) > 1:
        return range(along.base, along.base + extents[letter] * step)
    return range(along.base, along.base + (extents[letter] - 1) * step + (1 if step > 0 else -1), step)
