"""Copies are found whatever form they come in; look-alikes are not."""

import io

import numpy as np
import pytest
from PIL import Image

from tacit.examples.intake import array_bytes
from tacit.instruments.linting.cells import near_rows
from tacit.instruments.linting.duplicates import CHECK
from tacit.instruments.linting.pictures import near_pictures
from tacit.instruments.linting.waves import near_series, near_sounds
from tacit.instruments.linting.wording import near_texts, normal_form
from tacit_programs.digits.data import load_digits


def read(content: bytes) -> np.ndarray:
    return np.load(io.BytesIO(content))


def original(pictures, split: str = "train") -> tuple[int, np.ndarray]:
    """Give a record of a split and its picture."""
    at = next(at for at, record in enumerate(pictures.records) if record.split == split)
    from tacit.examples.media import MediaReader

    return at, read(MediaReader(pictures.directory).read(pictures.records[at].id))


def png(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def test_a_clean_set_has_no_copies(pictures):
    assert list(CHECK.find(pictures.context())) == []


def test_a_copy_in_another_encoding_is_found_and_can_be_mended(pictures):
    at, array = original(pictures)
    copy = pictures.add(png(array), pictures.records[at].label, "png")
    (finding,) = CHECK.find(pictures.context())
    assert (finding.code, set(finding.examples)) == ("TL101", {copy, pictures.records[at].id})
    assert finding.mend is not None and len(finding.mend.remove) == 1


def test_a_copy_with_another_label_is_an_error_that_nobody_mends_but_a_person(pictures):
    at, array = original(pictures)
    label = "dot" if pictures.records[at].label == "bar" else "bar"
    pictures.add(png(array), label, "png")
    (finding,) = CHECK.find(pictures.context())
    assert (finding.code, finding.severity, finding.mend) == ("TL103", "error", None)


def test_a_copy_of_another_group_is_not_mended(pictures):
    at, array = original(pictures)
    pictures.add(png(array), pictures.records[at].label, "png", group="anna")
    (finding,) = CHECK.find(pictures.context())
    assert (finding.code, finding.mend) == ("TL101", None)


def test_a_copy_in_another_split_is_a_leak(pictures):
    at, array = original(pictures)
    copy = pictures.add(png(array), pictures.records[at].label, "png", split="test")
    (finding,) = CHECK.find(pictures.context())
    assert (finding.code, finding.severity, finding.examples[0]) == ("TL201", "error", copy), "the test example is shown first"


@pytest.mark.parametrize("change", ["noise", "bright", "shift", "jpeg"])
def test_a_near_copy_is_found(pictures, change):
    at, array = original(pictures)
    chance = np.random.default_rng(3)
    if change == "jpeg":
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, "JPEG", quality=90)
        changed = np.asarray(Image.open(stream))
    else:
        changed = {
            "noise": np.clip(array + chance.normal(0, 2, array.shape), 0, 255),
            "bright": array * 0.9,
            "shift": np.roll(array, 1, axis=1),
        }[change].astype(np.uint8)
    copy = pictures.add(array_bytes(changed), pictures.records[at].label, "npy")
    (finding,) = CHECK.find(pictures.context())
    assert (finding.code, finding.severity, set(finding.examples)) == ("TL102", "note", {copy, pictures.records[at].id})


def test_a_near_copy_elsewhere_with_another_label_is_both(pictures):
    at, array = original(pictures)
    label = "dot" if pictures.records[at].label == "bar" else "bar"
    pictures.add(array_bytes((array * 0.9).astype(np.uint8)), label, "npy", split="test")
    assert sorted(finding.code for finding in CHECK.find(pictures.context())) == ["TL104", "TL202"]


def test_a_fingerprint_outlives_other_examples(pictures):
    at, array = original(pictures)
    pictures.add(png(array), pictures.records[at].label, "png")
    (before,) = CHECK.find(pictures.context())
    pictures.add(array_bytes(np.random.default_rng(9).integers(0, 255, (16, 16), dtype=np.uint8)), "bar", "npy")
    (after,) = CHECK.find(pictures.context())
    assert before.fingerprint == after.fingerprint


def test_handwritten_digits_are_not_copies_of_one_another():
    pictures = load_digits().images.reshape(-1, 8, 8, 1)
    alike = near_pictures(pictures, np.random.default_rng(0))
    assert len(alike) <= len(pictures) // 200


def test_few_or_constant_pictures_are_like_nothing():
    assert len(near_pictures(np.zeros((50, 8, 8, 1), np.uint8), np.random.default_rng(0))) == 0
    assert len(near_pictures(np.zeros((0, 8, 8, 1), np.uint8), np.random.default_rng(0))) == 0


def pairs(alike) -> set[tuple[int, int]]:
    return set(zip(alike.first.tolist(), alike.second.tolist(), strict=True))


def test_sounds_quieter_later_or_noisier_are_copies_and_others_are_not():
    chance = np.random.default_rng(0)
    tones = 2 * np.pi * chance.uniform(0.05, 0.5, (40, 3))
    sounds = np.stack([sum(np.sin(tone * np.arange(2000)) for tone in each) for each in tones]) * np.hanning(2000) * 3000
    sounds += chance.normal(0, 300, sounds.shape)
    planted = [sounds[0] * 0.5, np.roll(sounds[1], 200), sounds[2] + chance.normal(0, 50, 2000)]
    whole = np.concatenate([sounds, planted]).astype(np.int16)
    assert pairs(near_sounds(whole, np.random.default_rng(0))) == {(0, 40), (1, 41), (2, 42)}


def test_series_rounded_or_noisy_are_copies_and_others_are_not():
    chance = np.random.default_rng(0)
    series = np.cumsum(chance.normal(0, 1, (60, 2, 64)), axis=2).astype(np.float32)
    planted = [np.round(series[5], 1), series[6] + chance.normal(0, 0.05, (2, 64)), series[7] * 1.05]
    whole = np.concatenate([series, planted]).astype(np.float32)
    assert pairs(near_series(whole, np.random.default_rng(0))) == {(5, 60), (6, 61), (7, 62)}


def test_texts_without_case_and_punctuation_are_copies():
    texts = ["The cat sat on the mat, again.", "the CAT sat on   the mat again", "Some other thing entirely happened here", "Ok", "No"]
    alike = near_texts(texts, np.random.default_rng(0))
    assert pairs(alike) == {(0, 1)} and alike.difference.tolist() == [0.0]
    assert normal_form("Ａ_b!") == "a b"


def test_rows_that_were_rounded_are_copies_and_coincidences_are_not():
    chance = np.random.default_rng(0)
    numbers = chance.normal(0, 1, (300, 4))
    categories = chance.integers(0, 3, (300, 2))
    planted = np.round(numbers[:3], 2)
    alike = near_rows(np.concatenate([numbers, planted]), np.concatenate([categories, categories[:3]]))
    assert pairs(alike) == {(0, 300), (1, 301), (2, 302)}
    ages = np.concatenate([numbers.round(0)[:, :1], numbers.round(0)[:, :1] + 0.001])
    assert len(near_rows(ages, np.concatenate([categories, categories]))) == 0, "one coarse number is no evidence"


def test_equal_rows_on_both_sides_are_one_note(build):
    from tacit.examples.records import Record, input_id
    from tacit.signature.outputs import Class
    from tacit.signature.row import Row

    builder = build(Row(numbers=("age",)) >> Class("no", "yes"))
    for number in range(20):
        builder.add({"age": number}, "yes" if number % 2 else "no")
    builder.records.append(Record(input_id({"age": 3}, copy=2), "yes", "test", None, 2, {"age": 3}))
    (finding,) = CHECK.find(builder.context())
    assert (finding.code, finding.severity) == ("TL201", "note")
