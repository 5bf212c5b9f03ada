"""BLAS runs on one thread within a run, and as before after it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from benchmarks import ir_nets
from tacit.ground.errors import InputError
from tacit.ir import blas, interpreter
from tacit.ir.interpreter import Interpreter, evaluate

SCRIPT = """
from tacit.ir.blas import _controls, blas_threads, one_blas_thread
read = _controls()[0]
assert (read(), blas_threads()) == (2, 2)
with one_blas_thread():
    with one_blas_thread():
        assert (read(), blas_threads()) == (1, 2)
    assert read() == 1
assert read() == 2
try:
    with one_blas_thread():
        raise KeyError
except KeyError:
    assert read() == 2
"""


@pytest.mark.skipif(blas._controls() is None, reason="NumPy stands on another BLAS")
def test_threads_are_taken_and_given_back() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, env={"OMP_NUM_THREADS": "2", "PYTHONPATH": ":".join(sys.path)}, timeout=60)


def test_another_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_controls", lambda: None)
    assert blas.blas_threads() == 1
    with blas.one_blas_thread():
        pass


def test_chunks_side_by_side_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ir_nets.chain()
    x = np.random.default_rng(0).normal(size=(53, 28, 28, 1)).astype(np.float32)
    alone = Interpreter(graph, batch=5)
    expected = np.concatenate([alone([x[start : start + 5]])[0] for start in range(0, 50, 5)])
    monkeypatch.setattr(interpreter, "blas_threads", lambda: 3)
    found = evaluate(graph, [x], batch=5)[0]
    np.testing.assert_array_equal(found[:50], expected)
    assert found.shape == (53, 10)
    np.testing.assert_allclose(found[50:], Interpreter(graph, batch=3)([x[50:]])[0], rtol=0, atol=1e-5)


def test_an_error_names_the_example_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = ir_nets.perceptron()
    monkeypatch.setattr(interpreter, "blas_threads", lambda: 2)
    with pytest.raises(InputError, match=r"expected float32\[9, 784\], got float64\[9, 783\] - at input `x`"):
        evaluate(graph, [np.zeros((9, 783))], batch=2)
