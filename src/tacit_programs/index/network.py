"""Stage 1 as what it is: a ReLU network of one input, lowered to the two operations and held in a `.tacit` file.

In C it runs as a layer or as the table of its knots, in float64; as a binary it runs in float32 wherever binaries run. Both say in which
piece a query lies, the second within the error of float32, so both lead to the same places.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tacit
from tacit_programs.index.pieces import Shape

_ROUNDING = 2.0**-24


def binary_of(shape: Shape) -> tacit.Binary:
    """Lower the learned function: from a number between 0 and the number of units to a piece.

    Unit j gives relu(v - j); the second matmul adds up where the slope changes at j. Raises: TacitError without PyTorch.
    """
    signature = tacit.Vector(1) >> tacit.Number(unit="pieces")
    lowered = tacit.lower(_layers(_changes(shape)), signature.input.arrays)
    return tacit.Binary({"main": lowered.graph}, signature, evidence={"name": "index"})


def places_by(binary: tacit.Binary, shape: Shape, starts: np.ndarray, keys: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Give where uint64 queries stand among sorted keys: the binary says about where, the start positions bracket, bisection ends.

    The bracket holds every piece that rounding to float32 may take for another.
    """
    outputs = binary.run([shape.inputs(queries).astype(np.float32)[:, None]])[0].reshape(-1).astype(np.float64)
    terms = float(np.abs(_changes(shape)).sum()) * shape.cells
    slack = terms * (shape.cells + 8) * _ROUNDING
    first = np.clip(np.floor(outputs - slack), 0, shape.pieces - 1).astype(np.int64)
    last = np.clip(np.floor(outputs + slack) + 1, 1, shape.pieces).astype(np.int64)
    low, high = starts[first].astype(np.int64), starts[last].astype(np.int64)
    while (wide := low < high).any():
        middle = (low + high) // 2
        less = wide & (keys[np.minimum(middle, len(keys) - 1)] < queries)
        low, high = np.where(less, middle + 1, low), np.where(wide & ~less, middle, high)
    return low


def _changes(shape: Shape) -> np.ndarray:
    """Give float64[unit]: by how much the function becomes steeper at each knot."""
    return np.diff(np.diff(shape.knots), prepend=0.0)


def _layers(changes: np.ndarray) -> Any:
    """Give the network as a module of PyTorch. Raises: TacitError when that is not installed."""
    try:
        from torch import nn, no_grad, tensor
    except ImportError:
        raise tacit.TacitError("expected PyTorch, found none", fix="pip install 'tacit[train]'") from None
    shifted, added = nn.Linear(1, len(changes)), nn.Linear(len(changes), 1, bias=False)
    with no_grad():
        shifted.weight.fill_(1.0)
        shifted.bias.copy_(-tensor(np.arange(len(changes), dtype=np.float32)))
        added.weight.copy_(tensor(changes.astype(np.float32))[None])
    return nn.Sequential(shifted, nn.ReLU(), added)
