"""``--fix``: mend in the label files what needs no decision of a person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tacit.examples.label_files import label_files
from tacit.ground.files import write_atomic
from tacit.instruments.linting.finding import Finding

_ID = re.compile(r'\s*\{"id": ?"([0-9a-f]+)"')


def mend(directory: Path, findings: Iterable[Finding]) -> list[str]:
    """Do what the findings' `Mend`s say, each file written once and whole; give what was done, in words. Raises: TacitError."""
    mends = [finding.mend for finding in findings if finding.mend is not None]
    ended = [mend for mend in mends if mend.lines]
    if ended:  # numbers of lines stay; the rest is done in the next round, when the files can be read
        for name in sorted({name for mend in ended for name in mend.lines}):
            path = directory / name
            write_atomic(path, path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n"))
        return [mend.said for mend in ended]
    remove = {name for mend in mends for name in mend.remove}
    drop: dict[str, set[int]] = {}
    for mend in mends:
        for place in mend.drop:
            drop.setdefault(place.file, set()).add(place.line)
    for file in label_files(directory) if remove or drop else ():
        if file.path.suffix != ".jsonl":
            continue
        lines = file.path.read_text(encoding="utf-8").split("\n")
        kept = _without(lines, remove, drop.get(file.shown, set()))
        if len(kept) == len(lines):
            continue
        if any(line.strip() for line in kept):
            write_atomic(file.path, "\n".join(kept))
        else:
            file.path.unlink()
    return [mend.said for mend in mends]


def _without(lines: Sequence[str], remove: set[str], drop: set[int]) -> list[str]:
    """Take out lines by id or number, each with the empty line after it (before it, at the end of a file)."""
    kept: list[str] = []
    skip = False
    for number, line in enumerate(lines, 1):
        match = _ID.match(line)
        if number in drop or (match and match[1] in remove):
            skip = True
            continue
        if skip and not line.strip() and number < len(lines):
            skip = False
            continue
        skip = False
        kept.append(line)
    while len(kept) > 1 and not kept[-1].strip() and not kept[-2].strip():
        kept.pop(-2)  # the last record went: its empty line before it goes, too
    return kept
