"""Views of an instruction as reads and writes of tensors: which axis of a buffer each letter walks along.

A letter is an axis that the views of an instruction share (see `tacit.ir.graph`). Lowering joins letters where it can; here they are cut
again until each walks along one axis of its buffer, as far as that is possible. The window of a convolution is an axis with two letters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from tacit.ir.graph import Index, Instruction, View
from tacit.ir.letters import letters_of


@dataclass
class Walk:
    """A view over all letters of its instruction: strides (0 where it does not depend on a letter), and those of its index."""

    buffer: str
    offset: int
    strides: list[int]
    index: Index | None = None
    steps: list[int] = field(default_factory=list)

    def letters(self) -> list[int]:
        """Give the letters that the view depends on, in order."""
        steps = self.steps or [0] * len(self.strides)
        return [letter for letter, (stride, step) in enumerate(zip(self.strides, steps, strict=True)) if stride or step]


@dataclass
class Walks:
    """An instruction over letters of extent above 1: their extents, which of them are summed over, and its views by field."""

    extents: list[int]
    inner: list[bool]
    views: dict[str, Walk]

    def cut(self, letter: int, fine: int) -> None:
        """Replace a letter by a coarse one and, behind it, a fine one of extent `fine`."""
        self.extents[letter : letter + 1] = [self.extents[letter] // fine, fine]
        self.inner[letter : letter + 1] = [self.inner[letter]] * 2
        for walk in self.views.values():
            walk.strides[letter : letter + 1] = [walk.strides[letter] * fine, walk.strides[letter]]
            if walk.steps:
                walk.steps[letter : letter + 1] = [walk.steps[letter] * fine, walk.steps[letter]]


@dataclass(frozen=True)
class Along:
    """Places on one axis of a tensor: ``base + sum(i_letter * step)``, long steps first."""

    base: int
    steps: tuple[tuple[int, int], ...]


def walks_of(instruction: Instruction) -> Walks:
    """Write an instruction over letters; axes of extent 1 have none."""
    letters = letters_of(instruction)
    kept, views = letters.kept, {}
    for name, own in letters.places.items():
        view = getattr(instruction, name, None)
        if view is not None:
            views[name] = _over(view, own, kept)
    return Walks([letters.extents[letter] for letter in kept], [letters.inner[letter] for letter in kept], views)


def _over(view: View, letters: Sequence[int], kept: Sequence[int]) -> Walk:
    def of(values: Sequence[int]) -> list[int]:
        return [values[letters.index(letter)] if letter in letters else 0 for letter in kept]

    return Walk(view.buffer, view.offset, of(view.strides), view.index, of(view.index.strides) if view.index is not None else [])


def refine(walks: Walks, name: str, shape: Sequence[int]) -> None:
    """Cut letters until each of a view stays within one row of its axis, where the extents allow it."""
    letter = 0
    while letter < len(walks.extents):
        fine = _fine(shape, walks.views[name].strides[letter])
        if fine is not None and 1 < fine < walks.extents[letter] and walks.extents[letter] % fine == 0:
            walks.cut(letter, fine)
        else:
            letter += 1


def _fine(shape: Sequence[int], stride: int) -> int | None:
    """Say how many steps fit on one row of the axis that a stride walks along."""
    axis = _axis_of(shape, stride) if stride else None
    if not axis:
        return None
    coarser = math.prod(shape[axis:])
    return coarser // abs(stride) if coarser % abs(stride) == 0 else None


def _axis_of(shape: Sequence[int], stride: int) -> int | None:
    """Give the first axis, from the front, of whose stride a stride is a multiple; axes of extent 1 have none."""
    for axis, extent in enumerate(shape):
        if extent > 1 and stride % math.prod(shape[axis + 1 :]) == 0:
            return axis
    return None


def along(walks: Walks, walk: Walk, shape: Sequence[int]) -> list[Along] | None:
    """Give for each axis of a buffer where a view walks on it; None where a letter does not keep to one axis, or walks backwards."""
    steps: list[list[tuple[int, int]]] = [[] for _ in shape]
    for letter, stride in enumerate(walk.strides):
        if stride == 0:
            continue
        axis = _axis_of(shape, stride)
        if axis is None or stride < 0:
            return None
        steps[axis].append((letter, stride // math.prod(shape[axis + 1 :])))
    rest, found = walk.offset, []
    for axis, extent in enumerate(shape):
        base, rest = divmod(rest, math.prod(shape[axis + 1 :]))
        ordered = tuple(sorted(steps[axis], key=lambda item: -item[1]))
        if base + sum(step * (walks.extents[letter] - 1) for letter, step in ordered) >= extent:
            return None
        found.append(Along(base, ordered))
    return found
