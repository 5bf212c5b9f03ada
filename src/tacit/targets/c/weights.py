"""The weights of a C program: one run of bytes, in which each kernel finds its operands in the order in which it reads them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

from tacit.targets.c.nests import Nest
from tacit.targets.c.schedule import Segment

ALIGNMENT = 64  # bytes; a cache line, and the widest vector


class Blob:
    """Bytes that grow; equal contents stand there once."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._known: dict[bytes, int] = {}
        self.size = 0

    def add(self, values: npt.NDArray[np.generic]) -> int:
        """Add an array, little-endian and row-major; give the offset of its first byte."""
        data = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        if data not in self._known:
            self._known[data] = self.size
            padded = data + bytes(-len(data) % ALIGNMENT)
            self._parts.append(padded)
            self.size += len(padded)
        return self._known[data]

    def to_bytes(self) -> bytes:
        """Give everything that was added."""
        return b"".join(self._parts)


def values_of(nest: Nest, name: str, flat: npt.NDArray[np.generic], outer: list[int]) -> npt.NDArray[np.generic]:
    """Give the values of a constant operand, [*outer axes of these places, *inner axes]."""
    operand = nest.operands[name]
    axes = [*(nest.outer[place] for place in outer), *nest.inner]
    places = np.full([axis.extent for axis in axes], operand.offset, np.int64)
    for number, axis in enumerate(axes):
        steps = np.arange(axis.extent) * axis.stride(name)
        places += steps.reshape([-1 if n == number else 1 for n in range(len(axes))])
    found: npt.NDArray[np.generic] = flat[places]
    return found


def in_blocks(values: npt.NDArray[np.generic], columns: tuple[Segment, ...], *, group: int = 1) -> npt.NDArray[np.generic]:
    """Pack values [..., column, step * group] as [..., (segment, block, step, lane, group)], missing lanes as 0.

    Gives an array [..., packed]. The block of a segment is ``step x (vectors * lanes) x group`` elements.
    """
    *lead, extent, depth = values.shape
    steps = depth // group
    parts = []
    for segment in columns:
        lanes = segment.vectors * segment.lanes
        part = values[..., segment.start : segment.start + segment.width * segment.count, :]
        part = part.reshape(*lead, segment.count, segment.width, depth)
        if lanes > segment.width:
            part = np.concatenate([part, np.zeros((*lead, segment.count, lanes - segment.width, depth), values.dtype)], axis=-2)
        part = part.reshape(*lead, segment.count, lanes, steps, group)
        part = np.moveaxis(part, -3, -2)  # count, steps, lanes, group
        parts.append(part.reshape(*lead, segment.count * steps * lanes * group))
    del extent
    return np.concatenate(parts, axis=-1)


def packed_size(columns: tuple[Segment, ...], depth: int) -> int:
    """Count the elements that `in_blocks` makes of `depth` steps."""
    return sum(segment.count * segment.vectors * segment.lanes for segment in columns) * depth


def block_start(columns: tuple[Segment, ...], number: int, depth: int) -> int:
    """Give the element at which segment `number` of packed values begins."""
    return packed_size(columns[:number], depth)


def every(extents: list[int]) -> list[tuple[int, ...]]:
    """Give all places in an array of these extents, in order.

    >>> every([2, 2])
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return list(itertools.product(*(range(extent) for extent in extents)))


def count(extents: list[int]) -> int:
    """Multiply extents."""
    return math.prod(extents)
