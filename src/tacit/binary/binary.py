"""The binary: instructions, weights, signature and evidence as one noun that can be called like a function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tacit.binary.container import FORMAT_VERSION, pack
from tacit.binary.drivers import DRIVERS
from tacit.binary.entry import EntryPoint
from tacit.ground.digests import canonical_json
from tacit.ground.errors import GraphError, InputError, UnknownName, raise_all
from tacit.ground.files import write_atomic
from tacit.ground.tables import did_you_mean
from tacit.ir.graph import Graph
from tacit.ir.text import print_graph
from tacit.signature.base import Signature

if TYPE_CHECKING:
    from tacit.examples.examples import Examples

MAIN = "main"


@dataclass(frozen=True, eq=False)
class Binary:
    """A compiled program. ``binary(value)`` gives the answer in a person's terms, ``binary.scores(value)`` the numbers.

    graphs: name of an entry point -> its graph; ``main`` reads the signature's input and gives its scores, others are for
    drivers, or for a person where `signatures` says what they take and give. Entry points may share weights. driver: a name in
    `tacit.binary.DRIVERS`. evidence: JSON values; what was measured when it was compiled (see `tacit.instruments.card`). Two
    binaries are equal when they compute the same thing in the same way, whatever their evidence says.
    """

    graphs: Mapping[str, Graph]
    signature: Signature
    driver: str = "decode"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    signatures: Mapping[str, Signature] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if MAIN not in self.graphs:
            raise GraphError(f"expected an entry point `{MAIN}`, got {sorted(self.graphs)}")
        raise_all(_mismatches(self.graphs[MAIN], self.signature), heading=f"the graph does not fit {self.signature}", error=GraphError)
        for entry, signature in self.signatures.items():
            if entry not in self.graphs or entry == MAIN:
                raise GraphError(f"expected signatures of other entry points than `{MAIN}`, got one of `{entry}`")
            heading = f"the graph of the entry point `{entry}` does not fit {signature}"
            raise_all(_mismatches(self.graphs[entry], signature), heading=heading, error=GraphError)

    def __call__(self, value: Any) -> Any:
        """Give the answer for what a person has: a path, bytes, an image, an array, a string, a dict.

        A list is several examples and gives a list. One value that is itself a sequence is given as a tuple or an array.
        Raises: InputError, naming every value that can't be read.
        """
        answers: list[Any] = DRIVERS.get(self.driver)(self, self._read(value))
        return answers if isinstance(value, list) else answers[0]

    def scores(self, value: Any) -> np.ndarray:
        """Give the scores, float32[width]; for a list, float32[example, width]. Raises: InputError."""
        scores = self._main(self._read(value))
        return scores if isinstance(value, list) else scores[0]

    def inputs(self, value: Any) -> tuple[np.ndarray, ...]:
        """Give the arrays that `value` becomes, [*shape] each; for a list, [example, *shape] each. Raises: InputError."""
        arrays = self._read(value)
        return arrays if isinstance(value, list) else tuple(array[0] for array in arrays)

    def evaluate(self, examples: Examples) -> np.ndarray:
        """Give the scores of every example, float32[example, width]."""
        return self._main(examples.inputs)

    def run(self, arrays: Sequence[np.ndarray], entry: str = MAIN) -> list[np.ndarray]:
        """Run an entry point on arrays [example, *shape]; give its outputs, float32[example, *shape]. Raises: InputError."""
        return self.entry(entry)(arrays)

    def entry(self, name: str) -> EntryPoint:
        """Give an entry point, which runs on arrays with a leading axis of examples. Raises: UnknownName."""
        if name not in self.graphs:
            raise UnknownName(f"expected an entry point, got `{name}`", fix=did_you_mean(name, list(self.graphs)))
        if name not in self._entries:
            self._entries[name] = EntryPoint(name, self.graphs[name])
        return self._entries[name]

    def alone(self, name: str) -> Binary:
        """Give a binary whose ``main`` is an entry point that has a signature. Raises: UnknownName."""
        if name not in self.signatures:
            known = [MAIN, *self.signatures]
            raise UnknownName(f"expected an entry point with a signature, got `{name}`", fix=did_you_mean(name, known))
        return Binary({MAIN: self.graphs[name]}, self.signatures[name], evidence={"name": name})

    def serve(self, entry: EntryPoint) -> None:
        """Run an entry point by `entry` from now on: native code in place of the interpreter. What is computed stays the same."""
        self._entries[entry.name] = entry

    @cached_property
    def _entries(self) -> dict[str, EntryPoint]:
        return {}

    @cached_property
    def digest(self) -> str:
        """The sha256 over instructions, signature, driver and weights: the identity of what is computed."""
        tensors, metadata = self._parts
        digest = hashlib.sha256(canonical_json([FORMAT_VERSION, metadata]).encode())
        for name in sorted(tensors):
            digest.update(canonical_json([name, list(tensors[name].shape)]).encode())
            digest.update(np.ascontiguousarray(tensors[name], dtype="<f4").tobytes())
        return digest.hexdigest()

    @cached_property
    def _parts(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """The tensors and all metadata but the evidence."""
        tensors: dict[str, np.ndarray] = {}
        entries: dict[str, dict[str, str]] = {}
        for entry in sorted(self.graphs):
            entries[entry] = {}
            for name, weight in self.graphs[entry].weights.items():
                key = name
                if key in tensors and not _same(tensors[key], weight):
                    key = f"{entry}/{name}"
                tensors[key] = weight
                entries[entry][name] = key
        metadata = {f"instructions.{entry}": print_graph(graph) for entry, graph in self.graphs.items()}
        metadata |= {"entries": canonical_json(entries), "signature": canonical_json(self.signature.to_json()), "driver": self.driver}
        if self.signatures:  # only then: the identity of a binary with one entry point stays what it was
            metadata["signatures"] = canonical_json({name: signature.to_json() for name, signature in self.signatures.items()})
        return tensors, metadata

    def to_bytes(self) -> bytes:
        """Give the file as bytes: equal binaries with equal evidence have equal bytes."""
        tensors, metadata = self._parts
        return pack(tensors, {**metadata, "evidence": _evidence_json(self.evidence), "digest": self.digest})

    def save(self, path: str | PathLike[str]) -> Path:
        """Write the file, so that a crash leaves the old one or the new one; give its path. Raises: TacitError."""
        target = Path(path)
        write_atomic(target, self.to_bytes())
        return target

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Binary) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Binary({self.signature}, {self.digest[:12]})"

    def _main(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        (scores, *_) = self.entry(MAIN)(arrays)
        return scores.reshape(len(scores), self.signature.output.width)

    def _read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read one value, or a list of values, into arrays [example, *shape]."""
        kind = self.signature.input
        if not isinstance(value, list):
            return tuple(np.asarray(array)[np.newaxis] for array in kind.read(value))
        if value and all(isinstance(item, int | float) for item in value):
            hint = f"binary(tuple(value)), for a list means several values of the type {kind!r}"
            raise InputError(f"expected a list of values, got a list of {len(value)} numbers", fix=hint)
        return kind.read_all(value)


def _mismatches(graph: Graph, signature: Signature) -> list[str]:
    """Name every way in which the inputs and outputs of a graph differ from the signature."""
    problems = []
    buffers, specs, outputs = graph.of_kind("input"), signature.input.arrays, graph.of_kind("output")
    if len(buffers) != len(specs):
        problems.append(f"expected {len(specs)} input buffers, got {len(buffers)}")
    for buffer, spec in zip(buffers, specs, strict=False):
        wanted = "int32" if spec.dtype == "int32" else "float32"
        if (buffer.shape, buffer.dtype) != (tuple(spec.shape), wanted):
            problems.append(f"input `{buffer.name}`: expected {wanted}{list(spec.shape)}, got {buffer.dtype}{list(buffer.shape)}")
    if not outputs or outputs[0].size != signature.output.width:
        problems.append(f"expected {signature.output.width} scores, got {[list(buffer.shape) for buffer in outputs]}")
    return problems


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell whether two arrays hold the same bits."""
    return first is second or (first.shape == second.shape and first.tobytes() == second.tobytes())


def _evidence_json(evidence: Mapping[str, Any]) -> str:
    """Write the evidence in its own order (classes, metrics), which a reader wants to see again."""
    return json.dumps(_plain(evidence), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Turn NumPy scalars, tuples and mappings into JSON values; numbers that JSON lacks become None."""
    if isinstance(value, Mapping):
        return {_writable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return _writable(value) if isinstance(value, str) else value


def _writable(text: str) -> str:
    """Replace what UTF-8 can't hold: halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()
