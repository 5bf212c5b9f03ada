"""Bring examples into a program that stands already: its signature is kept, what it has is not stored twice."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit.examples.conforming import conform
from tacit.examples.found import Found, Item
from tacit.examples.intake import checked_contents, import_name, input_ids, not_utf8, some
from tacit.examples.label_files import LABELS
from tacit.examples.load import label_check
from tacit.examples.media import MediaWriter
from tacit.examples.media_lists import write_media_list
from tacit.examples.packing import write_import
from tacit.examples.records import Record, label_text, same_label
from tacit.examples.relabelling import relabel
from tacit.examples.store import Store, read_store
from tacit.examples.writing import NEW, begin_import, finish_import, write_attributes
from tacit.ground.errors import InputError, raise_all
from tacit.ground.progress import Reporter
from tacit.signature.base import InputType, OutputType, Signature

#: Kind of what was found -> the kinds of inputs that read it.
_FITS = {"images": ("image",), "sounds": ("audio",), "arrays": ("image", "series"), "texts": ("text",), "rows": ("row",)}


@dataclass(frozen=True)
class Brought:
    """What an import did.

    name: the folder below `labels/` that it wrote, None when there was nothing to write. added: new examples. known: examples that
    the program had, with the same label. relabelled: ids whose label was changed in place. opinions: ids for which another opinion
    was recorded, in the folder below ``labels/by/`` that `opinions_of` names. disputes: those of the ids that are now in dispute.
    notes: what a person should know.
    """

    name: str | None = None
    added: int = 0
    known: int = 0
    relabelled: tuple[str, ...] = ()
    opinions: tuple[str, ...] = ()
    opinions_of: str | None = None
    disputes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def bring_in(
    found: Found, directory: Path, signature: Signature, *, by: str | None = None, only_new: bool = False, reporter: Reporter | None = None
) -> Brought:
    """Store what was found as a new import of a program; whoever calls this holds the lock (`turns.writing`).

    An example that the program has is not stored again. When its label differs, that is another opinion, of an annotator who has the
    name of the import; with `by` of that one, who also confirms labels that agree. With `only_new` it is passed over.
    The new examples appear all or not at all; after a crash the same call does what is left.
    Raises: InputError naming everything that can't be used; nothing is written then.
    """
    reporter = reporter or Reporter()
    if found.kind not in _FITS or signature.input.kind not in _FITS[found.kind]:
        raise InputError(
            f"expected inputs for {signature.input!r}, got {found.kind} - at `{found.place}`", fix="give what the program reads"
        )
    labels, problems = _labels(found.items, signature.output, found.classes)
    problems = [*found.problems, *problems, *not_utf8(found.items)]
    store = read_store(directory, check=label_check(signature.output))
    reporter.phase("reading")
    ids, copies, packs = _contents(found, directory, signature.input, problems, reporter)
    records, notes = _fresh(found, ids, copies, labels)
    known = {name: record for name in records if (record := _known(store, name)) is not None}
    new = [record for name, record in records.items() if name not in known]
    differing = {name: records[name].label for name, record in known.items() if not _said(store, record, records[name].label)}
    whole = import_name(found.place, list(records.values()))  # the same when a killed import is repeated
    name = _free_name(directory, whole) if new else None
    try:
        if name is not None:
            _write(directory, name, new, media=found.kind not in ("texts", "rows"))
    except BaseException:
        _forget(packs)
        raise
    said: tuple[str, ...] = ()
    opinions = {} if only_new else differing if by is None else {name: records[name].label for name in known}
    if opinions:
        said = tuple(item.id for item in relabel(directory, opinions, by=by or whole) if item.changed)
    agreeing = len(known) - (0 if only_new else len(differing))
    return Brought(name, len(new), agreeing, (), said, by or whole, _disputed(directory, said), (*found.notes, *notes))


def _labels(items: Sequence[Item], output: OutputType, classes: Sequence[str]) -> tuple[list[Any], list[str]]:
    """Give the labels as they are stored; what is wrong with them is said once for each different one."""
    known: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    labels = []
    for item in items:
        key = repr(item.label)
        if key not in known and key not in wrong:
            try:
                known[key] = conform(output, item.label, classes=classes)
            except InputError as error:
                wrong[key], first[key] = error.message + (f"; {error.fix}" if error.fix else ""), item.where
        if key in wrong:
            counts[key] += 1
        labels.append(known.get(key))
    return labels, [f"{first[key]}{f' and {counts[key] - 1:,} more' if counts[key] > 1 else ''}: {text}" for key, text in wrong.items()]


def _contents(
    found: Found, directory: Path, input_: InputType, problems: list[str], reporter: Reporter
) -> tuple[list[str], list[int], list[Path]]:
    """Store media and give ids, copies and the packs that were written; any problem takes the packs away and is raised."""
    packs: list[Path] = []
    try:
        if found.kind in ("texts", "rows"):
            ids, copies = input_ids(found)
        else:
            with MediaWriter(directory) as media:
                packs = media.packs
                ids = list(_stored(found, media, problems, reporter))
                copies = [1] * len(ids)
                _refuse(found, problems)  # here, so that an unfinished pack is given up
        problems += _unfitting(found, input_)
        _refuse(found, problems)
    except BaseException:
        _forget(packs)
        raise
    return ids, copies, packs


def _refuse(found: Found, problems: Sequence[str]) -> None:
    heading = f"expected examples that fit the program - at `{found.place}`"
    raise_all(problems, heading=heading, fix="mend or remove what is named; nothing was written", most=200)
    if not found.items:
        raise InputError(f"expected examples, found none - at `{found.place}`")


def _stored(found: Found, media: MediaWriter, problems: list[str], reporter: Reporter) -> Iterator[str]:
    kind = "sounds" if found.kind == "sounds" else "images"
    for at, (content, suffix, _, problem) in enumerate(checked_contents(found.items, kind)):
        if problem is not None:
            problems.append(f"{found.items[at].where}: {problem}")
        yield "" if problems else media.add(content, suffix)
        if at % 1000 == 999:
            reporter.progress((at + 1) / len(found.items), None, f"{at + 1:,} of {len(found.items):,} files")


def _unfitting(found: Found, input_: InputType) -> Iterator[str]:
    """Name the arrays and rows that the input does not read; media files are decoded already."""
    if found.kind not in ("arrays", "rows"):
        return
    for item in found.items:
        if isinstance(item.content, np.ndarray | dict):
            try:
                input_.read(item.content)
            except InputError as error:
                yield f"{item.where}: {error.message}"


def _fresh(found: Found, ids: Sequence[str], copies: Sequence[int], labels: Sequence[Any]) -> tuple[dict[str, Record], list[str]]:
    """Make one record per different input, and say what was noticed."""
    stored = found.kind in ("texts", "rows")
    records: dict[str, Record] = {}
    doubles, differing = 0, []
    for item, name, copy, label in zip(found.items, ids, copies, labels, strict=True):
        record = Record(name, label, item.split, item.group, copy, item.content if stored else None)
        earlier = records.setdefault(name, record)
        if earlier is not record:
            doubles += 1
            if not same_label(earlier.label, label):
                differing.append(f"{item.where} is {label_text(label)}, an equal one before it {label_text(earlier.label)}")
    notes = [f"{doubles:,} examples have the same content as an earlier one; each content is kept once"] if doubles else []
    if differing:
        notes.append(f"{len(differing):,} of them have another label; the first one's was kept: {some(differing)}")
    return records, notes


def _known(store: Store, name: str) -> Record | None:
    if name in store.undecided:
        return store.undecided[name]
    row = store.row(name)
    return None if row is None else store.records[row]


def _said(store: Store, record: Record, label: Any) -> bool:
    """Tell whether some opinion about an example says this already."""
    return any(same_label(label, said) for said in store.opinions.get(record.id, {"": record.label}).values())


def _free_name(directory: Path, name: str) -> str:
    taken, number = name, 1
    while (directory / LABELS / taken).exists():
        number += 1
        taken = f"{name}-{number}"
    return taken


def _write(directory: Path, name: str, records: Sequence[Record], *, media: bool) -> None:
    """Write an import beside the others and put it in place in one step."""
    building = begin_import(directory, name)
    try:
        write_attributes(directory)
        write_import(directory, f"{NEW}{name}", records)
        if media:
            write_media_list(directory, f"{NEW}{name}", [record.id for record in records])
        finish_import(directory, name)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _forget(packs: Sequence[Path]) -> None:
    for path in packs:
        path.unlink(missing_ok=True)
    with suppress(OSError, IndexError):
        packs[0].parent.rmdir()


def _disputed(directory: Path, names: Sequence[str]) -> tuple[str, ...]:
    asked = set(names)
    return tuple(name for name in read_store(directory).disputes if name in asked) if asked else ()
