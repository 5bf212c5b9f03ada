"""What the page reads, in Node, against what the signature reads in Python: the same numbers, and the same refusals."""

from __future__ import annotations

import io
import json
import unicodedata
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

import tacit_programs.digits as digits
from tacit.ground.errors import InputError
from tacit.signature.audio import Audio
from tacit.signature.base import Joint
from tacit.signature.cells import number_of
from tacit.signature.image import Image
from tacit.signature.outputs import Class, Labels, Number
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text, pieces_of, tokens
from tests.targets.wasm.node import Reader, reader

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[3]
ROW = Row(numbers=("age", "height"), categories=(("city", ("Rome", "Oslo ", "1")), ("sex", ("f", "m"))), fill=(41.0, 1.75))


@pytest.fixture(scope="module")
def page() -> Iterator[Reader]:
    with reader() as started:
        yield started


def same(found, expected) -> None:
    assert np.array_equal(np.asarray(found), np.asarray(expected).ravel())


# Pictures


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    wanted=st.tuples(st.integers(1, 48), st.integers(1, 48)),
    fit=st.sampled_from(["crop", "pad", "stretch"]),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 2**16),
)
def test_pictures_of_any_size(page: Reader, size, wanted, fit, channels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    picture_agrees(page, Pillow.fromarray(pixels), Image(*wanted, channels, fit=fit))


def picture_agrees(page: Reader, picture: Pillow.Image, kind: Image) -> None:
    rgba = picture.convert("RGBA")
    found = page.ask("image", data=rgba.tobytes(), width=rgba.width, height=rgba.height, type=kind.to_json())
    same(found, kind.read(picture)[0])


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(28, 28), (64, 48), (224, 224)])
def test_real_pictures(page: Reader, fit, channels, size):
    with Pillow.open(digits.PICTURE) as picture:
        picture_agrees(page, picture, Image(*size, channels, fit=fit))
    for photograph in photographs():
        picture_agrees(page, photograph, Image(*size, channels, fit=fit))


def photographs() -> list[Pillow.Image]:
    """Two photographs of 427 x 640 that come with scikit-learn."""
    from sklearn.datasets import load_sample_images

    return [Pillow.fromarray(pixels) for pixels in load_sample_images().images]


# Sounds


def wav(samples: np.ndarray, rate: int, width: int = 2) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return stream.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([7919, 8000, 11025, 16000, 22050, 44100, 48000]),
    kind=st.builds(Audio, st.sampled_from([4000, 8000, 16000]), st.integers(10, 9000)),
    frames=st.integers(1, 30000),
    channels=st.integers(1, 2),
    seed=st.integers(0, 2**16),
)
def test_sounds_of_any_rate(page: Reader, rate, kind, frames, channels, seed):
    random = np.random.default_rng(seed)
    loudness = np.interp(np.arange(frames), np.linspace(0, frames, 20), random.uniform(0, 1, 20))[:, None]
    samples = np.clip(random.normal(0, 0.3, (frames, channels)) * loudness, -1, 1)
    data = wav((samples * 32767).astype("<i2"), rate)
    same(page.ask("wav", data=data, type=kind.to_json()), kind.read(data)[0])


@pytest.mark.parametrize(("dtype", "width"), [("u1", 1), ("<i2", 2), ("<i4", 4)])
def test_sounds_of_whole_numbers(page: Reader, dtype, width):
    limits = np.iinfo(dtype)
    samples = np.random.default_rng(0).integers(limits.min, limits.max, 900, dtype=dtype, endpoint=True)
    kind, data = Audio(8000, 1000), wav(samples, 8000, width)
    same(page.ask("wav", data=data, type=kind.to_json()), kind.read(data)[0])


def test_sounds_of_24_bits_and_of_floats(page: Reader):
    random = np.random.default_rng(0)
    kind = Audio(8000, 500)
    three = wav(np.zeros(0, "u1"), 8000, 3)
    body = random.integers(0, 256, 3 * 400, dtype=np.uint8).tobytes()
    data = three[:40] + len(body).to_bytes(4, "little") + body
    same(page.ask("wav", data=data, type=kind.to_json()), kind.read(data)[0])
    for code in ("<f4", "<f8"):
        head = bytearray(wav(np.zeros(0, "u1"), 8000, 2)[:44])
        size = np.dtype(code).itemsize
        body = random.normal(0, 0.6, 400).astype(code).tobytes()
        head[20:22] = (3).to_bytes(2, "little")
        head[32:36] = size.to_bytes(2, "little") + (8 * size).to_bytes(2, "little")
        head[40:44] = len(body).to_bytes(4, "little")
        same(page.ask("wav", data=bytes(head) + body, type=kind.to_json()), kind.read(bytes(head) + body)[0])


@pytest.mark.parametrize("cut", [0, 3, 11, 20, 36, 43, 60])
def test_damaged_sounds_are_refused_by_both(page: Reader, cut):
    data, kind = wav(np.ones(100, "<i2"), 8000)[:cut], Audio(8000, 50)
    with pytest.raises(InputError):
        kind.read(data)
    with pytest.raises(ValueError, match=r"^expected a WAV file"):
        page.ask("wav", data=data, type=kind.to_json())


# Texts

ASSIGNED = [chr(code) for code in range(1, 0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Co", "Cs")]
WORDS = st.text(st.one_of(st.sampled_from("abcXYZ '’0189.,:/!_-ßİΣσéǅ"), st.sampled_from(ASSIGNED)), max_size=60)


@settings(max_examples=500, deadline=None)
@given(text=WORDS, pieces=st.integers(1, 10), buckets=st.sampled_from([2, 1000, 2**24]))
def test_any_text(page: Reader, text, pieces, buckets):
    kind = Text(20, buckets, pieces)
    same(page.ask("text", text=text, type=kind.to_json()), kind.read(text)[0])


def test_every_character(page: Reader):
    for start in range(0, len(ASSIGNED), 400):
        text = " ".join(f"{character}x{character}{character}" for character in ASSIGNED[start : start + 400])
        assert page.ask("tokens", text=text, most=5000) == [[token, pieces_of(token, 64)] for token in tokens(text, 5000)]


def test_a_lone_surrogate(page: Reader):
    kind = Text(4, 1000)
    same(page.ask("text", text="a \ud800 b", type=kind.to_json()), kind.read("a \ud800 b")[0])


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_real_texts(page: Reader, name):
    for paragraph in (ROOT / name).read_text(encoding="utf-8").split("\n\n"):
        kind = Text(64, 32768)
        same(page.ask("text", text=paragraph, type=kind.to_json()), kind.read(paragraph)[0])


# Series


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a,b\n1,2\n3,4\n5,6\n", Series(2, 3)),
        ('"1","1,000.5"\r\n2,-3e-2\r\n\r\n', Series(2, 2)),
        ("\ufeff1\n2\n3", Series(1, 5, fit="last")),
        ("1\n2\n3\n4\n5\n6\n7", Series(1, 5, fit="last")),
        (" ١٢ , .5 \n7.,+8", Series(2, 2)),
    ],
)
def test_csv(page: Reader, text, kind, tmp_path):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8", newline="")
    same(page.ask("csv", text=text, type=kind.to_json()), kind.read(tmp_path / "a.csv")[0])


@pytest.mark.parametrize("text", ["", "a,b\n", "1,2\n3\n", "1,x\n2,y\n3,4\n", "1,2\n", "1,2\n3,4\n5,6\n7,8\n", "1,2\n3,1e99\n5,6\n"])
def test_csv_that_both_refuse(page: Reader, text, tmp_path):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        Series(2, 3).read(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="expected"):
        page.ask("csv", text=text, type=Series(2, 3).to_json())


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<i2", "|u1", "<i8", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(page: Reader, dtype, order):
    array = np.asarray(np.random.default_rng(0).integers(0, 2, (3, 4)).astype(dtype), order=order)
    stream = io.BytesIO()
    np.save(stream, array)
    kind = Series(3, 4)
    same(page.ask("npy", data=stream.getvalue(), type=kind.to_json()), kind.read(array)[0])


# Rows


@pytest.mark.parametrize(
    "cells",
    [
        {"age": "42", "height": "1.8", "city": "Rome", "sex": "m"},
        {"age": " 1,042 ", "height": "?", "city": "Oslo ", "sex": ""},
        {"age": "NaN", "height": ".5e1", "city": "Oslo", "sex": "other"},
        {"age": "", "height": "-", "city": " 1 ", "sex": " f"},
    ],
)
def test_rows(page: Reader, cells):
    found = page.ask("row", cells=cells, type=ROW.to_json())
    assert found["problems"] == []
    for one, expected in zip(found["arrays"], ROW.read(cells), strict=True):
        same(np.asarray(one, expected.dtype), expected)


def test_rows_with_problems_name_their_columns(page: Reader):
    assert page.ask("row", cells={"age": "old", "height": "1e39"}, type=ROW.to_json())["problems"] == ["age", "height"]


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(st.sampled_from("0123456789.,eE+- \t\u2003٣"), max_size=9), st.floats(width=32).map(str)))
def test_numbers(page: Reader, text):
    try:
        expected = number_of(text)
    except InputError:
        with pytest.raises(ValueError, match="expected a number"):
            page.ask("number", text=text)
    else:
        assert float(page.ask("number", text=text)) == expected


# Answers


@pytest.mark.parametrize(
    "kind", [Class("a", "b", "c"), Labels("a", "b", "c"), Number(3.5, 2.0, "EUR"), Joint((Class("a", "b"), Number(1.0, 3.0)), ("x", "y"))]
)
def test_answers(page: Reader, kind):
    for row in np.random.default_rng(0).normal(size=(20, kind.width)).astype(np.float32):
        found = page.ask("answer", scores=row.tolist(), type=kind.to_json())
        expected = kind.decode(row)
        assert json.dumps(found) == json.dumps(expected) or np.allclose(found, expected, rtol=1e-12)
        if isinstance(kind, Class | Labels):
            np.testing.assert_allclose(
                page.ask("probabilities", scores=row.tolist(), type=kind.to_json()), kind.probabilities(row), atol=1e-6
            )


def test_equal_scores_give_the_first(page: Reader):
    assert page.ask("answer", scores=[1.0, 2.0, 2.0], type=Class("a", "b", "c").to_json()) == "b"
