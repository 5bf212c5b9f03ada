import numpy as np
import pytest

from tacit.examples.infer import image_size, infer_arrays, infer_images, infer_rows, infer_sounds, infer_texts
from tacit.examples.probe import ImageFacts, SoundFacts, Unsound, probe_image, probe_sound, sniff
from tacit.ground.errors import InputError
from tacit.signature.audio import Audio
from tacit.signature.image import Image
from tacit.signature.series import Series


@pytest.mark.parametrize(
    ("median", "count", "expected"),
    [
        ((28, 28), 70_000, (28, 28)),
        ((64, 20), 100, (64, 20)),
        ((100, 100), 2_000, (80, 80)),
        ((160, 120), 2_500, (96, 72)),
        ((100, 100), 20_000, (64, 64)),
        ((4000, 100), 100, (112, 56)),
    ],
)
def test_sizes_of_pictures(median, count, expected):
    assert image_size(*median, count) == expected


def test_pictures_are_grey_only_when_all_are():
    grey, colour = ImageFacts(20, 10, "PNG", True), ImageFacts(20, 10, "JPEG", False)
    assert infer_images([grey] * 3).type == Image(10, 20, 1)
    found = infer_images([grey, colour, colour])
    assert found.type == Image(10, 20, 3)
    assert found.why == "2 JPEG, 1 PNG pictures, all are 20 wide x 10 high, in colour"


def test_sounds_fit_all_but_the_longest():
    facts = [SoundFacts(8000, 4000, 1)] * 98 + [SoundFacts(8000, 80_000, 1)] * 2
    assert infer_sounds(facts).type == Audio(8000, 4032 + 1536)  # the 98th percentile lies just between them
    assert infer_sounds([SoundFacts(44_100, 44_100, 2)] * 5).type == Audio(16_000, 16_000)
    assert infer_sounds([SoundFacts(8000, 8000 * 600, 1)] * 5).type == Audio(8000, 80_000)


def test_arrays():
    assert infer_arrays(np.zeros((28, 28), np.uint8), 10, None).type == Image(28, 28, 1)
    assert infer_arrays(np.zeros((8, 8), np.uint8), 10, 16.0).type == Image(8, 8, 1, white=16.0)
    assert infer_arrays(np.zeros((6, 128), np.float16), 10, None).type == Series(6, 128)
    with pytest.raises(InputError, match="expected pictures"):
        infer_arrays(np.zeros((2, 3, 4, 5), np.float32), 10, None)


def test_texts():
    found = infer_texts(["one two three"] * 99 + ["word " * 500])
    assert found.type.length == 8 and found.type.buckets == 4096


def test_values_that_only_test_rows_have_stay_unknown():
    rows = [{"city": "Rome", "age": 1}, {"city": "Oslo", "age": 3}, {"city": "Bern", "age": 100}]
    found = infer_rows(rows, (("age", "number"), ("city", "category")), np.array([True, True, False]))
    assert found.type.categories == (("city", ("Oslo", "Rome")),) and found.type.fill == (2.0,)


def test_facts_of_media(picture, sound):
    assert probe_image(picture(1, height=5, width=7), "png") == ImageFacts(7, 5, "PNG", True)
    assert not probe_image(picture(1, colour=True), "png").grey
    assert probe_sound(sound(1, samples=500), "wav") == SoundFacts(8000, 500, 1)


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"%PDF-1.4", "a PDF"), (b"hello", "text"), (b"\0\1\2", "bytes of no known kind"), (b"\0\0\0\x18ftypheic", "HEIC, AVIF or MP4")],
)
def test_sniffing(content, what):
    assert sniff(content) == what
    with pytest.raises(Unsound, match=what):
        probe_image(content, "png")


def test_a_sound_that_ends_early(sound):
    with pytest.raises(Unsound):
        probe_sound(sound(1)[:-100], "wav")
    with pytest.raises(Unsound, match="expected WAV by its name, got MP3"):
        probe_sound(b"ID3\3", "wav")


def test_a_column_that_only_other_rows_have_is_kept():
    rows = [{"city": None, "age": 1}, {"city": None, "age": 3}, {"city": "Bern", "age": 100}, {"city": "Rome", "age": 100}]
    found = infer_rows(rows, (("age", "number"), ("city", "category")), np.array([True, True, False, False]))
    assert found.type.categories == (("city", ("Bern", "Rome")),)
    assert found.type.read_all(rows)[-1].ravel().tolist() == [0, 0, 1, 2]
