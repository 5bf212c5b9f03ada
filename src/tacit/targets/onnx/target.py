"""The target ``onnx``: a model for each entry point, and how to call it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.ground.errors import ConfigError, TacitError
from tacit.ground.files import write_atomic
from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.targets.onnx.arithmetic import Arithmetic
from tacit.targets.onnx.exact import ExactArithmetic
from tacit.targets.onnx.model import OPSET, model_of
from tacit.targets.onnx.nodes import Nodes
from tacit.targets.onnx.quantised import OPSET as OPSET_OF_QUANTISED
from tacit.targets.onnx.quantised import QuantisedArithmetic
from tacit.targets.onnx.readme import readme
from tacit.targets.onnx.runtime import Session, version
from tacit.targets.target import Options, Source


class OnnxTarget:
    """Write models that onnxruntime and others run; run them with onnxruntime.

    An int8 program becomes two models: NAME.onnx with QuantizeLinear and DequantizeLinear, which runtimes make fast and round in floating
    point, and NAME_exact.onnx in integer arithmetic, which gives the bits of the definition.
    """

    #: Of NAME.onnx for int8; `run` holds the bits of NAME_exact.onnx against the interpreter itself.
    same_bits = False

    def write(self, source: Source, folder: Path, options: Options) -> None:
        """Write NAME.onnx (NAME_ENTRY.onnx for entry points besides ``main``; for int8 also ..._exact.onnx) and README.md.

        Raises: ConfigError for an option that has no meaning here.
        """
        if options.triple is not None or options.isa != "native":
            raise ConfigError("expected no machine for the target `onnx`, for a model runs on all of them", fix="leave out the option")
        for entry, graph in source.graphs.items():
            for file, model in _models(source, entry, graph).items():
                write_atomic(folder / file, model)
        write_atomic(folder / "README.md", readme(source))

    def runs_on(self, source: Source, folder: Path) -> str:
        """Say on what `run` runs."""
        return f"this machine, {version()}"

    def run(self, source: Source, folder: Path, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run NAME.onnx with onnxruntime on arrays [example, *shape].

        Raises: MissingPackage; TacitError when the exact model of an int8 program differs from the interpreter in any bit.
        """
        graph = source.graphs["main"]
        if isinstance(graph, IntegerGraph):
            exact = Session(folder / f"{source.name}_exact.onnx")(arrays)
            differing = sum(int((one != other).sum()) for one, other in zip(exact, evaluate_integers(graph, arrays), strict=True))
            if differing:
                raise TacitError(
                    f"expected the bits of the interpreter, got {differing} scores that differ - at `{folder / source.name}_exact.onnx`",
                    cause="this onnxruntime does not compute with integers as ONNX defines it",
                    fix=f"use {source.name}.onnx, or report this with the version of onnxruntime",
                )
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
    kinds: dict[str, Arithmetic] = {name: Arithmetic(Nodes(OPSET))}
    if isinstance(graph, IntegerGraph):
        kinds = {name: QuantisedArithmetic(Nodes(OPSET_OF_QUANTISED)), f"{name}_exact": ExactArithmetic(Nodes(OPSET))}
    made = {file: model_of(graph, arithmetic, name=name, metadata=metadata) for file, arithmetic in kinds.items()}
    return {f"{file}.onnx": model.SerializeToString(deterministic=True) for file, model in made.items()}


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
