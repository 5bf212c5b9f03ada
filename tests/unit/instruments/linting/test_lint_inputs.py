"""Inputs that can't be read or hold nothing are named, all of them."""

import io
import wave

import numpy as np
import pytest
from PIL import Image

from tacit.examples.intake import array_bytes
from tacit.instruments.linting.inputs import CHECK
from tacit.signature.audio import Audio
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text


def by_code(context) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in CHECK.find(context):
        found.setdefault(finding.code, []).extend(finding.examples)
    return found


def test_a_clean_set_is_quiet(pictures):
    assert by_code(pictures.context()) == {}


def test_all_damaged_media_are_named_and_the_rest_is_still_looked_at(pictures):
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)).save(stream, "JPEG")
    bad = [
        pictures.add(stream.getvalue()[:200], "bar", "jpg"),
        pictures.add(b"no picture at all", "dot", "png"),
        pictures.add(b"\x93NUMPY", "bar", "npy"),
    ]
    black = pictures.add(array_bytes(np.zeros((16, 16), np.uint8)), "bar", "npy")
    found = by_code(pictures.context())
    assert set(found["TL401"]) == set(bad)
    assert found["TL402"] == [black]


def test_a_medium_that_is_missing_is_named(pictures):
    from dataclasses import replace

    pictures.records.append(replace(pictures.records[0], id="ab" * 12))
    assert by_code(pictures.context()) == {"TL401": ["ab" * 12]}


def test_a_grey_tail_is_a_picture_that_was_cut_off(pictures):
    array = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
    array[9:] = 128
    cut = pictures.add(array_bytes(array), "bar", "npy")
    assert by_code(pictures.context()) == {"TL403": [cut]}


def wav(samples: np.ndarray) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(8000)
        file.writeframes(samples.astype("<i2").tobytes())
    return stream.getvalue()


def test_silence_clipping_and_odd_lengths_of_sounds(build):
    builder = build(Audio(8000, 800) >> Class("high", "low"))
    chance = np.random.default_rng(0)
    for number in range(30):
        builder.add(wav(chance.integers(-9000, 9000, 800 + number)), "high" if number % 2 else "low", "wav")
    silent = builder.add(wav(np.zeros(800)), "high", "wav")
    loud = builder.add(wav(np.clip(chance.normal(0, 40000, 800), -32768, 32767)), "low", "wav")
    long = builder.add(wav(chance.integers(-9000, 9000, 40_000)), "low", "wav")
    assert by_code(builder.context()) == {"TL402": [silent], "TL404": [loud], "TL405": [long]}


def test_constant_series_and_those_that_are_not_finite(build):
    builder = build(Series(2, 16) >> Class("a", "b"))
    chance = np.random.default_rng(0)
    for number in range(200):
        builder.add(array_bytes(chance.normal(size=(2, 16)).astype(np.float32)), "ab"[number % 2], "npy")
    flat = builder.add(array_bytes(np.ones((2, 16), np.float32)), "a", "npy")
    half = chance.normal(size=(2, 16)).astype(np.float32)
    half[1] = 3
    dead = builder.add(array_bytes(half), "a", "npy")
    broken = half.copy()
    broken[0, 0] = np.nan
    nan = builder.add(array_bytes(broken), "b", "npy")
    found = by_code(builder.context())
    assert found["TL401"] == [nan] and set(found["TL402"]) == {flat, dead}


@pytest.mark.parametrize(("text", "empty"), [("", True), (" ... ", True), ("ok", False), ("猫", False), ("🙂", False)])
def test_a_text_without_a_word(build, text, empty):
    builder = build(Text(8, 100) >> Class("a", "b"))
    for number in range(8):
        builder.add(f"text number {number}", "ab"[number % 2])
    name = builder.add(text, "a")
    assert by_code(builder.context()) == ({"TL402": [name]} if empty else {})


def test_a_row_without_a_value(build):
    builder = build(Row(numbers=("age",), categories=(("job", ("nurse", "cook")),)) >> Class("a", "b"))
    for number in range(8):
        builder.add({"age": number, "job": "nurse"}, "ab"[number % 2])
    name = builder.add({"age": None, "job": "?"}, "a")
    assert by_code(builder.context()) == {"TL402": [name]}
