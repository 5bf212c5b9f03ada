"""Probes: a few inputs with the scores that they had when the program was compiled, carried as evidence.

With them the file alone is enough to check that another machine computes the same. Arrays are base64 of little-endian
bytes, so that the evidence stays JSON. The caller chooses the inputs: they can be read back out of the file.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tacit.binary.binary import Binary
from tacit.ground.errors import FormatError

TOLERANCE = 1e-4  # relative to the greatest score: the order of summation differs between machines, float32 has 6e-8
_MOST_BYTES = 256 * 1024
_DTYPES = ("uint8", "int16", "int32", "float32")


@dataclass(frozen=True)
class ProbeResult:
    """How far the scores of one probe are from the recorded ones, relative to the greatest recorded score."""

    position: int
    difference: float
    tolerance: float = TOLERANCE

    @property
    def met(self) -> bool:
        """Tell whether the machine computes what the compiler's did."""
        return self.difference <= self.tolerance


def record_probes(binary: Binary, arrays: Sequence[np.ndarray], *, count: int = 4) -> list[dict[str, Any]]:
    """Run the first examples of `arrays` [example, *shape] and give the probes as JSON, at most 256 KiB of inputs (at least one)."""
    size = max(1, sum(array[:1].nbytes for array in arrays))
    chosen = [array[: max(1, min(count, _MOST_BYTES // size))] for array in arrays]
    (scores, *_) = binary.run(chosen)
    return [
        {"inputs": [_encode(array[row]) for array in chosen], "scores": [float(score) for score in scores[row].ravel()]}
        for row in range(len(scores))
    ]


def check_probes(binary: Binary) -> list[ProbeResult]:
    """Run every probe in the evidence. Raises: FormatError for probes that are not in the form of `record_probes`."""
    results = []
    for position, probe in enumerate(binary.evidence.get("probes") or []):
        try:
            arrays = [_decode(item)[np.newaxis] for item in probe["inputs"]]
            wanted = np.asarray(probe["scores"], np.float32)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"expected inputs and scores - at probe {position}", cause=str(error)) from error
        (scores, *_) = binary.run(arrays)
        if scores.size != wanted.size:
            raise FormatError(f"expected {wanted.size} scores, got {scores.size} - at probe {position}")
        scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-6)
        results.append(ProbeResult(position, float(np.abs(scores.ravel() - wanted.ravel()).max(initial=0.0)) / scale))
    return results


def probe_inputs(binary: Binary) -> tuple[np.ndarray, ...]:
    """Give the inputs of all probes in the evidence, [probe, *shape] each; none without probes. Raises: FormatError."""
    try:
        rows = [[_decode(item) for item in probe["inputs"]] for probe in binary.evidence.get("probes") or []]
        return tuple(np.stack(column) for column in zip(*rows, strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError("expected inputs and scores - at the probes", cause=str(error)) from error


def _encode(array: np.ndarray) -> dict[str, Any]:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": base64.b64encode(little.tobytes()).decode()}


def _decode(item: Mapping[str, Any]) -> np.ndarray:
    if item["dtype"] not in _DTYPES:
        raise ValueError(f"expected one of {', '.join(_DTYPES)}, got {item['dtype']}")
    dtype = np.dtype(item["dtype"]).newbyteorder("<")
    return np.frombuffer(base64.b64decode(item["data"], validate=True), dtype).reshape(item["shape"]).astype(item["dtype"])
