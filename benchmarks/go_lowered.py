"""What is held of the binary of a board once it is lowered: int8 in C to the last bit, and as many instructions whatever it looks at."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tacit.environments.game import random_moves
from tacit.ir.graph import Graph
from tacit.ir.integer_interpreter import evaluate_integers
from tacit.ir.interpreter import evaluate
from tacit.quantisation.quantise import quantise
from tacit.signature.base import Signature
from tacit.targets.c.counting import count_instructions, counted_isa, five_inputs
from tacit.targets.c.emit import emit_c
from tacit.targets.c.library import Library, build_library
from tacit.targets.c.machine import native_isa
from tacit.targets.c.toolchain import need_compiler
from tacit.targets.target import Source
from tacit_programs.go import Go

POSITIONS = 512


def met(game: Go, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Give planes of positions from all through random games, and which moves are legal in them."""
    random = np.random.default_rng(seed)
    positions, kept = game.start(POSITIONS // 8), []
    for _ in range(2 * 8):
        kept.append(positions)
        for _ in range(3):
            positions = game.play(positions, random_moves(game, positions, random))
            ended = game.ended(positions)
            positions[ended] = game.start(int(ended.sum()))
    found = np.concatenate(kept)
    return game.encode(found), game.legal(found)


def lowered(graph: Graph, signature: Signature, game: Go, seed: int) -> dict[str, Any]:
    """Quantise on half of the positions and hold C against the interpreter on the others; count instructions on five unlike inputs."""
    planes, legal = met(game, seed)
    integer = quantise(graph, [planes[::2]])
    held, open_moves = planes[1::2], legal[1::2]
    wanted, exact = evaluate_integers(integer, [held]), evaluate(graph, [held])
    source = Source("go", {"main": integer}, signature, "")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in emit_c(source, native_isa()).files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        path = folder / "go.so"
        build_library(path, name="go", graphs=source.graphs, sources=folder, compiler=need_compiler(), isa=native_isa())
        got = Library(path, source.graphs).functions["main"]([held])
    if got is None:
        raise SystemExit("expected the library to take planes, it refused them")
    best = [np.where(open_moves, scores.reshape(len(held), -1), -np.inf).argmax(axis=1) for scores in (wanted[0], exact[0])]
    floats = Source("go", {"main": graph}, signature, "")
    counts = {kind: count_instructions(one, need_compiler(), five_inputs(one)) for kind, one in (("int8", source), ("float32", floats))}
    return {
        "int8 outputs whose bits differ": int(sum((own != other).sum() for own, other in zip(got, wanted, strict=True))),
        "int8 outputs compared": int(sum(own.size for own in wanted)),
        "share of best moves that int8 keeps": float((best[0] == best[1]).mean()),
        "greatest difference of the worth": float(np.abs(np.tanh(wanted[1]) - np.tanh(exact[1])).max()),
        "instruction set counted": counted_isa().name,
        "instructions": counts,
        "constant": all(len(set(one)) == 1 for one in counts.values()),
    }
