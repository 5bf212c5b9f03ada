"""The code in documents: found by walking, run in order, its output compared.

A fenced block says by its language what it is:

- ``sh``: commands; each must succeed (or end with the exit code of a comment ``# exits with 1``).
- ``console``: lines that begin with ``$`` are commands, the lines below are what they print (both streams).
- ``python``: run in one namespace per document; with ``>>>`` it is a doctest.
- anything else is shown, not run. So is a block below a line ``<!-- not run -->``.

In expected output a line ``...`` stands for any lines, ``...`` within a line for any text. Numbers differ from machine to machine, so a
number with a decimal point or of several digits matches any number; words, names and single digits must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NOT_RUN = "<!-- not run -->"
RUN = ("sh", "console", "python")

_NUMBER = r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line on which its text begins, and whether it is to be run."""

    language: str
    text: str
    line: int
    run: bool


def blocks(document: Path) -> Iterator[Block]:
    """Give the fenced blocks of a document in order."""
    lines = document.read_text(encoding="utf-8").splitlines()
    start, language, above = 0, "", ""
    inside = False
    for number, line in enumerate(lines, 1):
        if not inside and (fence := re.match(r"```(\w*)\s*$", line)):
            inside, start, language = True, number + 1, fence[1]
        elif inside and line.rstrip() == "```":
            inside = False
            text = "\n".join(lines[start - 1 : number - 1]) + "\n"
            yield Block(language, text, start, language in RUN and above != NOT_RUN)
        elif not inside and line.strip():
            above = line.strip()


@dataclass(frozen=True)
class Command:
    """A shell command (its lines joined), what it should print (None: not compared), its exit code, and where it stands."""

    text: str
    expected: str | None
    exit_code: int
    line: int


def commands(block: Block) -> Iterator[Command]:
    """Give the commands of a ``sh`` or ``console`` block."""
    if block.language == "sh":
        yield Command(block.text, None, _exit_code(block.text), block.line)
        return
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        last = start
        while lines[last].endswith("\\"):
            last += 1
        text = "\n".join([lines[start][2:], *lines[start + 1 : last + 1]])
        yield Command(text, "\n".join(lines[last + 1 : end]), _exit_code(text), block.line + start)


def _exit_code(text: str) -> int:
    found = re.search(r"# exits with (\d+)", text)
    return int(found[1]) if found else 0


def output_matches(expected: str, got: str) -> bool:
    """Say whether the output is the one that the document shows, in the sense of this module."""
    return _match(
        [_line(line) for line in expected.splitlines() if line.strip()], [_squeeze(line) for line in got.splitlines() if line.strip()]
    )


def _match(expected: list[re.Pattern[str] | None], got: list[str]) -> bool:
    """Match lines; None stands for any number of lines."""
    reachable = {0}
    for pattern in expected:
        if pattern is None:
            reachable = set(range(min(reachable), len(got) + 1))
        else:
            reachable = {place + 1 for place in reachable if place < len(got) and pattern.fullmatch(got[place])}
        if not reachable:
            return False
    return len(got) in reachable


def _line(line: str) -> re.Pattern[str] | None:
    squeezed = _squeeze(line)
    if squeezed == "...":
        return None
    pieces = re.split(rf"(\.\.\.|{_NUMBER})", squeezed)
    return re.compile("".join(_piece(piece, number % 2 == 1) for number, piece in enumerate(pieces)))


def _piece(piece: str, special: bool) -> str:
    if not special:
        return re.escape(piece).replace(r"\ ", r"\s*")
    if piece == "...":
        return ".*"
    return re.escape(piece) if len(piece) == 1 else _NUMBER


def _squeeze(line: str) -> str:
    return re.sub(r"[\s─━│┃]+", " ", line).strip()
