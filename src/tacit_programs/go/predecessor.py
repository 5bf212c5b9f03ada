"""What came before: GNU Go, a program of rules and patterns by many hands, and plain tree search with random games.

Sources: GNU Go 3.8, https://www.gnu.org/software/gnugo/; Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo Planning".
"""

from __future__ import annotations

import shutil
from pathlib import Path

import tacit
from tacit_programs.go.gtp import Player
from tacit_programs.go.rules import Go

#: Where Debian puts games; it is not on everybody's path.
_GAMES = Path("/usr/games/gnugo")
#: Without `--capture-all-dead` it passes while dead stones stand on the board, which area scoring counts as alive: it would lose games that
#: it has won. Its own rules must be ours: no suicide, no board twice.
_RULES = ("--chinese-rules", "--capture-all-dead", "--positional-superko", "--forbid-suicide")


def gnugo_command(*, level: int = 10, seed: int = 1) -> list[str]:
    """Give the command that starts GNU Go as the match needs it. Raises: TacitError where it is not installed."""
    found = shutil.which("gnugo") or (str(_GAMES) if _GAMES.exists() else None)
    if found is None:
        raise tacit.TacitError("expected GNU Go, found none", fix="apt install gnugo")
    return [found, "--mode", "gtp", "--level", str(level), "--seed", str(seed), *_RULES]


def gnugo_rules(game: Go) -> Go:
    """Give the rules that GNU Go plays by: those of a game, but without suicide."""
    return Go(game.size, game.komi, suicide=False, margin=game.margin, compiled=game.compiled)


def plain_uct(game: Go, playouts: int, *, seed: int = 0) -> Player:
    """Give plain UCT with so many random games a move; none of them fills its own eyes."""
    player: Player = tacit.opponent("uct", game, playouts, seed=seed)
    return player
