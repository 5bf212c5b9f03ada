"""Run models with onnxruntime: the one place that imports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.ground.tables import missing


class Session:
    """A model that is loaded once. threads: 0 leaves the choice to onnxruntime. Raises: MissingPackage without onnxruntime."""

    def __init__(self, model: Path | bytes, *, threads: int = 1) -> None:
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        given: Any = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        self._inputs = [(port.name, np.int32 if "int32" in port.type else np.float32) for port in self._session.get_inputs()]

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run once on arrays [example, *shape]; give float32[example, *shape] per output."""
        feeds = {name: np.ascontiguousarray(array, dtype) for (name, dtype), array in zip(self._inputs, arrays, strict=True)}
        outputs: list[np.ndarray] = self._session.run(None, feeds)
        return outputs


def version() -> str:
    """Name the onnxruntime that is installed. Raises: MissingPackage."""
    return f"onnxruntime {_onnxruntime().__version__}"


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise missing("onnxruntime") from error
    return onnxruntime
