"""Several entry points over shared weights: what a network declares is shipped beside ``main``."""

import numpy as np
import pytest
from torch import nn

from tacit.binary.binary import Binary
from tacit.binary.loading import from_bytes
from tacit.compiler import compile as compile_program
from tacit.ground.errors import ConfigError, GraphError, UnknownName
from tacit.signature.base import ArraySpec
from tacit.signature.outputs import Class
from tacit.signature.vector import Vector
from tests.unit.melding import small


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.BatchNorm1d(16), nn.ReLU())

    def forward(self, x):
        return self.layers(x / 255.0)


class Encoding(nn.Module):
    """Scores, and an encoder and a head that a driver may call alone."""

    names = ("encode", "step")

    def __init__(self, signature):
        super().__init__()
        self.body, self.head = Body(), nn.Linear(16, signature.output.width)
        self.specs = signature.input.arrays

    def entry_points(self):
        features = ArraySpec("features", (16,), "float32", ("feature",))
        own = Vector(16) >> Class("dark", "grey", "light")
        return {self.names[0]: (self.body, self.specs), self.names[1]: (self.head, (features,), own)}

    def forward(self, x):
        return self.head(self.body(x))


class Misnamed(Encoding):
    names = ("main", "step")


def encoding(signature):
    return Encoding(signature)


def misnamed(signature):
    return Misnamed(signature)


@pytest.fixture(scope="module")
def binary():
    levels = np.arange(90) % 3
    program = small.program("level", small.PICTURE >> small.LEVEL, [small.pictures(levels, 0)], levels, skeleton=encoding, steps=20)
    return compile_program(program, seed=0)


def test_entry_points_are_lowered_and_compute_what_main_does(binary):
    again = from_bytes(binary.to_bytes())
    assert set(again.graphs) == {"main", "encode", "step"} and set(again.signatures) == {"step"} and again == binary
    pictures = small.pictures([0, 1, 2], 5)
    (features,) = again.run([pictures], "encode")
    (scores,) = again.run([features], "step")
    assert np.allclose(scores, again.run([pictures])[0], atol=1e-5)
    assert again.alone("step")(tuple(features[0])) == again(pictures[0, :, :, 0])


def test_their_weights_are_stored_once(binary):
    main = {name for name, array in binary.graphs["main"].weights.items() if array.size > 1}
    for name in ("encode", "step"):
        assert {own for own, array in binary.graphs[name].weights.items() if array.size > 1} <= main
    stored = sum(array.size for array in binary._parts[0].values())
    assert stored - sum(array.size for array in binary.graphs["main"].weights.values()) < 4


def test_an_entry_point_without_a_signature_takes_arrays_only(binary):
    with pytest.raises(UnknownName, match="expected an entry point with a signature, got `encode`"):
        binary.alone("encode")


def test_main_is_no_name_for_another_entry_point():
    levels = np.arange(90) % 3
    program = small.program("level", small.PICTURE >> small.LEVEL, [small.pictures(levels, 0)], levels, skeleton=misnamed, steps=4)
    with pytest.raises(ConfigError, match="called by a word other than `main`"):
        compile_program(program, seed=0)


def test_a_signature_that_does_not_fit_its_graph_is_refused(binary):
    with pytest.raises(GraphError, match="the graph of the entry point `step` does not fit"):
        Binary(binary.graphs, binary.signature, signatures={"step": Vector(4) >> Class("a", "b")})
    with pytest.raises(GraphError, match="expected signatures of other entry points"):
        Binary(binary.graphs, binary.signature, signatures={"main": binary.signature})


def test_a_binary_without_other_entry_points_keeps_its_digest(binary):
    bare = Binary({"main": binary.graphs["main"]}, binary.signature)
    assert "signatures" not in bare._parts[1]
