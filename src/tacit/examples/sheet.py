"""Contact sheets: many examples on one picture, each as its input type shows it, with a caption. For pull requests and reports."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from tacit.examples.lettering import Lettering
from tacit.signature.base import InputType, Product

#: Cells that are drawn; the sheet says how many more there are. A sheet of more would not be looked through.
MOST = 120
_CELL, _GAP, _MARGIN = 168, 14, 20
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 32, 32), (110, 110, 110)
_FRAMES = {"": (205, 205, 205), "bad": (200, 60, 40), "good": (30, 140, 90), "changed": (205, 150, 20)}
_CAPTION_LINES, _WORD_LINES = 4, 9


@dataclass(frozen=True, eq=False)
class Cell:
    """One example on a sheet.

    type, arrays: the input as `type.read` gives it, arrays of `type.arrays` without a batch axis. caption: lines below it.
    value: the text or row as it stands in the record, for types that are shown as words (their arrays can't be turned back).
    tone: colour of the frame, one of "", bad, good, changed. section: cells of one section stand together below its title.
    """

    type: InputType
    arrays: Sequence[np.ndarray]
    caption: str = ""
    value: Any = None
    tone: str = ""
    section: str = ""


def contact_sheet(cells: Sequence[Cell], *, title: str, columns: int | None = None) -> bytes:
    """Draw cells in rows below a title and give a PNG; sections in the order in which they first come.

    columns: cells side by side; None takes what suits their number, at most eight. Beyond `MOST` cells the rest is counted.
    Letters that no font of the machine has are written as ASCII or as their code.
    """
    shown = list(cells[:MOST])
    across = columns or max(3, min(8, math.ceil(math.sqrt(len(shown) * 1.6))))
    wide = 2 * _MARGIN + across * _CELL + (across - 1) * _GAP
    heading, label, text = Lettering(18), Lettering(15), Lettering(12)
    title_lines = heading.wrap(title, wide - 2 * _MARGIN, 3)
    sections: dict[str, list[Cell]] = {}
    for cell in shown:
        sections.setdefault(cell.section, []).append(cell)
    blocks = [(name, [group[at : at + across] for at in range(0, len(group), across)]) for name, group in sections.items()]
    captions = {id(cell): text.wrap(cell.caption, _CELL, _CAPTION_LINES) for cell in shown}
    heights = [[_row_height(row, captions, text) for row in rows] for _, rows in blocks]
    rest = f"... and {len(cells) - len(shown):,} more" if len(cells) > len(shown) else "" if cells else "nothing to show"

    tall = 2 * _MARGIN + heading.height * len(title_lines) + _GAP + (label.height + _GAP if rest else 0)
    tall += sum(sum(rows) + _GAP * len(rows) for rows in heights) + sum(label.height + _GAP for name, _ in blocks if name)
    canvas = Pillow.new("RGB", (wide, tall), _PAPER)
    pen = ImageDraw.Draw(canvas)
    top = _MARGIN
    for line in title_lines:
        heading.draw(pen, (_MARGIN, top), line, _INK)
        top += heading.height
    top += _GAP
    for (name, rows), tallness in zip(blocks, heights, strict=True):
        if name:
            label.draw(pen, (_MARGIN, top), "".join(label.wrap(name, wide - 2 * _MARGIN, 1)), _INK)
            top += label.height + _GAP
        for row, height in zip(rows, tallness, strict=True):
            for place, cell in enumerate(row):
                _draw(canvas, pen, (_MARGIN + place * (_CELL + _GAP), top), cell, captions[id(cell)], text)
            top += height + _GAP
    if rest:
        label.draw(pen, (_MARGIN, top), rest, _FAINT)
    out = io.BytesIO()
    canvas.save(out, "PNG", optimize=True)
    return out.getvalue()


def _row_height(row: Sequence[Cell], captions: dict[int, list[str]], text: Lettering) -> int:
    return _CELL + 6 + text.height * max(len(captions[id(cell)]) for cell in row)


def _draw(canvas: Pillow.Image, pen: ImageDraw.ImageDraw, at: tuple[int, int], cell: Cell, caption: Sequence[str], text: Lettering) -> None:
    """Draw one cell with its upper left corner at `at`: the frame, the example in it, the caption below."""
    left, top = at
    inner = _CELL - 6
    pen.rectangle((left, top, left + _CELL - 1, top + _CELL - 1), outline=_FRAMES.get(cell.tone, _FRAMES[""]), width=3 if cell.tone else 1)
    picture, words = cell.type.picture(cell.arrays), _words(cell)
    lines = text.wrap(words, inner - 8, _WORD_LINES if picture is None else 3) if words else []
    room = inner - (0 if picture is None else text.height * len(lines))
    if picture is not None:
        fitted = _fitted(picture, inner, room)
        canvas.paste(fitted, (left + 3 + (inner - fitted.width) // 2, top + 3 + (room - fitted.height) // 2))
    below = top + 7 if picture is None else top + 3 + room
    for number, line in enumerate(lines):
        text.draw(pen, (left + 7, below + number * text.height), line, _INK)
    for number, line in enumerate(caption):
        text.draw(pen, (left, top + _CELL + 5 + number * text.height), line, _INK if number == 0 else _FAINT)


def _words(cell: Cell) -> str:
    """Give the example as words, as far as it has no picture."""
    if isinstance(cell.type, Product):
        parts = zip(cell.type.parts, cell.type.divide(cell.arrays), strict=True)
        return "; ".join(part.show(own) for part, own in parts if part.picture(own) is None)
    if cell.type.picture(cell.arrays) is not None:
        return ""
    if isinstance(cell.value, dict):
        return "\n".join(f"{name}: {value}" for name, value in cell.value.items())
    if cell.value is not None:
        return cell.value if isinstance(cell.value, str) else json.dumps(cell.value, ensure_ascii=False)
    return cell.type.show(cell.arrays)


def _fitted(picture: np.ndarray, width: int, height: int) -> Pillow.Image:
    """Enlarge a small picture by whole numbers, so that its pixels stay to be seen; shrink a large one smoothly."""
    image = Pillow.fromarray(np.ascontiguousarray(picture, np.uint8))
    scale = min(width / image.width, height / image.height)
    if scale >= 1:
        whole = int(scale)
        return image.resize((image.width * whole, image.height * whole), Pillow.Resampling.NEAREST)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Pillow.Resampling.LANCZOS, reducing_gap=3.0)
