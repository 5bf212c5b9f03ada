"""The way down many trees and up again: in C for the usual rule where there is a compiler, in NumPy for any rule.

Both give the same answers to the last bit, so that a run does not depend on which of them it had.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import numpy as np

from tacit.ground.errors import TacitError
from tacit.targets.c.sources import native_library

#: Statistics of a move: the three planes of `Trees.edges`.
VISITS, WINS, PRIOR = 0, 1, 2


class Trees(Protocol):
    """What is walked: the trees of many games as `tacit.search.tree_search.Forest` holds them."""

    edges: np.ndarray
    below: np.ndarray
    worth: np.ndarray
    ended: np.ndarray
    roots: np.ndarray
    size: int
    count: int


class Rule(Protocol):
    """Choose a move in nodes: edges float32[node, 3, move] (visits, sum of worths, prior; -inf: not legal) and worth float32[node]."""

    def __call__(self, edges: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Give int64[node]."""


@dataclass(frozen=True)
class Puct:
    """The mean worth plus what the prior promises. first: a move that was never tried counts as so much worse than its node."""

    explore: float = 1.5
    first: float = 0.2

    def __call__(self, edges: np.ndarray, worth: np.ndarray) -> np.ndarray:
        """Give the moves with the greatest upper bound."""
        visits = edges[:, VISITS]
        bound = edges[:, PRIOR] / (1.0 + visits)
        bound *= self.explore * np.sqrt(visits.sum(axis=1) + 1.0)[:, None]
        bound += np.where(visits > 0, edges[:, WINS] / np.maximum(visits, 1.0), (worth - self.first)[:, None])
        chosen: np.ndarray = bound.argmax(axis=1)
        return chosen


class Walk(Protocol):
    """One way down each tree, and up again."""

    def down(self, trees: Trees) -> tuple[np.ndarray, np.ndarray]:
        """Go to a move that leads nowhere yet, or to an ended game: give the last node and the move there, int64[game] each."""

    def up(self, trees: Trees, leaves: np.ndarray) -> None:
        """Tell the nodes on the way what the rows `leaves`, int64[game], are worth."""


class PlainWalk:
    """In NumPy, by any rule: some twenty array operations per level of the trees."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        #: Nodes and moves on the way, int64[depth, game] (-1 below the end), and how many there are, int64[game].
        self._nodes: np.ndarray = np.zeros((0, 0), np.int64)
        self._moves, self._length = self._nodes, self._nodes

    def down(self, trees: Trees) -> tuple[np.ndarray, np.ndarray]:
        """Go down."""
        active, at = np.arange(trees.count), trees.roots
        nodes, moves = [], []
        length = np.zeros(trees.count, np.int64)
        while len(active):
            chosen = self.rule(trees.edges[at], trees.worth[at])
            nodes.append(_spread(at, active, trees.count))
            moves.append(_spread(chosen, active, trees.count))
            length[active] += 1
            below = trees.below[at, chosen]
            on = (below >= 0) & ~trees.ended[below]
            active, at = active[on], below[on]
        self._nodes, self._moves, self._length = np.stack(nodes), np.stack(moves), length
        games = np.arange(trees.count)
        return self._nodes[length - 1, games], self._moves[length - 1, games]

    def up(self, trees: Trees, leaves: np.ndarray) -> None:
        """Go up: what is good for who moves at the leaf is bad for who moved there, and so on upward."""
        depth, which = np.nonzero(self._nodes >= 0)
        sign = 1.0 - 2.0 * ((self._length[which] - depth) % 2)
        at, by = self._nodes[depth, which], self._moves[depth, which]
        trees.edges[at, VISITS, by] += 1.0
        trees.edges[at, WINS, by] += (sign * trees.worth[leaves[which]]).astype(np.float32)


class NativeWalk:
    """In C, by `Puct`: under a microsecond for a way through a small tree."""

    def __init__(self, rule: Puct, library: ctypes.CDLL) -> None:
        self.rule, self._library = rule, library
        #: Nodes and moves on the way, int64[game, depth], and how many there are, int64[game].
        self._nodes: np.ndarray = np.zeros((0, 0), np.int64)
        self._moves, self._length = self._nodes, self._nodes

    def down(self, trees: Trees) -> tuple[np.ndarray, np.ndarray]:
        """Go down."""
        if self._nodes.shape != (trees.count, trees.size):
            self._nodes, self._moves = (np.zeros((trees.count, trees.size), np.int64) for _ in range(2))
            self._length = np.zeros(trees.count, np.int64)
        arrays = (trees.edges, trees.below, trees.worth, trees.ended)
        rule = ctypes.c_float(self.rule.explore), ctypes.c_float(self.rule.first)
        self._library.tacit_walk_down(*_sizes(trees), *map(_at, arrays), *rule, *map(_at, (self._nodes, self._moves, self._length)))
        games = np.arange(trees.count)
        return self._nodes[games, self._length - 1], self._moves[games, self._length - 1]

    def up(self, trees: Trees, leaves: np.ndarray) -> None:
        """Go up."""
        arrays = (trees.edges, trees.worth, self._nodes, self._moves, self._length, np.ascontiguousarray(leaves, np.int64))
        self._library.tacit_walk_up(*_sizes(trees), *map(_at, arrays))


@cache
def _library() -> ctypes.CDLL | None:
    """Give the compiled walk, or None where there is no compiler."""
    try:
        return native_library("walking", [Path(__file__).with_name("walking.c")], flags=["-ffp-contract=off"])
    except TacitError:
        return None


def walk_by(rule: Rule) -> Walk:
    """Give the fastest walk by a rule that this machine has."""
    library = _library() if isinstance(rule, Puct) else None
    return PlainWalk(rule) if library is None or not isinstance(rule, Puct) else NativeWalk(rule, library)


def _sizes(trees: Trees) -> tuple[ctypes.c_int64, ...]:
    return tuple(map(ctypes.c_int64, (trees.count, trees.size, trees.edges.shape[2])))


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _spread(values: np.ndarray, places: np.ndarray, count: int) -> np.ndarray:
    """Give int64[count] with values at places, -1 elsewhere."""
    whole = np.full(count, -1, np.int64)
    whole[places] = values
    return whole
