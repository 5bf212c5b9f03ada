"""The target ``onnx``: a model for each entry point, and how to call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.ground.errors import ConfigError
from tacit.ground.files import write_atomic
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.targets.onnx.arithmetic import Arithmetic
from tacit.targets.onnx.model import OPSET, model_of
from tacit.targets.onnx.nodes import Nodes
from tacit.targets.onnx.readme import readme
from tacit.targets.onnx.runtime import Session
from tacit.targets.target import Options, Source


class OnnxTarget:
    """Write models that onnxruntime and others run; run them with onnxruntime."""

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write NAME.onnx (and NAME_ENTRY.onnx for entry points besides ``main``) and README.md.

        Raises: ConfigError for an option that has no meaning here.
        """
        if options.triple is not None or options.isa != "native":
            raise ConfigError("expected no machine for the target `onnx`, for a model runs on all of them", fix="leave out the option")
        for entry, graph in source.graphs.items():
            for file, model in _models(source, entry, graph).items():
                write_atomic(folder / file, model)
        write_atomic(folder / "README.md", readme(source))

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run NAME.onnx with onnxruntime on arrays [example, *shape]. Raises: MissingPackage."""
        return Session(folder / f"{source.name}.onnx")(arrays)


def _models(source: Source, entry: str, graph: Graph | IntegerGraph) -> dict[str, bytes]:
    """Give the files of an entry point."""
    name = source.name if entry == "main" else f"{source.name}_{entry}"
    metadata = {
        "entry": entry,
        "digest": source.digest,
        "signature": source.signature.to_json(),
        "evidence": evidence_summary(source.evidence),
    }
    made = model_of(graph, Arithmetic(Nodes(OPSET)), name=name, metadata=metadata)
    return {f"{name}.onnx": made.SerializeToString(deterministic=True)}


def evidence_summary(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Give what was measured in few words: the scores of each split that are single numbers, goals, costs, labels and versions.

    >>> evidence_summary({"scores": {"test": {"count": 2, "accuracy": 0.5, "confusion": [[1, 1], [0, 0]]}}, "run": {"seed": 0}})
    {'scores': {'test': {'count': 2, 'accuracy': 0.5}}}
    """
    found = {key: evidence[key] for key in ("goals", "costs", "labels", "versions") if key in evidence}
    if not isinstance(evidence.get("scores"), Mapping):
        return found
    scores = {
        split: {metric: value for metric, value in measured.items() if isinstance(value, int | float)}
        for split, measured in evidence["scores"].items()
        if isinstance(measured, Mapping)
    }
    return {"scores": scores, **found}
