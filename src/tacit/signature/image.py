"""`Image`: pictures from files, bytes, PIL images and arrays, as uint8[row, column, channel]."""

from __future__ import annotations

import io
import os
import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.base import ArraySpec, InputType
from tacit.signature.checks import check_one_of, check_whole, what_came

#: A picture of more pixels is refused before it is decoded; Pillow warns from there on (a quarter of a gigabyte as RGB).
MOST_PIXELS = 89_478_485

_FITS = ("crop", "pad", "stretch")
_SHADES = " .:-=+*#%@"


@dataclass(frozen=True, repr=False)
class Image(InputType):
    """A picture of fixed size: uint8[row, column, channel], one channel (grey) or three (red, green, blue).

    fit: how a picture of another size becomes this one. ``crop`` takes the largest centred part of the right aspect ratio,
    ``pad`` adds a border of the picture's own border colour, ``stretch`` changes the aspect ratio.
    white: what white is in *arrays* (files know it themselves). None decides by dtype and values: bool True, uint8 255,
    uint16 65535, floats that are all within 0..1 have 1, other numbers have 255.

    >>> grey = Image(2, 2, 1)
    >>> grey.read(np.array([[0.0, 1.0], [0.5, 0.25]]))[0][..., 0].tolist()
    [[0, 255], [128, 64]]
    """

    kind: ClassVar[str] = "image"
    skeleton: ClassVar[str] = "convnet2d"
    augmentations: ClassVar[tuple[str, ...]] = ("shift",)

    height: int
    width: int
    channels: int
    fit: str = "crop"
    white: float | None = None

    def __post_init__(self) -> None:
        check_whole(self.height, name="height", kind="Image", most=8192)
        check_whole(self.width, name="width", kind="Image", most=8192)
        if self.channels not in (1, 3):
            raise ConfigError(f"expected 1 channel (grey) or 3 (colour), got {what_came(self.channels)} - at `Image.channels`")
        check_one_of(self.fit, _FITS, name="fit", kind="Image")
        if self.white is not None:
            if isinstance(self.white, bool) or not isinstance(self.white, int | float) or not 0 < self.white < float("inf"):
                raise ConfigError(f"expected a number above 0 or nothing, got {what_came(self.white)} - at `Image.white`")
            object.__setattr__(self, "white", float(self.white))

    def describe(self) -> str:
        """Say in one line what the type is."""
        return f"a {'grey' if self.channels == 1 else 'colour'} picture, {self.height} rows x {self.width} columns"

    @property
    def arrays(self) -> tuple[ArraySpec, ...]:
        """One array, `pixels`."""
        shape = (self.height, self.width, self.channels)
        return (ArraySpec("pixels", shape, "uint8", ("row", "column", "channel"), normalise=("channel",)),)

    def read(self, value: Any) -> tuple[np.ndarray, ...]:
        """Read a path, bytes, an open binary file, a PIL image, or an array [row, column] or [row, column, channel].

        The content decides the format, not the suffix. EXIF rotation is applied, transparency is laid on white, CMYK,
        palettes and 16-bit grey are converted, and of an animation the first frame is taken.
        Raises: InputError for what is not a picture, is damaged, or has more than `MOST_PIXELS`.
        """
        if isinstance(value, Pillow.Image):
            where = "a PIL image"
            picture = _loaded(lambda: _upright(value), where)
        elif isinstance(value, str | os.PathLike):
            where = f"`{os.fspath(value)}`"
            picture = self._decode(_regular_file(value), where)
        elif isinstance(value, bytes | bytearray | memoryview):
            where = f"{len(value)} bytes"
            picture = self._decode(io.BytesIO(value), where)
        elif hasattr(value, "read"):
            where = f"`{getattr(value, 'name', 'a file')}`"
            picture = self._decode(io.BytesIO(value.read()), where)
        elif isinstance(value, np.ndarray) or (hasattr(value, "__array__") and not isinstance(value, np.generic)):
            array = np.asarray(value)
            where = what_came(array)
            picture = Pillow.fromarray(_pixels_of_array(array, self.white))
        else:
            raise InputError(
                f"expected a picture, got {what_came(value)}", fix="a path, bytes, a PIL image or an array [row, column, channel]"
            )
        _check_size(picture.size, where)
        flat = _loaded(lambda: _in_mode(picture, "L" if self.channels == 1 else "RGB"), where)
        pixels = np.asarray(self._fitted(flat), np.uint8).reshape(self.height, self.width, self.channels)
        return (pixels,)

    def show(self, arrays: Sequence[np.ndarray]) -> str:
        """Draw the picture in one line: its mean brightness over 16 parts, left to right, dark to bright."""
        grey = np.asarray(arrays[0], np.float32).mean(axis=-1)
        parts = [float(part.mean()) for part in np.array_split(grey, min(16, grey.shape[1]), axis=1)]
        shades = "".join(_SHADES[min(9, int(part / 25.6))] for part in parts)
        return f"picture {self.height} x {self.width}, brightness 0-255: {int(grey.min())} to {int(grey.max())}, left to right [{shades}]"

    def picture(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """Give the picture itself, grey as three equal channels."""
        pixels = np.asarray(arrays[0], np.uint8)
        return pixels if self.channels == 3 else np.repeat(pixels, 3, axis=2)

    def _decode(self, file: Path | io.BytesIO, where: str) -> Pillow.Image:
        if (file.stat().st_size if isinstance(file, Path) else file.getbuffer().nbytes) == 0:
            raise InputError(f"expected a picture, got an empty file - at {where}")
        opened = _opened(file, where)
        try:
            _check_size(opened.size, where)
            if opened.format == "JPEG":
                opened.draft(None, self._enough(opened.size))  # decodes 2, 4 or 8 times smaller when that is enough
            return _loaded(lambda: _upright(opened), where)
        finally:
            if isinstance(file, Path):
                opened.close()

    def _enough(self, size: tuple[int, int]) -> tuple[int, int]:
        """Give a size to decode at that leaves at least twice the wanted pixels each way, whichever way up the picture is."""
        share = min(1.0, 2.0 * max(self.height, self.width) / max(1, min(size)))
        return (max(1, int(np.ceil(size[0] * share))), max(1, int(np.ceil(size[1] * share))))

    def _fitted(self, picture: Pillow.Image) -> Pillow.Image:
        width, height = picture.size
        if (width, height) == (self.width, self.height):
            return picture
        if self.fit == "pad":
            return self._padded(picture)
        box = (0.0, 0.0, float(width), float(height))
        if self.fit == "crop":
            scale = min(width / self.width, height / self.height)
            across, down = (width - self.width * scale) / 2, (height - self.height * scale) / 2
            box = (max(0.0, across), max(0.0, down), min(float(width), width - across), min(float(height), height - down))
        return _resized(picture, (self.width, self.height), box)

    def _padded(self, picture: Pillow.Image) -> Pillow.Image:
        scale = min(self.width / picture.width, self.height / picture.height)
        size = (min(self.width, max(1, round(picture.width * scale))), min(self.height, max(1, round(picture.height * scale))))
        canvas = Pillow.new(picture.mode, (self.width, self.height), _border_colour(picture))
        inner = _resized(picture, size, (0.0, 0.0, float(picture.width), float(picture.height)))
        canvas.paste(inner, ((self.width - size[0]) // 2, (self.height - size[1]) // 2))
        return canvas


def _regular_file(value: str | os.PathLike[str]) -> Path:
    path = Path(value)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        text = os.fspath(value)
        if text.startswith(("http://", "https://")):
            raise InputError(f"expected a picture, got a web address - at `{text}`", fix="download it first and give the path") from None
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"expected a picture, got a path that can't be read - at `{text}`", cause=f"the system says: {reason}") from None
    if not stat.S_ISREG(mode):
        came = "a folder" if stat.S_ISDIR(mode) else "something that is not a file"
        raise InputError(f"expected a picture, got {came} - at `{path}`", fix="give the path of one picture")
    return path


def _opened(file: Path | io.BytesIO, where: str) -> Pillow.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            return Pillow.open(file)
    except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError):
        raise _too_large("more", where) from None
    except UnidentifiedImageError:
        raise InputError(
            f"expected a picture, got a file that is not one - at {where}",
            cause="its first bytes belong to no format of pictures that can be read",
            fix="save it as PNG or JPEG",
        ) from None
    except Exception as error:  # Pillow's readers raise nearly anything on damaged files
        raise _damaged(error, where) from error


def _upright(picture: Pillow.Image) -> Pillow.Image:
    picture.load()
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # a damaged EXIF block says nothing about the rotation; the picture itself is whole
        return picture


def _loaded(work: Any, where: str) -> Pillow.Image:
    try:
        picture: Pillow.Image = work()
        return picture
    except InputError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged files
        raise _damaged(error, where) from error


def _damaged(error: Exception, where: str) -> InputError:
    return InputError(
        f"expected a picture, got a damaged one - at {where}",
        cause=f"the decoder says: {error or type(error).__name__}",
        fix="open it in an image program and save it again, or leave it out",
    )


def _too_large(pixels: str, where: str) -> InputError:
    return InputError(f"expected a picture of at most {MOST_PIXELS:,} pixels, got {pixels} - at {where}", fix="scale it down first")


def _check_size(size: tuple[int, int], where: str) -> None:
    width, height = size
    if width * height > MOST_PIXELS:
        raise _too_large(f"{width:,} x {height:,}", where)
    if width * height == 0:
        raise InputError(f"expected a picture, got one without pixels - at {where}")


def _in_mode(picture: Pillow.Image, mode: str) -> Pillow.Image:
    """Convert any mode to L or RGB: wide grey is scaled to 8 bits, transparency is laid on white."""
    if picture.mode.startswith(("I", "F")):
        picture = Pillow.fromarray(_wide_grey(np.asarray(picture)))
    if picture.mode == "LAB":
        raise InputError("expected a picture in grey, RGB or CMYK, got one in the colour space LAB", fix="save it as RGB")
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        picture = Pillow.alpha_composite(Pillow.new("RGBA", clear.size, (255, 255, 255, 255)), clear).convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def _wide_grey(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return _pixels_of_array(values, None)
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"expected grey values of 0 to 65535, got {values.min()} to {values.max()}", fix="save it with 8 or 16 bits")
    if values.dtype.itemsize > 2 and values.max() <= 255:  # 32-bit containers are used for 8-bit and for 16-bit grey
        return values.astype(np.uint8)
    return ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def _pixels_of_array(array: np.ndarray, white: float | None) -> np.ndarray:
    """Turn [row, column] or [row, column, 1 | 3 | 4] of any real dtype into uint8, as `Image.white` says."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        turn = "`array.transpose(1, 2, 0)`" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else None
        raise InputError(
            f"expected an array [row, column] or [row, column, channel] with 1, 3 or 4 channels, got {what_came(array)}", fix=turn
        )
    if array.size == 0:
        raise InputError(f"expected a picture, got one without pixels - at {what_came(array)}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    return grey_levels(array, white)


def grey_levels(array: np.ndarray, white: float | None = None) -> np.ndarray:
    """Turn an array of any shape into uint8 levels 0..255, `white` becoming 255; None decides by dtype and values.

    None: bool True, uint8 255 and uint16 65535 are white; floats that are all within 0..1 have white 1; other numbers have 255.
    Give a whole stack of pictures at once when they belong together: one decision is then made for all.
    Raises: InputError for NaN, negative values, or values above white.
    """
    if array.dtype == np.uint8 and white in (None, 255.0):
        return np.ascontiguousarray(array)
    if array.dtype.kind not in "buif":
        raise InputError(f"expected an array of numbers, got {what_came(array)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"expected pixels that are finite numbers, got NaN or infinity - at {what_came(array)}")
    least, most = float(array.min()), float(array.max())
    if white is None:
        white = {"b": 1.0, "f": 1.0 if most <= 1 else 255.0}.get(array.dtype.kind, 65535.0 if array.dtype == np.uint16 else 255.0)
    if least < 0 or most > white:
        raise InputError(
            f"expected pixels of 0 to {white:g}, got {least:g} to {most:g} - at {what_came(array)}",
            fix="scale the array to 0..1 or 0..255, or say what white is: `Image(..., white=...)`",
        )
    return np.ascontiguousarray(np.floor(array.astype(np.float64) * (255.0 / white) + 0.5).astype(np.uint8))


def _resized(picture: Pillow.Image, size: tuple[int, int], box: tuple[float, float, float, float]) -> Pillow.Image:
    """Resample a part: whole-pixel means first where it shrinks more than threefold, then Lanczos."""
    return picture.resize(size, Pillow.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _border_colour(picture: Pillow.Image) -> Any:
    pixels = np.asarray(picture)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle = np.median(border, axis=0).astype(int)
    return int(middle) if picture.mode == "L" else tuple(int(level) for level in middle)
