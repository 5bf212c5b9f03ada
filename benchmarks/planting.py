"""Clean program directories from real sets, and the faults that `planted_faults.py` plants in copies of them."""

from __future__ import annotations

import csv
import gzip
import io
import random
import shutil
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import datasets
import harness
import numpy as np
from PIL import Image

from tacit.directory.making import new_program
from tacit.directory.reading import read_outline
from tacit.examples.intake import array_bytes, split_of
from tacit.examples.media import MediaReader, MediaWriter
from tacit.examples.records import Record, input_id
from tacit.examples.store import read_store
from tacit.examples.writing import write_labels
from tacit.signature.wav import open_wav

COUNT = 40  # faults of a kind, except flips (a share of the examples) and corrupt files
CORRUPT = 12
FLIPPED = 0.04
WORDS = (
    f"planted, per seed: {COUNT} copies (another encoding: PNG, BMP, 24-bit or float WAV, float64, other spaces; near: JPEG, a shift or a"
    " crop of up to 4 % of the side, brightness by 10-20 %, noise; gain, trimming, noise, silence before; case, spaces, punctuation, a"
    f" letter; rounding to 3 digits), {CORRUPT} corrupt inputs (cut off, other bytes, constant, silent, empty), {FLIPPED:.0%} of the"
    " labels; the shortcut is in 95 % of the examples of every class"
)


@dataclass(frozen=True)
class Set:
    """name; words: what it is; make: writes what a person would have below a folder and gives (path, options of `tacit.new`)."""

    name: str
    kind: str
    words: str
    make: Callable[[Path, Path], tuple[Path, dict[str, str]]]


@dataclass(frozen=True)
class Planted:
    """ids: of the planted faults. sources: planted id -> the id that it was made from, for copies. features: words that name a shortcut."""

    ids: set[str]
    sources: dict[str, str] = field(default_factory=dict)
    features: tuple[str, ...] = ()

    def feature(self, finding: dict[str, Any]) -> bool:
        """Tell whether a finding names the feature that was planted."""
        return any(word in str(finding["evidence"].get("feature", "")) for word in self.features)


def default_cache() -> Path:
    """Give the folder in which the sets are kept between benchmarks."""
    return datasets.default_cache()


def clean(name: str, cache: Path) -> Path:
    """Give the clean program directory of a set, made once."""
    target = cache / "planted" / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        source, options = SETS[name].make(Path(place), cache)
        return new_program(target, source=source, **options)  # type: ignore[arg-type]


def dense(name: str) -> bool:
    """Tell whether the inputs are arrays that a peer can take as they are."""
    return SETS[name].kind in ("image", "series")


# --- the sets ------------------------------------------------------------------------------------------------------


def _some_arrays(name: str, count: int) -> Callable[[Path, Path], tuple[Path, dict[str, str]]]:
    def make(folder: Path, cache: Path) -> tuple[Path, dict[str, str]]:
        data = np.load(datasets.make(name, cache))
        rows = np.random.default_rng(0).permutation(len(data["x_train"]))[:count]
        held = np.random.default_rng(0).permutation(len(data["x_test"]))[: count // 5]
        path = folder / f"{name}.npz"
        with path.open("wb") as file:
            np.savez(
                file, x_train=data["x_train"][rows], y_train=data["y_train"][rows], x_test=data["x_test"][held], y_test=data["y_test"][held]
            )
        return path, {}

    return make


def _motion(folder: Path, cache: Path) -> tuple[Path, dict[str, str]]:
    data = dict(np.load(datasets.make("uci-har", cache)))
    rows = np.random.default_rng(0).permutation(len(data["x"]))[:5000]
    path = folder / "uci-har.npz"
    with path.open("wb") as file:
        np.savez(file, **{key: value[rows] if len(value) == len(data["x"]) else value for key, value in data.items()})
    return path, {}


def _news(folder: Path, _: Path) -> tuple[Path, dict[str, str]]:
    text = gzip.decompress((harness.data_folder() / "ag-news-test" / "test.csv.gz").read_bytes()).decode()
    path = folder / "ag-news.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("label", "text"))
        names = ("world", "sports", "business", "technology")
        for number, title, body in list(csv.reader(io.StringIO(text)))[:5000]:
            writer.writerow((names[int(number) - 1], f"{title} {body}"))
    return path, {}


def _income(folder: Path, cache: Path) -> tuple[Path, dict[str, str]]:
    with datasets.make("adult", cache).open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    random.Random(0).shuffle(rows)
    path = folder / "adult.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "batch"])
        chance = random.Random(1)
        writer.writerows([*row, chance.choice("ab")] for row in rows[:6000])  # a column of no meaning, for the shortcut
    return path, {"label": "income"}


SETS = {
    row.name: row
    for row in (
        Set("fashion-mnist", "image", "6,000 grey pictures as arrays", _some_arrays("fashion-mnist", 5000)),
        Set("mnist", "image", "6,000 grey pictures as arrays", _some_arrays("mnist", 5000)),
        Set("sign-digits", "image", "2,062 photographs, JPEG", lambda folder, cache: (datasets.make("sign-digits", cache), {})),
        Set("trashnet", "image", "2,524 photographs, JPEG", lambda folder, cache: (datasets.make("trashnet", cache), {})),
        Set("fsdd", "audio", "3,000 sounds, WAV", lambda folder, cache: (datasets.make("fsdd", cache), {})),
        Set("uci-har", "series", "5,000 series of 6 channels", _motion),
        Set("ag-news", "text", "5,000 texts", _news),
        Set("adult", "row", "6,000 rows of 15 columns", _income),
    )
}


# --- reading and adding --------------------------------------------------------------------------------------------


@dataclass
class _Directory:
    """A program directory into which examples are planted."""

    path: Path
    kind: str

    def __post_init__(self) -> None:
        self.records = read_store(self.path).records
        rule = read_outline(self.path).rule
        self.splits = [split_of(record, rule) for record in self.records]
        media = any(record.input is None for record in self.records)
        self.media = MediaReader(self.path) if media else None

    def content(self, record: Record) -> tuple[Any, str]:
        """Give the input of an example: (bytes, suffix) of a medium, (text or row, "") else."""
        if self.media is None or record.input is not None:
            return record.input, ""
        return self.media.read(record.id), self.media.suffix(record.id)

    def add(self, made: Sequence[tuple[Any, str, Record]]) -> list[str]:
        """Add examples (content, suffix, record whose label, split and group they take) as an import of their own; give their ids."""
        known = {record.id for record in self.records}
        fresh: dict[str, Record] = {}
        ids = []
        with MediaWriter(self.path) as writer:
            for content, suffix, like in made:
                stored = not isinstance(content, bytes)
                name = input_id(content) if stored else writer.add(content, suffix)
                ids.append(name)
                if name not in known:
                    fresh[name] = replace(like, id=name, copy=1, input=content if stored else None)
        write_labels(self.path, "planted", fresh.values())
        return [name if name in fresh else "" for name in ids]

    def rewrite(self, records: Sequence[Record]) -> None:
        """Write all records anew, as one import."""
        shutil.rmtree(self.path / "labels")
        write_labels(self.path, "all", records)


def _chosen(directory: _Directory, chance: np.random.Generator, count: int, split: str | None = None) -> list[int]:
    rows = [row for row in range(len(directory.records)) if split is None or directory.splits[row] == split]
    return [rows[at] for at in chance.permutation(len(rows))[:count]]


def _copies(
    path: Path, kind: str, chance: np.random.Generator, change: Callable[..., tuple[Any, str]], *, to: str | None = None
) -> Planted:
    directory = _Directory(path, kind)
    rows = _chosen(directory, chance, COUNT, None if to is None else "train")
    made = []
    for row in rows:
        record = directory.records[row]
        like = replace(record, split=to or directory.splits[row])
        made.append((*change(*directory.content(record), chance), like))
    ids = directory.add(made)
    sources = {name: directory.records[row].id for name, row in zip(ids, rows, strict=True) if name}
    return Planted(set(sources), sources)


# --- changes of a content ------------------------------------------------------------------------------------------


def _picture(content: bytes, suffix: str) -> np.ndarray:
    """Give uint8[row, column] or [row, column, channel] of a medium."""
    return np.load(io.BytesIO(content)) if suffix == "npy" else np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def _file(picture: np.ndarray, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, form, **options)
    return stream.getvalue()


def _wav(samples: np.ndarray, rate: int, bits: int = 16) -> bytes:
    """Write float64[sample], full scale 1, as a WAV file; 32 bits: floats."""
    if bits == 32:
        data, code = samples.astype("<f4").tobytes(), 3
    else:
        whole = np.clip(np.rint(samples * 2.0 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype("<i4")
        data, code = (whole.astype("<i2").tobytes() if bits == 16 else whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()), 1
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, code, 1, rate, rate * bits // 8, bits // 8, bits)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _samples(content: bytes) -> tuple[np.ndarray, int]:
    wav = open_wav(io.BytesIO(content), "")
    return wav.read(0, wav.frames), wav.rate


def encoded_again(content: Any, suffix: str, chance: np.random.Generator) -> tuple[Any, str]:
    """Give the same values in another form."""
    if isinstance(content, str):
        return f" {content.replace(' ', '  ', 1)}\n", ""
    if isinstance(content, dict):
        return {
            key: f" {value} " if isinstance(value, str) else str(value) if value is not None else None for key, value in content.items()
        }, ""
    if suffix == "wav":
        samples, rate = _samples(content)
        return _wav(samples, rate, int(chance.choice([24, 32]))), "wav"
    if suffix == "npy":
        array = np.load(io.BytesIO(content))
        return (_file(array, "PNG"), "png") if array.dtype == np.uint8 else (array_bytes(array.astype(np.float64)), "npy")
    form = str(chance.choice(["PNG", "BMP"]))
    return _file(_picture(content, suffix), form), form.lower()


def nearly(content: Any, suffix: str, chance: np.random.Generator) -> tuple[Any, str]:
    """Give nearly the same content."""
    if isinstance(content, str):
        return _nearly_text(content, chance), ""
    if isinstance(content, dict):
        return {key: float(f"{value:.3g}") if isinstance(value, int | float) else value for key, value in content.items()}, ""
    if suffix == "wav":
        return _nearly_sound(content, chance), "wav"
    array = _picture(content, suffix)
    if array.dtype != np.uint8:
        return array_bytes(_nearly_series(array, chance)), "npy"
    changed, form = _nearly_picture(array, chance)
    return (
        (array_bytes(changed), "npy")
        if suffix == "npy"
        else (_file(changed, form, **({"quality": 85} if form == "JPEG" else {})), form.lower())
    )


def _nearly_picture(array: np.ndarray, chance: np.random.Generator) -> tuple[np.ndarray, str]:
    height, width = array.shape[:2]
    most = max(1, round(0.04 * min(height, width)))
    change = chance.choice(["jpeg", "bright", "noise", "shift", "crop"])
    if change == "jpeg":
        return np.asarray(Image.open(io.BytesIO(_file(array, "JPEG", quality=int(chance.integers(60, 90)))))), "PNG"
    if change == "bright":
        factor = chance.uniform(0.8, 0.9) if chance.random() < 0.5 else chance.uniform(1.1, 1.2)
        return np.clip(array * factor + 0.5, 0, 255).astype(np.uint8), "JPEG"
    if change == "noise":
        return np.clip(array + chance.normal(0, chance.uniform(3, 6), array.shape), 0, 255).astype(np.uint8), "PNG"
    if change == "shift":
        down, across = (int(chance.integers(1, most + 1)) * int(chance.choice([-1, 1])) for _ in range(2))
        padded = np.pad(array, ((most, most), (most, most), *([(0, 0)] * (array.ndim - 2))), mode="edge")
        return padded[most + down : most + down + height, most + across : most + across + width], "PNG"
    cut = chance.integers(0, most + 1, 4)
    cut[chance.integers(4)] = most
    inner = Image.fromarray(array).crop((cut[0], cut[1], width - cut[2], height - cut[3]))
    return np.asarray(inner.resize((width, height), Image.Resampling.LANCZOS)), "JPEG"


def _nearly_sound(content: bytes, chance: np.random.Generator) -> bytes:
    samples, rate = _samples(content)
    change = chance.choice(["gain", "noise", "trim", "silence"])
    if change == "gain":
        samples = samples * chance.uniform(0.5, 0.9)
    elif change == "noise":
        samples = samples + chance.normal(0, 0.03 * samples.std(), len(samples))
    elif change == "trim":
        loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
        samples = samples[max(0, loud[0] - 40) : loud[-1] + 40]
    else:
        samples = np.concatenate([np.zeros(int(chance.integers(200, 1200))), samples])
    return _wav(np.clip(samples, -1, 1), rate)


def _nearly_series(array: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    change = chance.choice(["noise", "round", "scale", "shift"])
    values = array.astype(np.float32)
    deviation = values.std(axis=1, keepdims=True)
    if change == "noise":
        values = values + chance.normal(0, 0.05, values.shape).astype(np.float32) * deviation
    elif change == "round":
        values = np.round(values / (0.1 * deviation + 1e-9)) * (0.1 * deviation + 1e-9)
    elif change == "scale":
        values = values * np.float32(chance.uniform(0.9, 1.1))
    else:
        values = np.roll(values, int(chance.integers(2, 6)), axis=1)
    return values.astype(np.float32)


def _nearly_text(text: str, chance: np.random.Generator) -> str:
    change = chance.choice(["upper", "lower", "punctuation", "letter", "spaces"])
    if change in ("upper", "lower"):
        return text.upper() if change == "upper" else text.lower() + " "
    if change == "punctuation":
        return "".join(letter for letter in text if letter.isalnum() or letter.isspace()) + "!"
    if change == "spaces":
        return text.replace(" ", "  ").replace(",", " ,") + "..."
    place = int(chance.integers(len(text)))
    return text[:place] + text[place + 1 :] + "."


# --- kinds of faults -----------------------------------------------------------------------------------------------


def flips(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Give a share of the examples another label."""
    directory = _Directory(path, set_.kind)
    names = sorted({record.label for record in directory.records})
    rows = set(_chosen(directory, chance, round(FLIPPED * len(directory.records))))
    records = [
        replace(record, label=str(chance.choice([name for name in names if name != record.label]))) if row in rows else record
        for row, record in enumerate(directory.records)
    ]
    directory.rewrite(records)
    return Planted({directory.records[row].id for row in rows})


def exact(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Add copies in another encoding, in the split of the original."""
    return _copies(path, set_.kind, chance, encoded_again)


def near(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Add near copies in the split of the original."""
    return _copies(path, set_.kind, chance, nearly)


def leaks(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Add copies of training examples to the test split, half of them exact."""

    def change(content: Any, suffix: str, chance: np.random.Generator) -> tuple[Any, str]:
        return encoded_again(content, suffix, chance) if chance.random() < 0.5 else nearly(content, suffix, chance)

    return _copies(path, set_.kind, chance, change, to="test")


def corrupt(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Add inputs that are cut off, are other bytes, or hold nothing."""
    directory = _Directory(path, set_.kind)
    made = []
    for number, row in enumerate(_chosen(directory, chance, CORRUPT)):
        record = directory.records[row]
        content, suffix = directory.content(record)
        made.append((*_corrupted(content, suffix, number, chance), replace(record, split=directory.splits[row])))
    return Planted({name for name in directory.add(made) if name})


def _corrupted(content: Any, suffix: str, number: int, chance: np.random.Generator) -> tuple[Any, str]:
    if isinstance(content, str):
        return ["", "   ", "...", "?!", "\n\n", "-", "—", "***", "( )", "!", ". .", "//"][number], ""
    if isinstance(content, dict):
        return {key: ["", " ", None, "?", "  ", "nan", "NA", "N/A", "null", "-", "<NA>", "none"][number] for key in content}, ""
    if number % 3 == 0:
        return content[: int(len(content) * chance.uniform(0.3, 0.7))], suffix
    if number % 3 == 1:
        return chance.bytes(200 + number), suffix
    if suffix == "wav":
        samples, rate = _samples(content)
        return _wav(np.zeros(len(samples) + number), rate), "wav"
    array = _picture(content, suffix)
    if array.dtype != np.uint8:
        return array_bytes(np.full_like(array, float(number))), "npy"
    if number % 2:
        return (
            (array_bytes(np.full_like(array, 10 * number)), "npy")
            if suffix == "npy"
            else (_file(np.full_like(array, 10 * number), "PNG"), "png")
        )
    cut = array.copy()
    cut[int(len(cut) * chance.uniform(0.4, 0.8)) :] = 128
    return (array_bytes(cut), "npy") if suffix == "npy" else (_file(cut, "PNG"), "png")


def shortcut(path: Path, set_: Set, chance: np.random.Generator) -> Planted:
    """Tie a trivial feature to the class in 95 % of the examples."""
    directory = _Directory(path, set_.kind)
    names = sorted({record.label for record in directory.records})
    made, kept = [], []
    for record in directory.records:
        place = names.index(record.label) if chance.random() < 0.95 else int(chance.integers(len(names)))
        content, suffix = directory.content(record)
        made.append((*_stamped(content, suffix, place, len(names)), record))
    with MediaWriter(path) as writer:
        for content, suffix, record in made:
            stored = not isinstance(content, bytes)
            name = input_id(content, copy=record.copy) if stored else writer.add(content, suffix)
            kept.append(replace(record, id=name, input=content if stored else None))
    directory.rewrite(list({record.id: record for record in kept}.values()))
    words = {
        "image": ("border", "corner", "background"),
        "audio": ("background",),
        "series": ("channel 0",),
        "text": ("word",),
        "row": ("batch",),
    }
    return Planted({"shortcut"}, features=words[set_.kind])


def _stamped(content: Any, suffix: str, place: int, count: int) -> tuple[Any, str]:
    if isinstance(content, str):
        return f"{content} source{place}", ""
    if isinstance(content, dict):
        return {**content, "batch": "ab"[place % 2]}, ""
    if suffix == "wav":
        samples, rate = _samples(content)
        tone = 0.005 * np.sin(2 * np.pi * (375 + 3000 * place / count) * np.arange(len(samples)) / rate)
        return _wav(np.clip(samples + tone, -1, 1), rate), "wav"
    array = _picture(content, suffix).copy()
    if array.dtype != np.uint8:
        values = array.astype(np.float32)
        values[0] += 0.4 * place
        return array_bytes(values), "npy"
    level = round(255 * place / max(1, count - 1))
    colour: Any = level if array.ndim == 2 else (level, 255 - level, 128)
    width = max(1, round(0.03 * min(array.shape[:2])))
    for edge in (np.s_[:width], np.s_[-width:], np.s_[:, :width], np.s_[:, -width:]):
        array[edge] = colour
    return (array_bytes(array), "npy") if suffix == "npy" else (_file(array, "PNG"), "png")


KINDS: dict[str, Callable[[Path, Set, np.random.Generator], Planted]] = {
    "flips": flips,
    "exact": exact,
    "near": near,
    "leaks": leaks,
    "shortcut": shortcut,
    "corrupt": corrupt,
}
