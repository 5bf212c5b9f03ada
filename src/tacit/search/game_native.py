"""A network of a game as native code whose weights are put in afterwards: a round of learning changes nothing else, so it is compiled once.

Each position is computed by itself, so that what comes out does not depend on how many there are, which no library of matrices promises.
"""

from __future__ import annotations

import copy
import ctypes
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from tacit.environments.game import Game, signature_of_game
from tacit.ground.errors import InputError
from tacit.lowering.lower import lower_module
from tacit.passes.pipeline import optimise
from tacit.search.tree_search import Network
from tacit.targets.c.boundary import boundary
from tacit.targets.c.emit import MAIN, emit_c
from tacit.targets.c.library import BOUNDARY, Function, function_of
from tacit.targets.c.machine import native_isa
from tacit.targets.c.sources import native_library
from tacit.targets.c.toolchain import find_compiler, need_compiler
from tacit.targets.target import Source

#: Multiply-accumulates of a share of games from which native code pays: it saves about a quarter of the time, some 4e10 of them a second
#: in PyTorch, and costs a quarter of a second for lowering and packing the weights, and once per run a compilation.
WORTH_COMPILING = 100_000_000_000
_NAME = "network"


def pays(game: Game, network: nn.Module, *, games: int, evaluations: float) -> bool:
    """Tell whether a share of `games` games is worth native code; a game lasts about half of its longest."""
    weights = sum(parameter.numel() for parameter in network.parameters())
    macs = weights * game.planes[1] * game.planes[2]
    return macs * games * evaluations * game.longest / 2 >= WORTH_COMPILING and find_compiler() is not None


@dataclass(eq=False)
class _Opened:
    """A compiled network. room: of its weights; holds: whose weights stand there."""

    function: Function
    room: ctypes.Array[ctypes.c_ubyte]
    holds: bytes | None = None


#: By the handles of libraries: what is open in this process.
_opened: dict[int, _Opened] = {}


def native_network(game: Game, network: nn.Module) -> Network:
    """Give the function from planes float32[game, plane, row, column] to scores and worth; the network itself is left as it is.

    Raises: LoweringError; MissingPackage without a compiler, TacitError with what it complained of.
    """
    signature = signature_of_game(game)
    graph = optimise(lower_module(copy.deepcopy(network).cpu().eval(), signature.input.arrays).graph)
    source, isa = Source(_NAME, {MAIN: graph}, signature, ""), native_isa()
    emitted = emit_c(source, isa, literals=False).files
    data = emitted[f"{_NAME}_weights.bin"]
    weights = data if isinstance(data, bytes) else data.encode()
    texts = {
        f"{_NAME}.h": emitted[f"{_NAME}.h"],
        f"{_NAME}.c": emitted[f"{_NAME}.c"],
        BOUNDARY: boundary(_NAME, source.graphs),
        "weights.c": f"__attribute__((aligned(64))) unsigned char {_NAME}_weights[{len(weights)}];\n",
    }
    flags = [*need_compiler().flags(isa, integer=False), "-DTACIT_NO_STATIC_ARENA", "-DTACIT_WEIGHTS_ELSEWHERE"]
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / file for file in texts]
        for path in paths:
            path.write_text(str(texts[path.name]), encoding="utf-8")
        library = native_library(_NAME, paths, flags=flags)
    key = int(library._handle)
    if key not in _opened:
        room = (ctypes.c_ubyte * len(weights)).in_dll(library, f"{_NAME}_weights")
        _opened[key] = _Opened(function_of(0, MAIN, graph, [library, library]), room)
    opened, width = _opened[key], len(game.moves)

    def ask(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if opened.holds is not weights:
            ctypes.memmove(opened.room, weights, len(weights))
            opened.holds = weights
        outputs = opened.function([planes])
        if outputs is None:
            raise InputError(f"expected planes of finite numbers, [game, {', '.join(map(str, game.planes))}] - at `{game.name}`")
        scores, worth = outputs
        return scores.reshape(len(planes), width), np.tanh(worth.reshape(-1))

    return ask
