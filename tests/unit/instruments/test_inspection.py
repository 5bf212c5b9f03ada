from __future__ import annotations

import json

from tacit.instruments import inspection
from tacit.instruments.layout import plain
from tacit.ir.cost import cost
from tacit.ir.text import parse_graph
from tests.unit.binary.small_programs import series_binary, two_layer_graph, words_binary


def test_the_columns_add_up_to_the_totals():
    binary = series_binary(step=two_layer_graph(3))
    found = inspection.inspect(binary)
    assert [listing.entry for listing in found.listings] == ["main", "step"]
    for listing in found.listings:
        total = cost(binary.graphs[listing.entry])
        assert sum(line.macs for line in listing.lines) == listing.macs == total.macs == 6 * 8 + 8 * 3
        assert sum(line.weight_bytes for line in listing.lines) == listing.weight_bytes == total.weight_bytes
        assert listing.instructions == len(listing.lines) == 2


def test_each_instruction_is_described_by_the_roles_of_its_axes():
    first, second = inspection.inspect(series_binary()).listings[0].lines
    assert (first.operation, first.out, first.a, first.b, first.source) == ("matmul relu", "1 x 8", "1 x 6", "6 x 8", "first")
    assert (second.operation, second.out, second.a, second.b) == ("matmul", "1 x 3", "1 x 8", "8 x 3")
    (rows,) = inspection.inspect(words_binary()).listings[0].lines
    assert (rows.a, rows.b) == ("1 x 4,2", "4,2 x 2")


def test_a_weight_that_is_read_twice_counts_once():
    graph = two_layer_graph()
    twice = type(graph)(graph.buffers, (*graph.instructions, graph.instructions[1]), graph.weights)
    lines = inspection.inspect(series_binary(twice=twice)).listings[1].lines
    assert [line.weight_bytes for line in lines] == [4 * 48, 4 * 24, 0]


def test_it_is_data_and_text():
    found = inspection.inspect(series_binary())
    document = json.loads(json.dumps(found.to_json()))
    assert document["listings"][0]["lines"][0]["macs"] == 48 and document["name"] == "small"
    text = plain(found.parts())
    assert "matmul relu" in text and "2 instructions, 72 MACs, 288 B of weights" in text


def test_the_text_form_parses_back():
    text = inspection.disassemble(series_binary())
    assert parse_graph(text.partition("\n")[2], two_layer_graph().weights).instructions == two_layer_graph().instructions
