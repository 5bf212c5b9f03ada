"""A candidate as what behaves like a binary: the same answers, computed by the network and not by a lowered graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from tacit.binary.drivers import DRIVERS
from tacit.examples.examples import Examples
from tacit.ground.errors import InputError
from tacit.signature.signature import Signature

_TOGETHER = 1024


class Candidate:
    """Call it as a `Binary` is called: with what a person has, a list of it, or by `scores`, `evaluate` and `run`.

    What there is only after lowering (instructions, costs, a digest, a file) it lacks; its evidence is empty.
    """

    driver = "decode"

    def __init__(self, network: nn.Module, signature: Signature) -> None:
        self._network, self.signature = network, signature
        self.evidence: Mapping[str, Any] = {}

    def __call__(self, value: Any) -> Any:
        """Give the answer for what a person has; a list is several examples and gives a list. Raises: InputError."""
        answers: list[Any] = DRIVERS.get(self.driver)(self, self._read(value))
        return answers if isinstance(value, list) else answers[0]

    def scores(self, value: Any) -> np.ndarray:
        """Give the scores, float32[width]; for a list, float32[example, width]. Raises: InputError."""
        (scores,) = self.run(self._read(value))
        return scores if isinstance(value, list) else scores[0]

    def inputs(self, value: Any) -> tuple[np.ndarray, ...]:
        """Give the arrays that `value` becomes, [*shape] each; for a list, [example, *shape] each. Raises: InputError."""
        arrays = self._read(value)
        return arrays if isinstance(value, list) else tuple(array[0] for array in arrays)

    def evaluate(self, examples: Examples) -> np.ndarray:
        """Give the scores of every example, float32[example, width]."""
        return self.run(examples.inputs)[0]

    def run(self, arrays: Sequence[np.ndarray], entry: str = "main") -> list[np.ndarray]:
        """Give the scores, float32[example, width], of arrays [example, *shape]. Raises: InputError for another entry point."""
        if entry != "main":
            raise InputError(f"expected the entry point `main`, got `{entry}`: a candidate has no other")
        specs = self.signature.input.arrays
        tensors = [torch.from_numpy(np.require(array, requirements=["C", "W"])) for array in arrays]
        tensors = [tensor if spec.limit is not None else tensor.float() for tensor, spec in zip(tensors, specs, strict=True)]
        with torch.no_grad():
            parts = [
                self._network(*(tensor[start : start + _TOGETHER] for tensor in tensors)) for start in range(0, len(tensors[0]), _TOGETHER)
            ]
        width = self.signature.output.width
        if not parts:
            return [np.zeros((0, width), np.float32)]
        scores: np.ndarray = torch.cat(parts).reshape(-1, width).float().numpy()
        return [scores]

    def _read(self, value: Any) -> tuple[np.ndarray, ...]:
        kind = self.signature.input
        if not isinstance(value, list):
            return tuple(np.asarray(array)[np.newaxis] for array in kind.read(value))
        return kind.read_all(value)
