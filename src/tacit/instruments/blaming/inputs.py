"""The inputs of single examples, from their records or from the media."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.media import MEDIA, MediaReader
from tacit.examples.records import Record
from tacit.ground.errors import InputError
from tacit.signature.base import InputType


class Inputs:
    """Reads inputs one by one; the index of the media is read once."""

    def __init__(self, directory: Path, type_: InputType) -> None:
        self.directory, self.type = directory, type_
        self._media: MediaReader | None = None

    def arrays(self, record: Record) -> tuple[np.ndarray, ...]:
        """Give the arrays [*shape] of an example. Raises: InputError when its medium is missing or can't be read."""
        return self.type.read(record.input if record.input is not None else self._medium(record.id))

    def _medium(self, name: str) -> Any:
        if self._media is None:
            self._media = MediaReader(self.directory)
        try:
            content = self._media.read(name)
        except KeyError:
            raise InputError(f"expected the medium of {name}, it is not in `{self.directory / MEDIA}`", fix="tacit media pull") from None
        if self._media.suffix(name) == "npy":
            with contextlib.suppress(ValueError):
                return np.load(io.BytesIO(content), allow_pickle=False)
        return content
