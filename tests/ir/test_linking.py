import numpy as np
import pytest
import torch

from tacit.binary.binary import Binary
from tacit.binary.loading import from_bytes
from tacit.ground.errors import GraphError
from tacit.ir.graph import Buffer
from tacit.ir.interpreter import evaluate
from tacit.ir.linking import Piece, Source, link, renamed, sharing_names, softened
from tacit.ir.verifier import verify
from tacit.lowering.lower import lower_module
from tacit.signature.base import ArraySpec
from tacit.signature.outputs import Class
from tacit.signature.series import Series

CHANCE = np.random.default_rng(0)


def lowered(module, *sizes):
    specs = [ArraySpec(f"x{place}", (size,), "float32", ("column",)) for place, size in enumerate(sizes)]
    return lower_module(module, specs).graph


def chain():
    torch.manual_seed(0)
    return torch.nn.Linear(4, 3), torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(3, 2))


def test_a_chain_computes_one_after_the_other():
    first, second = chain()
    pieces = [Piece("a", renamed(lowered(first, 4), "a"), (Source("x"),)), Piece("b", renamed(lowered(second, 3), "b"), (Source("a"),))]
    graph = link([Buffer("x", "input", (4,))], pieces, [Source("b")])
    verify(graph)
    x = CHANCE.normal(size=(5, 4)).astype(np.float32)
    with torch.no_grad():
        assert np.allclose(evaluate(graph, [x])[0], second(first(torch.from_numpy(x))).numpy(), atol=1e-5)


def test_a_graph_that_is_used_twice_is_stored_once_and_outputs_stand_side_by_side():
    first, second = chain()
    one, two = renamed(lowered(first, 4), "a"), renamed(lowered(second, 3), "b")
    inputs = [Buffer("left", "input", (4,)), Buffer("right", "input", (4,))]
    pieces = [Piece("l", one, (Source("left"),)), Piece("r", one, (Source("right"),)), Piece("b", two, (Source("l"),))]
    graph = link(inputs, pieces, [Source("r"), Source("b")])
    verify(graph)
    assert sum(array.size for array in graph.weights.values() if array.size > 1) == 4 * 3 + 3 + 3 * 2 + 2
    left, right = (CHANCE.normal(size=(6, 4)).astype(np.float32) for _ in range(2))
    with torch.no_grad():
        wanted = torch.cat([first(torch.from_numpy(right)), second(first(torch.from_numpy(left)))], dim=1).numpy()
    assert np.allclose(evaluate(graph, [left, right])[0], wanted, atol=1e-5)


def test_what_passes_on_can_be_an_output_of_the_whole_too():
    first, second = chain()
    pieces = [Piece("a", renamed(lowered(first, 4), "a"), (Source("x"),)), Piece("b", renamed(lowered(second, 3), "b"), (Source("a"),))]
    graph = link([Buffer("x", "input", (4,))], pieces, [Source("a"), Source("b")])
    verify(graph)
    assert graph.of_kind("output")[0].size == 5


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((Source("y"),), "expected a source that is computed before, got `y` - at the piece `b`"),
        ((Source("x"),), "expected float32[3] for `x0`, got float32[4] - at the piece `b`"),
        ((), "expected 1 sources, got 0 - at the piece `b`"),
    ],
)
def test_pieces_that_do_not_fit_are_refused(sources, said):
    _, second = chain()
    with pytest.raises(GraphError) as error:
        link([Buffer("x", "input", (4,))], [Piece("b", lowered(second, 3), sources)], [Source("b")])
    assert said in str(error.value)


def test_different_weights_of_one_name_are_refused():
    first, _ = chain()
    other = torch.nn.Linear(3, 3)
    pieces = [Piece("a", lowered(first, 4), (Source("x"),)), Piece("b", lowered(other, 3), (Source("a"),))]
    with pytest.raises(GraphError, match="weights of one name"):
        link([Buffer("x", "input", (4,))], pieces, [Source("b")])


class Picks(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(5, 6)
        self.other = torch.nn.Embedding(5, 2)
        self.head = torch.nn.Linear(6 + 2 * 3, 4)

    def forward(self, x):
        summed = self.table(x).sum(dim=1)
        return self.head(torch.cat([summed, self.other(x).flatten(1)], dim=1))


def test_shares_of_one_row_do_what_the_integer_did_and_others_mix():
    torch.manual_seed(1)
    network = Picks()
    graph = lower_module(network, [ArraySpec("x", (3,), "int32", ("place",), limit=5)]).graph
    (name,) = [buffer.name for buffer in graph.of_kind("input")]
    soft = softened(graph, name, 5)
    verify(soft)
    integers = CHANCE.integers(0, 5, (20, 3)).astype(np.int32)
    shares = np.eye(5, dtype=np.float32)[integers]
    assert np.allclose(evaluate(soft, [shares])[0], evaluate(graph, [integers])[0], atol=1e-5)
    mixed = (shares[:10] + shares[10:]) / 2
    wanted = (evaluate(graph, [integers[:10]])[0] + evaluate(graph, [integers[10:]])[0]) / 2
    assert np.allclose(evaluate(soft, [mixed])[0], wanted, atol=1e-5)


def test_equal_weights_of_several_graphs_get_one_name_and_different_ones_keep_apart():
    first, _ = chain()
    torch.manual_seed(9)
    other = torch.nn.Linear(4, 3)
    graphs = {"main": lowered(first, 4), "same": renamed(lowered(first, 4), "own"), "other": lowered(other, 4)}
    named = sharing_names(graphs, "main")
    assert set(named["same"].weights) == set(named["main"].weights)
    assert not set(named["other"].weights) & set(named["main"].weights)
    for name, graph in named.items():
        verify(graph)
        x = CHANCE.normal(size=(3, 4)).astype(np.float32)
        assert np.array_equal(evaluate(graph, [x])[0], evaluate(graphs[name], [x])[0])


def test_a_file_holds_shared_weights_once():
    first, second = chain()
    signature = Series(1, 4) >> Class("a", "b")
    head, whole = (
        lowered(torch.nn.Sequential(torch.nn.Flatten(), first), 4),
        lowered(torch.nn.Sequential(torch.nn.Flatten(), first, second), 4),
    )
    entries = sharing_names(
        {"main": link([Buffer("v", "input", (1, 4))], [Piece("m", whole, (Source("v"),))], [Source("m")]), "encode": head}, "main"
    )
    binary = Binary(entries, signature)
    again = from_bytes(binary.to_bytes())
    assert again == binary and set(again.graphs) == {"main", "encode"}
    stored = sum(array.size for array in again._parts[0].values())
    assert stored == sum(array.size for array in entries["main"].weights.values())
