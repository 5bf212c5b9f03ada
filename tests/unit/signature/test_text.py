"""Tokens, pieces and their hashes: the same everywhere, fast, and keeping what lower-casing loses."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.text import Text, pieces_of, tokens


def message(type_, value):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("   \n\t ", []),
        ("Hello, world", ["Hello", ",", "world"]),
        ("don't 'quote'", ["don't", "'", "quote", "'"]),
        ("WIN £1,000.50 now!!!", ["WIN", "£", "1,000.50", "now", "!!!"]),
        ("call 08712 460-324", ["call", "08712", "460", "-", "324"]),
        ("a_b", ["a", "_", "b"]),
        ("abc123def", ["abc", "123", "def"]),
        ("我喜欢 AI", ["我", "喜", "欢", "AI"]),
        ("ひらカタ", ["ひ", "ら", "カ", "タ"]),
        ("ﬁne Ⅳ ＡＢＣ", ["fine", "IV", "ABC"]),
        ("cafe\u0301", ["café"]),
        ("хорошо", ["хорошо"]),
        ("हिन्दी में।", ["हिन्दी", "में", "।"]),
        ("rock'n'roll '90", ["rock'n'roll", "'", "90"]),
        ("🙂🙂🎉", ["🙂🙂", "🎉"]),
        ("x" * 70, ["x" * 32, "x" * 32, "x" * 6]),
    ],
)
def test_tokens(text, wanted):
    assert tokens(text, 100) == wanted


@pytest.mark.parametrize(
    ("token", "wanted"),
    [
        ("win", ["wwin", "sxx", "g<wi", "gwin", "gin>"]),
        ("WIN", ["wwin", "sXXX", "g<wi", "gwin", "gin>"]),
        ("Win", ["wwin", "sXx", "g<wi", "gwin", "gin>"]),
        ("iPhone", ["wiphone", "sxX", "g<ip", "gipho"[:4], "gpho", "ghon", "gone", "gne>"]),
        ("I", ["wi", "sXx"]),
        ("08712", ["w08712", "s5d", "g<08", "g087", "g871", "g712", "g12>"]),
        ("1,000", ["w1,000", "s4d.", "g<1,", "g1,0", "g,00", "g000", "g00>"]),
        ("!!!!!", ["w!!!!!", "s!!!", "g<!!", "g!!!", "g!!!", "g!!!", "g!!>"]),
        ("internationalisation", ["winternationalisation", "sxx", "g<in", "gern", "gtio", "glis", "gati"[:4], "gon>"]),
    ],
)
def test_pieces(token, wanted):
    found = pieces_of(token, 8)
    assert found[:2] == wanted[:2] and found[-1] == wanted[-1] and len(found) == len(wanted) <= 8
    if len(token) < 7:
        assert found == wanted


def test_ids_are_those_of_every_release_and_machine():
    ids = Text(3, 1000, pieces=5).read("Win £5")[0]
    assert ids.tolist() == [[865, 401, 229, 94, 43], [324, 92, 0, 0, 0], [610, 596, 0, 0, 0]]


def test_the_hash_is_crc_32_spread_by_knuth():
    remainder = 0xFFFFFFFF
    for byte in b"wwin":  # bit by bit, as the standard defines it
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xEDB88320 if remainder & 1 else 0)
    spread = (remainder ^ 0xFFFFFFFF) * 2654435761 % 2**32
    assert Text(1, 1000).read("win")[0][0, 0] == 1 + spread * 999 // 2**32


def test_case_is_told_apart_by_the_shape_alone():
    low, high = Text(1, 5000).read("free")[0][0], Text(1, 5000).read("FREE")[0][0]
    assert low[1] != high[1] and np.array_equal(np.delete(low, 1), np.delete(high, 1))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), st.integers(1, 20), st.integers(2, 50), st.integers(1, 10))
def test_any_text_gives_ids_within_the_limit(text, length, buckets, pieces):
    type_ = Text(length, buckets, pieces=pieces)
    (ids,) = type_.read(text)
    assert ids.shape == (length, pieces) and ids.dtype == np.int32
    assert ids.min() >= 0 and ids.max() < type_.arrays[0].limit
    there = ids[:, 0] != 0
    assert not (ids[~there] != 0).any() and (np.diff(there.astype(int)) <= 0).all()  # padding stands at the end, and whole
    assert there.sum() == len(tokens(text, length))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_text_bytes_and_file_agree(text):
    text = text.encode("utf-8", "ignore").decode().lstrip("\ufeff")
    assert np.array_equal(Text(10, 99).read(text)[0], Text(10, 99).read(text.encode())[0])


def test_a_path_object_is_a_file_and_a_string_is_the_text_itself(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffHello".encode())
    type_ = Text(4, 100)
    assert np.array_equal(type_.read(path)[0], type_.read("Hello")[0])
    assert not np.array_equal(type_.read(str(path))[0], type_.read("Hello")[0])


def test_lone_surrogates_are_read():
    assert Text(2, 100).read("\ud800 a")[0][0, 0] > 0


def test_reading_is_fast_and_a_huge_text_costs_no_more_than_its_start():
    type_ = Text(64, 8192)
    texts = [f"Call {number} NOW to claim your prize of {number % 97} pounds, word{number % 1000}!" for number in range(5000)]
    begin = time.process_time()
    for text in texts:
        type_.read(text)
    assert time.process_time() - begin < 2.0
    begin = time.process_time()
    type_.read("word " * 20_000_000)
    assert time.process_time() - begin < 1.0


def test_errors_name_what_came_and_what_helps(tmp_path):
    type_ = Text(4, 100)
    assert message(type_, 3) == "expected a text, got the number 3\ntry: a string, UTF-8 bytes, or a `pathlib.Path`"
    assert message(type_, None).startswith("expected a text, got nothing (None)")
    assert message(type_, "caf\u00e9".encode("latin-1")) == (
        "expected UTF-8, got the byte 0xe9 at position 3 - at 4 bytes\n"
        "try: convert it: `iconv -f WINDOWS-1252 -t UTF-8 in.txt > out.txt` (or the encoding that it has)"
    )
    assert message(type_, tmp_path / "none.txt") == (
        f"expected a text file, got a path that can't be read - at `{tmp_path / 'none.txt'}`\nthe system says: No such file or directory"
    )
    with pytest.raises(ConfigError) as caught:
        Text(0, 100)
    assert str(caught.value) == "expected a whole number from 1 to 65536, got the number 0 - at `Text.length`"
    assert type_.show(type_.read("a b c d e")) == "text of 4 tokens (at most 4)"
