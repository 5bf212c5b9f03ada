"""Boards of Go in C, many at once: `board.c`, compiled once where there is a compiler."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path

import numpy as np

import tacit
from tacit_programs.go.boards import PlainBoards, legal_of
from tacit_programs.go.shape import PLANES, Shape, keys_of

SOURCES = (Path(__file__).with_name("board.c"),)


@cache
def library() -> ctypes.CDLL | None:
    """Give the compiled rules, or None where there is no compiler."""
    try:
        return tacit.native_library("go", SOURCES)
    except tacit.TacitError:
        return None


class NativeBoards:
    """The rules for rows of one shape, as `PlainBoards` has them."""

    def __init__(self, shape: Shape, opened: ctypes.CDLL) -> None:
        self.shape = shape
        self._library, self._words, self._keys = opened, shape.as_words(), keys_of(shape.size)

    def mark(self, rows: np.ndarray) -> None:
        """Write the bits of legal moves into rows."""
        self._library.go_mark(_at(self._words), _at(self._keys), _many(rows), _at(rows))

    def play(self, rows: np.ndarray, moves: np.ndarray) -> np.ndarray:
        """Give the rows after a legal move each, int64[position]."""
        rows, moves = np.ascontiguousarray(rows), np.ascontiguousarray(moves, np.int64)
        after = np.empty_like(rows)
        self._library.go_play(_at(self._words), _at(self._keys), _many(rows), _at(rows), _at(moves), _at(after))
        return after

    def area(self, rows: np.ndarray) -> np.ndarray:
        """Give black's stones and surrounded points less white's, int64[position]."""
        rows = np.ascontiguousarray(rows)
        scores = np.empty(len(rows), np.int64)
        self._library.go_area(_at(self._words), _many(rows), _at(rows), _at(scores))
        return scores

    def encode(self, rows: np.ndarray) -> np.ndarray:
        """Give float32[position, plane, point]."""
        rows = np.ascontiguousarray(rows)
        planes = np.empty((len(rows), PLANES, self.shape.points), np.float32)
        self._library.go_encode(_at(self._words), _many(rows), _at(rows), _at(planes))
        return planes

    def legal(self, rows: np.ndarray) -> np.ndarray:
        """Give bool[position, move] from the bits in rows."""
        return legal_of(self.shape, rows)

    def playouts(self, rows: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Play each position to its end at random, and give black's area less white's, int64[position]."""
        rows, seeds = np.ascontiguousarray(rows), np.ascontiguousarray(seeds, np.uint64)
        scores = np.empty(len(rows), np.int64)
        self._library.go_playouts(_at(self._words), _at(self._keys), _many(rows), _at(rows), _at(seeds), _at(scores))
        return scores


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _many(rows: np.ndarray) -> ctypes.c_int64:
    return ctypes.c_int64(len(rows))


@cache
def boards_of(shape: Shape, *, compiled: bool = True) -> PlainBoards | NativeBoards:
    """Give the rules for a shape, in C where there is a compiler and it is wanted."""
    opened = library() if compiled else None
    return PlainBoards(shape) if opened is None else NativeBoards(shape, opened)
