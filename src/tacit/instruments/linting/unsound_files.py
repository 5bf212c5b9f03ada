"""Label files that can't be read as they stand, and records that stand twice."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tacit.examples.label_files import ANNOTATORS, LABELS
from tacit.ground.errors import InputError
from tacit.instruments.linting.check import Check
from tacit.instruments.linting.context import Context
from tacit.instruments.linting.finding import Code, Finding, Mend, Place

_PROBLEM = re.compile(rf"^  - ({LABELS}/[^:]+):(\d+): (.*)$", re.MULTILINE)
_ID = re.compile(r'"id": ?"([0-9a-f]+)"')

BROKEN = Code(
    "TL001",
    "broken-label-file",
    "error",
    "A line of a label file can't be read",
    "Broken JSON, merge markers, unknown or missing keys, or an id that is not the hash of its input. Nothing can be compiled until every"
    " line is one record; the other checks wait for that, too.",
    "mend the line by hand; every record is one line of JSON with an empty line after it",
)
CARRIAGE = Code(
    "TL002",
    "carriage-returns",
    "error",
    "A label file has CRLF line ends",
    "An editor or `core.autocrlf` converted the file. Every line then counts as changed, and two people's edits no longer merge.",
    "tacit lint --fix; keep it from happening again with `*.jsonl text eol=lf` in .gitattributes",
)
REPEATED = Code(
    "TL003",
    "repeated-record",
    "note",
    "The same record stands twice",
    "Two imports brought the same example with the same label. It counts once, but an edit of one record leaves the other as it was.",
    "tacit lint --fix drops the later one",
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a label file: the file relative to the program directory, its number from 1 on, its text without the end."""

    file: str
    number: int
    text: str


def _files(directory: Path) -> list[Path]:
    """List the label files that can be looked into; the store names the others."""
    return sorted(path for path in (directory / LABELS).glob("**/*.jsonl") if path.is_file() and os.access(path, os.R_OK))


def label_lines(directory: Path) -> Iterator[Line]:
    """Give every line of every label file that is not empty; bytes that are no UTF-8 are replaced."""
    for path in _files(directory):
        name = path.relative_to(directory).as_posix()
        text = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode(errors="replace")
        for number, line in enumerate(text.split("\n"), 1):
            if line and not line.isspace():
                yield Line(name, number, line)


def unsound(context: Context) -> list[Finding]:
    """Give what keeps the labels from being read at all; empty when they were read. Raises: InputError when there are none."""
    findings = []
    for path in _files(context.directory):
        content = path.read_bytes()
        if b"\r" in content:
            name = path.relative_to(context.directory).as_posix()
            line = content[: content.index(b"\r")].count(b"\n") + 1
            count = content.count(b"\r")
            mend = Mend(f"{name}: {count:,} line ends became LF", lines=(name,))
            message = f"{count:,} lines of `{name}` end in CR or CRLF"
            findings.append(CARRIAGE.finding(message, key=name, evidence={"lines": count}, mend=mend, places=[Place(name, line)]))
    try:
        len(context.records)
    except InputError as error:
        problems = _PROBLEM.findall(error.message)
        if not problems:
            raise
        repeated = {finding.places[0]: finding for finding in _repeated(context.directory)}
        for file, number, text in problems:
            place = Place(file, int(number))
            if place in repeated:
                findings.append(replace(repeated[place], severity="error"))
            elif "expected lines that end in LF" not in text:
                findings.append(BROKEN.finding(text, key=f"{file} {text}", places=[place]))
    return findings


def _repeated(directory: Path) -> Iterator[Finding]:
    """Give every line that stands a second time, word for word; in an annotator's file it is an opinion that agrees."""
    seen: dict[str, Line] = {}
    for line in label_lines(directory):
        if line.file.startswith(f"{LABELS}/{ANNOTATORS}/"):
            continue
        earlier = seen.setdefault(line.text, line)
        match = _ID.search(line.text)
        if earlier is not line and match:
            places = [Place(line.file, line.number), Place(earlier.file, earlier.number)]
            mend = Mend(f"{places[0]}: dropped the record of {match[1]}, which {places[1]} holds, too", drop=(places[0],))
            yield REPEATED.finding(
                f"the record of {match[1]} stands at {places[1]}, too",
                examples=[match[1]],
                key=f"{match[1]} {line.file}",
                mend=mend,
                places=places,
            )


def _find(context: Context) -> Iterator[Finding]:
    return _repeated(context.directory)


CHECK = Check((BROKEN, CARRIAGE, REPEATED), _find, needs_inputs=False)
