import numpy as np
import pytest

from tacit.examples.inputs import Inputs
from tacit.examples.intake import array_bytes
from tacit.examples.media import MediaWriter
from tacit.examples.records import Record
from tacit.ground.errors import InputError


def test_an_input_is_what_a_type_reads(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    with MediaWriter(tmp_path) as media:
        first, second, torn = media.add(array_bytes(array), "npy"), media.add(b"a file", "png"), media.add(b"no array", "npy")
    inputs = Inputs(tmp_path)
    assert np.array_equal(inputs.value(Record(first, "a")), array)
    assert inputs.value(Record(second, "a")) == b"a file"
    assert inputs.value(Record(torn, "a")) == b"no array", "the type says what is wrong with it"
    assert inputs.value(Record(first, "a", input="a text")) == "a text"


def test_a_medium_that_is_missing_is_named(tmp_path):
    with pytest.raises(InputError, match=f"the medium of {'0' * 24}, it is not in `media`"):
        Inputs(tmp_path).value(Record("0" * 24, "a"))
