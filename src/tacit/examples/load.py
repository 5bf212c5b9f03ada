"""From a program directory's labels and media to `Examples` in memory."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.cache import cache_key, load_cached, save_cached
from tacit.examples.examples import Examples
from tacit.examples.intake import split_of
from tacit.examples.media import MEDIA, MediaReader, pack_names
from tacit.examples.records import Record
from tacit.examples.splits import SplitRule
from tacit.examples.store import read_store
from tacit.ground.digests import canonical_json, sha256
from tacit.ground.errors import InputError, raise_all
from tacit.ground.progress import Reporter
from tacit.ground.tables import did_you_mean
from tacit.signature.base import InputType, OutputType, Signature
from tacit.signature.image import Image, grey_levels
from tacit.signature.outputs import Class
from tacit.signature.series import Series

_USUAL = SplitRule()
_WINDOW = 2048  # media that are held in memory before they are decoded


def load_examples(directory: Path, signature: Signature, *, rule: SplitRule = _USUAL, reporter: Reporter | None = None) -> Examples:
    """Read labels and inputs of a program directory, sorted by id; what is in dispute without a majority is left out, and said.

    Raises: InputError naming every unsound label with its file and line, every medium that is missing, every input that
    does not fit the signature.
    """
    reporter = reporter or Reporter()
    reporter.phase("loading")
    store = read_store(directory, check=label_check(signature.output))
    records = store.records
    if store.disputes:
        reporter.note(dispute_note(len(store.disputes), len(store.undecided)))
    splits = np.array([split_of(record, rule) for record in records], dtype="U10")
    groups = np.array([record.group or "" for record in records]) if any(record.group for record in records) else None
    return Examples(
        signature,
        np.array([record.id for record in records]),
        load_inputs(directory, signature.input, records, reporter=reporter),
        targets_of(signature.output, records),
        splits,
        groups,
        labels_digest(records, splits),
        len(store.disputes),
        len(store.undecided),
    )


def dispute_note(disputes: int, left_out: int) -> str:
    """Say how many examples are in dispute and what becomes of them.

    >>> dispute_note(3, 1)
    '3 examples in dispute: 2 take the label of the most, 1 without a majority left out; resolve with `tacit labels set ID LABEL`'
    """
    parts = [f"{disputes - left_out:,} take the label of the most" if disputes > left_out else ""]
    parts.append(f"{left_out:,} without a majority left out" if left_out else "")
    counted = f"{disputes:,} example{'s' if disputes != 1 else ''} in dispute"
    return f"{counted}: {', '.join(filter(None, parts))}; resolve with `tacit labels set ID LABEL`"


def labels_digest(records: Sequence[Record], splits: Sequence[str] | np.ndarray) -> str:
    """Name this version of the source code: a hash over ids, labels and splits.

    >>> labels_digest([], [])
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
    """
    lines = (f"{record.id}\t{canonical_json(record.label)}\t{split}\n" for record, split in zip(records, splits, strict=True))
    return sha256("".join(lines).encode())


def load_inputs(
    directory: Path, type_: InputType, records: Sequence[Record], *, reporter: Reporter | None = None
) -> tuple[np.ndarray, ...]:
    """Give the inputs of records as arrays [example, ...], from the cache where it is sound. Raises: InputError."""
    key = cache_key(type_, [record.id for record in records], pack_names(directory))
    cached = load_cached(directory, key, type_, len(records))
    if cached is not None:
        return cached
    arrays = _Loader(directory, type_, records, reporter or Reporter()).load()
    save_cached(directory, key, arrays)
    return arrays


def load_readable(
    directory: Path, type_: InputType, records: Sequence[Record], *, reporter: Reporter | None = None
) -> tuple[tuple[np.ndarray, ...], dict[str, str]]:
    """Give the inputs that can be read as arrays [example, ...], zeros in place of the others, and for those id -> what is wrong.

    Unlike `load_inputs` it never stops at an example: a medium that is missing, damaged or of another type is only named.
    """
    key = cache_key(type_, [record.id for record in records], pack_names(directory))
    cached = load_cached(directory, key, type_, len(records))
    if cached is not None:
        return cached, {}
    loader = _Loader(directory, type_, records, reporter or Reporter())
    loader.fill(strict=False)
    if not loader.unread:
        save_cached(directory, key, loader.arrays)
    return loader.arrays, loader.unread


class _Loader:
    """Fills arrays [example, ...] row by row and gathers what is wrong on the way."""

    def __init__(self, directory: Path, type_: InputType, records: Sequence[Record], reporter: Reporter) -> None:
        self.directory, self.type, self.records, self.reporter = directory, type_, records, reporter
        self.rows = {record.id: row for row, record in enumerate(records)}
        self.arrays = tuple(np.zeros((len(records), *spec.shape), spec.dtype) for spec in type_.arrays)
        self.unread: dict[str, str] = {}  # id -> what is wrong
        self.done = 0
        self.start = time.monotonic()

    def load(self) -> tuple[np.ndarray, ...]:
        """Read texts and rows from the records, everything else from the media. Raises: InputError."""
        self.fill(strict=True)
        problems = [f"{name}: {problem}" for name, problem in self.unread.items()]
        raise_all(problems, heading=f"expected inputs of the type {self.type!r} - at `{self.directory}`", most=100)
        return self.arrays

    def fill(self, *, strict: bool) -> None:
        """Read everything; `strict` raises InputError for media that are missing or are not what their id says."""
        for row, record in enumerate(self.records):
            if record.input is not None:
                self._put(row, self._read(record.id, record.input))
        wanted = [record.id for record in self.records if record.input is None]
        if wanted:
            self._load_media(wanted, strict=strict)

    def _load_media(self, wanted: Sequence[str], *, strict: bool) -> None:
        media = MediaReader(self.directory)
        missing = [name for name in wanted if name not in media]
        if strict:
            fix = f"tacit media pull {self.directory}, or copy the folder `media` from where the program was made (it is not in git)"
            heading = f"expected the media of all {len(wanted):,} examples, {len(missing):,} are missing - at `{self.directory / MEDIA}`"
            raise_all(missing, heading=heading, fix=fix)
        self.unread |= dict.fromkeys(missing, f"the medium is missing from `{MEDIA}`")
        there = wanted if not missing else [name for name in wanted if name not in self.unread]
        stream = media.read_many(there) if strict else self._each(media, there)
        with ThreadPoolExecutor(max_workers=4) as pool:
            while window := list(islice(stream, _WINDOW)):
                rows = [self.rows[name] for name, _ in window]
                values: list[Any] = [self._array(name, content) if media.suffix(name) == "npy" else content for name, content in window]
                if not self._put_all(rows, values):
                    names = [name for name, _ in window]
                    for row, arrays in zip(rows, pool.map(self._read, names, values), strict=True):
                        self._put(row, arrays)
                self.done += len(window)
                share = self.done / len(wanted)
                left = (time.monotonic() - self.start) * (1 - share) / share
                self.reporter.progress(share, left, f"{self.done:,} of {len(wanted):,} decoded")

    def _each(self, media: MediaReader, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Read media one by one once a pack turns out to be damaged, so that one bad entry costs no other."""
        left = dict.fromkeys(names)
        try:
            for name, content in media.read_many(names):
                del left[name]
                yield name, content
        except InputError:
            for name in left:
                try:
                    yield name, media.read(name)
                except InputError as error:
                    self.unread[name] = error.message

    def _put_all(self, rows: Sequence[int], values: Sequence[Any]) -> bool:
        """Put arrays that all have the very shape of the type at once; False when they have not."""
        first = values[0]
        if not isinstance(first, np.ndarray) or not isinstance(self.type, Image | Series):
            return False
        shape = self.type.arrays[0].shape
        bare = shape[:2] if isinstance(self.type, Image) and shape[2] == 1 else shape
        if any(not isinstance(value, np.ndarray) or value.shape not in (shape, bare) or value.dtype != first.dtype for value in values):
            return False
        stack = np.stack([value.reshape(shape) for value in values])
        if isinstance(self.type, Image):
            if self.type.white is None and stack.dtype != np.uint8:
                return False  # then each picture's own values decide what white is
            stack = grey_levels(stack, self.type.white)
        elif stack.dtype.kind not in "buif" or not np.isfinite(stack.astype(np.float32)).all():
            return False  # read one by one, which says what is wrong with which
        self.arrays[0][rows] = stack
        return True

    def _array(self, name: str, content: bytes) -> np.ndarray | None:
        try:
            return _array(content)
        except (ValueError, EOFError) as error:
            self.unread[name] = f"expected an array as `.npy`, got a damaged one ({error})"
            return None

    def _read(self, name: str, value: Any) -> tuple[np.ndarray, ...] | None:
        if name in self.unread:
            return None
        try:
            return self.type.read(value)
        except InputError as error:
            self.unread[name] = error.message
            return None

    def _put(self, row: int, arrays: tuple[np.ndarray, ...] | None) -> None:
        for target, array in zip(self.arrays, arrays or (), strict=arrays is not None):
            target[row] = array


def _array(content: bytes) -> np.ndarray:
    """Read the bytes of a `.npy` file as `tacit.examples.intake.array_bytes` writes them."""
    length = 10 + int.from_bytes(content[8:10], "little")
    dtype, shape = _npy_header(content[:length])
    return np.frombuffer(content, dtype, offset=length).reshape(shape)


_headers: dict[bytes, tuple[np.dtype[Any], tuple[int, ...]]] = {}


def _npy_header(header: bytes) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if header not in _headers:
        stream = io.BytesIO(header)
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        _headers[header] = (dtype, shape)
    return _headers[header]


def label_check(output: OutputType) -> Any:
    """Make the function that says what is wrong with a label; it remembers those it has seen."""
    seen: dict[str, str | None] = {}

    def check(label: Any) -> str | None:
        key = label if isinstance(label, str) else json.dumps(label)
        if key not in seen:
            try:
                _encode(output, label)
                seen[key] = None
            except InputError as error:
                seen[key] = error.message + (f", {error.fix}" if error.fix else "")
        return seen[key]

    return check


def _encode(output: OutputType, label: Any) -> np.ndarray:
    """Encode a label as it is stored: class names stand as they are, whatever they look like (`none` is a name, too)."""
    if isinstance(output, Class):
        if label not in output.names:
            name = json.dumps(label, ensure_ascii=False)
            raise InputError(f"expected a class of the program, got the label {name}", fix=did_you_mean(str(label), list(output.names)))
        return np.array(output.names.index(label), np.int64)
    return output.encode(label)


def targets_of(output: OutputType, records: Sequence[Record]) -> np.ndarray:
    """Encode the labels of records: [example, ...] as `output.target` says. Raises: InputError."""
    spec = output.target
    targets = np.zeros((len(records), *spec.shape), spec.dtype)
    seen: dict[Any, np.ndarray] = {}
    for row, record in enumerate(records):
        key = tuple(record.label) if isinstance(record.label, list) else record.label
        if key not in seen:
            seen[key] = _encode(output, record.label)
        targets[row] = seen[key]
    return targets
