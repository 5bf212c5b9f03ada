"""Measure how long one call of a program takes on the C target: generated, compiled and timed in turns within one process."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import contestants
from contestants import Contestant, Times

from tacit.ir.graph import Graph
from tacit.signature.signature import Signature
from tacit.targets.c.emit import emit_c
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source


def in_c(name: str, graph: Graph, signature: Signature, folder: Path) -> Contestant:
    """Compile the generated C of a graph with the flags of its Makefile, for this processor, batch 1."""
    isa = native_isa()
    source = Source("program", {"main": graph}, signature, "0" * 64)
    for file, content in emit_c(source, isa).files.items():
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    compiler = need_compiler()
    inputs, outputs = graph.of_kind("input"), graph.of_kind("output")
    arguments = [f"i{place}" for place in range(len(inputs))] + [f"o{place}" for place in range(len(outputs))]
    return contestants.compiled(
        name,
        folder=folder,
        command=[*compiler.command, *compiler.flags(isa, integer=False)],
        sources=["program.c"],
        include='#include "program.h"',
        call=f"program_run({', '.join(arguments)})",
        inputs=[(buffer.size, "const int32_t" if buffer.dtype == "int32" else "const float") for buffer in inputs],
        outputs=[buffer.size for buffer in outputs],
    )


def times_in_c(graphs: Mapping[str, Graph], signature: Signature, *, rounds: int = contestants.ROUNDS) -> Times:
    """Give the CPU seconds of one call by name, one value per round; the programs take turns."""
    with tempfile.TemporaryDirectory() as work:
        made = []
        for place, (name, graph) in enumerate(graphs.items()):
            folder = Path(work) / str(place)
            folder.mkdir()
            made.append(in_c(name, graph, signature, folder))
        return contestants.take_turns(made, rounds=rounds)
