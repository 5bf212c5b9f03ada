"""What an instrument shows: lines of text and grids, as data. `plain` lays them out as text; a terminal may do more."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKED = re.compile(r"[\\`*\[\]<>|~]")
_NUMBER = re.compile(r"^[-+]?[\d,]*\.?\d+(e[-+]?\d+)?( ?[%KMG]?i?B?)?$|^-?$")


@dataclass(frozen=True)
class Grid:
    """A titled table of short texts; `rows` are as long as `columns`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def numeric(self, column: int) -> bool:
        """Tell whether every cell of a column is a number, so that it is set flush right."""
        return bool(self.rows) and all(_NUMBER.match(row[column]) for row in self.rows)


Part = str | Grid


def plain(parts: Iterable[Part]) -> str:
    """Lay out parts as text, grids with aligned columns; wide characters (Chinese ...) count as two.

    >>> print(plain(["two classes", Grid("per class", ("class", "recall"), (("cat", "0.98"), ("dog", "1")))]))
    two classes
    <BLANKLINE>
    per class
      class  recall
      cat      0.98
      dog         1
    """
    blocks: list[str] = []
    for part in parts:
        if isinstance(part, str):
            blocks.append(part)
        else:
            blocks.append("\n".join(["", *([part.title] if part.title else []), *_lines(part)]))
    return "\n".join(blocks)


def _lines(grid: Grid) -> list[str]:
    table: Sequence[Sequence[str]] = [grid.columns, *(tuple(map(visible, row)) for row in grid.rows)]
    widths = [max(width(row[column]) for row in table) for column in range(len(grid.columns))]
    right = [grid.numeric(column) for column in range(len(grid.columns))]
    return ["  " + "  ".join(_cell(*cell) for cell in zip(row, widths, right, strict=True)).rstrip() for row in table]


def _cell(text: str, wanted: int, right: bool) -> str:
    space = " " * (wanted - width(text))
    return space + text if right else text + space


def visible(text: str) -> str:
    """Write characters that steer a terminal, or turn the direction of writing, as escapes: a label or a file name may hold any.

    >>> visible("red\\x1b[31m\\n")
    'red\\\\x1b[31m\\\\n'
    """
    return text if text.isprintable() else _STEERING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def markdown_cell(text: str) -> str:
    """Write a text that anybody may have chosen so that Markdown shows it as it is, within one cell of a table; `code` stays code.

    >>> markdown_cell("a|b"), markdown_cell("![x](y) <b>"), markdown_cell("`12ab`")
    ('a\\\\|b', '!\\\\[x\\\\](y) \\\\<b\\\\>', '`12ab`')
    """
    if re.fullmatch(r"`[^`\n]*`", text):
        return text.replace("|", "\\|")
    # A space of no width after an @, or a comment would call the person of that name.
    return _MARKED.sub(r"\\\g<0>", visible(text)).replace("@", "@\u200b")


def width(text: str) -> int:
    """Count the columns that `text` takes on a terminal.

    >>> width("cat"), width("猫")
    (3, 2)
    """
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def count(number: float, unit: str = "") -> str:
    """Write a number with a prefix: thousands, millions, billions.

    >>> count(1234567, "MAC"), count(999)
    ('1.23 MMAC', '999')
    """
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number >= limit:
            return f"{number / limit:.3g} {prefix}{unit}"
    return f"{number:.4g} {unit}".rstrip()


def size(number: float) -> str:
    """Write a number of bytes.

    >>> size(2048), size(12)
    ('2 KiB', '12 B')
    """
    for limit, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.0f} B"


def decimal(value: object, digits: int = 4) -> str:
    """Write a score: digits after the point; a dash for what was not measured.

    >>> decimal(0.98765), decimal(None)
    ('0.9877', '-')
    """
    return f"{value:.{digits}f}" if isinstance(value, float) else "-" if value is None else str(value)
