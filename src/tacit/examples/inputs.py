"""The inputs of single examples, from their records or from the media; `tacit.examples.load` reads whole sets."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.media import MEDIA, MediaReader
from tacit.examples.records import Record
from tacit.ground.errors import InputError


class Inputs:
    """Gives inputs one by one; the index of the media is read once, when the first is needed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._media: MediaReader | None = None

    def value(self, record: Record) -> Any:
        """Give what an input type reads: a text, a row, an array, or the bytes of a file.

        Raises: InputError when the medium is missing or is not what its id says.
        """
        return self.medium(record.id) if record.input is None else record.input

    def medium(self, name: str) -> Any:
        """Give a medium as an input type reads it: an array, or the bytes of a file. Raises: InputError as `value`."""
        if self._media is None:
            self._media = MediaReader(self.directory)
        if name not in self._media:
            raise InputError(f"expected the medium of {name}, it is not in `{MEDIA}` - at `{self.directory}`", fix="tacit media pull")
        content = self._media.read(name)
        if self._media.suffix(name) == "npy":
            with contextlib.suppress(ValueError):
                return np.load(io.BytesIO(content), allow_pickle=False)
        return content
