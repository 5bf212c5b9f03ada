"""The inputs and outputs of a program as a caller without Tacit needs to know them: names, shapes, types, ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tacit.ir.graph import Buffer
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.ir.integer_verifier import shadow
from tacit.ir.interpreter import index_limits
from tacit.signature.base import ArraySpec
from tacit.targets.target import Source

_RANGES = {"uint8": "0 to 255", "int16": "-32768 to 32767", "float32": "any finite number"}


@dataclass(frozen=True)
class Port:
    """One input or output: its name, float32 or int32, [batch, ...] with named axes, and what its numbers may be."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    axes: str
    values: str

    @property
    def variable(self) -> str:
        """The name as an identifier of Python."""
        found = re.sub(r"\W", "_", self.name)
        return found if found.isidentifier() else f"x_{found}"


def input_ports(source: Source, entry: str = "main") -> list[Port]:
    """Describe the inputs of an entry point; the signature tells more about those of ``main``."""
    graph = source.graphs[entry]
    limits = index_limits(shadow(graph) if isinstance(graph, IntegerGraph) else graph)
    specs: list[ArraySpec | None] = [*source.signature.input.arrays] if entry == "main" else []
    ports = []
    buffers: list[Buffer | IntegerBuffer] = [*graph.of_kind("input")]
    for number, buffer in enumerate(buffers):
        spec = specs[number] if number < len(specs) else None
        dtype = "int32" if buffer.dtype == "int32" else "float32"
        if dtype == "int32":
            values = _integer_range([int(limit) for limit in limits.get(buffer.name, ())])
        else:
            known = spec is not None and spec.name.endswith("present")
            values = "1 where the number is known, else 0" if known else _RANGES[spec.dtype if spec else "float32"]
        ports.append(Port(buffer.name, dtype, buffer.shape, _axes(buffer.shape, spec), values))
    return ports


def _integer_range(limits: list[int]) -> str:
    if not limits or max(limits) >= 2**31:
        return "any integer" if not limits or min(limits) >= 2**31 else f"at least 0; where they pick rows, below {min(limits)}"
    most = [str(limit - 1) for limit in limits]
    return f"0 to {most[0]}" if len(set(most)) == 1 else f"0 to {', '.join(most)}, in turn"


def output_ports(source: Source, entry: str = "main") -> list[Port]:
    """Describe the outputs of an entry point."""
    buffers: list[Buffer | IntegerBuffer] = [*source.graphs[entry].of_kind("output")]
    return [Port(buffer.name, "float32", buffer.shape, _axes(buffer.shape, None), "") for buffer in buffers]


def table(ports: list[Port]) -> str:
    """Write ports as a table of Markdown."""
    values = any(port.values for port in ports)
    rows = [["name", "type and shape", *(["values"] if values else [])]]
    rows.append(["---"] * len(rows[0]))
    rows += [[f"`{port.name}`", f"{port.dtype}{port.axes}", *([port.values] if values else [])] for port in ports]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def decoding(source: Source) -> str:
    """Give lines of Python that turn the array `scores` [batch, score] of ``main`` into what a person reads."""
    output = source.signature.output
    names = getattr(output, "names", None)
    if output.kind == "class" and names and len(names) == output.width:
        return f"names = {list(names)!r}\nprint([names[number] for number in scores.argmax(1)])"
    return "print(scores)"


def _axes(shape: tuple[int, ...], spec: ArraySpec | None) -> str:
    named = (
        [f"{axis}={size}" for axis, size in zip(spec.axes, shape, strict=True)]
        if spec and len(spec.axes) == len(shape)
        else map(str, shape)
    )
    return f"[{', '.join(['batch', *named])}]"
