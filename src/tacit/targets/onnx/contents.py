"""What a buffer holds while nodes are made: pieces, each a tensor whose elements stand at known places of the buffer.

A piece is never moved: a buffer is only a table that says, for each of its elements, which piece it belongs to and where it stands
in that piece. Whoever reads finds one piece, or joins several; an element that nothing wrote reads as zero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tacit.ir.addresses import elements
from tacit.ir.graph import View
from tacit.targets.onnx.nodes import Nodes, Tensor
from tacit.targets.onnx.problem import addresses

ZERO, NOTHING = -1, -2  # owners of an element that reads as zero, and of one that must not be read


@dataclass(frozen=True)
class Piece:
    """A tensor and where its elements stand: element (i0, i1, ...) at ``offset + sum(i_j * strides[j])``; strides are positive."""

    tensor: Tensor
    offset: int
    strides: tuple[int, ...]

    @property
    def axes(self) -> list[tuple[int, int]]:
        """The stride and the extent of each axis."""
        return list(zip(self.strides, self.tensor.shape, strict=True))

    @property
    def view(self) -> View:
        """The view of the buffer that the tensor fills."""
        return View("", self.offset, self.tensor.shape, self.strides)


class Contents:
    """The pieces of one buffer. zero: the number that an element which nothing wrote holds."""

    def __init__(self, shape: Sequence[int], *, zeroed: bool, zero: int = 0) -> None:
        self.shape, self.zero = tuple(extent for extent in shape if extent > 1), zero
        size = math.prod(shape)
        self.owner = np.full(size, ZERO if zeroed else NOTHING, np.int64)
        self.place = np.zeros(size, np.int64)
        self.pieces: list[Piece] = []

    def write(self, piece: Piece) -> None:
        """Let the elements of a piece hide what was there."""
        where = addresses(piece.view).reshape(-1)
        self.owner[where] = len(self.pieces)
        self.place[where] = np.arange(where.size)
        self.pieces.append(piece)

    def owners(self, view: View) -> list[int]:
        """Give the numbers of the pieces that hold elements of a view, and `ZERO` where some element reads as zero."""
        found = elements(view)
        strides = [stride * self.owner.itemsize for stride, _ in found.axes]
        seen = np.lib.stride_tricks.as_strided(self.owner[found.start :], [extent for _, extent in found.axes], strides)
        return [int(number) for number in np.unique(seen)]

    def holds(self, number: int, coordinates: Sequence[np.ndarray]) -> bool:
        """Say whether a piece, with zeros around it, holds what stands at these coordinates (one list for each of its axes)."""
        piece = self.pieces[number]
        where, place, inside = np.full((), piece.offset, np.int64), np.zeros((), np.int64), np.ones((), np.bool_)
        for extent, stride, along in zip(piece.tensor.shape, piece.strides, coordinates, strict=True):
            where = where[..., np.newaxis] + along * stride
            place = place[..., np.newaxis] * extent + along
            inside = inside[..., np.newaxis] & ((along >= 0) & (along < extent))
        if where.min() < 0 or where.max() >= self.owner.size:
            return False
        owner = self.owner[where]
        right = (owner == number) & (self.place[where] == place)
        return bool(np.where(inside, right, owner == ZERO).all())

    def join(self, numbers: Sequence[int], nodes: Nodes) -> int:
        """Make one piece of several: by concatenation, or of the whole buffer by gathering."""
        pieces = [self.pieces[number] for number in numbers]
        if all(np.count_nonzero(self.owner == number) == self.pieces[number].tensor.size for number in numbers):
            conformed = [_conformed(piece, [other for other in pieces if other is not piece], nodes) for piece in pieces]
            for parts, widen in ((pieces, False), (pieces, True), (conformed, False), ([_flat(piece, nodes) for piece in pieces], False)):
                joined = _joined(parts, nodes, widen=widen)
                if joined is not None:
                    self.write(joined)
                    return len(self.pieces) - 1
        return self._rebuild(max(pieces, key=lambda piece: piece.tensor.size), nodes)

    def _rebuild(self, largest: Piece, nodes: Nodes) -> int:
        """Gather the whole buffer, its zeros included, into one piece; the channels stand where the largest piece has them."""
        strides = [math.prod(self.shape[axis + 1 :]) for axis in range(len(self.shape))]
        order = list(range(len(strides)))
        if len(largest.strides) > 1 and min(largest.strides) == largest.strides[0]:
            order.insert(0, order.pop())
        view = View("", 0, tuple(self.shape[axis] for axis in order), tuple(strides[axis] for axis in order))
        self.write(Piece(self.gather(view, nodes), 0, view.strides))
        return len(self.pieces) - 1

    def merge(self, number: int, stride: int, nodes: Nodes) -> int:
        """Make one axis of the axis of a stride and the one that fills its steps; give the number of the piece that holds it now."""
        piece = self.pieces[number]
        coarse = piece.strides.index(stride)
        fits = [axis for axis, (step, extent) in enumerate(piece.axes) if axis != coarse and step * extent == stride]
        if not fits or np.count_nonzero(self.owner == number) < piece.tensor.size:
            return number
        order = [*(axis for axis in range(len(piece.strides)) if axis != fits[0]), fits[0]]
        tensor = nodes.transpose(piece.tensor, order)
        self.write(_interleaved(Piece(tensor, piece.offset, tuple(piece.strides[axis] for axis in order)), nodes))
        return len(self.pieces) - 1

    def gather(self, view: View, nodes: Nodes) -> Tensor:
        """Give the elements of any view without an index, [batch, *shape], by their numbers: always right, never fast."""
        where = addresses(view)
        owner, place = self.owner[where], self.place[where]
        numbers = [number for number in np.unique(owner) if number >= 0]
        places, start = np.zeros_like(where), 0
        parts = []
        for number in numbers:
            tensor = self.pieces[number].tensor
            places = np.where(owner == number, place + start, places)
            parts.append(nodes.reshape(tensor, [tensor.size]))
            start += tensor.size
        flat = nodes.concat(parts, 0)
        if (owner < 0).any():
            places = np.where(owner < 0, start, places)
            flat = nodes.pad(flat, [0], [1], self.zero)
        return nodes.gather(flat, 0, places)


def _joined(pieces: list[Piece], nodes: Nodes, *, widen: bool) -> Piece | None:
    """Concatenate pieces two by two while any two of them fit."""
    left = sorted(pieces, key=lambda piece: piece.offset)
    while len(left) > 1:
        for place, (first, second) in enumerate(pairwise(left)):
            made = _concatenated(first, second, nodes, widen=widen)
            if made is not None:
                left[place : place + 2] = [made]
                break
        else:
            return None
    return left[0]


def _concatenated(first: Piece, second: Piece, nodes: Nodes, *, widen: bool) -> Piece | None:
    """Concatenate two pieces that differ in the extent of one axis at most: end to end along it, else side by side along a new one.

    widen: prefer the new axis.
    """
    step = second.offset - first.offset
    strides = list(dict.fromkeys((*first.strides, *second.strides)))
    alike = sorted(first.axes) == sorted(second.axes) and step not in strides
    ends = any(step == stride * extent for stride, extent in first.axes)
    if alike and (widen or not ends):
        strides.append(step)
    first, second = _with_axes(first, strides, nodes), _with_axes(second, strides, nodes)
    if first.strides != second.strides:
        return None
    for axis, stride in reversed(list(enumerate(first.strides))):
        sizes = [(*piece.tensor.shape[:axis], *piece.tensor.shape[axis + 1 :]) for piece in (first, second)]
        if sizes[0] == sizes[1] and step == first.tensor.shape[axis] * stride:
            made = Piece(nodes.concat([first.tensor, second.tensor], axis), first.offset, first.strides)
            return _interleaved(made, nodes) if alike and not ends else made
    return None


def _with_axes(piece: Piece, strides: Sequence[int], nodes: Nodes) -> Piece:
    """Give the axes of a piece the order of `strides`; those that it lacks have extent 1."""
    if len(set(piece.strides)) < len(piece.strides) or tuple(strides) == piece.strides:
        return piece
    order = [piece.strides.index(stride) for stride in strides if stride in piece.strides]
    tensor = nodes.transpose(piece.tensor, order)
    shape = [piece.tensor.shape[piece.strides.index(stride)] if stride in piece.strides else 1 for stride in strides]
    return Piece(nodes.reshape(tensor, shape), piece.offset, tuple(strides))


def _interleaved(piece: Piece, nodes: Nodes) -> Piece:
    """Merge the last axis into the one whose steps it fills: rows 0, 2, 4 ... and rows 1, 3, 5 ... are rows."""
    *shape, fine = piece.tensor.shape
    *strides, stride = piece.strides
    if fine * stride not in strides:
        return piece
    axis = strides.index(fine * stride)
    order = [*range(axis + 1), len(shape), *range(axis + 1, len(shape))]
    shape[axis] *= fine
    strides[axis] = stride
    return Piece(nodes.reshape(nodes.transpose(piece.tensor, order), shape), piece.offset, tuple(strides))


def _conformed(piece: Piece, others: Sequence[Piece], nodes: Nodes) -> Piece:
    """Merge axes of a piece of which one fills the steps of the other, where none of the others has the coarser one."""
    known = {stride for other in others for stride in other.strides}
    for fine, (stride, extent) in enumerate(piece.axes):
        if stride * extent in piece.strides and stride * extent not in known:
            order = [*(axis for axis in range(len(piece.strides)) if axis != fine), fine]
            turned = Piece(nodes.transpose(piece.tensor, order), piece.offset, tuple(piece.strides[axis] for axis in order))
            return _conformed(_interleaved(turned, nodes), others, nodes)
    return piece


def _flat(piece: Piece, nodes: Nodes) -> Piece:
    """Give a piece that fills a run of its buffer one axis, in the order of the buffer; other pieces as they are."""
    order = sorted(range(len(piece.strides)), key=lambda axis: -piece.strides[axis])
    reach = 1
    for axis in reversed(order):
        if piece.strides[axis] != reach and piece.tensor.shape[axis] > 1:
            return piece
        reach *= piece.tensor.shape[axis]
    return Piece(nodes.reshape(nodes.transpose(piece.tensor, order), [piece.tensor.size]), piece.offset, (1,))
