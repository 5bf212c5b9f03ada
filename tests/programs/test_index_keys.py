"""Keys of every type are ordered as Python orders them, and what has no order is refused by name."""

from __future__ import annotations

import datetime
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import tacit
from tacit_programs.index import compile

U64 = np.uint64
MOST = 2**64 - 1

MOMENTS = np.array(["1969-07-20", "2000-01-01", "2000-01-01", "2026-11-28"], "datetime64[s]")
TYPED = {
    "uint64": [0, 5, 5, MOST],
    "int64": [-(2**63), -1, 0, 0, 7],
    "float64": [-np.inf, -1.5, 0.0, 0.0, 1e-300, 3.25, np.inf],
    "str": ["", "a", "a\0", "ab", "abcdefgh", "abcdefghi", "abcdefghij", "ß", "水", "😀"],
    "bytes": [b"", b"\0", b"\0\0", b"a", b"a", b"b\xff"],
}


@pytest.mark.parametrize("name", TYPED)
def test_every_type_is_ordered_as_python_orders_it(name):
    keys = TYPED[name]
    index = compile(keys)
    assert index.kind == name
    for side, below in (("left", lambda key, query: key < query), ("right", lambda key, query: key <= query)):
        expected = [sum(below(key, query) for key in keys) for query in keys]
        assert index.lookup(keys, side=side).tolist() == expected
        assert [index.lookup(query, side=side) for query in keys] == expected
    assert index.keys.tolist() == keys and index.contains(keys).all()


def test_negative_zero_is_zero():
    index = compile([-1.0, -0.0, 0.0, 1.0])
    assert index.lookup(-0.0) == index.lookup(0.0) == 1 and index.lookup(0.0, "right") == 3


def test_floats_stand_where_numpy_puts_them():
    random = np.random.default_rng(0)
    for keys in (random.normal(size=9000), random.integers(0, 2**64 - 1, 9000, U64).view(np.float64), np.float32(random.random(9000))):
        keys = np.sort(keys[~np.isnan(keys)])
        queries = np.concatenate([keys, np.nextafter(keys, np.inf, dtype=keys.dtype), -keys])
        assert np.array_equal(compile(keys).lookup(queries), np.searchsorted(keys, queries))


def test_integers_beyond_the_keys_have_a_place():
    index = compile(np.array([-5, 3, 9]))
    assert index.lookup([2**63, 2**64 - 1]).tolist() == [3, 3] and not index.contains(2**63)
    unsigned = compile(np.array([3, 9], U64))
    assert unsigned.lookup(np.array([-1, -(2**63), 3])).tolist() == [0, 0, 0] and not unsigned.contains(-1)
    assert unsigned.lookup(np.array([9], np.uint8)).tolist() == [1]


def test_moments_are_asked_in_other_units_and_by_python():
    index = compile(MOMENTS)
    assert index.kind == "datetime64[s]"
    assert index.lookup(np.datetime64("2000-01-01"), "right") == 3
    assert index.lookup(datetime.datetime(1999, 12, 31)) == 1
    assert index.lookup(pd.Timestamp("2000-01-01T00:00:01")) == 3
    assert index.contains(datetime.datetime(2026, 11, 28, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1))))
    with pytest.raises(tacit.TacitError, match=r"expected queries in datetime64\[s\]"):
        index.lookup(np.array(["2000-01-01T00:00:00.5"], "datetime64[ms]"))


def test_strings_that_begin_alike_are_told_apart():
    random = np.random.default_rng(0)
    keys = sorted(f"https://example.org/{'a' * int(n % 20)}/{n}" for n in random.integers(0, 3000, 3000))
    index = compile(keys)
    queries = [*keys[::3], "", "a", "https://", "https://example.org/aaa", "zzz", "https://example.org/b", keys[5] + "\0", keys[7][:-1]]
    objects = np.array(keys, object)
    for side in ("left", "right"):
        assert index.lookup(queries, side).tolist() == np.searchsorted(objects, np.array(queries, object), side).tolist()
    assert index.lookup(np.array(queries[:50])).tolist() == index.lookup(queries[:50]).tolist()


def test_columns_of_pandas_and_arrow_are_taken_as_they_are():
    numbers = np.sort(np.random.default_rng(0).integers(0, 10**9, 5000, U64))
    expected = np.searchsorted(numbers, numbers + U64(1))
    for column in (pd.Series(numbers), pd.Index(numbers), pa.array(numbers), pa.chunked_array([numbers[:9], numbers[9:]])):
        assert np.array_equal(compile(column).lookup(numbers + U64(1)), expected)
    assert (
        not compile(numbers).keys.flags.writeable
        and np.shares_memory(compile(numbers).keys, numbers)
        and np.shares_memory(compile(pa.array(numbers)).keys, numbers)
    )
    assert compile(pd.Series(MOMENTS)).kind == "datetime64[s]"
    assert compile(pd.Series(MOMENTS).dt.tz_localize("UTC")).lookup(np.datetime64("2000-01-01T00:00:00", "s")) == 1
    assert compile(pd.Series(["a", "b"])).kind == compile(pa.array(["a", "b"])).kind == "str"
    assert compile(pd.array([1, 2], "Int64")).kind == "int64"


def test_an_index_needs_neither_pandas_nor_arrow_nor_torch():
    code = "import sys; from tacit_programs.index import compile; compile([1, 2]).lookup(1)"
    code += "\nprint({'pandas', 'pyarrow', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([1.0, np.nan], r"expected keys without gaps, got nan - at `keys\[1\]`"),
        (np.array([1.0, np.nan]), r"expected keys without gaps, got nan - at `keys\[1\]`"),
        (np.array(["2000", "NaT"], "datetime64[s]"), r"expected keys without gaps, got NaT - at `keys\[1\]`"),
        ([3, 1, 2], r"expected sorted keys, got 1 after 3 - at `keys\[1\]`"),
        (["b", "a"], r"expected sorted keys, got 'a' after 'b' - at `keys\[1\]`"),
        ([1, "a"], r"expected keys of one type, got int and str - at `keys\[1\]`"),
        ([1, 2.5], r"expected keys of one type, got int and float - at `keys\[1\]`"),
        ([1, None], r"expected keys without gaps, got None - at `keys\[1\]`"),
        ([True, False], r"expected numbers, moments, str or bytes, got bool"),
        (np.zeros(2, bool), r"expected numbers, moments, str or bytes, got bool"),
        (np.zeros((2, 2)), r"expected a list of values, got an array of 2 axes"),
        ([-1, 2**63], r"expected integers of 64 bits, got -1 to 9223372036854775808"),
        ([2**70], r"expected integers of 64 bits"),
        ("abc", r"expected a list or an array of keys, got str"),
        (7, r"expected a list or an array of keys, got int"),
        (["a", "\ud800"], r"expected text, got half of a character"),
        (pa.array([1, None]), r"expected keys without gaps, got null - at `keys\[1\]`"),
        (pd.array([1, None], "Int64"), r"expected keys without gaps"),
        (pd.Series(["a", None]), r"expected keys without gaps"),
    ],
)
def test_keys_without_an_order_are_refused_by_name(keys, message):
    with pytest.raises(tacit.TacitError, match=message) as caught:
        compile(keys)
    assert "\ntry: " in str(caught.value) and caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("keys", "query", "message"),
    [
        ([1, 2], 1.5, "expected queries of int64, got float64"),
        ([1, 2], "a", "expected queries of int64, got str"),
        (["a"], 1, "expected queries of str, got int64"),
        (["a"], b"a", "expected str, got bytes"),
        ([1.0], np.nan, "nan"),
        ([1.0], np.array([np.nan]), r"expected queries without gaps, got nan - at `queries\[0\]`"),
        ([1.0], 2**60, "expected queries that float64 holds exactly"),
        ([1, 2], [1, 1.5], "expected queries of one type"),
        ([1, 2], None, "expected queries without gaps, got None"),
    ],
)
def test_queries_of_another_type_are_refused(keys, query, message):
    with pytest.raises(tacit.TacitError, match=message):
        compile(keys).lookup(query)


def test_wrong_words_are_refused():
    with pytest.raises(tacit.TacitError, match="expected `left` or `right`, got `middle`"):
        compile([1]).lookup(1, "middle")
    with pytest.raises(tacit.TacitError, match="expected a structure, got `btree`"):
        compile([1], structure="btree")


def test_too_many_keys_are_refused():
    many = np.broadcast_to(np.zeros(1, U64), (4_000_000_001,))
    with pytest.raises(tacit.TacitError, match="expected at most 4,000,000,000 keys, got 4,000,000,001"):
        compile(many)


def test_nothing_is_an_index_too():
    for keys in ([], np.zeros(0, U64), np.zeros(0, "datetime64[s]"), pa.array([], pa.string())):
        index = compile(keys)
        assert len(index) == 0 and index.lookup([]).tolist() == [] and index.range() == slice(0, 0)
    assert compile(np.zeros(0, U64)).lookup([3, 4]).tolist() == [0, 0] and not compile(np.zeros(0, U64)).contains(3)
