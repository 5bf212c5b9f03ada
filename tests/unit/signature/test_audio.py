"""Sound from WAV files of every width, and resampling held against scipy and against sines."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from tacit.ground.errors import ConfigError, InputError
from tacit.signature.audio import Audio
from tacit.signature.resample import margin, resample


def wav_bytes(data, *, code=1, channels=1, rate=8000, bits=16, claimed=None, extra=b"", extensible=False):
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * block, block, bits)
    if extensible:
        form += struct.pack("<HHIH14s", 22, bits, 0, code, b"\0" * 14)
    chunks = (
        extra
        + b"fmt "
        + struct.pack("<I", len(form))
        + form
        + b"data"
        + struct.pack("<I", len(data) if claimed is None else claimed)
        + data
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def as_wav(sound, kind, **options):
    """Write float samples (full scale 1) in one of the sample formats."""
    code, bits = (3, int(kind[1:])) if kind[0] == "f" else (1, int(kind[1:]))
    if kind == "f32" or kind == "f64":
        data = sound.astype("<f4" if bits == 32 else "<f8").tobytes()
    elif kind == "i8":
        data = np.clip(np.rint(sound * 128 + 128), 0, 255).astype(np.uint8).tobytes()
    elif kind == "i24":
        whole = np.clip(np.rint(sound * 2**23), -(2**23), 2**23 - 1).astype("<i4")
        data = whole.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    else:
        data = np.clip(np.rint(sound * 2.0 ** (bits - 1)), -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1).astype(f"<i{bits // 8}").tobytes()
    return wav_bytes(data, code=code, bits=bits, **options)


def sine(frequency, rate, seconds, level=0.5):
    return level * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate)


def message(type_, value):
    with pytest.raises(InputError) as caught:
        type_.read(value)
    return str(caught.value)


@pytest.mark.parametrize(("kind", "tolerance"), [("i8", 130), ("i16", 1), ("i24", 1), ("i32", 1), ("f32", 1), ("f64", 1)])
@pytest.mark.parametrize("extensible", [False, True])
def test_every_sample_format_gives_the_same_sound(kind, tolerance, extensible):
    sound = sine(440, 8000, 0.1)
    (read,) = Audio(8000, 800).read(as_wav(sound, kind, extensible=extensible))
    assert read.dtype == np.int16 and read.shape == (800,)
    assert np.abs(read - sound * 32768).max() <= tolerance


def test_sixteen_bits_are_taken_bit_for_bit_as_the_standard_library_writes_them(tmp_path):
    values = np.random.default_rng(0).integers(-32768, 32768, 500).astype("<i2")
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(values.tobytes())
    for value in (path, str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), values, list(map(int, values))):
        assert np.array_equal(Audio(8000, 500).read(value)[0], values)


def test_channels_are_mixed_to_their_mean():
    left, right = sine(440, 8000, 0.05), sine(600, 8000, 0.05)
    both = np.stack([left, right], axis=1)
    wanted = (left + right) / 2 * 32768
    assert np.abs(Audio(8000, 400).read(as_wav(both, "i16", channels=2))[0] - wanted).max() <= 1
    assert np.abs(Audio(8000, 400).read(both)[0] - wanted).max() <= 1


def test_other_chunks_and_streamed_lengths_are_read():
    sound = np.array([100, 200, 300], "<i2").tobytes()
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    for data in (
        wav_bytes(sound, extra=odd),
        wav_bytes(sound, claimed=0),
        wav_bytes(sound, claimed=0xFFFFFFFF),
        wav_bytes(sound + b"\x01"),
    ):
        assert Audio(8000, 3).read(data)[0].tolist() == [100, 200, 300]


@pytest.mark.parametrize(("source", "target"), [(44100, 8000), (48000, 16000), (8000, 16000), (11025, 8000), (22050, 44100), (7999, 8000)])
def test_a_sine_keeps_its_pitch_phase_and_loudness(source, target):
    (read,) = Audio(target, target // 4).read((source, sine(440, source, 0.25)))
    wanted = sine(440, target, 0.25) * 32768
    inner = slice(target // 40, -(target // 40))
    assert np.abs(read[inner] - wanted[inner]).max() <= 12  # 0.07 % of its level


def test_what_the_new_rate_cannot_hold_is_removed():
    (read,) = Audio(8000, 2000).read((44100, sine(6000, 44100, 0.25)))
    assert np.abs(read[200:-200]).max() <= 8  # 0.5 x 32768 before: 66 dB down at least


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(50, 400))
def test_resampling_agrees_with_scipy_on_smooth_sound(up, down, length):
    times = np.arange(length) / length
    envelope = np.sin(np.pi * times) ** 4
    sound = envelope * np.sin(2 * np.pi * 0.02 * min(1, up / down) * np.arange(length))
    ours = resample(sound, 100 * down, 100 * up, count=length * up // down)
    scipys = resample_poly(sound, up, down, window=("kaiser", 8.6))[: len(ours)]
    assert np.abs(ours - scipys).max() < 0.02


def test_a_part_is_resampled_as_it_is_within_the_whole():
    sound = np.random.default_rng(0).normal(size=3000)
    whole = resample(sound, 44100, 16000, count=1000)
    side = margin(44100, 16000)
    first = 441 * 2  # source sample 882 is target sample 320
    part = resample(sound[first - side : first + 1500], 44100, 16000, count=100, lead=side)
    assert np.allclose(part, whole[320:420], atol=1e-12)


def test_short_sound_stands_in_the_middle_and_long_sound_gives_its_loudest_window():
    assert Audio(8000, 8).read(np.full(2, 0.5))[0].tolist() == [0, 0, 0, 16384, 16384, 0, 0, 0]
    sound = np.random.default_rng(0).normal(size=80_000) * 0.001
    sound[40_000:48_000] += sine(440, 8000, 1.0)
    (read,) = Audio(8000, 8000).read(sound)
    assert np.sum((read / 32768.0) ** 2) > 0.98 * np.sum(sine(440, 8000, 1.0) ** 2)
    (from_file,) = Audio(8000, 8000).read(as_wav(sound, "f64"))
    assert np.array_equal(read, from_file)


def test_a_constant_offset_is_not_taken_for_sound():
    sound = np.concatenate([np.full(8000, 0.9), sine(440, 8000, 1.0, 0.1), np.full(8000, 0.9)])
    (read,) = Audio(8000, 8000).read(sound)
    assert abs(int(read[100:-100].mean())) < 3000


def test_equal_windows_give_the_earliest_and_repeat_exactly():
    sound = np.tile(sine(100, 8000, 0.01), 500)
    first = Audio(8000, 800).read(sound)[0]
    assert np.array_equal(first, np.clip(np.rint(sound[:800] * 32768), -32768, 32767).astype(np.int16))


def test_silence_and_clipping_are_fine():
    assert (Audio(8000, 100).read(np.zeros(1000, np.int16))[0] == 0).all()
    assert Audio(8000, 2).read(np.array([1.5, -1.5]))[0].tolist() == [32767, -32768]
    assert Audio(8000, 2).read(as_wav(np.array([1.5, -1.5]), "f32"))[0].tolist() == [32767, -32768]
    assert Audio(8000, 2).read(np.array([0, 255], np.uint8))[0].tolist() == [-32768, 32512]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 300), st.integers(100, 20_000), st.integers(100, 20_000))
def test_any_length_and_rate_gives_the_fixed_shape(length, samples, source, target):
    (read,) = Audio(target, samples).read((source, np.ones(length) * 0.25))
    assert read.shape == (samples,) and np.abs(read).max() <= 32768 * 0.35  # an edge overshoots


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["i8", "i16", "i24", "f32"]), st.integers(0, 10**6), st.binary(min_size=1, max_size=6), st.booleans())
def test_damaged_bytes_give_a_sound_or_an_input_error_and_nothing_else(kind, place, junk, cut):
    data = as_wav(sine(440, 8000, 0.02), kind)
    at = place % len(data)
    damaged = data[:at] if cut else data[:at] + junk + data[at + len(junk) :]
    try:
        assert Audio(8000, 50).read(damaged)[0].shape == (50,)
    except InputError as error:
        assert str(error).startswith(("expected a WAV file", "expected a sound"))


def test_errors_name_what_came_and_what_helps(tmp_path):
    type_ = Audio(8000, 100)
    good = as_wav(sine(440, 8000, 0.1), "i16")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(good[:-100])
    assert message(type_, cut) == (
        f"expected a WAV file, got a damaged one - at `{cut}`\n"
        "it says that its sound has 1,600 bytes, but only 1,500 are there\ntry: export it again, or leave it out"
    )
    assert message(type_, b"") == "expected a WAV file, got an empty file - at 0 bytes"
    assert message(type_, b"ID3" + bytes(40)) == (
        "expected a WAV file, got an MP3 file - at 43 bytes\ntry: convert it: `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"
    )
    assert message(type_, b"hello, world") == (
        "expected a WAV file, got a file that is not one - at 12 bytes\ntry: convert it: `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"
    )
    assert message(type_, wav_bytes(b"", claimed=0)) == "expected a WAV file with sound in it, got one without a sample - at 44 bytes"
    assert message(type_, wav_bytes(b"ab", code=7, bits=8)) == (
        "expected a WAV file of PCM (8, 16, 24 or 32 bits, or float), got µ-law - at 46 bytes\n"
        "try: convert it: `ffmpeg -i IN -c:a pcm_s16le OUT.wav`"
    )
    assert message(type_, wav_bytes(bytes(16), bits=64)).startswith(
        "expected a WAV file of PCM (8, 16, 24 or 32 bits, or float), got 64-bit PCM"
    )
    assert message(type_, good[:36]) == (
        "expected a WAV file, got a damaged one - at 36 bytes\nit has no sound in it\ntry: export it again, or leave it out"
    )
    assert "0 samples a second" in message(type_, wav_bytes(b"ab", rate=0))
    assert "NaN or infinite" in message(type_, as_wav(np.array([np.nan]), "f32"))
    assert message(type_, tmp_path / "none.wav") == (
        f"expected a WAV file, got a path that can't be read - at `{tmp_path / 'none.wav'}`\nthe system says: No such file or directory"
    )
    assert message(type_, tmp_path).endswith("the system says: Is a directory")
    assert (
        message(type_, None) == "expected a sound, got nothing (None)\ntry: the path of a WAV file, its bytes, an array, or (rate, array)"
    )
    assert message(type_, np.zeros(0)) == "expected a sound, got one without a sample - at an array float64[0]"
    assert message(type_, np.array([np.inf])) == "expected finite samples, got NaN or infinity - at an array float64[1]"
    assert message(type_, np.array([20000.0])) == (
        "expected samples of -1 to 1, got a peak of 20000 - at an array float64[1]\n"
        "try: divide by 32768 when they are 16-bit values, or give int16"
    )
    assert message(type_, np.zeros((2, 100))) == (
        "expected an array [sample, channel] of at most 64 channels, got an array float64[2, 100]\ntry: turn it: `array.T`"
    )
    assert message(type_, np.array(["a"])) == "expected an array of numbers [sample] or [sample, channel], got an array <U1[1]"
    assert message(type_, (0, np.zeros(5))) == "expected a rate of 1 to 1,000,000 samples a second, got 0"


def test_absurdly_long_sound_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "long.wav"
    size = 4 * 10**9
    with path.open("wb") as file:
        file.write(wav_bytes(b"", claimed=size))
        file.truncate(44 + size)  # a sparse file: nothing is on the disk
    assert message(Audio(8000, 100), path) == (
        f"expected a sound of at most 3,600 seconds, got 250,000 - at `{path}`\ntry: cut it into parts first"
    )


def test_fields_are_checked_and_show_draws():
    with pytest.raises(ConfigError) as caught:
        Audio(8000, 0)
    assert str(caught.value) == "expected a whole number from 1 to 16777216, got the number 0 - at `Audio.samples`"
    type_ = Audio(8000, 8000)
    assert type_.describe() == "a sound of 1 seconds at 8000 samples a second"
    assert type_.show(type_.read(np.zeros(10))).startswith("sound 1 s, peak 0.00, loudness [")
