"""Look into one media file: what it is, how large, and what is wrong with it."""

from __future__ import annotations

import io
import struct
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from tacit.ground.errors import InputError
from tacit.signature.image import MOST_PIXELS
from tacit.signature.wav import open_wav

#: Suffix -> format as Pillow names it. Only formats that hold one still picture.
IMAGE_SUFFIXES = {
    "png": "PNG",
    "jpg": "JPEG",
    "jpeg": "JPEG",
    "jpe": "JPEG",
    "jfif": "JPEG",
    "bmp": "BMP",
    "gif": "GIF",
    "webp": "WEBP",
    "tif": "TIFF",
    "tiff": "TIFF",
    "pgm": "PPM",
    "ppm": "PPM",
}
SOUND_SUFFIXES = {"wav": "WAV", "wave": "WAV"}


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Width and height in pixels; grey: all channels agree (or there is only one)."""

    width: int
    height: int
    format: str
    grey: bool


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """rate in samples per second; samples per channel."""

    rate: int
    samples: int
    channels: int


class Unsound(Exception):
    """The file can't be used; the message says what it is instead."""


def media_kind(name: str) -> str | None:
    """Give ``images`` or ``sounds`` by the suffix of a file's name, None for anything else.

    >>> media_kind("a/B.JPG"), media_kind("README.txt")
    ('images', None)
    """
    suffix = suffix_of(name)
    return "images" if suffix in IMAGE_SUFFIXES else "sounds" if suffix in SOUND_SUFFIXES else None


def suffix_of(name: str) -> str:
    """Give the suffix in lower case without the dot, empty when there is none."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return suffix.lower() if dot and stem else ""


def probe_image(content: bytes, suffix: str) -> ImageFacts:
    """Decode the whole picture and say what it is. Raises: Unsound when it is empty, damaged, too large or named wrongly."""
    if not content:
        raise Unsound("the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                found = "JPEG" if picture.format == "MPO" else str(picture.format)
                _check_suffix(found, suffix)
                picture.load()
                small = picture.convert("RGB").resize((min(width, 32), min(height, 32)), Image.Resampling.NEAREST)
    except Image.DecompressionBombError:
        raise Unsound(f"the picture is too large (more than {MOST_PIXELS / 1e6:.0f} million pixels once decoded)") from None
    except UnidentifiedImageError:
        raise Unsound(f"expected a picture, got {sniff(content)}") from None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise Unsound(f"the picture is damaged ({str(error).rstrip('.')[:80]})") from None
    values = np.asarray(small)
    grey = bool((values.max(axis=2).astype(int) - values.min(axis=2) <= 2).all())
    return ImageFacts(width, height, found, grey)


def _check_suffix(found: str, suffix: str) -> None:
    expected = IMAGE_SUFFIXES.get(suffix)
    if expected is not None and found != expected:
        right = next((known for known, format_ in IMAGE_SUFFIXES.items() if format_ == found), found.lower())
        raise Unsound(f"expected {expected} by its name, got {found} (rename it to .{right})")


def probe_sound(content: bytes, suffix: str) -> SoundFacts:
    """Read the headers of a WAV file. Raises: Unsound when it is empty, cut short, or in no encoding that can be read."""
    if not content:
        raise Unsound("the file is empty")
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise Unsound(f"expected WAV{' by its name' if suffix in SOUND_SUFFIXES else ''}, got {sniff(content)}")
    try:
        wav = open_wav(io.BytesIO(content), "here")
        wav.read(max(0, wav.frames - 1), 1)
    except InputError as error:
        raise Unsound("; ".join(part for part in (error.message.removesuffix(" - at here"), error.cause) if part)) from None
    return SoundFacts(wav.rate, wav.frames, wav.channels)


def sniff(content: bytes) -> str:
    """Name what some bytes probably are, for an error.

    >>> sniff(b"%PDF-1.7 ...")
    'a PDF'
    """
    starts = {
        b"\x89PNG": "PNG",
        b"\xff\xd8\xff": "JPEG",
        b"GIF8": "GIF",
        b"BM": "BMP",
        b"%PDF": "a PDF",
        b"PK\x03\x04": "a zip",
        b"ID3": "MP3",
        b"\xff\xfb": "MP3",
        b"fLaC": "FLAC",
        b"OggS": "Ogg",
        b"\x1f\x8b": "gzip",
        b"<svg": "SVG",
        b"<": "HTML or XML",
        b"version https://git-lfs": "a Git LFS pointer (run `git lfs pull`)",
    }
    for start, name in starts.items():
        if content.startswith(start):
            return name
    if content[:4] == b"RIFF":
        return "WebP" if content[8:12] == b"WEBP" else "WAV" if content[8:12] == b"WAVE" else "RIFF"
    if content[4:8] == b"ftyp":
        return "HEIC, AVIF or MP4"
    sample = content[:200]
    readable = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in sample)
    return "text" if readable == len(sample) else "bytes of no known kind"
