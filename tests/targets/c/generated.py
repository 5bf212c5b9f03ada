"""Compile generated C with the system's compiler and call it, for tests."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tacit.ir.graph import Graph
from tacit.ir.integer import IntegerGraph
from tacit.signature.base import Signature
from tacit.signature.outputs import Number
from tacit.signature.series import Series
from tacit.targets.c.emit import emit_c
from tacit.targets.c.isa import isa_named
from tacit.targets.target import Source

STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Werror")
CHECKED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g")


def source_of(graph: Graph | IntegerGraph, name: str = "net") -> Source:
    return Source(name, {"main": graph}, Signature(Series(1, 1), Number()), "0" * 64)


def write_c(graph: Graph | IntegerGraph, folder: Path, isa: str = "vector128", name: str = "net") -> None:
    for file, content in emit_c(source_of(graph, name), isa_named(isa)).files.items():
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())


def compile_c(folder: Path, output: str, *flags: str, sources: Sequence[str] = ("net.c",), compiler: Sequence[str] = ("gcc",)) -> Path:
    done = subprocess.run([*compiler, *STRICT, *flags, *sources, "-o", output], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stderr[-3000:])
    return folder / output


class Library:
    """A compiled network that can be called on one example."""

    def __init__(self, path: Path, graph: Graph | IntegerGraph, name: str = "net") -> None:
        self.function = getattr(ctypes.CDLL(str(path)), f"{name}_run")
        self.function.restype = None
        self.outputs = [np.zeros(buffer.shape, np.float32) for buffer in graph.of_kind("output")]
        self.types = [np.int32 if buffer.dtype == "int32" else np.float32 for buffer in graph.of_kind("input")]

    def __call__(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        given = [np.ascontiguousarray(array, kind) for array, kind in zip(inputs, self.types, strict=True)]
        self.function(*(ctypes.c_void_p(array.ctypes.data) for array in [*given, *self.outputs]))
        return [output.copy() for output in self.outputs]


def run_program(program: Path, inputs: Sequence[np.ndarray], prefix: Sequence[str] = ()) -> bytes:
    """Run a program that reads its inputs from stdin and writes its outputs to stdout, as bytes."""
    data = b"".join(np.ascontiguousarray(array).tobytes() for array in inputs)
    return subprocess.run([*prefix, str(program)], input=data, capture_output=True, check=True).stdout
