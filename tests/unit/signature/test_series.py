"""Series from arrays, lists and CSV files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.series import Series


def message(type_, value):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return str(caught.value)


@given(arrays(np.float32, (2, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_arrays_and_lists_are_taken_as_they_are(values):
    for value in (values, values.tolist(), values.astype(np.float64), tuple(map(tuple, values.tolist()))):
        (read,) = Series(2, 3).read(value)
        assert read.dtype == np.float32 and np.array_equal(read, values)


def test_files_hold_a_step_a_row(tmp_path):
    wanted = np.array([[1, 2, 3], [10, 20, 1000.5]], np.float32)
    named, plain, saved = tmp_path / "named.csv", tmp_path / "plain.csv", tmp_path / "saved.npy"
    named.write_text('\ufeffx,y\n1,10\n2,20\n\n3,"1,000.5"\n')
    plain.write_text("1,10\r\n2,20\r\n3,1000.5")
    np.save(saved, wanted)
    for path in (named, plain, saved, str(plain)):
        assert np.array_equal(Series(2, 3).read(path)[0], wanted)


def test_one_channel_may_be_flat_and_fit_last_takes_any_length():
    assert Series(1, 3).read([1, 2, 3])[0].tolist() == [[1, 2, 3]]
    last = Series(2, 3, fit="last")
    assert last.read(np.arange(8).reshape(2, 4))[0].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert last.read([[1, 2], [3, 4]])[0].tolist() == [[1, 1, 2], [3, 3, 4]]


def test_errors_name_what_came_and_what_helps(tmp_path):
    type_ = Series(2, 3)
    bad, empty, binary = tmp_path / "bad.csv", tmp_path / "empty.csv", tmp_path / "object.npy"
    bad.write_text("x,y\n1,2\n3,oops\n4\n5,6\n")
    empty.write_text("")
    np.save(binary, np.array([{}]), allow_pickle=True)
    assert message(type_, np.zeros((3, 2))) == "expected float32[channel=2, time=3], got an array float32[3, 2]\ntry: turn it: `array.T`"
    assert message(type_, np.zeros((2, 4))) == (
        'expected float32[channel=2, time=3], got an array float32[2, 4]\ntry: `Series(2, 3, fit="last")` takes any length'
    )
    assert message(type_, np.zeros((2, 0))) == "expected float32[channel=2, time=3], got an array float32[2, 0]"
    assert message(type_, [[1, 2, 3], [4, 5]]) == "expected rows of equal length, got a list of 2 whose rows differ"
    assert message(type_, [[1, 2, 3], [4, float("nan"), np.inf]]) == (
        "expected finite numbers, got nan - at [1, 1]\n2 of 6 values are not finite as float32\n"
        "try: fill the gaps first, for example with the value before"
    )
    assert message(type_, [[1, 2, 3], [4, 1e39, 0]]).startswith("expected finite numbers, got 1e+39 - at [1, 1]\ntry:")
    assert message(type_, [["a"] * 3] * 2) == "expected an array of numbers, got an array <U1[2, 3]"
    assert message(type_, bad) == (
        f'expected a CSV of numbers - at `{bad}` (2 problems)\n  - line 3: expected a number, got the string "oops"\n'
        "  - line 4: expected 2 columns, got 1"
    )
    assert message(type_, empty) == f"expected a CSV or .npy file of at most 268,435,456 bytes, got an empty file - at `{empty}`"
    assert message(type_, tmp_path) == f"expected a CSV or .npy file, got a folder - at `{tmp_path}`"
    assert message(type_, binary).startswith(
        f"expected a CSV or .npy file, got a path that can't be read - at `{binary}`\nthe system says: Object"
    )
    assert "No such file" in message(type_, "none.csv")
    assert (
        message(type_, 5) == "expected a series, got the number 5\ntry: an array [channel, time], nested lists, or the path of a CSV file"
    )
    with pytest.raises(ConfigError) as caught:
        Series(1, 3, fit="first")
    assert str(caught.value) == 'expected one of exact, last, got the string "first" - at `Series.fit`'


def test_a_csv_of_latin_1_and_one_of_names_only_are_refused(tmp_path):
    latin, names = tmp_path / "latin.csv", tmp_path / "names.csv"
    latin.write_bytes("é\n1\n".encode("latin-1"))
    names.write_text("x,y\n")
    assert "can't decode byte 0xe9" in message(Series(1, 1), latin)
    assert message(Series(1, 1), names) == f"expected a CSV of numbers, got no row of them - at `{names}`"


def test_show_draws_the_first_channel():
    assert Series(1, 4).show(Series(1, 4).read([0, 1, 2, 3])) == "series 1 x 4, 0 to 3, first channel ▁▃▆█"
