"""A trivial feature that tells the label is found, and what is natural isn't taken for one."""

import io

import numpy as np
from PIL import Image

from tacit.examples.intake import array_bytes
from tacit.instruments.linting.shortcuts import CHECK
from tacit.signature.audio import Audio
from tacit.signature.image import Image as Picture
from tacit.signature.outputs import Class
from tacit.signature.row import Row
from tacit.signature.series import Series
from tacit.signature.text import Text

NAMES = ("a", "b", "c")
EACH = 60


def grave(context) -> list[tuple[str, str, str]]:
    return [(f.code, f.severity, f.evidence["feature"]) for f in CHECK.find(context) if f.severity != "note"]


def drawn(chance: np.random.Generator, place: int) -> np.ndarray:
    values = chance.integers(60, 120, (20, 20))
    values[5:9, 3 + 4 * place : 7 + 4 * place] += 100  # the content: where the patch is
    return values.astype(np.uint8)


def test_content_is_no_shortcut_and_a_border_colour_is(build):
    chance = np.random.default_rng(0)
    clean, framed = (build(Picture(20, 20, 1) >> Class(*NAMES), name) for name in ("clean", "framed"))
    for number in range(3 * EACH):
        array = drawn(chance, number % 3)
        clean.add(array_bytes(array), NAMES[number % 3], "npy")
        array[0] = array[-1] = array[:, 0] = array[:, -1] = 100 * (number % 3)
        framed.add(array_bytes(array), NAMES[number % 3], "npy")
    assert grave(clean.context()) == []
    assert ("TL501", "error", "the border colour") in grave(framed.context())


def test_the_format_of_the_file_is_a_shortcut(build):
    chance = np.random.default_rng(0)
    builder = build(Picture(20, 20, 1) >> Class(*NAMES))
    for number in range(3 * EACH):
        form = ("PNG", "BMP", "GIF")[number % 3]
        stream = io.BytesIO()
        Image.fromarray(chance.integers(0, 255, (20, 20), dtype=np.uint8)).save(stream, form)
        builder.add(stream.getvalue(), NAMES[number % 3], form.lower())
    assert ("TL501", "error", "the file format") in grave(builder.context())


def test_one_class_with_a_mark_is_stamped(build):
    chance = np.random.default_rng(0)
    builder = build(Series(2, 32) >> Class(*NAMES))
    for number in range(3 * EACH):
        values = chance.normal(0, 1, (2, 32)).astype(np.float32)
        if number % 3 == 0:
            values[1, 0] = 0.1234
        builder.add(array_bytes(values), NAMES[number % 3], "npy")
    assert grave(builder.context()) == [("TL502", "warning", "the first value of channel 1")]


def test_a_tone_in_the_background(build):
    chance = np.random.default_rng(0)
    builder = build(Audio(8000, 2048) >> Class(*NAMES))
    for number in range(3 * EACH):
        tone = 400 * np.sin(2 * np.pi * (600 + 900 * (number % 3)) * np.arange(2048) / 8000)
        sound = chance.normal(0, 100, 2048) + chance.normal(0, 2000, 2048) * (np.arange(2048) % 1024 > 700) + tone
        builder.add(array_bytes(sound.astype(np.int16)), NAMES[number % 3], "npy")
    assert ("TL501", "error", "the sound of the background") in grave(builder.context())


def test_a_word_that_only_one_class_has(build):
    chance = np.random.default_rng(0)
    builder = build(Text(16, 500) >> Class(*NAMES))
    words = [f"word{number}" for number in range(40)]
    for number in range(3 * EACH):
        text = " ".join(chance.choice(words, 8)) + f" {number}"
        middle = " source7 " if number % 3 == 1 and number % 60 else " "
        builder.add(text[:20] + middle + text[20:], NAMES[number % 3])
    (finding,) = [f for f in CHECK.find(builder.context()) if f.severity != "note"]
    assert (finding.code, finding.evidence["feature"], finding.evidence["class"]) == ("TL501", "the word `source7`", "b")


def test_a_column_made_from_the_label_and_one_that_only_helps(build):
    chance = np.random.default_rng(0)
    builder = build(Row(numbers=("age", "weight"), categories=(("code", ("x", "y", "z")),)) >> Class(*NAMES))
    for number in range(3 * EACH):
        place = number % 3
        row = {"age": float(chance.normal(place, 1)), "weight": float(chance.normal()), "code": "xyz"[place]}
        builder.add(row, NAMES[place])
    assert grave(builder.context()) == [("TL503", "error", "the column `code`")]


def test_nothing_is_said_of_numbers_and_of_few_examples(build):
    builder = build(Text(16, 500) >> Class("a", "b"))
    for number in range(20):
        builder.add(f"{'ab'[number % 2]} {number}", "ab"[number % 2])
    assert list(CHECK.find(builder.context())) == []
