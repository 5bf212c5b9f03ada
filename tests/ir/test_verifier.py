"""The verifier against brute force, on weights, and on time; its messages are tested by the `.ir` files of `test_text.py`."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import ir_nets
from tacit.ground.errors import GraphError
from tacit.ir.addresses import bounds, elements, names_twice, overlap
from tacit.ir.graph import Buffer, Graph, Index, Matmul, Relu, View, contiguous
from tacit.ir.operations import OPERATIONS, operands_of, operation_of, reads
from tacit.ir.verifier import verify
from tests.ir.random_graphs import graphs


def addresses(view: View) -> list[int]:
    """List every address that a view may name, by the definition."""
    rows = range(view.index.limit) if view.index is not None else range(1)
    step = view.index.step if view.index is not None else 0
    return [
        view.offset + row * step + sum(i * stride for i, stride in zip(place, view.strides, strict=True))
        for place in np.ndindex(*view.shape)
        for row in rows
    ]


@st.composite
def views(draw: st.DrawFn) -> View:
    axes = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(-6, 6)), max_size=4))
    shape, strides = tuple(extent for extent, _ in axes), tuple(stride for _, stride in axes)
    index = Index("t", 0, (0,) * len(axes), draw(st.integers(-3, 5)), draw(st.integers(1, 4))) if draw(st.booleans()) else None
    least, _ = bounds(View("x", 0, shape, strides, index))
    return View("x", draw(st.integers(0, 3)) - least, shape, strides, index)


@settings(max_examples=200, deadline=None)
@given(views(), views())
def test_sets_of_addresses_are_exact(one: View, other: View) -> None:
    listed = addresses(one)
    assert bounds(one) == (min(listed), max(listed))
    size = max(listed + addresses(other)) + 1
    mask = np.zeros(size, np.bool_)
    elements(one).of(mask)[...] = True
    assert set(np.flatnonzero(mask)) == set(listed)
    assert elements(one).start == min(listed) and elements(one).stop == max(listed) + 1
    assert overlap(one, other, size) == bool(set(listed) & set(addresses(other)))
    plain = replace(one, index=None)
    least = bounds(plain)[0]
    plain = replace(plain, offset=plain.offset - least)
    listed = addresses(plain)
    assert names_twice(plain, max(listed) + 1) == (len(set(listed)) < len(listed))


@pytest.mark.parametrize(
    ("shape", "strides", "few"),
    [((26, 26, 3, 3, 16), (448, 16, 448, 16, 1), 1), ((14, 14, 3, 3, 8), (480, 16, 240, 8, 1), 2), ((64, 9, 7), (0, 7, 1), 1)],
)
def test_windows_of_a_convolution_are_few_progressions(shape: tuple[int, ...], strides: tuple[int, ...], few: int) -> None:
    assert len(elements(View("x", 0, shape, strides)).axes) == few


def brute_force_sound(graph: Graph) -> bool:
    """Say whether nothing is read that was not written, nothing is written twice or while it is read, and outputs are whole."""
    written = {b.name: set(range(b.size)) if b.zeroed or b.kind in ("input", "weight") else set[int]() for b in graph.buffers}
    for step in graph.instructions:
        for view in reads(step):
            if not set(addresses(view)) <= written[view.buffer]:
                return False
        out = addresses(step.out)
        if len(set(out)) < len(out):
            return False
        for operand, view in operands_of(step):
            in_place = isinstance(step, Relu) and view == step.out
            if not operand.written and not in_place and view.buffer == step.out.buffer and set(out) & set(addresses(view)):
                return False
        written[step.out.buffer] |= set(out)
    return all(len(written[buffer.name]) == buffer.size for buffer in graph.of_kind("output"))


@settings(max_examples=200, deadline=None)
@given(graph=graphs(), data=st.data())
def test_a_damaged_graph_is_refused_exactly_when_it_is_unsound(graph: Graph, data: st.DataObject) -> None:
    verify(graph)
    assert brute_force_sound(graph)
    how = data.draw(st.integers(0, 3))
    steps = list(graph.instructions)
    place = data.draw(st.integers(0, len(steps) - 1))
    buffers = graph.buffers
    if how == 0:
        del steps[place]
    elif how == 1:
        buffers = tuple(replace(buffer, zeroed=False) for buffer in buffers)
    elif how == 2:
        steps.insert(0, steps.pop(place))
    else:
        out = steps[place].out
        strides = tuple(data.draw(st.permutations(out.strides)))
        turned = replace(out, strides=strides)
        low, high = bounds(turned)
        if low < 0 or high >= graph.buffer(out.buffer).size:
            turned = replace(out, strides=(0,) * len(strides))
        steps[place] = replace(steps[place], out=turned)
    damaged = Graph(buffers, tuple(steps), graph.weights)
    if brute_force_sound(damaged):
        verify(damaged)
    else:
        with pytest.raises(GraphError):
            verify(damaged)


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ({}, "weight `w`: has no values"),
        ({"w": np.ones((2, 2), np.float32)}, "weight `w`: expected float32[2, 3], got float32[2, 2]"),
        ({"w": np.ones((2, 3))}, "weight `w`: expected float32[2, 3], got float64[2, 3]"),
        ({"w": np.full((2, 3), np.nan, np.float32)}, "weight `w`: 6 of 6 values are not finite"),
        ({"w": np.ones((2, 3), np.float32), "v": np.ones(1, np.float32)}, "weight `v`: has values but is not declared as a weight"),
    ],
)
def test_weights_are_checked(weights: dict[str, np.ndarray], problem: str) -> None:
    w, y = Buffer("w", "weight", (2, 3)), Buffer("y", "output", (2, 3))
    graph = Graph((w, y), (Relu(contiguous(y), contiguous(w)),), weights)
    with pytest.raises(GraphError) as caught:
        verify(graph)
    assert caught.value.message == f"expected a valid graph (1 problem)\n  - {problem}"


def test_counts_of_extents_and_strides_must_agree() -> None:
    x, y = Buffer("x", "input", (2,)), Buffer("y", "output", (2,))
    with pytest.raises(GraphError, match="x: has 1 extents but 2 strides"):
        verify(Graph((x, y), (Relu(contiguous(y), View("x", 0, (2,), (1, 1))),)))


def test_all_problems_come_in_one_error() -> None:
    graph = ir_nets.chain()
    broken = [replace(step, out=replace(step.out, offset=-1)) for step in graph.instructions]
    with pytest.raises(GraphError) as caught:
        verify(Graph(graph.buffers, tuple(broken), {}))
    for number in range(len(broken)):
        assert f"instruction {number} (" in caught.value.message
    assert caught.value.message.count("has no values") == len(graph.of_kind("weight"))


@pytest.mark.parametrize("make", [ir_nets.chain, ir_nets.resnet, ir_nets.unet, ir_nets.mobile, ir_nets.attention, ir_nets.perceptron])
def test_nets_are_valid(make) -> None:  # type: ignore[no-untyped-def]
    verify(make())


def test_a_million_elements_are_verified_within_a_second() -> None:
    graph = ir_nets.resnet(64, 3, 128)  # feature maps of a million elements
    assert max(buffer.size for buffer in graph.buffers) > 1_000_000
    start = time.process_time()
    verify(graph)
    assert time.process_time() - start < 1.0


def test_the_table_names_every_field_that_holds_a_view() -> None:
    for name, row in OPERATIONS.items():
        assert row.name == name and row.operands[0].written and not any(operand.written for operand in row.operands[1:])
        fields = {field for field, kind in row.instruction.__annotations__.items() if "View" in str(kind)}
        assert {operand.field for operand in row.operands} == fields
    step = ir_nets.perceptron().instructions[0]
    assert isinstance(step, Matmul) and operation_of(step).name == "matmul"
