"""Examples as tensors on a device, and the order in which training visits them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tacit.examples.examples import Examples
from tacit.signature.base import ArraySpec

#: The part of a batch that `Focus` takes, and the part of a run during which it does; the rest settles on the data as they are.
FOCUS_SHARE, FOCUS_UNTIL = 1 / 8, 0.6


@dataclass(frozen=True, eq=False)
class Columns:
    """inputs: one tensor [example, *shape] per spec, dtype as stored; targets: tensor [example, ...]."""

    specs: tuple[ArraySpec, ...]
    inputs: tuple[Tensor, ...]
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, rows: Tensor | slice) -> tuple[tuple[Tensor, ...], Tensor]:
        """Give the inputs at `rows`, as the network takes them (float32, or int32 where a spec has a limit), and the targets."""
        arrays = tuple(tensor[rows] for tensor in self.inputs)
        arrays = tuple(array if spec.limit is not None else array.float() for array, spec in zip(arrays, self.specs, strict=True))
        return arrays, self.targets[rows]

    def batches(self, size: int) -> Iterator[tuple[tuple[Tensor, ...], Tensor]]:
        """Go through the examples in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.rows(slice(start, start + size))


def columns(examples: Examples, device: torch.device) -> Columns:
    """Put examples on a device; integer class targets become int64, other targets float32."""
    inputs = tuple(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in examples.inputs)
    integer = np.issubdtype(examples.targets.dtype, np.integer) and examples.signature.output.loss == "cross_entropy"
    targets = torch.from_numpy(np.ascontiguousarray(examples.targets)).to(device, torch.int64 if integer else torch.float32)
    return Columns(examples.signature.input.arrays, inputs, targets)


def seed_of(*parts: object) -> int:
    """Give a 63-bit seed that depends on all of the parts; equal parts give equal seeds on every machine."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


class Order:
    """Which examples a step sees: a function of seed and step alone, so a run can be continued anywhere."""

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed = count, min(batch, count), seed
        self.steps = max(1, count // self.batch)
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def rows(self, step: int) -> Tensor:
        """Give int64[batch], the examples of a step."""
        epoch, place = divmod(step, self.steps)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(seed_of(self.seed, "order", epoch))
            self._epoch, self._order = epoch, torch.randperm(self.count, generator=generator)
        return self._order[place * self.batch : (place + 1) * self.batch]


class Focus:
    """Puts some examples, int64[row], into every batch of the first part of a run, in place of others.

    For a run that goes on after an edit: most examples are known already, and the few that changed would hardly be met in a tenth of the
    steps. Like `Order` a function of seed and step alone.
    """

    def __init__(self, rows: Tensor, batch: int, seed: int) -> None:
        self._rows = rows
        self._order = Order(len(rows), max(1, int(FOCUS_SHARE * batch)), seed_of(seed, "focus"))

    def into(self, rows: Tensor, step: int) -> Tensor:
        """Give int64[batch]: the examples of a step with some of these among them."""
        chosen = self._rows[self._order.rows(step)][: len(rows)]
        return torch.cat([chosen, rows[len(chosen) :]])
