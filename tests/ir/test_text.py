"""The text form and the verifier, on the files `*.ir` beside this one: the expected error stands on the offending line."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from benchmarks import ir_nets
from tacit.ground.errors import GraphError
from tacit.ir.graph import Graph
from tacit.ir.operations import OPERATIONS
from tacit.ir.text import parse_graph, print_graph
from tacit.ir.verifier import verify
from tests.ir.random_graphs import graphs

HERE = Path(__file__).parent


def cases(name: str) -> list[object]:
    """Give the graphs of a file, each with the line at which it begins."""
    found: list[object] = []
    start, lines = 1, list[str]()
    for number, line in enumerate([*(HERE / name).read_text().splitlines(), "# ---"], start=1):
        if line == "# ---":
            found.append(pytest.param("\n".join(lines), id=f"{name}:{start}"))
            start, lines = number + 1, []
        else:
            lines.append(line)
    return found


def expected(text: str) -> set[tuple[int, str]]:
    """Read the errors that a text says it has."""
    found = set()
    for number, line in enumerate(text.splitlines(), start=1):
        if "# error: " in line:
            found |= {(number, message.strip()) for message in re.split(r" \| (?=[a-z]+: )", line.split("# error: ")[1])}
    return found


def with_ones(graph: Graph) -> Graph:
    return replace(graph, weights={buffer.name: np.ones(buffer.shape, np.float32) for buffer in graph.of_kind("weight")})


def problems(text: str) -> set[tuple[int, str]]:
    """Verify a text and give the problems with the line that each is about."""
    graph = with_ones(parse_graph(text))
    lines = text.splitlines()
    instructions = [number for number, line in enumerate(lines, start=1) if line.lstrip().startswith(tuple(OPERATIONS))]
    try:
        verify(graph)
    except GraphError as error:
        found = set()
        for problem in error.message.splitlines()[1:]:
            problem = problem.removeprefix("  - ")
            if match := re.match(r"instruction (\d+) \(\w+ -> \S+\): ", problem):
                found.add((instructions[int(match[1])], problem[match.end() :]))
            elif match := re.match(r"\w+ `(\w+)`: ", problem):
                declared = [number for number, line in enumerate(lines, start=1) if re.match(rf"\w+ +{match[1]}:", line)]
                found.add((declared[-1] if "twice" in problem else declared[0], problem))
            else:
                found.add((1 + next(place for place, line in enumerate(lines) if "# error" in line), problem))
        return found
    return set()


def differences(found: set[tuple[int, str]], wanted: set[tuple[int, str]]) -> list[str]:
    """Compare: each found problem begins as one that is wanted on its line says, and the other way round."""

    def met(problem: tuple[int, str], want: tuple[int, str]) -> bool:
        return problem[0] == want[0] and problem[1].startswith(want[1])

    extra = [f"line {line}: not expected: {text}" for line, text in found if not any(met((line, text), want) for want in wanted)]
    lacking = [f"line {line}: not found: {text}" for line, text in wanted if not any(met(problem, (line, text)) for problem in found)]
    return sorted(extra + lacking)


@pytest.mark.parametrize("text", cases("valid.ir"))
def test_valid_graphs_verify_and_print_back(text: str) -> None:
    graph = parse_graph(text)
    assert problems(text) == set()
    again = parse_graph(print_graph(graph))
    assert (again.buffers, again.instructions) == (graph.buffers, graph.instructions)
    assert print_graph(again) == print_graph(graph)


@pytest.mark.parametrize("text", cases("rule_errors.ir"))
def test_broken_rules_are_named_on_their_line(text: str) -> None:
    assert differences(problems(text), expected(text)) == []


@pytest.mark.parametrize("text", cases("parse_errors.ir"))
def test_parse_errors_name_line_and_column(text: str) -> None:
    ((line, said),) = expected(text)
    wanted, *others = said.split("; ")
    with pytest.raises(GraphError) as caught:
        parse_graph(text)
    assert caught.value.message.startswith(wanted)
    assert re.search(rf" - at line {line}, column \d+$", caught.value.message)
    for other in others:
        assert other in str(caught.value)
        if other.startswith("column"):
            assert caught.value.message.endswith(f", {other}")


def test_the_comparison_sees_what_is_missing_and_what_is_too_much() -> None:
    text = "input x: float32[2]\noutput y: float32[2]\nrelu y+0[2:1] = x+1[2:1]\nrelu y+0[2:1] = x+0[2:1] # error: x: nothing wrong"
    assert differences(problems(text), expected(text)) == [
        "line 3: not expected: x: addresses 1 to 2 are not all within `x`, which has 2 elements",
        "line 4: not found: x: nothing wrong",
    ]


@settings(max_examples=150, deadline=None)
@given(graphs())
def test_random_graphs_print_and_parse_back(graph: Graph) -> None:
    again = parse_graph(print_graph(graph), graph.weights)
    assert (again.buffers, again.instructions, again.weights) == (graph.buffers, graph.instructions, graph.weights)


def test_printing_and_parsing_take_milliseconds() -> None:
    graph = ir_nets.resnet(16, 27)
    assert len(graph.instructions) > 200
    text = print_graph(graph)
    times = []
    for _ in range(5):
        start = time.process_time()
        assert parse_graph(text).instructions == graph.instructions
        print_graph(graph)
        times.append(time.process_time() - start)
    assert min(times) < 0.1
