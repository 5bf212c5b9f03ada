"""NumPy arrays: `.npz` files, and the idx files that MNIST and its relatives come in."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.found import Found, Item
from tacit.examples.splits import normal_split, split_hint
from tacit.ground.errors import InputError, raise_all
from tacit.ground.tables import did_you_mean

INPUT_NAMES = ("x", "images", "image", "data", "inputs", "input", "features", "audio", "series")
LABEL_NAMES = ("y", "labels", "label", "targets", "target", "classes_of")
GROUP_NAMES = ("group", "groups", "subject", "subjects", "speaker", "patient", "person", "user")
CLASS_NAMES = ("names", "class_names", "label_names", "target_names", "classes")
_WORDS = "train|training|val|valid|validation|dev|test"
_OF_SPLIT = re.compile(rf"(\w+?)[_-]?({_WORDS})|({_WORDS})[_-]?(\w+)")  # x_train or train_x
MOST_COLUMNS = 256  # [example, column] arrays up to here are rows of a table


def find_in_npz(path: Path, *, label: str | None, group: str | None) -> Found:
    """Find examples in the arrays of an npz file: `x` and `y`, or `x_train`, `y_train`, `x_test`, `y_test`.

    Also read where present: `split` (names), `is_test` or `is_train` (bool), `subject` or another group, `names` of the classes.
    Raises: InputError naming the arrays that are there.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        cause = "it holds Python objects, which are never unpickled" if "pickle" in str(error) else str(error)
        message = f"expected a whole .npz file of plain arrays - at `{path}`"
        raise InputError(message, cause=cause, fix="save it again by np.savez") from error
    parts = _parts(path, arrays, label, group)
    classes = next((tuple(map(str, arrays[name])) for name in CLASS_NAMES if name in arrays and arrays[name].dtype.kind in "US"), ())
    return _found(str(path), parts, classes)


def find_in_idx(folder: Path) -> Found:
    """Find examples in a folder of idx files such as ``train-images-idx3-ubyte.gz``. Raises: InputError."""
    parts: list[_Part] = []
    problems: list[str] = []
    for path in idx_images(folder):
        stem = path.name.split("-images")[0].split("_images")[0]
        partner = next((other for other in _idx_files(folder) if other.name.startswith(stem) and "labels" in other.name), None)
        if partner is None:
            problems.append(f"{path.name}: there is no file of labels beside it")
            continue
        try:
            x, y = read_idx(path), read_idx(partner)
        except InputError as error:
            problems.append(error.message)
            continue
        split = "test" if stem.startswith(("t10k", "test")) else normal_split(stem)
        parts.append(_Part(path.name, x, partner.name, y, split))
    raise_all(problems, heading=f"expected whole idx files of images and labels - at `{folder}`")
    return _found(str(folder), parts, ())


def idx_images(folder: Path) -> list[Path]:
    """List the idx files of images in a folder, train before test."""
    images = [path for path in _idx_files(folder) if "images" in path.name]
    return sorted(images, key=lambda path: (not path.name.startswith("train"), path.name))


def _idx_files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if re.search(r"(images|labels)[-.]idx[13]-ubyte(\.gz)?$", path.name)]


def read_idx(path: Path) -> np.ndarray:
    """Read one idx file of bytes, gzipped or not, as uint8[...]. Raises: InputError. Format: yann.lecun.com/exdb/mnist."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: expected a whole gzip file ({error})") from error
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise InputError(f"{path.name}: expected an idx file of bytes, got {content[:4]!r}")
    axes = content[3]
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", count=axes, offset=4)) if len(content) >= 4 + 4 * axes else ()
    if len(content) != 4 + 4 * axes + int(np.prod(shape)):
        raise InputError(f"{path.name}: expected {list(shape)} bytes after the header, got {len(content) - 4 - 4 * axes} (cut short?)")
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


class _Part:
    """One pair of arrays: inputs and labels of the same length, with what is known about every example."""

    def __init__(self, x_name: str, x: np.ndarray, y_name: str, y: np.ndarray, split: str | None) -> None:
        self.x_name, self.x, self.y_name, self.y = x_name, x, y_name, y
        self.splits: list[str | None] = [split] * len(y)
        self.groups: list[str | None] = [None] * len(y)
        self.group_name: str | None = None
        self.problems: list[str] = []


def _parts(path: Path, arrays: dict[str, np.ndarray], label: str | None, group: str | None) -> list[_Part]:
    """Pair inputs with labels. Raises: InputError naming what is missing and what lengths differ."""
    shown = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in arrays.items())
    for name, use in ((label, "labels"), (group, "groups")):
        if name is not None and name not in arrays:
            message = f"expected an array `{name}` of {use}, it is not there - at `{path}`"
            raise InputError(message, cause=f"there are {shown}", fix=did_you_mean(name, list(arrays)))
    lower = {name.lower(): name for name in arrays}
    pairs: list[tuple[str, str, str | None]] = []
    for x_name in INPUT_NAMES:
        for y_name in [label.lower()] if label else LABEL_NAMES:
            if x_name in lower and y_name in lower:
                pairs.append((lower[x_name], lower[y_name], None))
    if not pairs:
        for name in arrays:
            found = _OF_SPLIT.fullmatch(name.lower())
            if found and (found[1] or found[4]) in INPUT_NAMES:
                word = found[2] or found[3]
                partner = next((other for y in LABEL_NAMES for other in _spellings(y, word) if other in lower), None)
                if partner:
                    pairs.append((name, lower[partner], normal_split(word)))
    if not pairs:
        raise InputError(
            f"expected arrays of inputs and labels - at `{path}`",
            cause=f"there are {shown}",
            fix="name them x and y, or x_train, y_train, x_test, y_test; --label names the labels",
        )
    parts = []
    pairs = pairs[:1] if pairs[0][2] is None else pairs
    problems = []
    for x_name, y_name, split in pairs:
        x, y = arrays[x_name], arrays[y_name]
        if x.ndim < 2 or y.ndim not in (1, 2):
            problems.append(f"expected `{x_name}`[example, ...] and `{y_name}`[example], got {list(x.shape)} and {list(y.shape)}")
        elif len(x) != len(y):
            problems.append(f"expected arrays of equal length, got `{x_name}` with {len(x):,} and `{y_name}` with {len(y):,}")
        else:
            parts.append(_Part(x_name, x, y_name, y, split))
    for part in parts:
        problems += _details(part, arrays, lower, group, alone=len(pairs) == 1)
    raise_all(problems, heading=f"expected arrays that fit together - at `{path}`", fix="save them anew, one entry per example in each")
    return parts


def _spellings(y: str, word: str) -> tuple[str, ...]:
    return (f"{y}_{word}", f"{y}{word}", f"{word}_{y}", f"{word}{y}", f"{y}-{word}")


def _details(part: _Part, arrays: dict[str, np.ndarray], lower: dict[str, str], group: str | None, *, alone: bool) -> list[str]:
    """Fill in splits and groups from the arrays beside a pair; give what is wrong."""
    problems: list[str] = []
    count = len(part.y)
    word = part.splits[0] if count else None

    def column(names: tuple[str, ...]) -> tuple[str, np.ndarray] | None:
        for name in names:
            for spelling in (name,) if alone else tuple(s for w in _words(word) for s in _spellings(name, w)):
                if spelling in lower:
                    array = arrays[lower[spelling]]
                    if array.shape != (count,):
                        problems.append(f"expected `{lower[spelling]}`[{count}], as long as `{part.x_name}`, got {list(array.shape)}")
                        return None
                    return lower[spelling], array
        return None

    if alone:
        if (found := column(("split", "splits", "subset"))) is not None:
            part.splits = [normal_split(value) for value in found[1]]
            wrong = sorted({str(value) for value in found[1] if normal_split(value) is None})
            problems += [f"expected train, validation or test in `{found[0]}`, got `{value}`; {split_hint(value)}" for value in wrong]
        elif (found := column(("is_test", "test_mask"))) is not None:
            part.splits = ["test" if value else "train" for value in found[1]]
        elif (found := column(("is_train", "train_mask"))) is not None:
            part.splits = ["train" if value else "test" for value in found[1]]
    found = column((group.lower(),) if group else GROUP_NAMES)
    if found is not None:
        part.group_name, part.groups = found[0], [str(value) for value in found[1]]
    return problems


def _words(split: str | None) -> tuple[str, ...]:
    return {"train": ("train", "training"), "validation": ("val", "valid", "validation", "dev"), "test": ("test",)}.get(split or "", ())


def _found(place: str, parts: list[_Part], classes: tuple[str, ...]) -> Found:
    shapes = {part.x.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise InputError(f"expected inputs of one shape, got {' and '.join(str(list(shape)) for shape in sorted(shapes))} - at `{place}`")
    problems: list[str] = []
    rows = parts[0].x.ndim == 2 and parts[0].x.shape[1] <= MOST_COLUMNS
    for part in parts:
        problems += [f"{part.y_name}[{row}]: the label is NaN" for row in np.flatnonzero(_bad_rows(part.y))]
        bad = np.isinf(part.x).any(axis=1) if rows and part.x.dtype.kind == "f" else _bad_rows(part.x) if not rows else []
        problems += [f"{part.x_name}[{row}]: holds {'' if rows else 'NaN or '}infinity" for row in np.flatnonzero(bad)]
    fix = "mend or remove the examples named, then save the file again"
    raise_all(problems, heading=f"expected finite values - at `{place}`", fix=fix, most=100)
    arrays, notes, white = _prepare([part.x for part in parts])
    items: list[Item] = []
    for part, array in zip(parts, arrays, strict=True):
        labels = _labels(part.y, classes)
        for row in range(len(labels)):
            content: Any = _row(array[row]) if rows else array[row]
            items.append(Item(f"{part.x_name}[{row}]", content, labels[row], part.splits[row], part.groups[row]))
    names = sorted({part.y_name for part in parts})
    grouped = next((f"the array `{part.group_name}`" for part in parts if part.group_name), None)
    columns = tuple((f"x{index}", "number") for index in range(shapes.pop()[0])) if rows else ()
    label_from = f"the array{'s' if len(names) > 1 else ''} {', '.join(f'`{name}`' for name in names)}"
    return Found(place, "rows" if rows else "arrays", items, label_from, (), tuple(notes), columns, classes, grouped, white)  # type: ignore[arg-type]


def _row(values: np.ndarray) -> dict[str, Any]:
    return {f"x{index}": None if value != value else value for index, value in enumerate(values.tolist())}


def _labels(y: np.ndarray, classes: tuple[str, ...]) -> list[Any]:
    """Give one label per example; a 0-1 matrix is one-hot (a class) or several labels at once."""
    if y.ndim == 1:
        return [str(value) for value in y] if y.dtype.kind in "US" else list(y.tolist())
    if y.shape[1] == 1:
        return _labels(y[:, 0], classes)
    names = classes if len(classes) == y.shape[1] else tuple(map(str, range(y.shape[1])))
    if (y.sum(axis=1) == 1).all():
        return [names[index] for index in y.argmax(axis=1)]
    return [[names[index] for index in np.flatnonzero(row)] for row in y]


def _bad_rows(x: np.ndarray) -> np.ndarray:
    if x.dtype.kind != "f":
        return np.zeros(len(x), bool)
    return np.asarray(~np.isfinite(x).reshape(len(x), -1).all(axis=1))


def _prepare(arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[str], float | None]:
    """Bring arrays to what is stored, without loss; give notes and, for pictures, what white is in them (None: 255 in bytes).

    Wide rows become a series of one channel, channels go last in pictures, and whole numbers get the smallest dtype.
    """
    notes: list[str] = []
    first = arrays[0]
    if first.dtype.kind not in "fiub":
        raise InputError(f"expected inputs of numbers, got {first.dtype}{list(first.shape)}")
    if first.ndim == 2 and first.shape[1] > MOST_COLUMNS:
        notes.append(f"{first.shape[1]} values per example are taken for a series with one channel; reshape them if they are pictures")
        return [array[:, None, :] for array in arrays], notes, None
    if not looks_like_images(first):
        return [array.astype(np.float32) if array.dtype == np.float64 and array.ndim > 2 else array for array in arrays], notes, None
    if first.ndim == 4 and first.shape[3] not in (1, 3, 4):
        arrays = [np.moveaxis(array, 1, 3) for array in arrays]  # [example, channel, height, width], as PyTorch keeps them
    if all(array.dtype == np.uint8 for array in arrays):
        return arrays, notes, None
    low, high = min(float(array.min()) for array in arrays), max(float(array.max()) for array in arrays)
    if low < 0:
        came = f"values from {low:.3g} to {high:.3g}"
        raise InputError(f"expected pictures with values from 0 up, got {came}", fix="save the original pictures")
    white = next((top for top in (1.0, 16.0, 255.0, 65535.0) if high <= top), high)
    notes.append(f"the pictures hold values from {low:g} to {high:g}; {white:g} is taken for white (`white` in tacit.toml)")
    whole = all(array.dtype.kind != "f" or bool((array == np.floor(array)).all()) for array in arrays)
    dtype = np.uint8 if whole and high <= 255 else np.uint16 if whole and high <= 65535 else np.float32
    return [array.astype(dtype) for array in arrays], notes, white


def looks_like_images(x: np.ndarray) -> bool:
    """Say whether [example, ...] are pictures: bytes of three or four axes, 1, 3 or 4 channels last, or squares.

    >>> looks_like_images(np.zeros((5, 28, 28), np.uint8)), looks_like_images(np.zeros((5, 6, 128), np.float32))
    (True, False)
    """
    if x.ndim == 4:
        return x.shape[3] in (1, 3, 4) or x.shape[1] in (1, 3)
    return x.ndim == 3 and (x.dtype == np.uint8 or (x.shape[1] == x.shape[2] and x.shape[1] >= 8))
