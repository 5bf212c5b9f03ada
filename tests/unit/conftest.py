"""Small folders of pictures and sounds, made in place."""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def png(seed: int, *, height: int = 12, width: int = 12, colour: bool = False) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3) if colour else (height, width), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def wav(seed: int, *, samples: int = 800, rate: int = 8000) -> bytes:
    data = np.random.default_rng(seed).integers(-3000, 3000, samples, dtype=np.int16).tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return png


@pytest.fixture
def sound() -> Callable[..., bytes]:
    return wav


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Write files given as ``{path: bytes or str}`` below a new folder and give it; a path that ends in / is an empty folder."""

    def make(files: dict[str, bytes | str], name: str = "source") -> Path:
        root = tmp_path / name
        for path, content in files.items():
            target = root / path
            if path.endswith("/"):
                target.mkdir(parents=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return make


@pytest.fixture
def classes() -> Callable[..., dict[str, bytes]]:
    """Give the files of a folder per class: `each` pictures in every one."""

    def make(*names: str, each: int = 8, below: str = "") -> dict[str, bytes]:
        return {
            f"{below}{name}/{index}.png": png(1000 * number + index + 10_000 * len(below))
            for number, name in enumerate(names)
            for index in range(each)
        }

    return make
