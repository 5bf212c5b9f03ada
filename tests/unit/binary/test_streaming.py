import tracemalloc
import wave

import numpy as np
import pytest

from tacit.binary.streaming import Listener, listen
from tacit.ground.errors import InputError
from tacit.signature.audio import Audio
from tacit.signature.image import Image
from tacit.signature.outputs import Class
from tacit.signature.resample import Resampling, resample
from tacit.signature.symbols import Symbols

RATE, WINDOW, STEPS = 1000, 800, 20


class Loudness:
    """Hears `low` or `high` in each step by its mean level, or in a whole window; remembers how often it was asked."""

    def __init__(self, output):
        self.signature, self.asked = Audio(RATE, WINDOW) >> output, 0

    def run(self, arrays, entry="main"):
        self.asked += len(arrays[0])
        sound = np.abs(arrays[0].astype(np.float32))
        if isinstance(self.signature.output, Class):
            peak = sound.max(axis=1)
            return [np.stack([10000 - peak, peak - 10000], axis=1)]
        level = sound.reshape(len(sound), STEPS, -1).mean(axis=2)
        scores = np.stack([5000 - np.abs(level - 5000), level - 8000, 2000 - level], axis=2)
        return [scores.reshape(len(sound), -1)]


def symbols():
    return Loudness(Symbols("low", "high", steps=STEPS))


def classes():
    return Loudness(Class("low", "high"))


def stream(seconds=8.4, *, every=1.5, length=0.2, seed=0):
    """Give int16[sample] with bursts of tone, soft and loud ones, and when each begins."""
    generator = np.random.default_rng(seed)
    sound = generator.normal(size=int(seconds * RATE)) * 20
    begins, names = np.arange(0.4, seconds - 0.5, every), []
    for begin in begins:
        loud = bool(generator.integers(2))
        first = int(begin * RATE)
        tone = np.sign(np.sin(np.arange(int(length * RATE)) * 0.9 + 0.1))
        sound[first : first + len(tone)] += tone * (20000 if loud else 5000)
        names.append("high" if loud else "low")
    return np.rint(sound).astype(np.int16), begins, names


def cuts(sound, seed):
    places = np.sort(np.random.default_rng(seed).integers(0, len(sound), 40))
    return np.split(sound, places)


@pytest.mark.parametrize("make", [symbols, classes])
def test_answers_do_not_depend_on_how_the_stream_is_cut(make):
    sound, begins, names = stream()
    whole = list(listen(make(), [sound]))
    assert [heard.answer for heard in whole] == names
    assert np.allclose([heard.second for heard in whole], begins + (0.1 if make is classes else 0.0), atol=0.06)
    for seed in range(3):
        assert list(listen(make(), cuts(sound, seed))) == whole
    assert list(listen(make(), iter(sound.reshape(-1, 7)[:, :, None]))) == whole  # seven samples at a time, one channel


@pytest.mark.parametrize("make", [symbols, classes])
def test_an_answer_comes_within_the_delay(make):
    sound, _, names = stream()
    listener = Listener(make())
    heard = [(place / RATE, one) for place in range(0, len(sound), 10) for one in listener.push(sound[place : place + 10])]
    heard += [(len(sound) / RATE + listener.delay, one) for one in listener.finish()]
    assert [one.answer for _, one in heard] == names
    assert max(when - one.second for when, one in heard) <= listener.delay + 0.02


@pytest.mark.parametrize("hop", [0.04, 0.1, 0.33, 0.8])
def test_any_hop_reads_every_step_once(hop):
    sound, _, names = stream()
    assert [heard.answer for heard in listen(symbols(), [sound], hop=hop)] == names


@pytest.mark.parametrize("make", [symbols, classes])
def test_silence_is_not_asked_about_and_noise_is_no_burst(make):
    binary = make()
    assert list(listen(binary, [np.zeros(20 * RATE, np.int16)])) == []
    assert binary.asked == 0
    assert list(listen(binary, [])) == list(listen(binary, [np.zeros(0)])) == []
    noise = (np.random.default_rng(0).normal(size=20 * RATE) * 300).astype(np.int16)
    assert list(listen(binary, [noise])) == []


def test_another_rate_and_stereo_give_the_same_answers():
    sound, _, names = stream()
    other = resample(sound / 32768.0, RATE, 5512, count=len(sound) * 5512 // RATE)
    both = np.stack([other, other], axis=1)
    for make in (symbols, classes):
        heard = list(listen(make(), cuts(both, 1), rate=5512))
        assert [one.answer for one in heard] == names
        assert heard == list(listen(make(), [both], rate=5512))


@pytest.mark.parametrize("source, target", [(44100, 8000), (8000, 44100), (11025, 8000), (997, 1000)])
def test_a_stream_is_resampled_as_a_whole(source, target):
    sound = np.random.default_rng(0).normal(size=7001) / 8
    whole = resample(sound, source, target, count=round(len(sound) * target / source))
    resampling = Resampling(source, target)
    parts = [resampling.push(part) for part in cuts(sound, 2)]
    made = np.concatenate([*parts, resampling.finish()])
    assert len(made) == len(whole)
    assert np.abs(made - whole).max() < 1e-9


def write_wav(path, *, hours, sound):
    """Write a file of silence with `sound` at the end of its last minute but one; the silence takes no room on disk."""
    frames = int(hours * 3600 * RATE)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(b"")
    header = bytearray(path.read_bytes())
    header[4:8] = (36 + 2 * frames).to_bytes(4, "little")
    header[40:44] = (2 * frames).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(44 + 2 * frames)
        file.seek(44 + 2 * (frames - 120 * RATE))
        file.write(sound.tobytes())


@pytest.mark.parametrize("make, hours", [(symbols, 0.2), (classes, 0.2), pytest.param(symbols, 3.0, marks=pytest.mark.system)])
def test_a_file_of_hours_runs_in_constant_memory(make, hours, tmp_path):
    sound, begins, names = stream()
    write_wav(tmp_path / "long.wav", hours=hours, sound=sound)
    tracemalloc.start()
    heard = list(listen(make(), tmp_path / "long.wav"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [one.answer for one in heard] == names
    assert abs(heard[0].second - (hours * 3600 - 120 + begins[0])) < 0.2
    assert peak < 2_000_000


def test_what_can_not_be_heard_is_refused(tmp_path):
    other = symbols()
    other.signature = Image(2, 2, 1) >> Class("a", "b")
    with pytest.raises(InputError, match="program that hears sounds"):
        Listener(other)
    for source in (np.zeros(5), 3, b"sound"):
        with pytest.raises(InputError, match="a path or blocks of sound"):
            list(listen(symbols(), source if not isinstance(source, np.ndarray) else source.reshape(5)))
    with pytest.raises(InputError, match="can't be read"):
        list(listen(symbols(), tmp_path / "none.wav"))
    with pytest.raises(InputError, match="NaN"):
        list(listen(symbols(), [np.array([0.0, np.nan])]))
    for options, said in (({"rate": 0}, "rate"), ({"hop": 0.0}, "hop"), ({"hop": 9.0}, "hop")):
        with pytest.raises(InputError, match=said):
            list(listen(symbols(), [], **options))
