"""Rows: cells as people write them, and every problem of a row in one error."""

import datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.cells import category_text, is_missing, number_of
from tacit.signature.row import Row

ROW = Row(numbers=("age", "income"), categories=(("city", ("Rome", "Oslo")), ("code", ("1", "2"))))


def message(value, type_=ROW):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return str(caught.value)


def lists(arrays):
    return [array.tolist() for array in arrays]


def test_a_dict_a_sequence_and_json_agree():
    wanted = [[42.0, 1234.5], [1, 1], [2, 1]]
    assert lists(ROW.read({"code": 1.0, "city": " Oslo ", "income": "1,234.5", "age": " 42 "})) == wanted
    assert lists(ROW.read([42, "1234.5", "Oslo", 1])) == wanted
    assert lists(ROW.read((Decimal(42), np.float64(1234.5), np.str_("Oslo"), np.int64(1)))) == wanted
    assert lists(ROW.read('{"age": 42, "income": 1234.5, "city": "Oslo", "code": "1"}')) == wanted
    assert lists(ROW.read(np.array([42, 1234.5, "Oslo", 1], object))) == wanted
    assert [str(spec) for spec in ROW.arrays] == ["float32[number=2]", "uint8[number=2]", "int32[category=2]"]
    assert [array.dtype.name for array in ROW.read([1, 2, "Rome", 2])] == [spec.dtype for spec in ROW.arrays]


@pytest.mark.parametrize(
    "nothing", [None, "", "  ", "?", "NA", "n/a", "NaN", "null", "None", float("nan"), np.float32("nan"), Decimal("nan")]
)
def test_missing_numbers_are_flagged_and_filled(nothing):
    assert lists(ROW.read([nothing, 1, "Rome", 1])) == [[0.0, 1.0], [0, 1], [1, 1]]
    filled = ROW.fitted([{"age": age, "income": nothing} for age in (1, 3, 50, nothing)])
    assert filled.fill == (3.0, 0.0)
    assert lists(filled.read([nothing, 1, "Rome", 1])) == [[3.0, 1.0], [0, 1], [1, 1]]


def test_unknown_and_missing_categories_are_0_and_words_are_values():
    assert ROW.read([1, 2, "Paris", None])[2].tolist() == [0, 0]
    assert ROW.read([1, 2, "", float("nan")])[2].tolist() == [0, 0]
    assert Row(categories=(("a", ("none", "?", "True")),)).read(["none"])[0].tolist() == [1]
    assert Row(categories=(("a", ("none", "?", "True")),)).read([" ? "])[0].tolist() == [2]
    assert Row(categories=(("a", ("none", "?", "True")),)).read([True])[0].tolist() == [3]


def test_arrays_that_would_be_empty_are_left_out():
    assert [spec.name for spec in Row(numbers=("a",)).arrays] == ["numbers", "present"]
    assert [spec.name for spec in Row(categories=(("a", ("x",)),)).arrays] == ["categories"]
    assert Row(categories=(("a", ("x", "y")), ("b", ("z",)))).arrays[0].limit == 3
    assert Row(categories=(("a", ("x", "y")), ("b", ("z",)))).category_limits == (3, 2)


def test_all_problems_of_a_row_are_in_one_error():
    assert message({"ages": 1, "income": 2, "city": "Rome"}) == (
        "expected a row of this program's columns (3 problems)\n"
        "  - unknown column `ages`, did you mean `age`?\n"
        "  - missing column `age`\n"
        "  - missing column `code`\n"
        "try: give null for a value that is not known"
    )
    assert message({"age": "old", "income": "1.2.3", "city": ["x"], "code": 1}) == (
        "expected a row of this program's columns (3 problems)\n"
        '  - column `age`: expected a number, got the string "old"\n'
        '  - column `income`: expected a number, got the string "1.2.3"\n'
        "  - column `city`: expected a text or a number, got a list of 1"
    )
    assert message([1, 2]) == (
        "expected a dict with 4 columns, or their values in order, got a list of 2\ntry: columns: age, income, city, code"
    )
    assert message("age=4") == 'expected a row, got the string "age=4"\ntry: a JSON object such as \'{"age": 42, "city": "Oslo"}\''
    assert message(None).startswith("expected a dict with 4 columns, or their values in order, got nothing (None)")
    assert message({"age": 1, "income": 1, "city": "Rome", "code": 1, 5: 2}).startswith(
        "expected a row of this program's columns (1 problem)\n  - unknown column `5`, known: age, city, code, income"
    )


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("42", 42),
        (" -1.5 ", -1.5),
        ("+3", 3),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("5.", 5),
        ("1,234", 1234),
        ("12,345,678.9", 12345678.9),
        (True, 1),
        (np.bool_(False), 0),
        (Decimal("1.5"), 1.5),
        (np.array(3), 3),
        (np.uint8(7), 7),
    ],
)
def test_numbers_as_people_write_them(cell, wanted):
    assert number_of(cell) == wanted


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "x",
        "1,23",
        "1,2345",
        "1.234,5",
        "12 345",
        "1_000",
        "0x10",
        "inf",
        "nan",
        "infinity",
        "1e",
        "--1",
        "$5",
        "5%",
        "١٢x",
        b"5",
        [1],
        {},
        1j,
        np.complex64(1),
        datetime.date(2020, 1, 1),
        float("inf"),
        float("nan"),
        "1e39",
        10**400,
        np.array([1, 2]),
    ],
)
def test_what_is_not_a_number_is_refused(cell):
    with pytest.raises(InputError, match="expected a number"):
        number_of(cell)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_number_survives_its_text(value):
    assert number_of(repr(value)) == value == number_of(value)
    assert not is_missing(value)


@given(st.integers(-(2**62), 2**62))
def test_whole_numbers_are_one_category_however_they_are_held(value):
    assert category_text(value) == category_text(str(value)) == str(value)
    if abs(value) < 2**53:
        assert category_text(float(value)) == str(value)


CELLS = st.none() | st.floats() | st.integers() | st.sampled_from(["", "1", "Oslo", " 2 ", "1e99", "?", b"x", (), {}, True])


@given(st.fixed_dictionaries(dict.fromkeys(ROW.columns, CELLS)))
def test_any_dict_gives_finite_arrays_or_an_input_error(value):
    try:
        numbers, present, categories = ROW.read(value)
    except InputError:
        return
    assert np.isfinite(numbers).all() and set(present.tolist()) <= {0, 1}
    assert all(0 <= at < limit for at, limit in zip(categories, ROW.category_limits, strict=True))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "expected at least 1 name, got 0 - at `Row.columns`"),
        ({"numbers": ["a", "a"]}, "expected different names, got `a` twice - at `Row.numbers`"),
        ({"numbers": ["a"], "categories": [["a", ["x"]]]}, "expected different names, got `a` twice - at `Row.columns`"),
        ({"categories": [["a", []]]}, "expected at least 1 name, got 0 - at `Row.categories['a']`"),
        ({"numbers": ["a"], "fill": [1, 2]}, "expected 1 finite numbers, got a tuple of 2 - at `Row.fill`"),
        ({"numbers": "ab"}, 'expected names, got the string "ab" - at `Row.numbers`'),
        ({"categories": ["ab"]}, 'expected pairs (column, values) - at `Row.categories`\ntry: `categories=(("city", ("Rome", "Oslo")),)`'),
        ({"nombers": ["a"]}, "expected the fields of the type `row` (1 problem)\n  - unknown field `nombers`, did you mean `numbers`?"),
    ],
)
def test_fields_are_checked(fields, said):
    with pytest.raises(ConfigError) as caught:
        Row.from_json(fields)
    assert str(caught.value) == said


def test_show_gives_the_row_back():
    assert ROW.show(ROW.read([1, None, "Oslo", "9"])) == "age=1, income=?, city=Oslo, code=?"
