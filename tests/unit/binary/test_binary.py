from __future__ import annotations

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

from tacit.binary.binary import Binary
from tacit.binary.drivers import DRIVERS
from tacit.binary.entry import EntryPoint, pieces
from tacit.ground.errors import GraphError, InputError, UnknownName
from tacit.ir.interpreter import evaluate
from tacit.signature.outputs import Class
from tacit.signature.series import Series
from tacit.signature.symbols import Symbols
from tests.unit.binary.small_programs import bright_binary, series_binary, sum_binary, two_layer_graph, words_binary


def test_a_call_gives_the_name_of_the_class_and_a_list_gives_a_list(tmp_path):
    binary = bright_binary()
    white, black = np.full((4, 4), 255, np.uint8), np.zeros((4, 4), np.uint8)
    path = tmp_path / "white.png"
    Pillow.fromarray(white).save(path)
    assert binary(white) == "bright"
    assert binary(path) == binary(str(path)) == binary(path.read_bytes()) == binary(Pillow.open(path)) == "bright"
    assert binary([path, black, white]) == ["bright", "dark", "bright"]
    assert binary([]) == []


def test_scores_and_inputs_follow_the_value():
    binary = bright_binary()
    white = np.full((4, 4), 255, np.uint8)
    assert binary.scores(white).tolist() == [0.0, 127.5]
    assert binary.scores([white, white]).shape == (2, 2)
    assert binary.scores([]).shape == (0, 2)
    assert [array.shape for array in binary.inputs(white)] == [(4, 4, 1)]
    assert [array.shape for array in binary.inputs([white] * 3)] == [(3, 4, 4, 1)]
    assert binary.inputs(white)[0].dtype == np.uint8


def test_a_tuple_is_one_value_and_a_list_of_numbers_says_so():
    binary = sum_binary()
    assert binary((1, 2, 3)) == 6.0
    assert binary([(1, 2, 3), (4, 5, 6)]) == [6.0, 15.0]
    with pytest.raises(InputError, match="got a list of 3 numbers") as caught:
        binary([1, 2, 3])
    assert "tuple" in str(caught.value)


def test_every_bad_value_of_a_list_is_named():
    with pytest.raises(InputError, match=r"2 problems") as caught:
        sum_binary()([(1, 2, 3), (1, 2), "nothing.csv"])
    assert "value 1" in str(caught.value) and "value 2" in str(caught.value)


def test_integer_inputs_pick_rows():
    binary = words_binary()
    ids = np.array([[1, 2], [4, 6], [0, 0], [0, 0]], np.int32)
    (scores,) = binary.run([ids[np.newaxis]])
    assert scores.tolist() == [[1.0, 3.0]]
    assert binary("some words here") in ("odd", "even")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([np.zeros((1, 2, 3)), np.zeros(1)], "expected 1 arrays"),
        ([np.zeros((1, 3, 2))], "float32[example, 2, 3], got float64[1, 3, 2]"),
        ([np.zeros((2, 3))], "got float64[2, 3]"),
        ([np.array([[["a"] * 3] * 2])], "expected numbers"),
        ([np.array([[[0, 0, 0], [0, np.nan, 0]]])], "expected finite numbers, got nan - at `values`[0, 1, 1]"),
    ],
)
def test_malformed_arrays_are_refused_at_the_boundary(arrays, message):
    with pytest.raises(InputError) as caught:
        series_binary().run(arrays)
    assert message in str(caught.value)


@pytest.mark.parametrize(("row", "message"), [(50, "from 0 to 49, got 50"), (-1, "got -1"), (0.5, "int32")])
def test_indices_out_of_range_are_refused(row, message):
    ids = np.zeros((1, 4, 2), type(row))
    ids[0, 2, 1] = row
    with pytest.raises(InputError) as caught:
        words_binary().run([ids])
    assert message in str(caught.value)


def test_evaluate_agrees_with_the_oracle_on_any_number_of_examples():
    binary = series_binary()
    values = np.random.default_rng(1).normal(size=(300, 2, 3)).astype(np.float32)
    (wanted,) = evaluate(binary.graphs["main"], [values])
    np.testing.assert_allclose(binary.evaluate(SimpleNamespace(inputs=(values,))), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(binary.scores(list(values[:7])), wanted[:7], rtol=1e-5, atol=1e-6)


def test_runs_are_cut_into_powers_of_two():
    assert list(pieces(0, 8)) == []
    for count in (1, 7, 8, 9, 100):
        cut = list(pieces(count, 8))
        assert sum(size for _, size in cut) == count
        assert [start for start, _ in cut] == np.cumsum([0, *(size for _, size in cut)])[:-1].tolist()
        assert all(size <= 8 and size & (size - 1) == 0 for _, size in cut)


def test_entry_points_are_made_once_and_unknown_ones_are_named():
    binary = series_binary(encode=two_layer_graph(3))
    assert isinstance(binary.entry("encode"), EntryPoint) and binary.entry("encode") is binary.entry("encode")
    with pytest.raises(UnknownName, match="encode"):
        binary.entry("encod")


def test_one_binary_serves_several_threads():
    binary = series_binary()
    values = np.random.default_rng(2).normal(size=(64, 2, 3)).astype(np.float32)
    wanted = [binary.scores(value) for value in values]
    wrong: list[int] = []

    def work() -> None:
        for row, value in enumerate(values):
            if not np.array_equal(binary.scores(value), wanted[row]):
                wrong.append(row)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_equality_is_what_is_computed():
    assert series_binary() == series_binary(evidence={"name": "other"})
    assert series_binary() != series_binary(seed=1)
    assert series_binary() != series_binary(step=two_layer_graph())
    assert len({series_binary(), series_binary(), series_binary(seed=1)}) == 2
    assert len(series_binary().digest) == 64


def test_the_digest_covers_the_class_names_and_the_driver():
    graph = two_layer_graph()
    plain = Binary({"main": graph}, Series(2, 3) >> Class("a", "b", "c"))
    assert plain != Binary({"main": graph}, Series(2, 3) >> Class("a", "b", "d"))
    assert plain != Binary({"main": graph}, Series(2, 3) >> Class("a", "b", "c"), driver="other")


def test_a_graph_that_does_not_fit_the_signature_is_refused():
    with pytest.raises(GraphError) as caught:
        Binary({"main": two_layer_graph()}, Series(3, 2) >> Class("a", "b"))
    assert "float32[3, 2]" in str(caught.value) and "expected 2 scores" in str(caught.value)
    with pytest.raises(GraphError, match="expected an entry point `main`"):
        Binary({"encode": two_layer_graph()}, Series(2, 3) >> Class("a", "b", "c"))


def test_an_unknown_driver_is_named_when_it_is_needed():
    binary = Binary({"main": two_layer_graph()}, Series(2, 3) >> Class("a", "b", "c"), driver="decod")
    with pytest.raises(UnknownName, match="did you mean `decode`"):
        binary(np.zeros((2, 3)))


def test_every_driver_of_the_table_answers():
    outputs = {"greedy": Symbols("a", "b", steps=1), "beam": Symbols("a", "b", steps=1)}
    for name in DRIVERS:
        binary = Binary({"main": two_layer_graph()}, Series(2, 3) >> outputs.get(name, Class("a", "b", "c")), driver=name)
        assert binary(np.zeros((2, 3))) in ("a", "b", "c", "")
