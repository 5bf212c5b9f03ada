"""The embedded pictures: 110 students each showing the signs 0 to 9, as one sheet.

Source: A. Mavi, "A New Dataset and Proposed Convolutional Neural Network Architecture for Classification of American Sign Language
Digits", 2020 (arXiv 2011.08927), the set "Sign Language Digits"; licence Apache-2.0. The numbers of its files run on from student to
student through the signs 0 to 9, which tells who is in which picture; 190 students are complete, and these are the 110 of them whose
first file has the lowest sha256. Each photo was scaled from 100 x 100 to 48 x 48.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = tuple("0123456789")
SIDE = 48
_HERE = Path(__file__).parent

#: A photo of a seven, 100 x 100, of a student who is not on the sheet.
PHOTO = _HERE / "photo.jpg"


def load_hands() -> np.ndarray:
    """Read the embedded pictures, uint8[student, sign, row, column, channel].

    >>> load_hands().shape
    (110, 10, 48, 48, 3)
    """
    with Image.open(_HERE / "hands.webp") as sheet:
        levels = np.asarray(sheet.convert("RGB"))
    grid = levels.reshape(len(CLASSES), SIDE, -1, SIDE, 3)  # sign, row, student, column, channel
    return np.ascontiguousarray(grid.transpose(2, 0, 1, 3, 4))


def write_hands(folder: Path) -> Path:
    """Write ``folder/<sign>_<student>.png``, what a person with photos of several people has; give the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for student, signs in enumerate(load_hands()):
        for name, picture in zip(CLASSES, signs, strict=True):
            Image.fromarray(picture).save(folder / f"{name}_{student:03}.png")
    return folder
