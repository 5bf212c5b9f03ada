"""Small program directories for the checks: clean ones, into which a test plants one thing."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tacit.directory.template import program_toml
from tacit.examples.intake import Intake, array_bytes
from tacit.examples.media import MediaWriter
from tacit.examples.records import Record, input_id
from tacit.examples.splits import SplitRule
from tacit.examples.writing import write_labels
from tacit.ground.files import write_atomic
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.running import lint
from tacit.signature.base import Signature
from tacit.signature.image import Image as Picture
from tacit.signature.outputs import Class

NAMES = ("bar", "dot")


def picture(seed: int, name: str, size: int = 16) -> np.ndarray:
    """Draw a bar or a dot with a texture of its own: uint8[row, column]."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 120, (6, 6)).astype(np.uint8)
    values = np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)).astype(np.int64)
    down, across = (int(value) for value in chance.integers(2, size - 6, 2))
    if name == "bar":
        values[down : down + 2, 2:-2] += 120
    else:
        values[down : down + 4, across : across + 4] += 120
    return values.clip(0, 255).astype(np.uint8)


def encoded(array: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, form, **options)
    return stream.getvalue()


class Builder:
    """Builds a program directory: examples are (content, suffix, label, split); content bytes go to media."""

    def __init__(self, directory: Path, signature: Signature) -> None:
        self.directory, self.signature = directory, signature
        self.records: list[Record] = []
        directory.mkdir(parents=True)
        rule = SplitRule(0.1, 0.2)
        write_atomic(directory / "tacit.toml", program_toml("made", Intake(signature, rule, "a", 0, {}, "in", "out", "split", ())))

    def add(self, content: Any, label: Any, suffix: str = "", split: str = "train", group: str | None = None) -> str:
        stored = not isinstance(content, bytes)
        if stored:
            name = input_id(content)
        else:
            with MediaWriter(self.directory) as media:
                name = media.add(content, suffix)
        self.records.append(Record(name, label, split, group, 1, content if stored else None))
        return name

    def relabel(self, name: str, label: Any) -> None:
        self.records = [replace(record, label=label) if record.id == name else record for record in self.records]

    def write(self, source: str = "first") -> Path:
        write_labels(self.directory, source, self.records)
        return self.directory

    def context(self) -> Context:
        return Context(self.write())


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Builder]:
    return lambda signature, name="program": Builder(tmp_path / name, signature)


@pytest.fixture
def pictures(build: Callable[..., Builder]) -> Builder:
    """Sixty pictures of each of two classes, in train, validation and test; nothing is wrong with them."""
    builder = build(Picture(16, 16, 1) >> Class(*NAMES))
    with MediaWriter(builder.directory) as media:  # all in one pack
        for number in range(120):
            name = NAMES[number % 2]
            split = "test" if number % 10 > 7 else "validation" if number % 10 == 4 + number % 2 else "train"
            identity = media.add(array_bytes(picture(number, name)), "npy")
            builder.records.append(Record(identity, name, split))
    return builder


def codes(directory: Path, *, select: Sequence[str] = (), ignore: Sequence[str] = ("TL6",), **options: Any) -> list[str]:
    """Lint and give the codes that were found; label errors, which train, are left out unless selected."""
    return [finding.code for finding in lint(directory, select=select, ignore=() if select else ignore, **options).findings]


@pytest.fixture
def found() -> Callable[..., list[str]]:
    return codes
