"""Make a program directory of the embedded digits."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import tacit
from tacit_programs.digits.data import PICTURE, write_images


def unpack(directory: Path, *, reporter: tacit.Reporter | None = None) -> Path:
    """Write the embedded program as a program directory, as `tacit new` makes it from a folder of pictures; give its path.

    `tacit.toml` and `tests.toml` are the program's own; `picture.png` is a digit to run the binary on, `README.md` says what is shown.
    Raises: InputError when the directory is there already.
    """
    with tempfile.TemporaryDirectory() as temporary:
        tacit.new(Path(directory), source=write_images(Path(temporary) / "images"), name="digits", reporter=reporter)
    for name in ("tacit.toml", "tests.toml", "README.md", PICTURE.name):
        shutil.copyfile(PICTURE.parent / name, Path(directory) / name)
    return Path(directory)
