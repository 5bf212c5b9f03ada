"""Values made of parts that lie side by side: concatenations, and the phases of transposed convolutions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from tacit.lowering.strided import NO_MARGIN, Factor, Strided, narrow, tidy
from tacit.lowering.sums import Sum


@dataclass(frozen=True)
class Stretch:
    """Elements ``start + step * i + r`` of an axis, for ``i < count``, ``r < run``; in this order."""

    start: int
    count: int
    step: int = 1
    run: int = 1


@dataclass(frozen=True)
class Region:
    """A part of a tensor: per axis a stretch, or None for the whole axis."""

    axes: tuple[Stretch | None, ...]

    def of_view(self, view: Strided) -> Strided:
        """Give the part of a tensor in memory (each axis of it a single stride, or untouched)."""
        for axis, stretch in enumerate(self.axes):
            if stretch is None:
                continue
            part = narrow(view, axis, stretch.start, stretch.count, step=stretch.step)
            if part is None:
                raise ValueError("a part does not lie in its place")
            if stretch.run > 1:
                stride = view.axes[axis][0].stride
                factors = tidy((Factor(stretch.count, stride * stretch.step), Factor(stretch.run, stride)))
                part = replace(part, axes=(*part.axes[:axis], factors, *part.axes[axis + 1 :]))
            view = replace(part, margins=(*part.margins[:axis], NO_MARGIN, *part.margins[axis + 1 :]))
        return view

    def of_tensor(self, tensor: torch.Tensor) -> torch.Tensor:
        """Give the part of a constant; what is broadcast stays broadcast."""
        for axis, stretch in enumerate(self.axes):
            if stretch is None:
                continue
            count = stretch.count * stretch.run
            if tensor.stride(axis) == 0 or tensor.shape[axis] == 1:
                tensor = tensor.narrow(axis, 0, 1).expand(*(-1 if place != axis else count for place in range(tensor.dim())))
                continue
            outer = torch.arange(stretch.count) * stretch.step + stretch.start
            tensor = tensor.index_select(axis, (outer[:, None] + torch.arange(stretch.run)).reshape(-1))
        return tensor


@dataclass(frozen=True)
class Mosaic:
    """Parts that cover a tensor of `shape`, each computed into its region."""

    shape: tuple[int, ...]
    parts: tuple[tuple[Region, Sum], ...]
    order: tuple[int, ...] = ()

    @property
    def nonnegative(self) -> bool:
        """Whether every part is known to be at least 0."""
        return all(part.nonnegative for _, part in self.parts)
