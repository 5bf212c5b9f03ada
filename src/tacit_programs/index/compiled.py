"""The C of the index, reached through ctypes: compiled once on first use, or absent, and then NumPy does the same."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import tacit
from tacit_programs.index.pieces import Shape

_SOURCES = Path(__file__).parent / "native"
#: Names of the paths, as in ``index.h``; the best is chosen by the processor when none is named.
PATHS = {"best": -1, "scalar": 0, "avx2": 1, "avx512": 2}
_LINE = 64
_POINTER, _U64, _U32, _F64, _INT = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.c_double, ctypes.c_int


class _Pieces(ctypes.Structure):
    _fields_ = (
        *(("keys", _POINTER), ("count", _U64), ("low", _U64), ("high", _U64), ("origin", _F64), ("scale", _F64)),
        *(("knots", _POINTER), ("starts", _POINTER), ("cells", _U32), ("pieces", _U32), ("warp", _U32), ("layer", _U32)),
    )


class _Tree(ctypes.Structure):
    _fields_ = (
        *(("keys", _POINTER), ("count", _U64), ("nodes", _POINTER)),
        *(("level", _U64 * 16), ("levels", _U32), ("lead", _U32)),
    )


@cache
def library() -> ctypes.CDLL | None:
    """Give the compiled library, or None on a machine without a C compiler."""
    try:
        found = tacit.native_library("index", sorted(_SOURCES.glob("*.[ch]")), flags=("-ffp-contract=off",))
    except tacit.TacitError:
        return None
    found.tacit_pieces_plan.argtypes = (_POINTER, _POINTER, _U64, _U32)
    found.tacit_pieces_fit.argtypes = (_POINTER, _POINTER, _POINTER, _INT)
    found.tacit_tree_size.argtypes, found.tacit_tree_size.restype = (_U64,), _U64
    found.tacit_tree_build.argtypes = (_POINTER, _POINTER, _U64, _POINTER)
    found.tacit_merge.argtypes = (_POINTER, _U64, _POINTER, _U64, _POINTER)
    for name in ("tacit_pieces", "tacit_tree"):
        lookup, find = getattr(found, f"{name}_lookup"), getattr(found, f"{name}_find")
        lookup.argtypes, lookup.restype = (_POINTER, _POINTER, _U64, _INT, _INT, _POINTER), None
        find.argtypes, find.restype = (_POINTER, _U64, _INT, _INT), ctypes.c_int64
    found.tacit_texts_bisect.argtypes = (*(_POINTER,) * 4, _U64, _INT, _POINTER, _POINTER)
    for name in ("tacit_texts_bisect", "tacit_pieces_plan", "tacit_pieces_fit", "tacit_tree_build", "tacit_merge"):
        getattr(found, name).restype = None
    return found


def need_library() -> ctypes.CDLL:
    """Give the compiled library. Raises: TacitError without a C compiler."""
    found = library()
    if found is None:
        raise tacit.TacitError("expected a C compiler, found none", fix="install gcc or clang, or `pip install ziglang`")
    return found


def fast_path() -> str:
    """Name the instructions that lookups use here: ``avx512``, ``avx2``, ``scalar``, or ``numpy`` without a compiler."""
    found = library()
    return "numpy" if found is None else {value: name for name, value in PATHS.items()}[found.tacit_index_isa()]


def aligned(count: int, dtype: Any) -> np.ndarray:
    """Give an empty array that begins at a line of the cache."""
    size = np.dtype(dtype).itemsize
    whole: np.ndarray = np.empty(count + _LINE // size, dtype)
    begin = -whole.ctypes.data % _LINE // size
    return whole[begin : begin + count]


def merge(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Merge two sorted arrays of uint64."""
    found = library()
    if found is None:
        return np.insert(a, np.searchsorted(a, b), b)
    merged = aligned(len(a) + len(b), np.uint64)
    found.tacit_merge(a.ctypes.data, len(a), b.ctypes.data, len(b), merged.ctypes.data)
    return merged


@dataclass(eq=False)
class _Structure:
    """What both structures share: the calls. `path` names the instructions (for tests; the answers are the same)."""

    keys: np.ndarray
    path: str = "best"

    def _ready(self, name: str, structure: ctypes.Structure) -> None:
        found = need_library()
        self._struct, self._address = structure, ctypes.addressof(structure)
        self._lookup, self._find = getattr(found, f"{name}_lookup"), getattr(found, f"{name}_find")
        self._isa = PATHS[self.path]

    def lookup(self, queries: np.ndarray, right: bool, places: np.ndarray) -> None:
        """Write how many keys are below (right: not above) each uint64 query into int64 `places`, both contiguous."""
        self._lookup(self._address, queries.ctypes.data, len(queries), right, self._isa, places.ctypes.data)

    def find(self, query: int, right: bool) -> int:
        """Do the same for one query."""
        place: int = self._find(self._address, query, right, self._isa)
        return place


class NativePieces(_Structure):
    """The learned function and the start positions of its pieces."""

    name = "pieces"

    def __init__(
        self, keys: np.ndarray, keys_per_piece: int = 8, *, shape: Shape | None = None, starts: np.ndarray | None = None, path: str = "best"
    ) -> None:
        """Learn from sorted uint64 keys, or take a shape (and start positions) that were learned before."""
        super().__init__(keys, path)
        struct = _Pieces()
        self._ready("tacit_pieces", struct)
        found = need_library()
        if shape is None:
            found.tacit_pieces_plan(self._address, keys.ctypes.data, len(keys), keys_per_piece)
            self.knots = np.empty(struct.cells + 1, np.float64)
        else:
            struct.keys, struct.count, self.knots = keys.ctypes.data, len(keys), shape.knots
            struct.low, struct.high, struct.origin, struct.scale = shape.low, shape.high, shape.origin, shape.scale
            struct.cells, struct.pieces, struct.warp, struct.layer = shape.cells, shape.pieces, shape.logarithm, shape.layer
        self.starts = aligned(struct.pieces + 1, np.uint32) if starts is None else starts
        if starts is None:
            self.knots = np.array(self.knots)
            found.tacit_pieces_fit(self._address, self.knots.ctypes.data, self.starts.ctypes.data, self._isa)
        struct.knots, struct.starts = self.knots.ctypes.data, self.starts.ctypes.data

    @property
    def shape(self) -> Shape:
        """Give what was learned, without the start positions."""
        s = self._struct
        return Shape(s.low, s.high, bool(s.warp), s.origin, s.scale, self.knots, s.pieces, bool(s.layer))

    @property
    def bytes(self) -> int:
        """Count what the structure takes beside the keys."""
        return self.knots.nbytes + self.starts.nbytes + ctypes.sizeof(self._struct)


class NativeTree(_Structure):
    """The static tree of nodes of 16 keys."""

    name = "tree"

    def __init__(self, keys: np.ndarray, *, path: str = "best") -> None:
        """Build over sorted uint64 keys."""
        super().__init__(keys, path)
        found = need_library()
        self._ready("tacit_tree", _Tree())
        self._nodes = aligned(found.tacit_tree_size(len(keys)), np.uint64)
        found.tacit_tree_build(self._address, keys.ctypes.data, len(keys), self._nodes.ctypes.data)

    @property
    def bytes(self) -> int:
        """Count what the structure takes beside the keys."""
        return self._nodes.nbytes + ctypes.sizeof(self._struct)
