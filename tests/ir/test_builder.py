import numpy as np
import pytest

from tacit.ground.errors import GraphError
from tacit.ir.builder import GraphBuilder


def test_equal_weights_are_stored_once():
    builder = GraphBuilder()
    first = builder.add_weight("w", np.ones((2, 3)))
    assert builder.add_weight("v", np.ones((2, 3), dtype=np.float32)) is first
    assert builder.add_weight("u", np.ones((3, 2))) is not first
    assert builder.add_weight("w", np.zeros(2)).name == "w_2"
    assert builder.finish().weights["w"].dtype == np.float32


def test_names_get_numbers_and_inputs_do_not():
    builder = GraphBuilder()
    builder.add_input("x", (2,))
    assert builder.add_scratch("x", (2,)).name == "x_2"
    assert builder.add_output("x", (2,)).name == "x_3"
    with pytest.raises(GraphError) as caught:
        builder.add_input("x", (2,))
    assert str(caught.value) == "expected inputs with different names, got `x` twice\ntry: rename one of the inputs"
