"""Generated C of float32 against the interpreter."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.ir.graph import Graph
from tacit.ir.interpreter import Interpreter
from tacit.targets.c.isa import isa_named
from tests.ir.random_graphs import graphs, sample_inputs
from tests.targets.c.generated import Library, compile_c, write_c

pytestmark = pytest.mark.system
NUMBER = itertools.count()


def agrees(graph: Graph, inputs: list[np.ndarray], library: Library) -> None:
    expected = Interpreter(graph, batch=len(inputs[0]))(inputs)
    for example in range(len(inputs[0])):
        found = library([array[example] for array in inputs])
        for one, other in zip(found, expected, strict=True):
            scale = max(1.0, float(np.abs(other).max()))
            np.testing.assert_allclose(one, other[example], rtol=0, atol=1e-5 * scale)


@settings(max_examples=60, deadline=None)
@given(graph=graphs(), isa=st.sampled_from(["scalar", "vector128", "avx2"]))
def test_random_graphs(graph: Graph, isa: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_c(graph, folder, isa)
        path = compile_c(folder, f"net{next(NUMBER)}.so", "-O0", "-shared", "-fPIC", *isa_named(isa).flags)
        agrees(graph, sample_inputs(graph, 2, 0), Library(path, graph))
