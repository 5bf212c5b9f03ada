"""Pictures of every kind that people have, and every kind that is broken."""

import contextlib
import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.image import MOST_PIXELS, Image, grey_levels

GREY, COLOUR = Image(4, 6, 1), Image(4, 6, 3)


def encoded(picture, format_="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, format_, **options)
    return buffer.getvalue()


def message(type_, value):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return str(caught.value)


def random_picture(mode="RGB", size=(6, 4), seed=0):
    channels = {"L": 1, "RGB": 3, "RGBA": 4}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Pillow.fromarray(pixels[..., 0] if channels == 1 else pixels, mode=None)


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""
    body = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + body
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">II", zlib.crc32(chunk), len(pixels)) + b"IDAT" + pixels


def test_same_pixels_from_path_string_bytes_file_pil_and_array(tmp_path):
    picture = random_picture()
    path = tmp_path / "a.png"
    picture.save(path)
    wanted = np.asarray(picture)
    with path.open("rb") as file:
        values = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), memoryview(path.read_bytes()), file, picture, wanted]
        for value in values:
            (pixels,) = COLOUR.read(value)
            assert pixels.dtype == np.uint8 and np.array_equal(pixels, wanted)


def test_reading_leaves_the_persons_picture_alone():
    picture = random_picture("RGBA")
    before = picture.tobytes()
    GREY.read(picture)
    assert picture.mode == "RGBA" and picture.tobytes() == before


def test_content_wins_over_the_suffix(tmp_path):
    path = tmp_path / "really_png.jpg"
    path.write_bytes(encoded(random_picture()))
    assert np.array_equal(COLOUR.read(path)[0], np.asarray(random_picture()))


def test_exif_rotation_is_applied():
    pixels = np.arange(4 * 6, dtype=np.uint8).reshape(6, 4) * 10  # stored lying; orientation 6 means: turn right to see it
    exif = Pillow.Exif()
    exif[0x0112] = 6
    data = encoded(Pillow.fromarray(pixels), "PNG", exif=exif)
    assert np.array_equal(GREY.read(data)[0][..., 0], np.rot90(pixels, -1))


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (2, Pillow.Transpose.FLIP_LEFT_RIGHT),
        (3, Pillow.Transpose.ROTATE_180),
        (4, Pillow.Transpose.FLIP_TOP_BOTTOM),
        (5, Pillow.Transpose.TRANSPOSE),
        (6, Pillow.Transpose.ROTATE_90),
        (7, Pillow.Transpose.TRANSVERSE),
        (8, Pillow.Transpose.ROTATE_270),
    ],
)
def test_every_way_to_hold_a_camera_is_turned_back(orientation, stored):
    upright = random_picture(size=(24, 16)).resize((240, 160))  # decoded at a fraction of its size
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = encoded(upright.transpose(stored), "JPEG", quality=95, exif=exif)
    wanted = COLOUR.read(encoded(upright, "JPEG", quality=95))[0].astype(int)
    assert np.abs(COLOUR.read(data)[0] - wanted).max() <= 6
    assert np.abs(COLOUR.read(encoded(upright.transpose(stored), "JPEG"))[0] - wanted).max() > 6


@pytest.mark.parametrize("kind", [2, 6])
def test_colours_of_16_bits_keep_their_upper_half(kind):
    levels = np.random.default_rng(4).integers(0, 256, (4, 6, 3 if kind == 2 else 4)).astype(np.uint8)
    levels[..., 3:] = 255
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).astype(">u2").tobytes() for row in levels)
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 6, 4, 16, kind, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = b"".join(struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    assert np.array_equal(COLOUR.read(b"\x89PNG\r\n\x1a\n" + chunks)[0], levels[..., :3])


def test_transparency_is_laid_on_white():
    clear = Pillow.new("RGBA", (6, 4), (200, 0, 0, 0))
    half = Pillow.new("LA", (6, 4), (0, 128))
    assert (COLOUR.read(clear)[0] == 255).all()
    assert (GREY.read(half)[0] == 127).all()
    palette = Pillow.new("P", (6, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert (COLOUR.read(encoded(palette, "GIF", transparency=1))[0] == 255).all()
    assert (COLOUR.read(encoded(palette, "GIF"))[0] == (10, 20, 30)).all()
    keyed = Pillow.new("RGB", (6, 4), (1, 2, 3))
    assert (COLOUR.read(encoded(keyed, "PNG", transparency=(1, 2, 3)))[0] == 255).all()


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16", "I;16B", "La", "RGBa"]
)
@pytest.mark.parametrize("type_", [GREY, COLOUR])
def test_every_mode_of_pillow_is_read_or_refused_clearly(mode, type_):
    picture = Pillow.new(mode, (6, 4))
    try:
        (pixels,) = type_.read(picture)
    except InputError as error:
        assert mode == "LAB", error
        assert "try:" in str(error)
    else:
        assert pixels.shape == type_.arrays[0].shape


def test_cmyk_is_converted():
    assert (COLOUR.read(encoded(Pillow.new("CMYK", (6, 4), (0, 0, 0, 0)), "TIFF"))[0] == 255).all()
    assert (COLOUR.read(encoded(Pillow.new("CMYK", (6, 4), (0, 255, 255, 0)), "TIFF"))[0] == (255, 0, 0)).all()


def test_sixteen_bit_grey_is_scaled_not_clipped():
    wide = np.array([[0, 257, 32768, 65535, 65535, 0]] * 4, np.uint16)
    levels = GREY.read(encoded(Pillow.fromarray(wide)))[0][0, :, 0]
    assert levels.tolist() == [0, 1, 128, 255, 255, 0]
    assert (COLOUR.read(encoded(Pillow.fromarray(wide)))[0][0, :, 2] == levels).all()
    assert GREY.read(wide)[0][0, :, 0].tolist() == levels.tolist()


def test_of_an_animation_the_first_frame_is_taken():
    frames = [Pillow.new("L", (6, 4), level) for level in (10, 200, 250)]
    for format_ in ("GIF", "WEBP", "PNG", "TIFF"):
        data = encoded(frames[0], format_, save_all=True, append_images=frames[1:], **({"lossless": True} if format_ == "WEBP" else {}))
        assert (GREY.read(data)[0] == 10).all(), format_


@pytest.mark.parametrize(
    ("array", "wanted"),
    [
        (np.full((4, 6), 7, np.uint8), 7),
        (np.full((4, 6, 1), 7, np.uint8), 7),
        (np.full((4, 6, 3), 7, np.uint8), 7),
        (np.full((4, 6), True), 255),
        (np.full((4, 6), 0.5), 128),
        (np.full((4, 6), 128.0, np.float16), 128),
        (np.full((4, 6), 200, np.int64), 200),
        (np.full((4, 6), 65535, np.uint16), 255),
    ],
)
def test_arrays_of_every_dtype(array, wanted):
    assert (GREY.read(array)[0] == wanted).all()


def test_alpha_of_an_array_is_laid_on_white():
    array = np.zeros((4, 6, 4), np.uint8)
    assert (COLOUR.read(array)[0] == 255).all()


def test_white_settles_what_values_leave_open():
    dark = np.ones((4, 6))
    assert (GREY.read(dark)[0] == 255).all()
    assert (Image(4, 6, 1, white=16).read(dark)[0] == 16).all()
    assert (Image(4, 6, 1, white=255).read(dark)[0] == 1).all()


def test_crop_takes_the_centre_pad_adds_the_border_colour_stretch_takes_all():
    wide = np.zeros((4, 8), np.uint8)
    wide[:, 2:6] = 255
    crop, pad, stretch = (Image(4, 4, 1, fit=fit).read(wide)[0][..., 0] for fit in ("crop", "pad", "stretch"))
    assert (crop == 255).all()
    assert (pad[0] == 0).all() and (pad[3] == 0).all() and pad[1:3].max() > 200
    assert stretch.shape == (4, 4) and stretch[:, 0].max() < 60 and stretch[:, 1:3].min() > 150
    white_page = np.full((12, 4), 255, np.uint8)
    assert (Image(4, 4, 1, fit="pad").read(white_page)[0] == 255).all()


def test_a_large_jpeg_agrees_with_the_same_picture_as_png():
    y, x = np.mgrid[0:600, 0:900]
    pixels = np.stack([x / 900 * 255, y / 600 * 255, (x + y) / 1500 * 255], axis=-1).astype(np.uint8)
    picture = Pillow.fromarray(pixels)
    type_ = Image(32, 32, 3)
    ours, exact = type_.read(encoded(picture, "JPEG", quality=95))[0], type_.read(encoded(picture))[0]
    assert np.abs(ours.astype(int) - exact).max() <= 8


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["crop", "pad", "stretch"]), st.sampled_from([1, 3]), st.integers(0, 255))
def test_a_plain_picture_of_any_size_stays_plain(width, height, fit, channels, level):
    type_ = Image(7, 5, channels, fit=fit)
    (pixels,) = type_.read(np.full((height, width), level, np.uint8))
    assert pixels.shape == (7, 5, channels) and (np.abs(pixels.astype(int) - level) <= 1).all()


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (4, 6, 3)))
def test_a_picture_of_the_right_size_is_taken_bit_for_bit(pixels):
    assert np.array_equal(COLOUR.read(pixels)[0], pixels)
    assert np.array_equal(COLOUR.read(encoded(Pillow.fromarray(pixels)))[0], pixels)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]),
    st.integers(0, 10**6),
    st.binary(min_size=1, max_size=6),
    st.booleans(),
)
def test_damaged_bytes_give_a_picture_or_an_input_error_and_nothing_else(format_, place, junk, cut):
    data = encoded(random_picture(size=(31, 17)), format_)
    at = place % len(data)
    damaged = data[:at] if cut else data[:at] + junk + data[at + len(junk) :]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            assert COLOUR.read(damaged)[0].shape == (4, 6, 3)
        except InputError as error:
            assert str(error).startswith("expected a picture")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_picture_or_an_input_error(data):
    with contextlib.suppress(InputError):
        COLOUR.read(data)


def test_errors_name_what_came_and_what_helps(tmp_path):
    empty, folder, text, cut = tmp_path / "empty.png", tmp_path / "folder", tmp_path / "a.txt", tmp_path / "cut.png"
    empty.write_bytes(b"")
    folder.mkdir()
    text.write_text("hello")
    cut.write_bytes(encoded(random_picture(size=(200, 200)))[:5000])
    assert message(GREY, empty) == f"expected a picture, got an empty file - at `{empty}`"
    assert message(GREY, folder) == f"expected a picture, got a folder - at `{folder}`\ntry: give the path of one picture"
    assert message(GREY, text) == (
        f"expected a picture, got a file that is not one - at `{text}`\n"
        "its first bytes belong to no format of pictures that can be read\ntry: save it as PNG or JPEG"
    )
    assert message(GREY, cut).startswith(f"expected a picture, got a damaged one - at `{cut}`\nthe decoder says: ")
    assert message(GREY, "no/such.png") == (
        "expected a picture, got a path that can't be read - at `no/such.png`\nthe system says: No such file or directory"
    )
    assert message(GREY, "https://x.org/a.png") == (
        "expected a picture, got a web address - at `https://x.org/a.png`\ntry: download it first and give the path"
    )
    assert message(GREY, 3) == "expected a picture, got the number 3\ntry: a path, bytes, a PIL image or an array [row, column, channel]"
    assert message(GREY, None).startswith("expected a picture, got nothing (None)")
    assert "NUL" in message(GREY, "a\0b").upper()
    assert "No such file" in message(GREY, "") or "a folder" in message(GREY, "")
    assert "can't be read" in message(GREY, "x" * 5000)


def test_a_bomb_is_refused_before_it_is_decoded(recwarn):
    assert message(GREY, png_header(30_000, 3_000)).startswith(f"expected a picture of at most {MOST_PIXELS:,} pixels, got ")
    assert message(GREY, png_header(100_000, 100_000)).startswith(f"expected a picture of at most {MOST_PIXELS:,} pixels, got more - at ")
    assert not [w for w in recwarn if issubclass(w.category, Pillow.DecompressionBombWarning)]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (
            np.zeros((3, 4, 6)),
            "expected an array [row, column] or [row, column, channel] with 1, 3 or 4 channels, got an array float64[3, 4, 6]\n"
            "try: `array.transpose(1, 2, 0)`",
        ),
        (np.zeros(5), "expected an array [row, column] or [row, column, channel] with 1, 3 or 4 channels, got an array float64[5]"),
        (np.zeros((0, 6)), "expected a picture, got one without pixels - at an array float64[0, 6]"),
        (np.array([[np.nan, 1]]), "expected pixels that are finite numbers, got NaN or infinity - at an array float64[1, 2]"),
        (np.array([["a"]]), "expected an array of numbers, got an array <U1[1, 1]"),
        (
            np.array([[-1.0, 0.5]]),
            "expected pixels of 0 to 1, got -1 to 0.5 - at an array float64[1, 2]\n"
            "try: scale the array to 0..1 or 0..255, or say what white is: `Image(..., white=...)`",
        ),
        (
            np.array([[0, 4095]]),
            "expected pixels of 0 to 255, got 0 to 4095 - at an array int64[1, 2]\n"
            "try: scale the array to 0..1 or 0..255, or say what white is: `Image(..., white=...)`",
        ),
    ],
)
def test_arrays_that_are_refused(array, said):
    assert message(GREY, array) == said


def test_levels_of_a_whole_stack_are_decided_at_once():
    stack = np.stack([np.zeros((2, 2)), np.full((2, 2), 200.0)])
    stack[0, 0, 0] = 1.0
    assert grey_levels(stack)[0, 0, 0] == 1
    assert grey_levels(stack[:1])[0, 0, 0] == 255


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"height": 0, "width": 1, "channels": 1}, "expected a whole number from 1 to 8192, got the number 0 - at `Image.height`"),
        ({"height": 1, "width": "2", "channels": 1}, 'expected a whole number from 1 to 8192, got the string "2" - at `Image.width`'),
        ({"height": 1, "width": 1, "channels": 4}, "expected 1 channel (grey) or 3 (colour), got the number 4 - at `Image.channels`"),
        (
            {"height": 1, "width": 1, "channels": 1, "fit": "zoom"},
            'expected one of crop, pad, stretch, got the string "zoom" - at `Image.fit`',
        ),
        ({"height": 1, "width": 1, "channels": 1, "white": 0}, "expected a number above 0 or nothing, got the number 0 - at `Image.white`"),
    ],
)
def test_fields_are_checked(fields, said):
    with pytest.raises(ConfigError) as caught:
        Image.from_json(fields)
    assert str(caught.value) == said


def test_show_draws_dark_to_bright():
    ramp = np.tile(np.linspace(0, 255, 6).astype(np.uint8), (4, 1))
    assert GREY.show(GREY.read(ramp)) == "picture 4 x 6, brightness 0-255: 0 to 255, left to right [ .-+#@]"
