"""The interpreter against plain loops, on graphs of any views."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import ir_nets
from tacit.ground.errors import GraphError, InputError
from tacit.ir import kernels, workspace
from tacit.ir.contraction import Contraction
from tacit.ir.graph import Axes, Buffer, Graph, Index, Matmul, Relu, View, contiguous
from tacit.ir.interpreter import Interpreter, evaluate
from tacit.ir.reference import run_reference
from tests.ir.random_graphs import graphs, sample_inputs

Choose = Callable[[workspace.Workspace, Contraction, list[workspace.Way]], Callable[[], None]]


def agree(graph: Graph, inputs: list[np.ndarray], found: list[np.ndarray]) -> None:
    for example in range(len(inputs[0])):
        expected = run_reference(graph, [array[example] for array in inputs])
        for name, one, other in zip(graph.of_kind("output"), found, expected, strict=True):
            scale = max(1.0, float(np.abs(other).max()))
            np.testing.assert_allclose(one[example], other, rtol=0, atol=1e-5 * scale, err_msg=f"{name.name}, example {example}")


@settings(max_examples=120, deadline=None)
@given(graph=graphs(), batch=st.integers(1, 3), seed=st.integers(0, 99))
def test_random_graphs_mean_what_the_loops_say(graph: Graph, batch: int, seed: int) -> None:
    inputs = sample_inputs(graph, batch, seed)
    run = Interpreter(graph, batch=batch)
    agree(graph, inputs, run(inputs))
    again = sample_inputs(graph, batch, seed + 1)
    agree(graph, again, run(again))  # nothing is left over from the first call


@settings(max_examples=120, deadline=None)
@given(graph=graphs(), batch=st.integers(1, 3), limit=st.integers(1, 40), which=st.randoms(use_true_random=False))
def test_every_way_and_every_split_gives_the_same(graph: Graph, batch: int, limit: int, which) -> None:  # type: ignore[no-untyped-def]
    inputs = sample_inputs(graph, batch, 0)

    def any_way(_: object, __: object, ways: list[workspace.Way]) -> Callable[[], None]:
        return which.choice(ways)[1]

    with mock.patch.object(kernels, "SCRATCH", limit), mock.patch.object(workspace.Workspace, "choose", any_way):
        run = Interpreter(graph, batch=batch)
    agree(graph, inputs, run(inputs))


def test_the_comparison_fails_on_a_wrong_answer() -> None:
    graph = ir_nets.perceptron()
    inputs = [np.random.default_rng(0).normal(size=(1, 784)).astype(np.float32)]
    found = Interpreter(graph)(inputs)
    agree_on = dict(graph.weights)
    agree_on["w"] = agree_on["w"] * np.float32(1.001)
    with pytest.raises(AssertionError):
        agree(Graph(graph.buffers, graph.instructions, agree_on), inputs, found)


def direct_conv(x: np.ndarray, w: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """Convolve [batch, y, x, c] by the textbook definition, one tap at a time, in float64."""
    x = np.pad(x.astype(np.float64), ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    high, wide = (x.shape[1] - w.shape[0]) // stride + 1, (x.shape[2] - w.shape[1]) // stride + 1
    out = np.zeros((len(x), high, wide, w.shape[3]))
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            taps = x[:, i : i + (high - 1) * stride + 1 : stride, j : j + (wide - 1) * stride + 1 : stride]
            out += taps @ w[i, j].astype(np.float64)
    return out


@pytest.mark.parametrize("batch", [1, 5, 64])
def test_a_net_of_convolutions_agrees_with_the_textbook(batch: int) -> None:
    graph = ir_nets.chain()
    x = np.random.default_rng(1).normal(size=(batch, 28, 28, 1)).astype(np.float32)
    convs = [step for step in graph.instructions if isinstance(step, Matmul) and step.source]
    h: np.ndarray = x
    for step, stride in zip(convs, (1, 2, 2), strict=True):
        assert step.bias is not None
        h = np.maximum(direct_conv(h, graph.weights[step.b.buffer], stride, 1) + graph.weights[step.bias.buffer], 0)
    last = graph.instructions[-1]
    assert isinstance(last, Matmul) and last.bias is not None
    expected = h.mean((1, 2)) @ graph.weights[last.b.buffer].T + graph.weights[last.bias.buffer]
    np.testing.assert_allclose(Interpreter(graph, batch=batch)([x])[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        ir_nets.chain,
        ir_nets.perceptron,
        lambda: ir_nets.resnet(8, 1, 16),
        lambda: ir_nets.unet(4, 16, 2),
        lambda: ir_nets.mobile(8, 16),
        lambda: ir_nets.attention(8, 16, 2, 1),
    ],
)
def test_a_batch_is_the_same_examples_one_by_one(make: Callable[[], Graph]) -> None:
    graph = make()
    x = np.random.default_rng(2).normal(size=(37, *graph.of_kind("input")[0].shape)).astype(np.float32)
    one = Interpreter(graph)
    singly = np.concatenate([one([example[None]])[0] for example in x])
    scale = np.abs(singly).max()
    for batch in (1, 5, 16, 256):
        np.testing.assert_allclose(evaluate(graph, [x], batch=batch)[0] / scale, singly / scale, rtol=0, atol=3e-6)


def test_attention_agrees_with_einsum() -> None:
    graph = ir_nets.attention(6, 8, 2, 1)
    x = np.random.default_rng(3).normal(size=(4, 6, 8)).astype(np.float32)
    steps = [step for step in graph.instructions if isinstance(step, Matmul) and step.b.buffer in graph.weights]
    w = [graph.weights[step.b.buffer].astype(np.float64) for step in steps]
    _, query, key, value, mix, up, down = w
    q, k, v = ((x @ part).reshape(4, 6, 2, 4) for part in (query, key, value))
    attended = np.maximum(np.einsum("eshd,ethd->ehst", q, k), 0)
    h = x + np.einsum("ehst,ethd->eshd", attended, v).reshape(4, 6, 8) @ mix
    h = h + np.maximum(h @ up, 0) @ down
    np.testing.assert_allclose(Interpreter(graph, batch=4)([x])[0], np.maximum(h, 0), rtol=1e-5, atol=1e-4)


def embedding_net(rows: int = 7, width: int = 5, *, spread: int = 0) -> Graph:
    """Average the rows of a table that the tokens pick; `spread` leaves room between rows."""
    buffers = (
        Buffer("tokens", "input", (4,), "int32"),
        Buffer("table", "weight", (rows, width + spread)),
        Buffer("part", "weight", (1,)),
        Buffer("y", "output", (width,)),
    )
    index = Index("tokens", 0, (0, 1), width + spread, rows)
    table = View("table", 0, (width, 4), (1, 0), index)
    step = Matmul(contiguous(buffers[3]), table, View("part", 0, (4,), (0,)), Axes(0, 1, 0, 1))
    chance = np.random.default_rng(0)
    weights = {"table": chance.normal(size=(rows, width + spread)).astype(np.float32), "part": np.full(1, 0.25, np.float32)}
    return Graph(buffers, (step,), weights)


@pytest.mark.parametrize("spread", [0, 3])
def test_an_integer_input_picks_rows(spread: int) -> None:
    graph = embedding_net(spread=spread)
    tokens = np.array([[0, 6, 6, 1], [2, 3, 4, 5]])
    expected = graph.weights["table"][tokens][..., :5].mean(1)
    np.testing.assert_allclose(Interpreter(graph, batch=2)([tokens])[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("value", "shown"), [(7, "got 7"), (-1, "got -1")])
def test_an_integer_outside_the_table_is_refused(value: int, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        Interpreter(embedding_net(), batch=2)([[[0, 1, 2, 3], [0, 0, value, 0]]])
    assert caught.value.message == f"expected an integer from 0 to 6, {shown} - at input `tokens`, example 1, element 2"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "expected 1 input arrays, got 0"),
        ([np.zeros((1, 783))], "expected float32[1, 784], got float64[1, 783] - at input `x`"),
        ([np.zeros(784)], "expected float32[1, 784], got float64[784] - at input `x`"),
        ([np.zeros((1, 784), complex)], "expected numbers for float32, got complex128 - at input `x`"),
        ([np.full((1, 784), "a")], "expected numbers for float32, got <U1 - at input `x`"),
    ],
)
def test_wrong_inputs_are_refused(inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError) as caught:
        Interpreter(ir_nets.perceptron())(inputs)
    assert caught.value.message == message


def test_floats_do_not_pick_rows() -> None:
    with pytest.raises(InputError, match="expected numbers for int32, got float64"):
        Interpreter(embedding_net())([np.zeros((1, 4))])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16, np.float64, np.bool_])
def test_numbers_of_any_type_are_taken(dtype: type) -> None:
    graph = ir_nets.perceptron()
    x = np.random.default_rng(0).integers(0, 2, (1, 784))
    np.testing.assert_array_equal(Interpreter(graph)([x.astype(dtype)])[0], Interpreter(graph)([x.astype(np.float32)])[0])


def test_an_invalid_graph_is_refused() -> None:
    with pytest.raises(GraphError):
        Interpreter(Graph((Buffer("y", "output", (1,)),), ()))


def test_outputs_belong_to_the_caller() -> None:
    run = Interpreter(ir_nets.perceptron())
    first = run([np.ones((1, 784))])[0]
    kept = first.copy()
    run([np.zeros((1, 784))])
    np.testing.assert_array_equal(first, kept)


def test_relu_passes_nan_on_so_that_it_shows() -> None:
    buffers = (Buffer("x", "input", (2,)), Buffer("y", "output", (2,)))
    graph = Graph(buffers, (Relu(contiguous(buffers[1]), contiguous(buffers[0])),))
    np.testing.assert_array_equal(Interpreter(graph)([[[np.nan, -1.0]]])[0], [[np.nan, 0.0]])


def test_calls_take_no_memory() -> None:
    run = Interpreter(ir_nets.resnet(8, 1, 16), batch=4)
    x = np.ones((4, 16, 16, 3), np.float32)
    run([x])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            run([x])
        after, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 4096
    assert most - before < 256 << 10  # outputs, and the loop buffers of NumPy: 8192 elements per operand


def test_no_examples_give_empty_outputs() -> None:
    assert evaluate(ir_nets.perceptron(), [np.zeros((0, 784))])[0].shape == (0, 10)


def test_inputs_of_unequal_length_are_refused() -> None:
    buffers = (Buffer("x", "input", (2,)), Buffer("z", "input", (2,)), Buffer("y", "output", (2,)))
    graph = Graph(buffers, (Relu(contiguous(buffers[2]), contiguous(buffers[0])),))
    with pytest.raises(InputError, match="equally many examples"):
        evaluate(graph, [np.zeros((3, 2)), np.zeros((2, 2))])


def test_overflow_is_infinity_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    graph = ir_nets.perceptron()
    out = Interpreter(graph)([np.full((1, 784), 3e38)])[0]
    assert not np.isfinite(out).all()
    assert len(recwarn) == 0


def test_a_batch_of_none_is_refused() -> None:
    for call in (lambda: Interpreter(embedding_net(), batch=0), lambda: evaluate(embedding_net(), [np.zeros((3, 4), int)], batch=0)):
        with pytest.raises(InputError, match="expected a batch of at least 1, got 0"):
            call()


def test_a_last_chunk_of_integers_is_filled_up_and_cut_off() -> None:
    graph = embedding_net()
    tokens = np.random.default_rng(0).integers(0, 7, (7, 4))
    expected = graph.weights["table"][tokens].mean(1)
    np.testing.assert_allclose(evaluate(graph, [tokens], batch=3)[0], expected, rtol=0, atol=1e-6)
