"""Many candidates in one batched pass: `torch.func.vmap` over stacked weights, in pieces that fit in memory.

Networks are in evaluation mode, so batch norms stand still; what lies before the first weight that moves is computed once for all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from tacit.search.columns import Columns
from tacit.search.evolution_space import Space
from tacit.search.training import fixed_front

#: Bytes of the weights that lie in memory at once, and of what is computed from them. The pieces follow from the network alone and not
#: from the memory that happens to be free, for sums in pieces of another size differ in their last bits.
_WEIGHTS, _VALUES = 256 * 2**20, 32 * 2**20


class Body(nn.Module):
    """What a network does after its fixed front, as a module that can be called with other weights."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arrays: Tensor) -> Tensor:
        """Scores float32[example, width]."""
        scores: Tensor = getattr(self.network, "behind_front", self.network)(*arrays)
        return scores


class Together:
    """Score candidates, given as rows of weights, on examples."""

    def __init__(self, network: nn.Module, space: Space, width: int) -> None:
        self._body, self._space, self._width = Body(copy.deepcopy(network)).eval(), space, width
        self._device = next(self._body.parameters()).device
        self._per_example: int | None = None
        self._one_by_one = False

    def seen(self, data: Columns) -> Columns:
        """Give the examples as they are behind the fixed front of the network; what `scores` takes."""
        return fixed_front(self._body.network, data)

    def scores(self, weights: Tensor, data: Columns) -> np.ndarray:
        """Give float32[candidate, example, width] of weights, float32[candidate, weight]."""
        if not len(data):
            return np.zeros((len(weights), 0, self._width), np.float32)
        most = max(1, min(len(weights), _WEIGHTS // (4 * len(self._space))))
        return np.concatenate([self._some(weights[start : start + most], data) for start in range(0, len(weights), most)])

    def scorer(self, weights: Tensor) -> Callable[[tuple[Tensor, ...]], np.ndarray]:
        """Give the function from arrays, [candidate, example, *shape], to float32[candidate, example, width]: each has its own examples."""
        tensors = self._tensors(weights)

        def scores(arrays: tuple[Tensor, ...]) -> np.ndarray:
            with torch.no_grad():
                made = self._pass(tensors, tuple(array.to(self._device) for array in arrays), len(weights), apart=True)
            given: np.ndarray = made.float().cpu().numpy()
            return given

        return scores

    def _some(self, weights: Tensor, data: Columns) -> np.ndarray:
        if self._per_example is None:
            self._per_example = _values_of_one(self._body, data)
        examples = max(1, _VALUES // (4 * self._per_example * len(weights)))
        tensors = self._tensors(weights)
        with torch.no_grad():
            parts = [self._pass(tensors, arrays, len(weights), apart=False) for arrays, _ in data.batches(examples)]
        scores: np.ndarray = torch.cat(parts, dim=1).float().cpu().numpy()
        return scores

    def _tensors(self, weights: Tensor) -> dict[str, Tensor]:
        return {f"network.{name}": tensor for name, tensor in self._space.tensors(weights.to(self._device)).items()}

    def _pass(self, tensors: Mapping[str, Tensor], arrays: tuple[Tensor, ...], count: int, *, apart: bool) -> Tensor:
        """Give float32[candidate, example, width]; one candidate after the other where an operation can't be batched."""

        def call(own: Mapping[str, Tensor], *given: Tensor) -> Tensor:
            made: Tensor = functional_call(self._body, dict(own), given)
            return made.reshape(len(given[0]), self._width)

        if not self._one_by_one:
            try:
                whole: Tensor = vmap(call, in_dims=(0, *([0 if apart else None] * len(arrays))))(dict(tensors), *arrays)
                return whole
            except (RuntimeError, NotImplementedError):
                self._one_by_one = True
        each = [tuple(array[place] for array in arrays) if apart else arrays for place in range(count)]
        return torch.stack([call({name: tensor[place] for name, tensor in tensors.items()}, *each[place]) for place in range(count)])


def _values_of_one(body: Body, data: Columns) -> int:
    """Count the numbers that all modules of a network compute for one example."""
    total = 0

    def count(_module: nn.Module, _given: Any, made: Any) -> None:
        nonlocal total
        total += made.numel() if isinstance(made, Tensor) else 0

    hooks = [module.register_forward_hook(count) for module in body.modules()]
    try:
        with torch.no_grad():
            body(*data.rows(slice(0, 1))[0])
    finally:
        for hook in hooks:
            hook.remove()
    return max(1, total)
