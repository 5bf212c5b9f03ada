"""An instruction over letters: one letter for each axis that its views share, and how each view walks along it.

``out[b, m, n] = sum over k of a[b, m, k] * b[b, k, n]`` has the letters of b, m, n and k. A view has a stride for every letter, 0
where it does not depend on it. A letter can be split in two, in all views at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tacit.ir.graph import Matmul, Relu, View
from tacit.ir.integer import IntegerMatmul, IntegerRelu
from tacit.ir.letters import letters_of

AnyInstruction = Matmul | Relu | IntegerMatmul | IntegerRelu


@dataclass(frozen=True)
class Problem:
    """Extents of the letters, which of them are summed over, and the views (by field), each with one axis per letter.

    The integers that a view is indexed by are a view of their own, called ``a.index`` for the view ``a``.
    """

    extents: tuple[int, ...]
    inner: tuple[bool, ...]
    views: Mapping[str, View]

    def split(self, letter: int, fine: int) -> Problem:
        """Replace a letter by two: a coarse one and, behind it, a fine one of extent `fine`."""
        coarse = self.extents[letter] // fine
        extents = (*self.extents[:letter], coarse, fine, *self.extents[letter + 1 :])
        inner = (*self.inner[:letter], self.inner[letter], *self.inner[letter:])
        return Problem(extents, inner, {field: _split(view, letter, coarse, fine) for field, view in self.views.items()})


def _split(view: View, letter: int, coarse: int, fine: int) -> View:
    def twice(values: tuple[int, ...], first: int) -> tuple[int, ...]:
        return (*values[:letter], first, *values[letter:])

    shape = list(twice(view.shape, coarse))
    if shape[letter + 1] > 1:
        shape[letter + 1] = fine
    else:
        shape[letter] = 1
    strides = twice(view.strides, view.strides[letter] * fine)
    index = view.index and replace(view.index, strides=twice(view.index.strides, view.index.strides[letter] * fine))
    return replace(view, shape=tuple(shape), strides=strides, index=index)


def problem_of(instruction: AnyInstruction) -> Problem:
    """Write an instruction over letters; axes of extent 1 have none."""
    letters = letters_of(instruction)
    places, extents = dict(letters.places), list(letters.extents)
    if isinstance(instruction, IntegerMatmul | IntegerRelu):
        places["multiplier"] = places["out"]
    kept, views = letters.kept, {}
    for field, own in places.items():
        view = instruction.requantise.multiplier if field == "multiplier" else getattr(instruction, field)  # type: ignore[union-attr]
        if view is not None:
            views[field] = _over(view, own, kept, extents)
            if view.index is not None:
                integers = View(view.index.buffer, view.index.offset, view.shape, view.index.strides)
                views[f"{field}.index"] = _over(integers, own, kept, extents)
    return Problem(tuple(extents[letter] for letter in kept), tuple(letters.inner[letter] for letter in kept), views)


def _over(view: View, letters: list[int], kept: list[int], extents: list[int]) -> View:
    """Give a view one axis per kept letter; where it does not depend on the letter, of extent 1."""
    strides = [view.strides[letters.index(letter)] if letter in letters else 0 for letter in kept]
    steps = [0] * len(kept)
    if view.index is not None:
        steps = [view.index.strides[letters.index(letter)] if letter in letters else 0 for letter in kept]
    shape = tuple(extents[letter] if stride or step else 1 for letter, stride, step in zip(kept, strides, steps, strict=True))
    index = view.index and replace(view.index, strides=tuple(steps))
    return View(view.buffer, view.offset, shape, tuple(strides), index)


def addresses(view: View) -> np.ndarray:
    """Give the address of every element of a view, int64[*shape], its index left out."""
    found = np.full((), view.offset, np.int64)
    for extent, stride in zip(view.shape, view.strides, strict=True):
        found = found[..., np.newaxis] + np.arange(extent, dtype=np.int64) * stride
    return found
