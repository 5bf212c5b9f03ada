"""Who plays: a network with a tree search around it where there is one for the board, plain UCT elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tacit
from tacit_programs.go.gtp import Player
from tacit_programs.go.rules import Go

#: A network of 5x5 that comes with the package; it is what `benchmarks/go.py five` made, with its evidence.
EMBEDDED = Path(__file__).with_name("go5.tacit")
#: Positions that a move is thought about with, unless a person says otherwise; and random games of plain UCT.
EVALUATIONS, PLAYOUTS = 400, 1000


@dataclass(frozen=True)
class Players:
    """Make players for boards. file: a network, else the embedded one for 5x5. evaluations: of a move, or the usual number."""

    file: Path | None = None
    evaluations: int | None = None
    seed: int = 0

    def binary(self) -> tacit.Binary | None:
        """Load the network, if there is one. Raises: TacitError for a file that can't be read."""
        path = self.file or EMBEDDED
        return tacit.load(path) if self.file is not None or path.exists() else None

    def __call__(self, game: Go) -> Player:
        """Give a player. Raises: TacitError where a file was named that is for another board."""
        binary = self.binary()
        if binary is not None and (self.file is not None or fits(binary, game)):
            player: Player = tacit.player(binary, game, self.evaluations or EVALUATIONS)
            return player
        plain: Player = tacit.opponent("uct", game, self.evaluations or PLAYOUTS, seed=self.seed)
        return plain

    def describe(self, game: Go) -> str:
        """Say in a line who plays on a board."""
        binary = self.binary()
        if binary is not None and fits(binary, game):
            return f"a network of {game.size}x{game.size} with {self.evaluations or EVALUATIONS} evaluations a move"
        return (
            f"plain UCT with {self.evaluations or PLAYOUTS} random games a move, for there is no network for {game.size}x{game.size} here"
        )


def fits(binary: Any, game: Go) -> bool:
    """Tell whether a binary is for a board."""
    shape = tuple(binary.signature.input.arrays[0].shape)
    return shape == game.planes and binary.signature.output.width == len(game.moves)


def size_of(binary: Any) -> int:
    """Give the side of the board that a binary is for. Raises: TacitError for a binary of something else."""
    shape = tuple(binary.signature.input.arrays[0].shape)
    size = int(shape[-1])
    if len(shape) != 3 or not 2 <= size <= 19 or not fits(binary, Go(size)):
        raise tacit.TacitError(f"expected a network for Go, got one for {binary.signature}", fix="tacit new DIR --like go")
    return size
