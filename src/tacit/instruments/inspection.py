"""The disassembler: what a binary is made of, instruction by instruction, and what it costs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tacit.binary.binary import Binary
from tacit.instruments.layout import Grid, Part, count, size
from tacit.ir.cost import ELEMENT_BYTES, cost, instruction_cost
from tacit.ir.graph import Graph, Instruction, Matmul
from tacit.ir.operations import operands_of
from tacit.ir.text import print_graph


@dataclass(frozen=True)
class Line:
    """One instruction. Shapes are written by role: ``rows x columns``, axes joined by commas, ``batch:`` before them if any.

    weight_bytes counts the weights that this instruction is the first to read, so that the column adds up to the total.
    """

    number: int
    operation: str
    out: str
    a: str
    b: str
    macs: int
    weight_bytes: int
    source: str


@dataclass(frozen=True)
class Listing:
    """One entry point: its instructions and totals."""

    entry: str
    lines: tuple[Line, ...]
    macs: int
    weight_bytes: int
    arena_bytes: int
    instructions: int


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found; `parts` shows it, `to_json` gives it as data. origin: lines that say from which labels it was compiled."""

    name: str
    signature: str
    driver: str
    digest: str
    listings: tuple[Listing, ...]
    origin: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return dataclasses.asdict(self)

    def parts(self) -> list[Part]:
        """Lay out for a person."""
        shown: list[Part] = [f"{self.name}: {self.signature}", f"digest {self.digest[:24]}, driver `{self.driver}`", *self.origin]
        for listing in self.listings:
            rows = tuple(
                (str(line.number), line.operation, line.out, line.a, line.b, f"{line.macs:,}", f"{line.weight_bytes:,}", line.source)
                for line in listing.lines
            )
            shown.append(Grid(f"entry point `{listing.entry}`", ("#", "operation", "out", "a", "b", "MACs", "bytes", "source"), rows))
            shown.append(
                f"  {listing.instructions} instructions, {count(listing.macs, 'MACs')}, "
                f"{size(listing.weight_bytes)} of weights, {size(listing.arena_bytes)} of arena; the same for every input"
            )
        return shown


def inspect(binary: Binary) -> Inspection:
    """List the instructions of every entry point with shapes, multiply-accumulates, bytes and the layer they came from."""
    listings = tuple(_listing(name, binary.graphs[name]) for name in sorted(binary.graphs, key=lambda name: (name != "main", name)))
    name = str(binary.evidence.get("name") or "binary")
    return Inspection(name, str(binary.signature), binary.driver, binary.digest, listings, tuple(_origin(binary)))


def _origin(binary: Binary) -> Iterator[str]:
    """Say from which version of the labels a binary was compiled, and which run it went on from."""
    labels, warm = binary.evidence.get("labels") or {}, (binary.evidence.get("run") or {}).get("warm")
    if labels.get("digest"):
        commit = labels.get("commit")
        changed = ", with edits that were not committed" if str(commit).endswith("-dirty") else ""
        of = f" of commit {str(commit).removesuffix('-dirty')}{changed}" if commit else ", not of a commit"
        yield f"labels {labels['digest'][:24]}{of}"
    for part in (binary.evidence.get("meld") or {}).get("parts") or ():
        yield f"melded from {part['name']}, {str(part['digest'])[:24]}: {part['signature']}"
    if apart := binary.evidence.get("split"):
        yield f"split from {str(apart['from'])[:24]}; {str(apart['before'])[:24]} before it was melded"
    if warm:
        yield f"warm start from {warm['from'][:24]}{' of commit ' + warm['commit'] if warm.get('commit') else ''}"


def disassemble(binary: Binary) -> str:
    """Give the instructions as the text that `tacit.ir.text.parse_graph` reads, one block per entry point."""
    return "\n".join(f"# entry point {name}\n{print_graph(graph).rstrip()}\n" for name, graph in sorted(binary.graphs.items()))


def _listing(entry: str, graph: Graph) -> Listing:
    lines = []
    seen: set[str] = set()
    for number, instruction in enumerate(graph.instructions):
        read = [view.buffer for _, view in operands_of(instruction) if graph.buffer(view.buffer).kind == "weight"]
        fresh = sum(ELEMENT_BYTES * graph.buffer(name).size for name in dict.fromkeys(read) if name not in seen)
        seen.update(read)
        macs = instruction_cost(instruction, graph).macs
        lines.append(Line(number, *describe(instruction), macs, fresh, instruction.source))
    total = cost(graph)
    return Listing(entry, tuple(lines), total.macs, total.weight_bytes, total.arena_bytes, total.instructions)


def describe(instruction: Instruction) -> tuple[str, str, str, str]:
    """Give the operation with its flags, and the shapes of the output and of both factors by role."""
    if not isinstance(instruction, Matmul):
        shape = ",".join(map(str, instruction.out.shape))
        return "relu", shape, shape, ""
    axes = instruction.axes
    flags = {"+=": instruction.accumulate, "bias": instruction.bias is not None, "relu": instruction.relu}
    return (
        " ".join(["matmul", *(word for word, present in flags.items() if present)]),
        _roles(instruction.out.shape, axes.batch, axes.rows),
        _roles(instruction.a.shape, axes.batch, axes.rows),
        _roles(instruction.b.shape, axes.batch, axes.inner),
    )


def _roles(shape: tuple[int, ...], batch: int, first: int) -> str:
    groups = [",".join(map(str, axes)) or "1" for axes in (shape[batch : batch + first], shape[batch + first :])]
    lead = ",".join(map(str, shape[:batch]))
    return (f"{lead}: " if lead else "") + " x ".join(groups)
