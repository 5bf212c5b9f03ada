"""The embedded digits are what they say they are."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image
from sklearn import datasets

from tacit_programs.digits import CLASSES, PICTURE, load_digits, write_images


def test_the_pictures_are_those_of_the_source():
    source, digits = datasets.load_digits(), load_digits()
    assert np.array_equal(digits.images, source.images.astype(np.uint16) * 255 // 16)
    assert np.array_equal(digits.labels, source.target)
    assert digits.images.dtype == np.uint8


def test_the_test_split_is_the_lowest_fifth_of_hashes():
    digits = load_digits()
    low = [int(hashlib.sha256(image.tobytes()).hexdigest()[:13], 16) / 16**13 < 0.2 for image in digits.images]
    assert digits.test.tolist() == low
    assert np.bincount(digits.labels[digits.test]).min() > 30


def test_no_picture_stands_twice():
    assert len(np.unique(load_digits().images.reshape(1797, 64), axis=0)) == 1797


def test_the_picture_to_run_on_was_never_trained_on():
    digits = load_digits()
    with Image.open(PICTURE) as picture:
        assert picture.size == (104, 104)
        small = np.asarray(picture.resize((8, 8), Image.Resampling.BOX), dtype=float)
    distances = np.abs(digits.images - small).mean(axis=(1, 2))
    nearest = int(distances.argmin())
    assert digits.test[nearest] and CLASSES[digits.labels[nearest]] == "7"
    assert distances[~digits.test].min() > 1.5 * distances[nearest]


def test_images_are_written_a_folder_per_split_and_class(tmp_path):
    write_images(tmp_path / "images")
    digits = load_digits()
    for split, mask in (("train", ~digits.test), ("test", digits.test)):
        for label, name in enumerate(CLASSES):
            assert len(list((tmp_path / "images" / split / name).glob("*.png"))) == (mask & (digits.labels == label)).sum()
    (path,) = (tmp_path / "images").glob("*/*/0447.png")
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), digits.images[447])


def test_the_package_stays_small():
    assert sum(path.stat().st_size for path in PICTURE.parent.iterdir() if path.is_file()) < 120_000
