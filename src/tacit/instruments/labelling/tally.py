"""Count the labels of a program directory by split and class, without making a record of each.

Reading a million records takes four seconds; most lines of a set differ in nothing but the id, so the ends of the lines are
counted instead and each different one is read once. Whatever is not of that plain form is left to `read_store`, which also names
what is wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from operator import lt
from pathlib import Path
from typing import Any

from tacit.directory.reading import Outline
from tacit.examples.examples import SPLITS
from tacit.examples.intake import split_of
from tacit.examples.label_files import LabelFile
from tacit.examples.load import label_check
from tacit.examples.reading import files_in_force, read_file
from tacit.examples.records import Record, label_key, parse_record
from tacit.examples.splits import SplitRule
from tacit.examples.store import in_force, read_store
from tacit.ground.digests import ID_LENGTH
from tacit.ground.errors import InputError

_HEAD = b'{"id": "'
_START, _STOP = len(_HEAD), len(_HEAD) + ID_LENGTH


@dataclass
class Tally:
    """counts: (label, split) -> examples; the label as `label_key` gives it. disputes: id -> {source: label}. left_out: examples whose
    dispute is a tie, which have no label in force. problems: what is wrong with the files; with any there are no counts."""

    counts: Counter[tuple[Any, str]] = field(default_factory=Counter)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def examples(self) -> int:
        """How many examples have a label in force."""
        return sum(self.counts.values())


def count_labels(directory: Path, outline: Outline) -> Tally:
    """Count the labels in force; what is wrong with the files is given, not raised."""
    return _plain_tally(directory, outline) or _read_tally(directory, outline)


def _read_tally(directory: Path, outline: Outline) -> Tally:
    """Count by reading everything."""
    try:
        store = read_store(directory, check=label_check(outline.signature.output))
    except InputError as error:
        return Tally(problems=[line.removeprefix("  - ") for line in error.message.split("\n")[1:]] or [error.message])
    counts = Counter((label_key(record.label), split_of(record, outline.rule)) for record in store.records)
    return Tally(counts, store.disputes, len(store.undecided))


def _plain_tally(directory: Path, outline: Outline) -> Tally | None:
    """Count by the ends of the lines; None when a file is not of the plain form, or an example stands in two imports."""
    tally = Tally()
    files = files_in_force(directory)
    imports = [file for file in files if file.kind == "import"]
    opinions = _opinions(directory, [file for file in files if file.kind == "opinions"])
    if not imports or opinions is None or len(imports) + sum(file.kind == "opinions" for file in files) != len(files):
        return None
    check = label_check(outline.signature.output)
    if any(check(label) for said in opinions.values() for label in said.values()):
        return None
    several = len({file.source for file in imports}) > 1
    seen: set[bytes] = set()
    named = {name.encode() for name in opinions}
    for file in imports:
        shard = _shard(file)
        if shard is None or (named and not _add_opinions(tally, file, shard, named, opinions, outline.rule)):
            return None
        if several:
            before = len(seen)
            seen.update(shard.ids)
            if len(seen) != before + len(shard.ids):
                return None
        for end, ids in shard.groups().items():
            problems: list[str] = []
            record = parse_record((_HEAD + ids[0] + end).decode(), "", problems)
            if record is None or problems or check(record.label):
                return None
            for split, count in _splits(record, ids, outline.rule).items():
                tally.counts[label_key(record.label), split] += count
    if named:
        return None  # an opinion about an example that no import has
    tally.disputes = dict(sorted(tally.disputes.items()))
    return tally


@dataclass(frozen=True)
class _Shard:
    """The plain lines of one file: their ids, in rising order, and what stands behind each."""

    ids: list[bytes]
    ends: list[bytes]

    def groups(self) -> dict[bytes, list[bytes]]:
        """Give the ids by the ends of their lines."""
        found: dict[bytes, list[bytes]] = {}
        for name, end in zip(self.ids, self.ends, strict=True):
            if end in found:
                found[end].append(name)
            else:
                found[end] = [name]
        return found


def _shard(file: LabelFile) -> _Shard | None:
    """Split a file of plain lines; None when it is anything else, or its ids are not those that its name promises."""
    try:
        content = file.path.read_bytes() if file.path.is_file() else b""
    except OSError:
        return None
    if not content or b"\r" in content:
        return None
    lines = content.split(b"\n")
    records = lines[::2]
    if any(lines[1::2]) or not records[-1] or len(lines) % 2:
        return None
    ids = [line[_START:_STOP] for line in records]
    ends = [line[_STOP:] for line in records]
    heads = {line[:_START] for line in records}
    plain = heads == {_HEAD} and not b"".join(ids).translate(None, b"0123456789abcdef") and all(map(lt, ids, ids[1:]))
    stem = file.path.stem.encode()
    promised = stem == b"all" or (len(stem) <= 2 and ids[0].startswith(stem) and ids[-1].startswith(stem))
    sound = len(ids[-1]) == ID_LENGTH and _is_text(content)
    return _Shard(ids, ends) if plain and promised and sound else None


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _opinions(directory: Path, files: Iterable[LabelFile]) -> dict[str, dict[str, Any]] | None:
    """Read the annotators' files, which are small beside the imports; None when something is wrong with them."""
    found: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for file in files:
        for record in read_file(directory, file, problems).records:
            said = found.setdefault(record.id, {})
            if file.source in said or record.split or record.group or record.copy != 1 or record.input is not None:
                return None
            said[file.source] = record.label
    return None if problems else found


def _add_opinions(
    tally: Tally, file: LabelFile, shard: _Shard, named: set[bytes], opinions: dict[str, dict[str, Any]], rule: SplitRule
) -> bool:
    """Count examples of a shard that have opinions by the label in force, and take them out of the shard."""
    rows = [row for row, name in enumerate(shard.ids) if name in named]
    for row in reversed(rows):
        record = parse_record((_HEAD + shard.ids[row] + shard.ends[row]).decode(), "", [])
        if record is None:
            return False
        said = {file.source: record.label, **opinions[record.id]}
        decided, label = in_force(said)
        if len(set(map(label_key, said.values()))) > 1:
            tally.disputes[record.id] = said
        if decided:
            tally.counts[label_key(label), split_of(record, rule)] += 1
        else:
            tally.left_out += 1
        named.discard(shard.ids.pop(row))
        shard.ends.pop(row)
    return True


def _splits(record: Record, ids: Sequence[bytes], rule: SplitRule) -> dict[str, int]:
    """Count the splits of examples whose records differ in nothing but the id."""
    by_group = rule.by == "group" and record.group is not None
    recut = record.split is None or (record.split == "train" and bool(rule.from_train))
    if by_group or not recut or record.input is not None:
        return {split_of(record, rule): len(ids)}
    cut = {
        part: rule_part if record.split is None or part in rule.from_train else 0.0
        for part, rule_part in (("test", rule.test), ("validation", rule.validation))
    }
    rest = list(ids)
    counts = dict.fromkeys(SPLITS, 0)
    for part, fraction in cut.items():
        if fraction >= 1.0:
            counts[part], rest = len(rest), []
        if fraction <= 0.0 or not rest:
            continue
        # `unit_interval(id, salt) < fraction`, with the bytes of the hash compared: a fifth of the time.
        salt, limit = f"{part} {rule.salt} ".encode(), bytes.fromhex(f"{math.ceil(fraction * 16**13):013x}000")
        left = [name for name in rest if sha256(salt + name).digest() >= limit]
        counts[part], rest = len(rest) - len(left), left
    counts["train"] = len(rest)
    return {split: count for split, count in counts.items() if count}
