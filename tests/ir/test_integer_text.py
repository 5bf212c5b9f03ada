"""The text form of integer graphs: there and back, and its mistakes by line and column."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tacit.ground.errors import GraphError
from tacit.ir.graph import Graph
from tacit.ir.integer_text import parse_integer_graph, print_integer_graph
from tacit.quantisation.quantise import quantise
from tests.ir.random_graphs import graphs, sample_inputs
from tests.ir.test_integer_interpreter import small

TEXT = """\
input   x: uint8[3] scale 0.5 zero 10
weight  w: int8[3, 2]
weight  bias: int32[2]
weight  m: int32[2]
output  y: int16[2] scale 0.25 zero 0

matmul y+0[| | 2:1] = x+0[| | 3:1] @ w+0[| 3:2 | 2:1] + bias+0[| 2:1] >> 1 * m+0[2:1] >> 10 within 0 to 32767
"""


def test_a_graph_as_a_person_reads_it() -> None:
    assert print_integer_graph(small()) == TEXT


@settings(max_examples=50, deadline=None)
@given(graph=graphs())
def test_there_and_back(graph: Graph) -> None:
    made = quantise(graph, sample_inputs(graph, 10, 0))
    read = parse_integer_graph(print_integer_graph(made), made.weights)
    assert (read.buffers, read.instructions) == (made.buffers, made.instructions)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("uint8[3]", "float32[3]", "expected uint8, int8, int16, int32, got `float32` - at line 1, column 12"),
        ("scale 0.5", "scale x", "expected a number, got `x zero 10` - at line 1, column 27"),
        (" within", "", "expected `within`, got `0 to 32767` - at line 7, column 93"),
        ("matmul", "matmull", "expected a kind of buffer or an operation, got `matmull` - at line 7, column 1"),
        ("32767\n", "32767 more\n", "expected the end of the line, got `more` - at line 7"),
    ],
)
def test_mistakes_are_found_by_line_and_column(old: str, new: str, message: str) -> None:
    with pytest.raises(GraphError) as error:
        parse_integer_graph(TEXT.replace(old, new))
    assert message in str(error.value)


def test_scales_and_zeroed_are_kept() -> None:
    text = "input   t: int16[2] scale 1.0 zero 0 scales 0.1 1e-07\nscratch s: uint8[4] scale 0.3 zero 7 zeroed\n"
    assert print_integer_graph(parse_integer_graph(text)).strip() == text.strip()
