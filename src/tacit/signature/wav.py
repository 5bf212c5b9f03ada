"""Reading WAV files: whole-number PCM of 8 to 32 bits and float PCM, in pieces, so that a long file needs little memory.

Source of the format: Microsoft, "Multimedia Data Standards Update" (1994) and the WAVEFORMATEXTENSIBLE note; a chunk is four
letters, a little-endian length, the data, and a zero byte when the length is odd.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from tacit.ground.errors import InputError

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODES = {2: "ADPCM", 6: "A-law", 7: "µ-law", 17: "IMA ADPCM", 85: "MP3"}
_OTHERS = {
    b"ID3": "an MP3 file",
    b"\xff\xfb": "an MP3 file",
    b"fLaC": "a FLAC file",
    b"OggS": "an Ogg file",
    b"FORM": "an AIFF file",
    b"RIFX": "a big-endian WAV file",
    b"RF64": "an RF64 file",
}
_UNKNOWN_LENGTHS = (0, 0xFFFFFFFF)  # written by programs that stream and never learn the length
_HIGHEST_RATE = 1_000_000
_FIX = "ffmpeg -i IN -c:a pcm_s16le OUT.wav"


@dataclass(frozen=True)
class Wav:
    """Where the sound of an open WAV file stands, and how it is written."""

    file: BinaryIO
    where: str
    start: int
    frames: int
    channels: int
    rate: int
    bits: int
    floats: bool

    def read(self, first: int, count: int) -> np.ndarray:
        """Read float64[frame], channels mixed down to their mean, full scale being 1, from the frame `first` on.

        Raises: InputError when float samples are NaN or infinite, or the file ends early.
        """
        width = self.channels * self.bits // 8
        self.file.seek(self.start + first * width)
        data = self.file.read(count * width)
        if len(data) < count * width:
            raise damaged("the file ends in the middle of its sound", self.where)
        samples = _samples(data, self.bits, self.floats)
        if self.floats and not np.isfinite(samples).all():
            raise damaged("it holds samples that are NaN or infinite", self.where)
        return np.asarray(samples.reshape(-1, self.channels).mean(axis=1))


def open_wav(file: BinaryIO, where: str) -> Wav:
    """Read the chunks of a WAV file up to its sound. Raises: InputError for what is damaged or of another format."""
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    head = file.read(12)
    if not head:
        raise InputError(f"expected a WAV file, got an empty file - at {where}")
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        other = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), "a file that is not one")
        raise InputError(f"expected a WAV file, got {other} - at {where}", fix=f"convert it: `{_FIX}`")
    form: tuple[int, int, int, int] | None = None
    while True:
        chunk = file.read(8)
        if len(chunk) < 8:
            raise damaged("it has no sound in it" if form else "it has no description of its sound", where)
        name, length = chunk[:4], struct.unpack("<I", chunk[4:])[0]
        at = file.tell()
        if name == b"data":
            if form is None:
                raise damaged("its description does not stand before its sound", where)
            return _described(file, where, form=form, start=at, length=length, size=size)
        if name == b"fmt ":
            form = _form(file.read(min(length, 64)), where)
        file.seek(at + length + length % 2)


def damaged(cause: str, where: str) -> InputError:
    """Make the error for a WAV file that is broken."""
    return InputError(f"expected a WAV file, got a damaged one - at {where}", cause=cause, fix="export it again, or leave it out")


def _form(data: bytes, where: str) -> tuple[int, int, int, int]:
    if len(data) < 16:
        raise damaged("its description is too short", where)
    code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", data[:16])
    if code == _EXTENSIBLE and len(data) >= 26:
        code = struct.unpack("<H", data[24:26])[0]
    if code not in (_PCM, _FLOAT) or bits not in ((8, 16, 24, 32) if code == _PCM else (32, 64)):
        name = f"{bits}-bit {'PCM' if code == _PCM else 'float'}" if code in (_PCM, _FLOAT) else _CODES.get(code, f"format {code}")
        raise InputError(
            f"expected a WAV file of PCM (8, 16, 24 or 32 bits, or float), got {name} - at {where}", fix=f"convert it: `{_FIX}`"
        )
    if not 1 <= channels <= 64 or not 1 <= rate <= _HIGHEST_RATE or block != channels * bits // 8:
        raise damaged(f"its description says {channels} channels, {rate} samples a second, {block} bytes a frame", where)
    return code, channels, rate, bits


def _described(file: BinaryIO, where: str, *, form: tuple[int, int, int, int], start: int, length: int, size: int) -> Wav:
    code, channels, rate, bits = form
    there = size - start
    if length > there and length not in _UNKNOWN_LENGTHS:
        raise damaged(f"it says that its sound has {length:,} bytes, but only {there:,} are there", where)
    used = there if length in _UNKNOWN_LENGTHS else length
    frames = used // (channels * bits // 8)
    if frames == 0:
        raise InputError(f"expected a WAV file with sound in it, got one without a sample - at {where}")
    return Wav(file, where, start, frames, channels, rate, bits, code == _FLOAT)


def _samples(data: bytes, bits: int, floats: bool) -> np.ndarray:
    """Turn little-endian samples into float64 with full scale 1; 8 bits are unsigned, by the format."""
    if floats:
        return np.frombuffer(data, "<f4" if bits == 32 else "<f8").astype(np.float64)
    if bits == 8:
        return (np.frombuffer(data, np.uint8).astype(np.float64) - 128.0) / 128.0
    if bits == 24:
        three = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(three), 4), np.uint8)
        wide[:, 1:] = three  # the value stands in the upper three bytes, so that the sign comes out right
        return wide.view("<i4")[:, 0].astype(np.float64) / 2.0**31
    return np.frombuffer(data, "<i2" if bits == 16 else "<i4").astype(np.float64) / 2.0 ** (bits - 1)
