from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from tacit.examples.lettering import Lettering
from tacit.examples.sheet import MOST, Cell, contact_sheet
from tacit.signature.audio import Audio
from tacit.signature.image import Image
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text

RED, GREEN = (200, 60, 40), (30, 140, 90)


def drawn(cells, **options) -> np.ndarray:
    content = contact_sheet(cells, title="sheet", **options)
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return np.asarray(Pillow.open(io.BytesIO(content)).convert("RGB"))


def count(picture: np.ndarray, colour) -> int:
    return int((picture == np.array(colour, np.uint8)).all(axis=-1).sum())


def test_a_picture_stands_on_the_sheet_pixel_by_pixel():
    kind = Image(3, 4, 3)
    pixels = np.zeros((3, 4, 3), np.uint8)
    pixels[1, 2] = (10, 20, 250)
    sheet = drawn([Cell(kind, kind.read(pixels))])
    side = 162 // 4  # four columns enlarged by a whole number
    assert count(sheet, (10, 20, 250)) == side * side


def test_the_frame_says_what_broke_and_what_was_fixed():
    kind = Image(2, 2, 1)
    arrays = kind.read(np.full((2, 2), 255, np.uint8))
    plain = drawn([Cell(kind, arrays)])
    assert count(plain, RED) == 0 and count(plain, GREEN) == 0
    both = drawn([Cell(kind, arrays, tone="bad"), Cell(kind, arrays, tone="good")])
    assert count(both, RED) == count(both, GREEN) > 1000


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [
        (Audio(8000, 800), np.zeros(800), np.sin(np.arange(800) / 20)),
        (Series(2, 60), np.zeros((2, 60)), np.stack([np.sin(np.arange(60) / 5), np.cos(np.arange(60) / 9)])),
        (Image(8, 8, 1), np.zeros((8, 8), np.uint8), np.eye(8)),
    ],
    ids=["audio", "series", "image"],
)
def test_different_examples_look_different(kind, first, second):
    sheets = [drawn([Cell(kind, kind.read(value))]) for value in (first, second, second)]
    assert (sheets[0] != sheets[1]).any()
    assert (sheets[1] == sheets[2]).all()


def test_texts_and_rows_are_shown_as_their_words():
    text, row = Text(8, 100), Row(numbers=("age",))
    for kind, first, second in ((text, "free entry", "hello you"), (row, {"age": 3}, {"age": 5})):
        sheets = [drawn([Cell(kind, kind.read(value), value=value)]) for value in (first, second)]
        assert (sheets[0] != sheets[1]).any()


def test_a_long_list_is_counted_and_an_empty_one_drawn():
    kind = Image(2, 2, 1)
    cell = Cell(kind, kind.read(np.zeros((2, 2), np.uint8)), "0")
    many, full = drawn([cell] * (MOST + 7)), drawn([cell] * MOST)
    assert many.shape[0] > full.shape[0] and many.shape[1] == full.shape[1]
    assert drawn([]).shape[0] < 200


def test_sections_have_titles_of_their_own():
    kind = Image(2, 2, 1)
    arrays = kind.read(np.zeros((2, 2), np.uint8))
    one = drawn([Cell(kind, arrays), Cell(kind, arrays)], columns=4)
    two = drawn([Cell(kind, arrays, section="broke"), Cell(kind, arrays, section="fixed")], columns=4)
    assert two.shape[0] > one.shape[0] + 150


def test_letters_that_no_font_has_are_written_out():
    lettering = Lettering(12, own=True)
    assert "".join(part for part, _ in lettering.runs("naïve → 猫\tｆｉt½")) == "naive -> \\u732b fit\\u00bd"
    assert lettering.width("猫") == lettering.width("\\u732b")


def test_a_text_is_broken_at_spaces_and_cut_with_dots():
    lettering = Lettering(12, own=True)
    lines = lettering.wrap("one two three four five six seven", 60, 3)
    assert len(lines) == 3 and lines[-1].endswith("...")
    assert all(lettering.width(line) <= 60 for line in lines)
    assert lettering.wrap("one\ntwo", 200, 5) == ["one", "two"]
    assert lettering.wrap("x" * 400, 60, 2)[0].startswith("xxx")
