"""An entry point: one graph, ready to run on any number of examples, behind a boundary that refuses malformed arrays."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from tacit.ground.errors import InputError
from tacit.ir.cost import cost
from tacit.ir.graph import Buffer, Graph
from tacit.ir.interpreter import Interpreter

MOST_AT_ONCE = 256
#: Examples run together as long as their arenas fit in about the last-level cache and main memory of a small machine.
_ARENA_TOGETHER = 64 * 2**20


class EntryPoint:
    """Run one graph on arrays with a leading axis of examples; safe to call from several threads.

    macs: multiply-accumulates of one example. Interpreters are made once per power of two of examples, when first needed: 300
    examples run as 256 + 32 + 8 + 4.
    """

    def __init__(self, name: str, graph: Graph) -> None:
        self.name, self.graph = name, graph
        self._interpreters: dict[int, Interpreter] = {}
        self._lock = threading.Lock()
        costs = cost(graph)
        self.macs = costs.macs
        together = max(1, _ARENA_TOGETHER // max(1, costs.arena_bytes))
        self._most = min(MOST_AT_ONCE, 1 << (together.bit_length() - 1))

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Give the outputs, float32[example, *shape] each, in the order of the graph's output buffers.

        arrays: one per input buffer, [example, *shape]; any number type for float32 buffers, integers for int32 buffers.
        Raises: InputError for a wrong number, shape or type, values that are not finite, and indices out of range.
        """
        checked = self._check(arrays)
        count = len(checked[0])
        outputs = [np.empty((count, *buffer.shape), np.float32) for buffer in self.graph.of_kind("output")]
        with self._lock:
            for start, size in pieces(count, self._most):
                results = self._interpreter(size)([array[start : start + size] for array in checked])
                for output, result in zip(outputs, results, strict=True):
                    output[start : start + size] = result
        return outputs

    def _interpreter(self, size: int) -> Interpreter:
        if size not in self._interpreters:
            self._interpreters[size] = Interpreter(self.graph, batch=size)
        return self._interpreters[size]

    def _check(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        buffers = self.graph.of_kind("input")
        if len(arrays) != len(buffers):
            wanted = ", ".join(_spell(buffer) for buffer in buffers)
            raise InputError(f"expected {len(buffers)} arrays ({wanted}), got {len(arrays)} - at entry point `{self.name}`")
        checked = [_checked(array, buffer) for array, buffer in zip(arrays, buffers, strict=True)]
        counts = [len(array) for array in checked]
        if len(set(counts)) > 1:
            raise InputError(f"expected arrays of equally many examples, got {counts} - at entry point `{self.name}`")
        return checked


def pieces(count: int, most: int) -> Iterator[tuple[int, int]]:
    """Cut `count` examples into runs of powers of two, none above `most` (itself a power of two): (start, size) each.

    >>> list(pieces(300, 256))
    [(0, 256), (256, 32), (288, 8), (296, 4)]
    """
    start = 0
    while start < count:
        size = min(most, 1 << ((count - start).bit_length() - 1))
        yield start, size
        start += size


def _spell(buffer: Buffer) -> str:
    return f"`{buffer.name}` {buffer.dtype}[{', '.join(['example', *map(str, buffer.shape)])}]"


def _checked(value: np.ndarray, buffer: Buffer) -> np.ndarray:
    """Give `value` when its shape fits and its numbers are finite; the interpreter checks their type and range."""
    array = np.asarray(value)
    if array.shape[1:] != buffer.shape or array.ndim != len(buffer.shape) + 1:
        got = f"{array.dtype}[{', '.join(map(str, array.shape))}]"
        raise InputError(f"expected {_spell(buffer)}, got {got}", fix=f"give an array of shape {('n', *buffer.shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = [int(axis) for axis in np.argwhere(~np.isfinite(array))[0]]
        raise InputError(f"expected finite numbers, got {array[tuple(where)]} - at `{buffer.name}`{where}")
    return array
