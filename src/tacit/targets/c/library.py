"""A program as a shared library, called with small overhead: compiled by `build_library`, opened by `Library`.

One example costs a copy into a buffer, one foreign call without arguments to convert, and a copy out of a buffer. Many examples
are shared out among threads, each with an arena of its own; the foreign call lets other threads of Python run.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.targets.c.boundary import ALIGNMENT, KINDS, Entry, boundary, entry_of, macs_of, row_limits
from tacit.targets.c.isa import Isa
from tacit.targets.c.toolchain import Compiler

#: Below so many multiply-accumulates a call keeps the lock of the interpreter: taking it back can cost 5 ms where other threads run.
KEEPS_LOCK = 1_000_000
#: A thread of its own is worth so many multiply-accumulates (about 50 us).
_WORTH_A_THREAD = 1_000_000
#: More parts than cores: on a core that others use, fewer are done.
_PARTS_PER_CORE = 4
BOUNDARY = "boundary.c"
#: A function of a library, as ctypes gives it.
Symbol = Callable[[Any], int]


class _Call(ctypes.Structure):
    """`struct tacit_call` of the boundary."""

    _fields_ = (
        ("arena", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("inputs", ctypes.c_void_p),
        ("kinds", ctypes.c_void_p),
        ("wide", ctypes.c_void_p),
        ("limits", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
    )


def build_library(
    path: Path, *, name: str, graphs: Mapping[str, Graph | IntegerGraph], sources: Path, compiler: Compiler, isa: Isa
) -> None:
    """Compile the generated C in the folder `sources` into a shared library. Raises: TacitError with what the compiler said."""
    integer = any(isinstance(graph, IntegerGraph) for graph in graphs.values())
    (sources / BOUNDARY).write_text(boundary(name, graphs), encoding="utf-8")
    flags = [*compiler.flags(isa, integer=integer), "-fPIC", "-shared", "-DTACIT_NO_STATIC_ARENA"]
    compiler.compile([*flags, "-o", path.resolve(), f"{name}.c", BOUNDARY], folder=sources)


class Library:
    """A shared library of `build_library`; gives one `Function` per entry point. Raises: OSError when it can't be opened."""

    def __init__(self, path: Path, graphs: Mapping[str, Graph | IntegerGraph]) -> None:
        self.path = path
        self.functions: dict[str, Function] = {}
        for number, (name, graph) in enumerate(graphs.items()):
            macs = macs_of(graph)
            opened: ctypes.CDLL = (ctypes.PyDLL if macs < KEEPS_LOCK else ctypes.CDLL)(str(path))
            self.functions[name] = function_of(number, name, graph, [opened, ctypes.CDLL(str(path))])


def function_of(number: int, name: str, graph: Graph | IntegerGraph, opened: Sequence[ctypes.CDLL]) -> Function:
    """Give an entry point of a library by its number. opened: the library as it is called for one example, and for several."""
    arena = ctypes.c_int64.in_dll(opened[0], f"tacit_arena_bytes_{number}").value
    symbols = [_run_of(library, number) for library in opened]
    limits = row_limits(graph)
    named = [limits.get(buffer.name) for buffer in graph.of_kind("input")]
    return Function(entry_of(name, graph), symbols, arena, named, macs_of(graph))


def _run_of(library: ctypes.CDLL, number: int) -> Symbol:
    symbol: Any = library[f"tacit_run_{number}"]
    symbol.argtypes, symbol.restype = (ctypes.c_void_p,), ctypes.c_int64
    function: Symbol = symbol
    return function


class Function:
    """One entry point; safe to call from several threads."""

    def __init__(self, entry: Entry, symbols: Sequence[Symbol], arena_bytes: int, limits: Sequence[np.ndarray | None], macs: int) -> None:
        self.entry, self.arena_bytes, self.macs = entry, arena_bytes, macs
        self._one, self._several = symbols  # the second one lets other threads of Python run
        top = np.iinfo(np.int32).max
        self.limits = [
            np.ascontiguousarray(np.minimum(np.full(int(np.prod(shape)), top) if limit is None else limit, top), np.int32)
            for limit, shape in zip(limits, entry.inputs, strict=True)
        ]
        self._lanes: list[Lane] = []
        self._alone = [(1, *shape) for shape in entry.inputs]
        self._fits = [frozenset(map(np.dtype, KINDS if dtype == "float32" else ("int32",))) for dtype in entry.dtypes]
        self._single = len(entry.inputs) == 1 and len(entry.outputs) == 1
        self._shape, self._dtypes = self._alone[0], self._fits[0]

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        """Run on arrays [example, *shape] and give float32[example, *shape] per output; None for arrays that the boundary refuses."""
        if self._single and len(arrays) == 1:
            array = arrays[0]
            if array.__class__ is np.ndarray and array.shape == self._shape and array.dtype in self._dtypes:
                lane = self._take()
                lane.first[...] = array
                refused = self._one(lane.pointer)
                result = lane.answer.copy()
                self._lanes.append(lane)
                return None if refused >= 0 else [result]
        elif self._is_one(arrays):
            lane = self._take()
            for store, array in zip(lane.stores, arrays, strict=True):
                store[...] = array
            refused = self._one(lane.pointer)
            results = [answer.copy() for answer in lane.answers]
            self._lanes.append(lane)
            return None if refused >= 0 else results
        return self._many(arrays)

    def _is_one(self, arrays: Sequence[np.ndarray]) -> bool:
        if len(arrays) != len(self._alone):
            return False
        for array, alone, fits in zip(arrays, self._alone, self._fits, strict=True):
            if array.__class__ is not np.ndarray or array.shape != alone or array.dtype not in fits:
                return False
        return True

    def _take(self) -> Lane:
        try:
            return self._lanes.pop()  # the lock of the interpreter makes pop and append safe among threads
        except IndexError:
            return Lane(self)

    def _many(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray] | None:
        if not self._fit(arrays):
            return None
        count = len(arrays[0])
        inputs = [np.ascontiguousarray(array) for array in arrays]
        outputs = [np.empty((count, *shape), np.float32) for shape in self.entry.outputs]
        if count == 0:
            return outputs
        cores = _cores()
        parts = min(cores * _PARTS_PER_CORE, count, count * max(1, self.macs) // _WORTH_A_THREAD) if cores > 1 else 1
        if parts <= 1:
            return outputs if self._part(inputs, outputs, 0, count) else None
        bounds = [count * part // parts for part in range(parts + 1)]
        done = _pool().map(lambda start, stop: self._part(inputs, outputs, start, stop), bounds[:-1], bounds[1:])
        return outputs if all(list(done)) else None

    def _fit(self, arrays: Sequence[np.ndarray]) -> bool:
        """Tell whether arrays are of the right shapes and of dtypes that the boundary reads, and of equally many examples."""
        if len(arrays) != len(self._alone):
            return False
        return all(
            array.ndim == len(alone) and array.shape == (len(arrays[0]), *alone[1:]) and array.dtype in fits
            for array, alone, fits in zip(map(np.asarray, arrays), self._alone, self._fits, strict=True)
        )

    def _part(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], start: int, stop: int) -> bool:
        """Run the examples from `start` to `stop`; tell whether the boundary took them all."""
        lane = self._take()
        refused = lane.run(self._several, [array[start:stop] for array in inputs], [array[start:stop] for array in outputs])
        self._lanes.append(lane)
        return refused < 0


class Lane:
    """What one thread needs to run a function: an arena, room for one example of each input and output, and a call that names them."""

    def __init__(self, function: Function) -> None:
        entry = function.entry
        self._room = np.zeros(function.arena_bytes + ALIGNMENT, np.uint8)
        arena = self._room.ctypes.data + -self._room.ctypes.data % ALIGNMENT
        self.stores = [np.zeros((1, *shape), dtype) for shape, dtype in zip(entry.inputs, entry.dtypes, strict=True)]
        self.answers = [np.zeros((1, *shape), np.float32) for shape in entry.outputs]
        self._wide = [np.zeros(shape, np.float32) for shape in entry.inputs]
        self._limits = function.limits
        self._kinds = [KINDS[dtype] for dtype in entry.dtypes]
        self.first, self.answer = self.stores[0], self.answers[0]
        self._tables = [_addresses(self._wide), _addresses(self._limits)]
        self._keep = [_addresses(self.stores), np.array(self._kinds, np.int64), _addresses(self.answers)]
        self._arena = arena
        self._call = self._make(1, *self._keep)
        self.pointer = ctypes.c_void_p(ctypes.addressof(self._call))

    def _make(self, count: int, inputs: np.ndarray, kinds: np.ndarray, outputs: np.ndarray) -> _Call:
        wide, limits = self._tables
        return _Call(self._arena, count, inputs.ctypes.data, kinds.ctypes.data, wide.ctypes.data, limits.ctypes.data, outputs.ctypes.data)

    def run(self, symbol: Symbol, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> int:
        """Run contiguous arrays of equally many examples; give what the boundary says."""
        tables = _addresses(inputs), np.array([KINDS[array.dtype.name] for array in inputs], np.int64), _addresses(outputs)
        call = self._make(len(inputs[0]), *tables)
        return symbol(ctypes.addressof(call))


def _addresses(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([array.ctypes.data for array in arrays], np.uintp)


def _cores() -> int:
    """Give the cores that this process may use; ``OMP_NUM_THREADS`` says fewer."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return max(1, min(found, int(wanted))) if wanted.isdigit() else found


_threads: ThreadPoolExecutor | None = None


def _pool() -> ThreadPoolExecutor:
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(_cores(), thread_name_prefix="tacit")
    return _threads


def _forget_threads() -> None:
    """Leave the threads behind that a fork does not copy."""
    global _threads
    _threads = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
