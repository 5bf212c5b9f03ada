"""Take in what was found: check every example, store media and labels, infer the signature and the rule of the splits."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.found import File, Found, Item
from tacit.examples.infer import Inferred, infer_arrays, infer_images, infer_output, infer_rows, infer_sounds, infer_texts
from tacit.examples.labels import Settled, settle
from tacit.examples.media import MediaWriter
from tacit.examples.media_lists import write_media_list
from tacit.examples.packing import write_import
from tacit.examples.probe import ImageFacts, SoundFacts, Unsound, probe_image, probe_sound
from tacit.examples.records import Record, input_id
from tacit.examples.splits import SplitRule, choose_rule, straddling
from tacit.examples.tree import printable
from tacit.examples.writing import write_attributes
from tacit.ground.digests import sha256
from tacit.ground.errors import InputError, raise_all
from tacit.ground.progress import Reporter
from tacit.signature.base import Signature

_WINDOW = 256  # media files that are read and checked at a time


@dataclass(frozen=True)
class Intake:
    """What was stored. why_input, why_output, why_split: the reasons, in words. counts: examples per split."""

    signature: Signature
    rule: SplitRule
    name: str
    examples: int
    counts: dict[str, int]
    why_input: str
    why_output: str
    why_split: str
    notes: tuple[str, ...]


def take_in(found: Found, directory: Path, *, reporter: Reporter | None = None) -> Intake:
    """Store everything found below `directory` (labels and media) and say what it is.

    Raises: InputError naming every example that can't be used; what was written until then is the caller's to remove.
    """
    reporter = reporter or Reporter()
    folders = found.label_from.startswith("the names of the folders")
    settled, problems = settle(found.items, found.classes, names_only=folders, spelled=found.kind == "sounds")
    problems = [*found.problems, *problems, *not_utf8(found.items)]
    reporter.phase("reading")
    ids, copies, facts, unsound = _store_contents(found, directory, reporter)
    raise_all(
        [*problems, *unsound],
        heading=f"expected sound examples - at `{found.place}`",
        fix="mend or remove what is named; nothing was written",
        most=200,
    )
    if not found.items:
        raise InputError(f"expected examples, found none - at `{found.place}`")
    records, notes = _records(found, settled, ids, copies)
    if len(records) < 5:
        raise InputError(f"expected at least 5 different examples, got {len(records)} - at `{found.place}`")
    rule, why = _rule(found, records)
    splits = [split_of(record, rule) for record in records]
    train = np.array([split == "train" for split in splits])
    values = [record.label for record in records]
    inferred = _infer(found, facts, records, train, whole=settled.kind == "Symbols")
    output = infer_output(replace(settled, values=values), train, inferred.type)
    signature = inferred.type >> output
    name = import_name(found.place, records)
    write_import(directory, name, records)
    write_media_list(directory, name, [record.id for record in records if record.input is None])
    write_attributes(directory)
    counts = {split: splits.count(split) for split in ("train", "validation", "test")}
    empty = [split for split, count in counts.items() if not count]
    if empty:
        notes.append(f"no example fell into {' and '.join(empty)}; add examples or give a split")
    why_output = f"{settled.why}; they come from {found.label_from}{_amounts(settled, values)}"
    notes = [*found.notes, *notes]
    return Intake(signature, rule, name, len(records), counts, inferred.why, why_output, why, tuple(notes))


def _amounts(settled: Settled, values: Sequence[Any]) -> str:
    """Say how whole numbers with many values are made amounts, should they be no kinds."""
    if settled.kind != "Class" or len(settled.names) <= 10 or not all(re.fullmatch(r"-?\d+", name) for name in settled.names):
        return ""
    numbers = np.array([float(value) for value in values])
    return f'. If they are amounts and not kinds: type = "number", mean = {numbers.mean():.4g}, scale = {numbers.std():.4g}, no names'


def not_utf8(items: Sequence[Item]) -> Iterator[str]:
    """Name every example whose label, group or text can't be written as UTF-8: a folder of an old zip, a torn escape in JSON."""
    for item in items:
        odd = [what for what, value in (("label", item.label), ("group", item.group), ("input", item.content)) if not _is_unicode(value)]
        if odd:
            yield f"{printable(item.where)}: expected text in UTF-8, got other bytes in the {' and the '.join(odd)}"


def _is_unicode(value: Any) -> bool:
    """Tell whether every text in a value can be written as UTF-8; half a surrogate pair can't, and stands for a byte in a file's name."""
    if isinstance(value, str):
        return value.isascii() or printable(value) == value
    if isinstance(value, dict):
        return all(map(_is_unicode, (*value, *value.values())))
    return all(map(_is_unicode, value)) if isinstance(value, list) else True


def split_of(record: Record, rule: SplitRule) -> str:
    """Give the split of one record by the rule of its program."""
    key = record.group if rule.by == "group" and record.group is not None else record.key
    return rule.split(key, record.split)


def _store_contents(found: Found, directory: Path, reporter: Reporter) -> tuple[list[str], list[int], list[Any], list[str]]:
    """Store media and give one id, number of copy and set of facts per item, with everything that is wrong."""
    if found.kind in ("texts", "rows"):
        return *input_ids(found), [], []
    ids: list[str] = []
    facts: list[Any] = []
    problems: list[str] = []
    with MediaWriter(directory) as media:
        for content, suffix, fact, problem in checked_contents(found.items, "sounds" if found.kind == "sounds" else "images"):
            if problem is not None:
                problems.append(f"{found.items[len(ids)].where}: {problem}")
                ids.append("")
            else:
                facts.append(fact)
                ids.append(media.add(content, suffix))
            if len(ids) % 1000 == 0:
                reporter.progress(len(ids) / len(found.items), None, f"{len(ids):,} of {len(found.items):,} files")
    return ids, [1] * len(ids), facts, problems


def checked_contents(items: Sequence[Item], kind: str) -> Iterator[tuple[bytes, str, Any, str | None]]:
    """Give (content, suffix, facts, problem) for every item in order; media files are read and decoded by several threads."""
    if items and isinstance(items[0].content, np.ndarray):
        for item in items:
            yield array_bytes(item.content), "npy", None, None  # type: ignore[arg-type]
        return
    probe = probe_sound if kind == "sounds" else probe_image

    def check(item: Item) -> tuple[bytes, str, ImageFacts | SoundFacts | None, str | None]:
        file = item.content
        if not isinstance(file, File):
            return b"", "", None, "expected a file"
        try:
            content = file.read()
            return content, file.suffix, probe(content, file.suffix), None
        except Unsound as error:
            return b"", file.suffix, None, str(error)
        except InputError as error:
            return b"", file.suffix, None, error.cause or error.message

    waiting = iter(items)
    with ThreadPoolExecutor(max_workers=4) as pool:
        while window := list(islice(waiting, _WINDOW)):
            yield from pool.map(check, window)


def array_bytes(array: np.ndarray) -> bytes:
    """Give an array as the bytes of a `.npy` file (version 1.0, C order, little-endian)."""
    values = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return _npy_header(values.dtype.str, values.shape) + values.tobytes()


_headers: dict[tuple[str, tuple[int, ...]], bytes] = {}


def _npy_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    if (dtype, shape) not in _headers:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
        _headers[dtype, shape] = stream.getvalue()
    return _headers[dtype, shape]


def input_ids(found: Found) -> tuple[list[str], list[int]]:
    """Give the ids of texts and rows; the second, third ... of equal rows have ids of their own (see `input_id`)."""
    seen: dict[str, int] = {}
    ids, copies = [], []
    for item in found.items:
        if not _is_unicode(item.content):  # named among the problems
            ids.append("")
            copies.append(1)
            continue
        name = input_id(item.content)
        copy = seen[name] = seen.get(name, 0) + 1 if found.kind == "rows" else 1
        ids.append(name if copy == 1 else input_id(item.content, copy=copy))
        copies.append(copy)
    return ids, copies


def _records(found: Found, settled: Settled, ids: Sequence[str], copies: Sequence[int]) -> tuple[list[Record], list[str]]:
    """Make one record per different input, and say what was noticed."""
    records: dict[str, Record] = {}
    kept: dict[str, int] = {}
    doubles, torn, differing = 0, [], []
    stored = found.kind in ("texts", "rows")
    for index, (item, name, label) in enumerate(zip(found.items, ids, settled.values, strict=True)):
        record = Record(name, label, item.split, item.group, copies[index], item.content if stored else None)
        earlier = records.get(name)
        if earlier is None:
            records[name], kept[name] = record, index
            continue
        doubles += 1
        first = found.items[kept[name]].where
        if earlier.label != label:
            differing.append(f"{first} is {earlier.label}, {item.where} is {label}")
        elif earlier.split != item.split:
            torn.append(f"{first} ({earlier.split}) and {item.where} ({item.split})")
    notes = []
    if doubles:
        notes.append(f"{doubles:,} examples have the same content as an earlier one; each content is kept once")
    if differing:
        notes.append(f"{len(differing):,} of them have another label; the first one's was kept: {some(differing)}")
    if torn:
        notes.append(f"{len(torn):,} of them are given in two splits; the first one's was kept: {some(torn)}")
    repeated = sum(record.copy > 1 for record in records.values())
    if repeated:
        notes.append(f"{repeated:,} rows equal an earlier row in every column but the label; all are kept")
    return list(records.values()), notes


def some(texts: Sequence[str]) -> str:
    """Give the first few of texts, for a note.

    >>> some(["a", "b", "c", "d"])
    'a; b; c; ...'
    """
    return "; ".join(texts[:3]) + ("; ..." if len(texts) > 3 else "")


def _rule(found: Found, records: Sequence[Record]) -> tuple[SplitRule, str]:
    given = [record.split for record in records]
    groups = [record.group for record in records] if found.grouped_by else None
    classes = [str(record.label) for record in records] if isinstance(records[0].label, str) else None
    rule, why = choose_rule([record.key for record in records], given, groups, classes)
    sentences = []
    if any(given):
        there = ", ".join(split for split in ("train", "validation", "test") if split in given)
        sentences.append(f"the split into {there} is the given one")
        if rule.from_train:
            sentences.append(f"{' and '.join(rule.from_train)} {'are' if len(rule.from_train) > 1 else 'is'} cut out of train")
    else:
        sentences.append("no split was given")
    if groups is not None:
        sentences.append(f"groups are {found.grouped_by}")
        torn = straddling(given, groups)
        if torn:
            sentences.append(f"{len(torn):,} groups stand on both sides of the given split")
    return rule, "; ".join([*sentences, *why])


def _infer(found: Found, facts: Sequence[Any], records: Sequence[Record], train: np.ndarray, *, whole: bool) -> Inferred:
    if found.kind == "images":
        return infer_images(facts)
    if found.kind == "sounds":
        return infer_sounds(facts, whole=whole)
    if found.kind == "arrays":
        first = found.items[0].content
        if not isinstance(first, np.ndarray):
            raise InputError(f"expected arrays - at `{found.place}`")
        return infer_arrays(first, len(records), found.white)
    contents = [record.input for record in records]
    return infer_texts(contents) if found.kind == "texts" else infer_rows(contents, found.columns, train)


def import_name(place: str, records: Sequence[Record]) -> str:
    """Name an import by its source and its content: the same examples have the same name on every machine."""
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(place).name.partition(".")[0]).strip("-").lower()[:40] or "examples"
    digest = sha256("\n".join(sorted(record.line() for record in records)).encode())
    return f"{stem}-{digest[:8]}"
