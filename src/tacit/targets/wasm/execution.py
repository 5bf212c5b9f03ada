"""Running a module with wasmtime, for the parity check of a build. The one place that imports wasmtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tacit.ground.errors import FormatError, InputError
from tacit.ground.tables import missing
from tacit.ir.graph import Buffer, Graph
from tacit.ir.integer import IntegerBuffer, IntegerGraph
from tacit.targets.c.emit import MAIN
from tacit.targets.wasm.glue import buffers, exported, takes_integers


class Instance:
    """One entry point of a module, ready to run. Raises: MissingPackage without wasmtime; FormatError for what is no such module."""

    def __init__(self, path: Path, graph: Graph | IntegerGraph, *, entry: str = MAIN) -> None:
        try:
            import wasmtime
        except ModuleNotFoundError as error:
            raise missing("wasmtime") from error
        self._store = wasmtime.Store()
        try:
            module = wasmtime.Module.from_file(self._store.engine, str(path))
            functions: Any = wasmtime.Instance(self._store, module, []).exports(self._store)
            self._memory = functions["memory"]
            self._run = functions[exported(entry, "run")]
            self._inputs = [self._view(functions, entry, "input", at, buffer) for at, buffer in enumerate(buffers(graph, "input"))]
            self._outputs = [self._view(functions, entry, "output", at, buffer) for at, buffer in enumerate(buffers(graph, "output"))]
        except (wasmtime.WasmtimeError, KeyError, OSError) as error:
            raise FormatError(f"expected a module with the entry point `{entry}` - at `{path}`", cause=str(error)) from error

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Give float32[example, *shape] per output for arrays [example, *shape]. Raises: InputError for a wrong shape."""
        for array, view in zip(arrays, self._inputs, strict=True):
            if array.shape[1:] != view.shape:
                raise InputError(f"expected an array [example, {', '.join(map(str, view.shape))}], got {list(array.shape)}")
        results = [np.empty((len(arrays[0]), *view.shape), np.float32) for view in self._outputs]
        for example in range(len(arrays[0])):
            for array, view in zip(arrays, self._inputs, strict=True):
                view[...] = array[example]
            self._run(self._store)
            for result, view in zip(results, self._outputs, strict=True):
                result[example] = view
        return results

    def _view(self, functions: Any, entry: str, kind: str, number: int, buffer: Buffer | IntegerBuffer) -> np.ndarray:
        """View an array in the memory of the module, which never grows and so never moves."""
        address = functions[exported(entry, f"{kind}_{number}")](self._store)
        dtype = np.int32 if takes_integers(buffer) else np.float32
        whole = np.frombuffer(self._memory.get_buffer_ptr(self._store), np.uint8)
        return whole[address : address + 4 * buffer.size].view(dtype).reshape(buffer.shape)
