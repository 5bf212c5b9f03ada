"""Label files as lines of bytes by example: what differs between two versions is found without parsing what is equal.

A set of a million labels is 57 MB of text; comparing its lines as bytes takes a fraction of a second, parsing them several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from tacit.examples.label_files import ANNOTATORS, LABELS
from tacit.examples.records import Record, parse_record
from tacit.ground.digests import ID_LENGTH

SUFFIX = ".jsonl"
_BEGIN = b'{"id": "'
_END = len(_BEGIN) + ID_LENGTH
_ID = re.compile(rf'"id"\s*:\s*"([0-9a-f]{{{ID_LENGTH}}})"'.encode())
_SHARD = re.compile(r"[0-9a-f]{1,8}")

Line = tuple[int, bytes]  # the number of a line, from 1 on, and its text without the line end


def split_lines(content: bytes) -> list[bytes]:
    """Give the lines of a file; line ends of other systems count as such."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return content.split(b"\n")


def differing(old: bytes, new: bytes) -> tuple[list[Line], list[Line]]:
    """Give the lines that only the old and only the new version of a file has, empty ones left out.

    >>> differing(b"a\\n\\nb\\n", b"a\\n\\nc\\n")
    ([(3, b'b')], [(3, b'c')])
    """
    if old == new:
        return [], []
    before, after = split_lines(old), split_lines(new)
    if len(before) == len(after):  # relabels in place: most lines stand where they stood
        rows = _unequal(before, after)
        gone = [(row, before[row - 1]) for row in rows if before[row - 1]]
        came = [(row, after[row - 1]) for row in rows if after[row - 1]]
    else:
        gone, came = list(enumerate(before, 1)), list(enumerate(after, 1))
    had, has = {text for _, text in gone}, {text for _, text in came}
    return [line for line in gone if line[1].strip() and line[1] not in has], [
        line for line in came if line[1].strip() and line[1] not in had
    ]


def _unequal(before: list[bytes], after: list[bytes], step: int = 64) -> list[int]:
    """Give the numbers (from 1 on) of the places at which two lists differ; equal stretches are compared as a whole."""
    rows = []
    for start in range(0, len(before), step):
        one, two = before[start : start + step], after[start : start + step]
        if one != two:
            rows += [start + row for row, (a, b) in enumerate(zip(one, two, strict=True), 1) if a != b]
    return rows


def id_of(line: bytes) -> str | None:
    """Give the id in a line; None when it holds none.

    >>> id_of(b'{"id": "000000000000000000000000", "label": "cat"}')
    '000000000000000000000000'
    """
    if line.startswith(_BEGIN) and line[_END : _END + 1] == b'"':
        return line[len(_BEGIN) : _END].decode("ascii", "replace")
    found = _ID.search(line)
    return found.group(1).decode() if found else None


def parse(line: bytes, place: str, problems: list[str]) -> Record | None:
    """Read one record; what is wrong with the line joins `problems` with its place, and None is given."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        problems.append(f"{place}: expected UTF-8, got the byte 0x{line[error.start]:02x}")
        return None
    return parse_record(text, place, problems)


def source_of(file: str) -> str:
    """Give the source of a label file: the folder below `labels/` that it stands in.

    >>> source_of("labels/photos-1a2b/3f.jsonl"), source_of("labels/by/ann/all.jsonl")
    ('photos-1a2b', 'by/ann')
    """
    return PurePosixPath(file).parent.as_posix().removeprefix(LABELS).lstrip("/")


def annotator_of(source: str) -> str | None:
    """Give the annotator whose opinions a source holds; None for an import.

    >>> annotator_of("by/ann"), annotator_of("photos-1a2b")
    ('ann', None)
    """
    first, _, rest = source.partition("/")
    return rest if first == ANNOTATORS and rest else None


def is_labels(file: str) -> bool:
    """Say whether a file, named from the program directory, holds records."""
    return file.endswith(SUFFIX) and not PurePosixPath(file).name.startswith(".")


def may_hold(file: str, example: str) -> bool:
    """Say whether an example may stand in a file: shards are named by the first digits of the ids in them.

    >>> may_hold("labels/a/3f.jsonl", "3f00"), may_hold("labels/a/3f.jsonl", "00"), may_hold("labels/a/all.jsonl", "00")
    (True, False, True)
    """
    stem = PurePosixPath(file).name.partition(".")[0]
    return example.startswith(stem) if _SHARD.fullmatch(stem) else True


def find_lines(content: bytes, wanted: Iterable[str]) -> Iterator[tuple[str, int, bytes]]:
    """Give ``(id, number of the line, line)`` of the wanted examples in a file."""
    names = set(wanted)
    if len(names) > 64:
        for number, line in enumerate(split_lines(content), 1):
            found = id_of(line) if line else None
            if found in names:
                yield found, number, line
        return
    if b"\r" in content:
        content = b"\n".join(split_lines(content))
    for name in sorted(names):
        start, key = 0, name.encode()
        while (at := content.find(key, start)) >= 0:
            begin, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
            line = content[begin : end if end >= 0 else len(content)]
            if id_of(line) == name:
                yield name, content.count(b"\n", 0, begin) + 1, line
            start = begin + len(line)
