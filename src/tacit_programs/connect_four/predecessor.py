"""The way of Software 1.0 that this program replaces: plain UCT, a tree search that judges a position by random games to its end.

Source: Kocsis and Szepesvari 2006, "Bandit based Monte-Carlo Planning".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tacit
from tacit_programs.connect_four.rules import ConnectFour

#: Evaluations per move of both contestants, and of the player whom both of them meet, who has four times as many.
EVALUATIONS, STRONGER = 32, 128
METRIC = "points against UCT with 4 times the evaluations"


def predecessor(*, games: int, seed: int) -> tacit.Standing:
    """Let plain UCT meet the stronger one; nothing is learnt, so it costs nothing to make."""
    game = ConnectFour()
    player = tacit.opponent("uct", game, EVALUATIONS, seed=seed + 1)
    return tacit.Standing(
        contestant=f"UCT, {EVALUATIONS} evaluations",
        kind="predecessor",
        metric=METRIC,
        score=points(player, games=games, seed=seed),
        made_in=0.0,
        microseconds=time_per_move(player),
        note=f"{games} games, half of them as either side",
    )


def points(player: Callable[[np.ndarray], np.ndarray], *, games: int, seed: int) -> float:
    """Give the share of points, a draw being half of one, against the stronger UCT."""
    game = ConnectFour()
    shares: dict[str, Any] = tacit.match(game, player, tacit.opponent("uct", game, STRONGER, seed=seed), games=games, seed=seed)
    return float(shares["wins"] + 0.5 * shares["draws"]) / float(shares["games"])


def time_per_move(player: Callable[[np.ndarray], np.ndarray]) -> float:
    """Give the processor's microseconds for one move from an empty board, one game at a time."""
    board = ConnectFour().start(1)
    return tacit.time_per_answer(lambda: player(board))
