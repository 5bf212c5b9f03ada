"""A terminal's version of a report: the same parts as plain text, with colours for what is met and what is not."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tacit.instruments.layout import Grid, Part, visible

_COLOURS = {"met": "green", "NOT MET": "bold red", "found": "green", "missing": "yellow"}


def draw(parts: Iterable[Part], *, console: Console | None = None) -> None:
    """Write the parts on a terminal."""
    screen = console or Console(highlight=False, soft_wrap=False)
    for part in parts:
        screen.print(Text(part) if isinstance(part, str) else _table(part))


def _table(grid: Grid) -> Table:
    table = Table(title=Text(grid.title), title_justify="left", box=None, pad_edge=True, title_style="bold", header_style="dim")
    for column, name in enumerate(grid.columns):
        table.add_column(Text(name), justify="right" if grid.numeric(column) else "left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(Text(visible(cell), style=_COLOURS.get(cell, "")) for cell in row))
    return table
