"""The embedded data: scikit-learn's copy of the test set of "Optical Recognition of Handwritten Digits" (UCI).

Source: E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, doi:10.24432/C50P49; licence CC BY 4.0.
Each picture was 32 by 32 bits; blocks of 4 by 4 were counted, which gives 8 by 8 values of 0 to 16. Here they are
scaled to 0 to 255 (`value * 255 // 16`), so that they are ordinary grey pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = tuple("0123456789")
_HERE = Path(__file__).parent

#: A picture of a seven from the test split, enlarged to 104 by 104 with soft edges, as a person might draw one.
PICTURE = _HERE / "picture.png"


@dataclass(frozen=True, eq=False)
class Digits:
    """images: uint8[example, row, column], 0 (paper) to 255 (ink). labels: uint8[example]. test: bool[example].

    The test split was drawn once, without a look at any result: the pictures whose sha256 lies in the lowest fifth.
    """

    images: np.ndarray
    labels: np.ndarray
    test: np.ndarray


def load_digits() -> Digits:
    """Read the embedded pictures.

    >>> load_digits().images.shape
    (1797, 8, 8)
    """
    with np.load(_HERE / "digits.npz", allow_pickle=False) as arrays:
        return Digits(arrays["images"], arrays["labels"], arrays["test"])


def write_images(folder: Path) -> Path:
    """Write ``folder/<train or test>/<class>/<number>.png``, what a person with pictures has; give the folder."""
    digits = load_digits()
    for number, (image, label, test) in enumerate(zip(digits.images, digits.labels, digits.test, strict=True)):
        path = Path(folder) / ("test" if test else "train") / CLASSES[label] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return Path(folder)
