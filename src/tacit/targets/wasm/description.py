"""What the ES module and the page are told of a program, as JSON values."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.ir.graph import Buffer, Graph, Index, View
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.signature.base import Joint, Product, Type
from tacit.signature.row import Row
from tacit.signature.text import Text
from tacit.targets.c.emit import MAIN
from tacit.targets.target import Source
from tacit.targets.wasm.glue import buffers, exported, takes_integers

_SPLITS = ("train", "validation", "test")
_NOT_METRICS = ("count", "per_class", "confusion", "parts")


def describe_program(source: Source) -> dict[str, Any]:
    """Give name, digest, signature, and per entry point the arrays that it takes and gives."""
    return {
        "name": source.name,
        "digest": source.digest,
        "int8": source.integer,
        "signature": source.signature.to_json(),
        "entries": {name: _entry(name, graph) for name, graph in source.graphs.items()},
    }


def describe_evidence(source: Source) -> dict[str, Any]:
    """Give the part of the evidence that the page shows; evidence of another form is left out."""
    evidence = source.evidence
    blocks = evidence.get("scores")
    scores = [_block(name, block) for name, block in _ordered(blocks) if isinstance(block, Mapping)] if isinstance(blocks, Mapping) else []
    goals = [goal for goal in _listed(evidence.get("goals")) if isinstance(goal, Mapping) and "metric" in goal]
    costs = evidence.get("costs")
    return {
        "title": str(evidence.get("name") or source.name),
        "summary": f"From {_plainly(source.signature.input)} to {_plainly(source.signature.output)}.",
        "reads": source.signature.input.describe(),
        "answers": source.signature.output.describe(),
        "scores": scores,
        "goals": [{key: goal.get(key) for key in ("metric", "label", "split", "threshold", "value", "met")} for goal in goals],
        "macs": costs.get("macs") if isinstance(costs, Mapping) else None,
        "labels": _labels(evidence.get("labels")),
        "probes": [probe for probe in _listed(evidence.get("probes")) if _fits(probe, source)],
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _fits(probe: Any, source: Source) -> bool:
    """Tell whether a recorded input has the arrays that the program takes; one that has not would keep the page from starting."""
    graph = source.graphs[MAIN]
    try:
        scores = np.asarray(probe["scores"], np.float64)
        for item, spec, buffer in zip(probe["inputs"], source.signature.input.arrays, buffers(graph, "input"), strict=True):
            array = np.frombuffer(base64.b64decode(item["data"], validate=True), np.dtype(spec.dtype).newbyteorder("<"))
            whole = item["dtype"] == spec.dtype and array.size == math.prod(spec.shape)
            if not whole or (takes_integers(buffer) and not ((array >= 0) & (array < _limits(graph, buffer.name, buffer.size))).all()):
                return False
    except (KeyError, TypeError, ValueError):
        return False
    return scores.shape == (source.signature.output.width,) and bool(np.isfinite(scores).all())


def _plainly(type_: Type) -> str:
    """Say what a type is in a few words, for a person who has never heard of it."""
    if isinstance(type_, Product | Joint):
        return " and ".join(_plainly(part) for part in type_.parts)
    if isinstance(type_, Row):
        return f"a row of {len(type_.columns)} column{'s' if len(type_.columns) > 1 else ''}"
    return "a text" if isinstance(type_, Text) else type_.describe()


def _entry(name: str, graph: Graph | IntegerGraph) -> dict[str, Any]:
    inputs = []
    for buffer in buffers(graph, "input"):
        inputs.append(_array(buffer))
        if takes_integers(buffer):
            limits = _limits(graph, buffer.name, buffer.size)
            inputs[-1]["limit"] = limits[0] if len(set(limits)) == 1 else limits
    outputs = [_array(buffer) for buffer in buffers(graph, "output")]
    return {"prefix": exported(name, ""), "inputs": inputs, "outputs": outputs}


def _array(buffer: Buffer | IntegerBuffer) -> dict[str, Any]:
    return {"name": buffer.name, "dtype": "int32" if takes_integers(buffer) else "float32", "shape": list(buffer.shape)}


def _limits(graph: Graph | IntegerGraph, name: str, size: int) -> list[int]:
    """Give for each element of an integer input the least limit of the tables that it picks rows of."""
    limits = np.full(size, 2**31 - 1, np.int64)
    for instruction in graph.instructions:
        for view in (getattr(instruction, part, None) for part in ("out", "a", "b", "x", "bias")):
            if isinstance(view, View) and view.index is not None and view.index.buffer == name:
                places = _places(view.index, view.shape)
                limits[places] = np.minimum(limits[places], view.index.limit)
    return [int(limit) for limit in limits]


def _places(index: Index, shape: tuple[int, ...]) -> np.ndarray:
    places = np.zeros(1, np.int64) + index.offset
    for extent, stride in zip(shape, index.strides, strict=True):
        if stride:
            places = (places[:, None] + np.arange(extent) * stride).reshape(-1)
    return places


def _ordered(blocks: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(blocks.items(), key=lambda item: (_SPLITS.index(item[0]) if item[0] in _SPLITS else len(_SPLITS), item[0]))


def _block(name: str, block: Mapping[str, Any]) -> dict[str, Any]:
    metrics = [[key, value] for key, value in block.items() if key not in _NOT_METRICS and isinstance(value, int | float)]
    rows = block.get("per_class")
    classes = (
        [[label, row.get("precision"), row.get("recall"), row.get("count", 0)] for label, row in rows.items() if isinstance(row, Mapping)]
        if isinstance(rows, Mapping)
        else []
    )
    return {"name": name, "count": block.get("count", 0), "metrics": metrics, "classes": classes}


def _labels(labels: Any) -> str | None:
    """Say in one line from which labels the program was compiled."""
    if not isinstance(labels, Mapping):
        return None
    counts = labels.get("counts")
    shown = [f"{count:,} {split}" for split, count in counts.items() if isinstance(count, int)] if isinstance(counts, Mapping) else []
    commit = labels.get("commit")
    if isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{7,64}(-dirty)?", commit):
        shown.append(f"commit {commit}")
    return ", ".join(shown) or None
